package door_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// street is a door on a real listener. Its handler answers at once, and at
// /wait when it is let go.
type street struct {
	t           *testing.T
	at          string
	connections *door.Connections
	let         chan struct{}
	waiting     atomic.Int64 // requests that a handler has at /wait
	most        atomic.Int64 // of them at once
}

// somewhere gives the connections of a listener addresses, one after the other.
type somewhere struct {
	net.Listener
	mu   sync.Mutex
	from []string // guarded by mu
}

type elsewhere struct {
	net.Conn
	from net.Addr
}

func (e elsewhere) RemoteAddr() net.Addr { return e.from }

func (s *somewhere) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := "192.0.2.1"
	if len(s.from) > 0 {
		from, s.from = s.from[0], s.from[1:]
	}
	return elsewhere{conn, &net.TCPAddr{IP: net.ParseIP(from), Port: 1}}, nil
}

func newStreet(t *testing.T, c door.ConnectionsConfig, secure *tls.Config, sources ...string) *street {
	t.Helper()
	s := &street{t: t, let: make(chan struct{})}
	c.Door, c.Logger = "hosted", slog.New(slog.DiscardHandler)
	var err error
	if s.connections, err = door.NewConnections(c); err != nil {
		t.Fatal(err)
	}
	server := door.NewServer(http.HandlerFunc(s.handle), door.Bounds{Read: 10 * time.Second, Write: 10 * time.Second, Idle: time.Minute, HeaderBytes: 8 << 10}, slog.New(slog.DiscardHandler))
	s.connections.Guard(server)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var ln net.Listener = &somewhere{Listener: plain, from: sources}
	if secure != nil {
		ln = tls.NewListener(ln, secure)
	}
	s.at = plain.Addr().String()
	ended := make(chan struct{})
	go func() { _ = server.Serve(ln); close(ended) }()
	t.Cleanup(func() { close(s.let); server.Close(); <-ended })
	return s
}

func (s *street) handle(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/wait" {
		n := s.waiting.Add(1)
		defer s.waiting.Add(-1)
		for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
		}
		<-s.let
	}
	fmt.Fprint(w, "served")
}

// dial opens a connection and sends what is given.
func (s *street) dial(send string) net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.at)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, send); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// open waits until a number of connections are open, and is refused or closed.
func (s *street) open(n int) door.Open {
	s.t.Helper()
	var got door.Open
	for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if got = s.connections.Open(); got.Connections == n {
			return got
		}
	}
	s.t.Fatalf("%+v, want %d", got, n)
	return got
}

// closed reports whether the server closes a connection; it waits for that.
func closed(conn net.Conn) bool { return closedWithin(conn, patience.Limit) }

// open reports whether the server leaves a connection open, for as long as closing it takes.
func open(conn net.Conn) bool { return !closedWithin(conn, 300*time.Millisecond) }

func closedWithin(conn net.Conn, d time.Duration) bool {
	_ = conn.SetReadDeadline(time.Now().Add(d))
	_, err := conn.Read(make([]byte, 1))
	nerr, ok := err.(net.Error)
	return err != nil && (!ok || !nerr.Timeout())
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func answered(t *testing.T, conn net.Conn) bool {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Log(err)
		return false
	}
	b, err := io.ReadAll(resp.Body)
	return err == nil && string(b) == "served"
}

// TestAFullDoorClosesWhatIsIdleLongest: the new visitor is served, whether the
// others have sent nothing or were answered before.
func TestAFullDoorClosesWhatIsIdleLongest(t *testing.T) {
	s := newStreet(t, door.ConnectionsConfig{Most: 3, PerSource: 3}, nil)
	first := s.dial("")
	s.open(1)
	second := s.dial(get)
	if !answered(t, second) {
		t.Fatal("not served")
	}
	s.dial("")
	s.open(3)
	if !answered(t, s.dial(get)) {
		t.Error("a full door refused a visitor")
	}
	if !closed(first) || !open(second) {
		t.Error("closed another connection than the one that was idle longest")
	}
	if got := s.connections.Open(); got.Closed != 1 || got.Refused != 0 || got.Connections != 3 {
		t.Errorf("%+v", got)
	}
}

// TestWorkIsNeverCutOff: where every connection has a request in a handler, the
// new one is refused, and the door goes on.
func TestWorkIsNeverCutOff(t *testing.T) {
	s := newStreet(t, door.ConnectionsConfig{Most: 2, PerSource: 2}, nil)
	working := []net.Conn{s.dial(strings.Replace(get, "/", "/wait", 1)), s.dial(strings.Replace(get, "/", "/wait", 1))}
	for s.waiting.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	for range 5 {
		if !closed(s.dial("")) {
			t.Error("more connections than the door may have")
		}
	}
	if got := s.connections.Open(); got.Refused != 5 || got.Connections != 2 {
		t.Errorf("%+v", got)
	}
	s.let <- struct{}{}
	s.let <- struct{}{}
	for _, conn := range working {
		if !answered(t, conn) {
			t.Error("a request was cut off")
		}
	}
	if !answered(t, s.dial(get)) {
		t.Error("the door did not recover")
	}
}

