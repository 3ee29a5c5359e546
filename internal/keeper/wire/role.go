package wire

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
)

// Role says what a party may ask of a keeper. A certificate names its roles.
type Role uint8

// The roles, as bits: a certificate may have several.
const (
	// Authority may have guesses counted and PINs set, and read the rows of cards.
	Authority Role = 1 << iota
	// Closer may retire cards and move tags; for an authority that does so.
	Closer
	// Peer is another keeper: it may read rows, for its repair.
	Peer
	// Administrator is the keeper's own administrator, who may read rows and undo a
	// retirement.
	Administrator
)

// roleSpace is the prefix of the names (URI, RFC 5280) with which a certificate grants
// roles.
const roleSpace = "liuma:role:"

// roleNames are the names after roleSpace, in the order of the bits.
func roleNames() []string { return []string{"authority", "closer", "peer", "administrator"} }

// RoleNamed returns the role with a name: authority, closer, peer or administrator.
func RoleNamed(name string) (Role, error) {
	for i, n := range roleNames() {
		if n == name {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("%w: %q", ErrRole, name)
}

// Names returns the names of the roles, in the order of their bits.
func (r Role) Names() (names []string) {
	for i, n := range roleNames() {
		if r&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// URIs returns the names with which a certificate grants the roles.
func (r Role) URIs() (uris []*url.URL) {
	for _, n := range r.Names() {
		scheme, rest, _ := strings.Cut(roleSpace+n, ":")
		uris = append(uris, &url.URL{Scheme: scheme, Opaque: rest})
	}
	return uris
}

// RolesOf reads the roles from a connection's certificate. It returns ErrRole for a
// certificate without a role, or with an unknown one.
func RolesOf(s tls.ConnectionState) (Role, error) {
	if len(s.PeerCertificates) == 0 {
		return 0, fmt.Errorf("%w: no certificate", ErrRole)
	}
	return RolesIn(s.PeerCertificates[0])
}

// RolesIn reads the roles from a certificate, as RolesOf does.
func RolesIn(cert *x509.Certificate) (roles Role, err error) {
	for _, u := range cert.URIs {
		name, ours := strings.CutPrefix(u.String(), roleSpace)
		if !ours {
			continue
		}
		r, err := RoleNamed(name)
		if err != nil {
			return 0, err
		}
		roles |= r
	}
	if roles == 0 {
		return 0, fmt.Errorf("%w: the certificate names none", ErrRole)
	}
	return roles, nil
}

// may returns the roles of which one is needed for a type of request; zero: there is no
// such request.
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
