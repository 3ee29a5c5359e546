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
	from  string // where it comes from; see hostOf
	since time.Time
	cert  *x509.Certificate // nil before it is known
	stop  context.CancelFunc
}

// hostOf is where a connection comes from: its address without the port, and of IPv6 the
// network of 64 bits, since whoever has one address there has all of them.
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

// makeRoom ends a handshake that is under way if there are too many: the oldest of where
// most of them come from. Whoever holds handshakes up so pushes out their own, and a
// caller, whose handshake takes moments, comes through. The caller holds mu.
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

// place refuses a caller that has too many connections, and everybody where there are too
// many: no caller keeps the others out. The caller holds mu.
func (s *Server) place(conn net.Conn, cert *x509.Certificate) error {
	if _, there := s.open[conn]; !there {
		return ErrClosed // it was ended to make room
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

// errCrowd ends a connection of which there are too many.
var errCrowd = errors.New("wire: too many connections")

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

// callsOf is how many requests of a connection are worked on at once: few of one that
// only reads.
func callsOf(roles Role) int {
	if roles&(Authority|Closer) != 0 {
		return maxCalls
	}
	return maxReading
}

// known notes who is at the other side of a connection, and asks once more whether it is
// allowed: a Recheck before this has not seen it.
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
