package wire

import (
	"crypto/tls"
	"fmt"
	"strings"
)

// Role says what a party may ask of a keeper. A certificate names its roles.
type Role uint8

// The roles, as bits: a certificate may have several.
const (
	// Authority may have guesses counted and PINs set, and read the rows of cards.
	Authority Role = 1 << iota
	// Closer may retire cards and move tags: of an authority that does so.
	Closer
	// Peer is another keeper: it may read rows, for its repair.
	Peer
	// Administrator is the keeper's own: it may read rows and undo a retirement.
	Administrator
)

// roleSpace opens the names (URI, RFC 5280) by which a certificate gives roles.
const roleSpace = "liuma:role:"

// roleNames are the names after roleSpace.
func roleNames() map[string]Role {
	return map[string]Role{"authority": Authority, "closer": Closer, "peer": Peer, "administrator": Administrator}
}

// RolesOf reads the roles from the certificate of a connection. A certificate without
// one, or with a role that is not known, gives ErrRole.
func RolesOf(s tls.ConnectionState) (Role, error) {
	if len(s.PeerCertificates) == 0 {
		return 0, fmt.Errorf("%w: no certificate", ErrRole)
	}
	var roles Role
	names := roleNames()
	for _, u := range s.PeerCertificates[0].URIs {
		name, ours := strings.CutPrefix(u.String(), roleSpace)
		if !ours {
			continue
		}
		r, ok := names[name]
		if !ok {
			return 0, fmt.Errorf("%w: %q", ErrRole, name)
		}
		roles |= r
	}
	if roles == 0 {
		return 0, fmt.Errorf("%w: the certificate names none", ErrRole)
	}
	return roles, nil
}

// may are the roles of which one is needed for a type of request; zero: there is no such
// request.
func may(k kind) Role {
	switch k {
	case ping:
		return Authority | Closer | Peer | Administrator
	case attempt, propose, commit, settle, statusOfTag, head, admit:
		return Authority
	case status, about:
		return Authority | Peer | Administrator
	case retag, retire:
		return Closer
	case unretire:
		return Administrator
	case scan:
		return Peer | Administrator
	}
	return 0
}