// TestHeadersThatDawdle: who does not come to the end of a header gives way like
// one who sends nothing.
func TestHeadersThatDawdle(t *testing.T) {
	s := newStreet(t, door.ConnectionsConfig{Most: 2, PerSource: 2}, nil)
	slow := s.dial("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
	s.open(1)
	s.dial("GET / HT")
	s.open(2)
	if !answered(t, s.dial(get)) {
		t.Error("headers that dawdle shut the door")
	}
	if !closed(slow) {
		t.Error("the slowest is still open")
	}
}

// TestHeadersEnd: whoever dawdles longer than five seconds is closed without
// anybody else coming; so is a TLS handshake.
func TestHeadersEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for five seconds")
	}
	plain := newStreet(t, door.ConnectionsConfig{Most: 5, PerSource: 5}, nil)
	secure := newStreet(t, door.ConnectionsConfig{Most: 5, PerSource: 5}, certificate(t))
	for _, send := range []string{"", "GET / HTTP/1.1\r\nX-Slow: "} {
		plain.dial(send)
	}
	for _, send := range []string{"", "\x16\x03\x01\x02\x00\x01"} {
		secure.dial(send)
	}
	plain.open(2)
	secure.open(2)
	plain.open(0)
	secure.open(0)
}

// TestOneSourceOfConnections: its new connections push out its own, and a
// proxy's are not bounded.
func TestOneSourceOfConnections(t *testing.T) {
	s := newStreet(t, door.ConnectionsConfig{Most: 10, PerSource: 2, Proxies: door.Proxies{netip.MustParsePrefix("10.0.0.0/8")}}, nil,
		"192.0.2.7", "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1", "10.0.0.1", "10.0.0.1", "10.0.0.1")
	other := s.dial("")
	s.open(1)
	for range 4 {
		s.dial("")
	}
	for s.connections.Open().Closed < 2 {
		time.Sleep(time.Millisecond)
	}
	for range 3 {
		s.dial("")
	}
	if got := s.open(6); got.Closed != 2 || got.Refused != 0 {
		t.Errorf("%+v", got)
	}
	if !open(other) {
		t.Error("another source's connection was closed")
	}
}

// TestFarMoreConnectionsThanThereMayBe, all at once, while somebody is served
// again and again.
func TestFarMoreConnectionsThanThereMayBe(t *testing.T) {
	var sources []string
	for i := range 600 {
		sources = append(sources, fmt.Sprintf("198.51.%d.%d", 100+i/250, 1+i%250))
	}
	s := newStreet(t, door.ConnectionsConfig{Most: 50, PerSource: 40}, nil, sources...)
	ctx, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	for range 4 {
		flood.Go(func() {
			for range 100 {
				if conn, err := net.Dial("tcp", s.at); err == nil {
					defer conn.Close()
				}
				time.Sleep(time.Millisecond)
			}
			<-ctx.Done()
		})
	}
	for range 20 {
		served := false
		for range 5 { // the flood may push a visitor out before the header is read; browsers try again
			conn := s.dial(get)
			served = served || answered(t, conn)
			conn.Close()
		}
		if !served {
			t.Error("not served")
		}
		if n := s.connections.Open().Connections; n > 50 {
			t.Errorf("%d connections", n)
		}
	}
	stop()
	flood.Wait()
	s.open(0)
}

func certificate(t *testing.T) *tls.Config {
	t.Helper()
	made := httptest.NewUnstartedServer(nil)
	made.EnableHTTP2 = true
	made.StartTLS()
	defer made.Close()
	return &tls.Config{Certificates: made.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
}

// TestStreamsOfOneConnection: HTTP/2 is announced with a bound on the streams of
// a connection, and who opens more gets no more handlers. The connection counts
// as at work as long as one of them is.
func TestStreamsOfOneConnection(t *testing.T) {
	s := newStreet(t, door.ConnectionsConfig{Most: 1, PerSource: 1}, certificate(t))
	conn, err := tls.Dial("tcp", s.at, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec // a test's own certificate
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	var header strings.Builder
	coder := hpack.NewEncoder(&header)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/wait"}} {
		_ = coder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	for i := range 400 {
		if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(1 + 2*i), BlockFragment: []byte(header.String()), EndStream: true, EndHeaders: true}) != nil {
			break // the server has had enough
		}
		header.Reset()
		_ = coder.WriteField(hpack.HeaderField{Name: ":method", Value: "GET"})
		for _, f := range [][2]string{{":scheme", "https"}, {":authority", "a"}, {":path", "/wait"}} {
			_ = coder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
	}
	var refused int
	for refused < 10 {
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
		frame, err := framer.ReadFrame()
		if err != nil {
			break
		}
		if reset, ok := frame.(*http2.RSTStreamFrame); ok && reset.ErrCode == http2.ErrCodeRefusedStream {
			refused++
		}
	}
	if most := s.most.Load(); refused < 10 || most > 100 || most == 0 {
		t.Errorf("%d streams refused, %d at once", refused, most)
	}
	if !closed(s.dial("")) {
		t.Error("a connection at work gave way")
	}
}

func TestConnectionsConfigIsChecked(t *testing.T) {
	for what, c := range map[string]door.ConnectionsConfig{
		"no name":             {Most: 2, PerSource: 1, Logger: slog.New(slog.DiscardHandler)},
		"no logger":           {Door: "hosted", Most: 2, PerSource: 1},
		"none":                {Door: "hosted", Logger: slog.New(slog.DiscardHandler)},
		"more than there are": {Door: "hosted", Most: 2, PerSource: 3, Logger: slog.New(slog.DiscardHandler)},
	} {
		if _, err := door.NewConnections(c); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}
