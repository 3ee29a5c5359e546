package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// other is the other side of a connection.
type other struct {
	from  string // source address; see hostOf
	since time.Time
	cert  *x509.Certificate // nil until it is known
	stop  context.CancelFunc
}

// hostOf returns the source of a connection: its address without the port. For IPv6 it
// is the 64-bit network, because whoever has one address in it has all of them.
func hostOf(conn net.Conn) string { return sourceOf(conn.RemoteAddr().String()) }

func sourceOf(address string) string {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	host := at.Addr().Unmap().WithZone("")
	if host.Is4() {
		return host.String()
	}
	network, err := host.Prefix(64)
	if err != nil {
		return host.String()
	}
	return network.String()
}

// makeRoom ends a pending handshake if there are too many: the oldest one from the
// source with the most. So somebody who delays handshakes pushes out their own, and a
// caller's handshake, which takes moments, succeeds. The caller holds mu.
func (s *Server) makeRoom() {
	under, per := 0, map[string]int{}
	for _, o := range s.open {
		if o.cert == nil {
			under++
			per[o.from]++
		}
	}
	if under < s.c.Connections {
		return
	}
	var oldest net.Conn
	for conn, o := range s.open {
		was := s.open[oldest]
		if o.cert == nil && (oldest == nil || per[o.from] > per[was.from] || per[o.from] == per[was.from] && o.since.Before(was.since)) {
			oldest = conn
		}
	}
	s.c.Logger.Warn("a handshake with the keeper was ended: too many are under way", "from", oldest.RemoteAddr().String())
	delete(s.open, oldest)
	_ = oldest.Close() // its goroutine ends with it
}

// place refuses a caller that has too many connections, and every caller if there are too
// many in all: no caller can keep the others out. The caller holds mu.
func (s *Server) place(conn net.Conn, cert *x509.Certificate) error {
	if _, there := s.open[conn]; !there {
		return ErrClosed // it was closed to make room
	}
	all, own := 0, 0
	for _, o := range s.open {
		if o.cert == nil {
			continue
		}
		all++
		if bytes.Equal(o.cert.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo) {
			own++
		}
	}
	switch {
	case own >= max(1, s.c.Connections/4):
		return fmt.Errorf("%w: %d of one caller", errCrowd, own)
	case all >= s.c.Connections:
		return fmt.Errorf("%w: %d", errCrowd, all)
	}
	return nil
}

// errCrowd ends a connection because there are too many.
var errCrowd = errors.New("wire: too many connections")

// withRole refuses a certificate without a role, or one that is not allowed, during the
// handshake, when the other side can still be told.
func withRole(allow func(*x509.Certificate) error) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if _, err := RolesOf(state); err != nil {
			return err
		}
		return allow(state.PeerCertificates[0])
	}
}

// callsOf is how many requests of a connection are handled at once; few for a
// connection that only reads.
func callsOf(roles Role) int {
	if roles&(Authority|Closer) != 0 {
		return maxCalls
	}
	return maxReading
}

// known records the certificate of the other side of a connection, and checks again
// whether it is allowed: an earlier Recheck could not see it.
func (s *Server) known(conn net.Conn, o other) error {
	s.mu.Lock()
	err := s.place(conn, o.cert)
	if err == nil {
		s.open[conn] = o
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.c.Allow(o.cert)
}

// Recheck ends the connections whose certificates are no longer allowed, and returns how
// many. After it has returned, no request is taken from them. An earlier request is still
// counted, but its answer is lost.
func (s *Server) Recheck() (ended int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn, o := range s.open {
		if o.cert != nil && s.c.Allow(o.cert) != nil {
			o.stop()
			_ = conn.Close() // its reader ends with it
			ended++
		}
	}
	return ended
}

// Connections returns the number of connections for each role; a connection with several
// roles counts for each.
func (s *Server) Connections() map[Role]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[Role]int{}
	for _, o := range s.open {
		if o.cert == nil {
			continue
		}
		roles, err := RolesIn(o.cert)
		for bit := Authority; err == nil && bit <= Administrator; bit <<= 1 {
			if roles&bit != 0 {
				n[bit]++
			}
		}
	}
	return n
}
