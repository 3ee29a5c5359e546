package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// TestHeldHandshakesKeepNobodyOut: somebody without a certificate holds as many
// connections as there may be, and makes new ones; a caller comes through.
func TestHeldHandshakesKeepNobodyOut(t *testing.T) {
	k := &stub{}
	p := serve(t, k, k, func(c *ServerConfig) { c.Connections = 4 })
	for range 3 * 4 {
		conn, err := net.Dial("tcp", p.at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	if err := p.client("authority").Admit(t.Context(), header()); err != nil {
		t.Errorf("beside handshakes that are held up: %v", err)
	}
}

// TestOneNetworkIsOnePlace: who has a network of IPv6 addresses is not many callers.
func TestOneNetworkIsOnePlace(t *testing.T) {
	for address, want := range map[string]string{
		"10.1.2.3:99": "10.1.2.3", "[::ffff:10.1.2.3]:99": "10.1.2.3", "[2001:db8:1:2:3:4:5:6]:99": "2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:7": "2001:db8:1:2::/64", "[2001:db8:1:3::9]:7": "2001:db8:1:3::/64", "[fe80::1%eth0]:7": "fe80::/64", "pipe": "pipe",
	} {
		if got := sourceOf(address); got != want {
			t.Errorf("%s is from %s, want %s", address, got, want)
		}
	}
}

// TestOneCallerKeepsNobodyOut: the connections of one key end at a quarter of all.
func TestOneCallerKeepsNobodyOut(t *testing.T) {
	k := &stub{}
	p := serve(t, k, k, func(c *ServerConfig) { c.Connections = 8 })
	peer := p.ca.certificate("peer")
	in := 0
	for range 8 {
		c := p.clientWith(func(c *ClientConfig) { c.TLS.Certificates = []tls.Certificate{peer} })
		if _, err := c.Status(t.Context(), liuma.CardID{1}); err == nil {
			in++
		} else if !errors.Is(err, ErrDown) {
			t.Error(err)
		}
	}
	if in != 2 {
		t.Errorf("one caller has %d connections of 8", in)
	}
	if err := p.client("authority").Admit(t.Context(), header()); err != nil {
		t.Errorf("beside a greedy peer: %v", err)
	}
}

// raw is a connection of a caller that keeps to nothing.
func (p *place) raw(roles ...string) *tls.Conn {
	p.t.Helper()
	conn, err := tls.Dial("tcp", p.at, &tls.Config{Certificates: []tls.Certificate{p.ca.certificate(roles...)}, RootCAs: p.ca.pool, ServerName: "keeper.test", NextProtos: []string{ALPN}})
	if err == nil {
		err = hello(conn)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask writes requests of a type until n are written or the keeper takes none any more.
func ask(conn net.Conn, k kind, b body, n int) {
	w := bufio.NewWriter(conn)
	_ = conn.SetDeadline(time.Now().Add(2 * writeTime))
	for i := range n {
		if writeFrame(w, frame{id: uint64(i + 1), kind: k, body: b}) != nil {
			return
		}
	}
	_ = w.Flush()
}

// TestAPeerAsksForLittleAtOnce: of a peer that asks without end few requests are worked
// on, and of the pages of rows still fewer, so that guesses have their time.
func TestAPeerAsksForLittleAtOnce(t *testing.T) {
	entered, release := make(chan struct{}, 1000), make(chan struct{})
	k := &stub{}
	p := serve(t, k, slowRows{k, entered, release}, func(c *ServerConfig) { c.Call = time.Minute })
	for range 3 {
		go ask(p.raw("peer"), scan, make(body, 16), 500)
	}
	for range maxScans {
		<-entered
	}
	if err := p.client("authority").Admit(t.Context(), header()); err != nil {
		t.Error(err)
	}
	time.Sleep(50 * time.Millisecond)
	if n := len(entered); n != 0 {
		t.Errorf("%d pages more are read at once", n)
	}
	close(release)
}

type slowRows struct {
	*stub
	entered chan struct{}
	release chan struct{}
}

func (s slowRows) Scan(context.Context, liuma.CardID, func(ledger.Row) error) error {
	s.entered <- struct{}{}
	<-s.release
	return nil
}

// TestLargeRequestsAreBounded: what the requests of one connection take is bounded in
// bytes, and not by their number alone.
func TestLargeRequestsAreBounded(t *testing.T) {
	release := make(chan struct{})
	k := &stub{slow: func(context.Context) { <-release }}
	p := serve(t, k, k, func(c *ServerConfig) { c.Call = time.Minute })
	t.Cleanup(func() { close(release) }) // before the server waits for its requests
	var b body
	point := somePoint(t)
	q := keeper.AttemptRequest{Blinded: point}
	for range keeper.MaxSettlements {
		q.Settlements = append(q.Settlements, settlement(1))
	}
	b.attempt(q)
	conn := p.raw("authority")
	if err := conn.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	const n = 1000
	go ask(conn, attempt, b, n)
	r, busy := bufio.NewReader(conn), 0
	for busy < n-maxHeld/len(b) {
		f, err := readFrame(r)
		if err != nil {
			t.Fatalf("after %d: %v", busy, err)
		}
		if _, err := answerOf(attempt, f); !errors.Is(err, ErrBusy) {
			t.Fatalf("answer %d: %v", busy, err)
		}
		busy++
	}
	if held := len(k.seen()) * len(b); held > maxHeld {
		t.Errorf("%d bytes are worked on", held)
	}
}

// TestAnswersThatWaitAreBounded: who asks for large answers and does not read them has no
// more of them made than the bound in bytes lets lie.
func TestAnswersThatWaitAreBounded(t *testing.T) {
	k := &stub{}
	p := serve(t, k, k)
	var b body
	b.header(header())
	heads := make([]ledger.Head, maxHeads)
	for i := range heads {
		heads[i] = ledger.Head{Card: liuma.CardID{1, byte(i)}, Head: uint64(i) + 1}
	}
	b.heads(heads)
	conn := p.raw("authority")
	go ask(conn, head, b, 6000) // 36 MB of answers
	for last := -1; last != len(k.seen()); time.Sleep(500 * time.Millisecond) {
		last = len(k.seen()) // until it makes no more of them
	}
	// Beside the bound lies what the two machines' sockets took.
	if made := len(k.seen()) * len(b); made > maxHeld+10<<20 {
		t.Errorf("%d bytes of answers were made for a caller that reads none", made)
	}
}

// TestWhoDoesNotReadIsLeft: who asks and never reads loses the connection, and its place
// is free for another.
func TestWhoDoesNotReadIsLeft(t *testing.T) {
	k := &stub{}
	for i := range 2 * rowsPerPage {
		k.rows = append(k.rows, ledger.Row{Card: liuma.CardID{1, byte(i >> 8), byte(i)}, Version: 1, KeySet: 1, Mark: 1, Verifier: liuma.Verifier{1}, Tag: ledger.Tag{1}})
	}
	p := serve(t, k, k)
	go ask(p.raw("peer"), scan, make(body, 16), 20_000_000) // until it is left
	patience.Until(t, "it is served", func() bool { return len(p.server.Connections()) > 0 })
	patience.Until(t, "it is left", func() bool { return len(p.server.Connections()) == 0 })
}

// TestDoorOutlastsAFullTable: while the machine can open no further connection the door
// waits, and then goes on.
func TestDoorOutlastsAFullTable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	full := &fullTable{Listener: l}
	full.left.Store(3)
	k := &stub{}
	ca := newIssuer(t)
	s, err := NewServer(ServerConfig{Keeper: k, Rows: k, TLS: &tls.Config{Certificates: []tls.Certificate{ca.certificate()}, ClientCAs: ca.pool}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(full) }()
	p := &place{t: t, ca: ca, server: s, at: l.Addr().String()}
	if err := p.client("authority").Admit(t.Context(), header()); err != nil {
		t.Errorf("after a table that was full: %v", err)
	}
	_ = s.Close()
	if err := <-served; err != ErrClosed { //nolint:errorlint // as documented
		t.Errorf("ended with %v", err)
	}
}

// fullTable is a listener on a machine that has no descriptors left for a while.
type fullTable struct {
	net.Listener
	left atomic.Int64
}

func (f *fullTable) Accept() (net.Conn, error) {
	if f.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return f.Listener.Accept()
}

// TestRowsThatTurnBack: a keeper whose rows do not rise would be read for ever.
func TestRowsThatTurnBack(t *testing.T) {
	k := &stub{}
	for i := range rowsPerPage + 1 {
		k.rows = append(k.rows, ledger.Row{Card: liuma.CardID{1, byte(i)}, Version: 1, KeySet: 1, Mark: 1, Verifier: liuma.Verifier{1}, Tag: ledger.Tag{1}})
	}
	c := serve(t, k, turning{k}).client("peer")
	if err := c.Scan(t.Context(), liuma.CardID{}, func(ledger.Row) error { return nil }); !errors.Is(err, ErrFrame) {
		t.Errorf("rows that turn back: %v", err)
	}
}

type turning struct{ *stub }

func (s turning) Scan(_ context.Context, _ liuma.CardID, visit func(ledger.Row) error) error {
	for _, r := range s.rows {
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

// TestWordsOfAKeeperAreShown: what a keeper says of itself comes to a terminal and into
// logs, so no control sign is taken.
func TestWordsOfAKeeperAreShown(t *testing.T) {
	for _, word := range []string{"1.0\x1b[2J", "1.0\nk2 is whole", "1\u202e0", "\x9b", "\x7f"} {
		a := aboutOf(1, 1, 1)
		a.Release = word
		var b body
		b.about(a)
		r := &reader{b: b}
		if r.about(); r.end() == nil {
			t.Errorf("release %q is taken", word)
		}
		b = nil
		b.refusal(&ledger.Refusal{Reason: ledger.Reason(word)})
		r = &reader{b: b}
		if r.refusal(); r.end() == nil {
			t.Errorf("reason %q is taken", word)
		}
	}
}
