package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
)

// other is the other side of a connection.
type other struct {
	cert *x509.Certificate // nil before it is known
	stop context.CancelFunc
}

// withRole refuses, while the other side can still be told, a certificate without a role
// or one that is not allowed.
func withRole(allow func(*x509.Certificate) error) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if _, err := RolesOf(state); err != nil {
			return err
		}
		return allow(state.PeerCertificates[0])
	}
}

// known notes who is at the other side of a connection, and asks once more whether it is
// allowed: a Recheck before this has not seen it.
func (s *Server) known(conn net.Conn, o other) error {
	s.mu.Lock()
	s.open[conn] = o
	s.mu.Unlock()
	return s.c.Allow(o.cert)
}

// Recheck ends the connections whose certificates are not allowed any more, and says how
// many. No request is taken from them after it has returned; one that was taken before is
// counted, and its answer is lost.
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

// Connections is how many there are of each role; one with several roles counts for each.
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
