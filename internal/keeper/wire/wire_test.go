package wire

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

func header() keeper.Header {
	return keeper.Header{Now: time.UnixMilli(1772352000123).UTC(), Seen: 1 << 40}
}

func settlement(i int) ledger.Settlement {
	return ledger.Settlement{Card: liuma.CardID{3}, Version: 4, KeySet: 5, Reopen: i%2 == 0, Signature: [64]byte{9}, Spends: []ledger.SettledSpend{
		{Keeper: fmt.Sprintf("keeper-%d", i), Incarnation: [16]byte{1, 2}, S: uint64(i)}, {Keeper: "keeper-7", Incarnation: [16]byte{8}, S: 1 << 50}}}
}

// TestEveryRequest: what the keeper is asked is what the client was, and what the client
// answers is what the keeper did.
func TestEveryRequest(t *testing.T) {
	ctx, point := t.Context(), somePoint(t)
	card, tag := liuma.NewCardID(), ledger.Tag{5, 6}
	row := ledger.Row{Card: card, Version: 3, KeySet: 2, Verifier: liuma.Verifier{1}, Mark: 4, Head: 9, Tag: tag}
	k := &stub{rows: []ledger.Row{row}, answer: keeper.AttemptAnswer{Answer: ack(), Spend: 12, Left: 5, Shares: []split.Share{{Subset: 3, Point: point}, {Subset: 5, Point: somePoint(t)}},
		Refusal: &ledger.Refusal{Reason: ledger.Locked, Until: header().Now, At: 2, Mark: 3, Head: 4}}}
	c := serve(t, k, k).client("authority", "closer", "administrator")
	q := keeper.AttemptRequest{Header: header(), Card: card, Head: 8, Version: 3, KeySet: 2, Blinded: point, Lane: ledger.Known, Reserve: 2, Limits: ledger.NationalLimits(),
		Commit: &ledger.Commitment{Card: card, Version: 3, Replaces: 2, KeySet: 2, Verifier: liuma.Verifier{8}, Tag: tag}, Settlements: []ledger.Settlement{settlement(1), settlement(2)}}
	plain := q
	plain.Commit, plain.Settlements, plain.Now = nil, nil, time.Time{}
	propose := keeper.ProposeRequest{Header: header(), Card: card, Head: 1, Version: 2, Replaces: 1, Tag: tag, KeySet: 7, Blinded: point}
	commit := keeper.CommitRequest{Header: header(), Commitment: *q.Commit, Head: 3}
	move := keeper.RetagRequest{Header: header(), Card: card, Head: 4, Old: tag, New: ledger.Tag{7}}
	heads := []ledger.Head{{Card: card, Head: 4}}
	steps := []struct {
		name        string
		call        func() (any, error)
		asked, want any
	}{
		{"attempt", func() (any, error) { return c.Attempt(ctx, q) }, q, k.answer},
		{"attempt, bare", func() (any, error) { return c.Attempt(ctx, plain) }, plain, k.answer},
		{"propose", func() (any, error) { return c.Propose(ctx, propose) }, propose, keeper.ProposeAnswer{Answer: ack(), Shares: k.answer.Shares, Refusal: k.answer.Refusal}},
		{"commit", func() (any, error) { return c.Commit(ctx, commit) }, commit, keeper.CommitAnswer{Answer: ack(), Refusal: k.answer.Refusal}},
		{"settle", func() (any, error) { return c.Settle(ctx, header(), q.Settlements) }, []any{header(), q.Settlements}, ack()},
		{"status", func() (any, error) { return c.Status(ctx, card) }, card, keeper.StatusAnswer{Answer: ack(), Row: row}},
		{"status of nobody", func() (any, error) { return c.Status(ctx, liuma.CardID{1}) }, liuma.CardID{1}, keeper.StatusAnswer{Answer: ack(), Row: ledger.Row{Card: liuma.CardID{1}}}},
		{"status of a tag", func() (any, error) { return c.StatusOfTag(ctx, tag) }, tag, keeper.StatusAnswer{Answer: ack()}},
		{"head", func() (any, error) { return c.Head(ctx, header(), heads) }, []any{header(), heads}, keeper.HeadAnswer{Answer: ack(), Behind: heads}},
		{"retag", func() (any, error) { return c.Retag(ctx, move) }, move, keeper.CommitAnswer{Answer: ack()}},
		{"admit", func() (any, error) { return nil, c.Admit(ctx, header()) }, header(), nil},
		{"retire", func() (any, error) { return c.Retire(ctx, header(), card) }, []any{"retire", header(), card}, ack()},
		{"unretire", func() (any, error) { return c.Unretire(ctx, header(), card) }, []any{"unretire", header(), card}, ack()},
	}
	for i, s := range steps {
		got, err := s.call()
		if err != nil || !reflect.DeepEqual(got, s.want) {
			t.Errorf("%s: answered %+v, %v; want %+v", s.name, got, err, s.want)
		}
		if asked := k.seen()[i]; !reflect.DeepEqual(asked, s.asked) {
			t.Errorf("%s: asked %+v, want %+v", s.name, asked, s.asked)
		}
	}
}

// TestScanGoesOn: rows come page by page, each once, in order, and a visitor can stop.
func TestScanGoesOn(t *testing.T) {
	k := &stub{}
	for i := range 3*rowsPerPage + 5 {
		k.rows = append(k.rows, ledger.Row{Card: liuma.CardID{1, byte(i >> 8), byte(i)}, Version: 1, KeySet: 1, Mark: 1, Verifier: liuma.Verifier{1}, Tag: ledger.Tag{1}})
	}
	c := serve(t, k, k).client("peer")
	var got []ledger.Row
	if err := c.Scan(t.Context(), liuma.CardID{}, func(r ledger.Row) error { got = append(got, r); return nil }); err != nil || !slices.Equal(got, k.rows) {
		t.Errorf("%d rows of %d, %v", len(got), len(k.rows), err)
	}
	enough := errors.New("enough")
	if err := c.Scan(t.Context(), liuma.CardID{}, func(ledger.Row) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
}

// TestFaultsArriveAsTheyWere: a sentinel is the same sentinel at the other side, and an
// error without one tells nothing.
func TestFaultsArriveAsTheyWere(t *testing.T) {
	k := &stub{}
	c := serve(t, k, k).client("authority")
	for _, want := range faults() {
		k.mu.Lock()
		k.err = fmt.Errorf("the card of somebody: %w", want)
		k.mu.Unlock()
		if _, err := c.Attempt(t.Context(), keeper.AttemptRequest{Blinded: somePoint(t)}); !errors.Is(err, want) || strings.Contains(err.Error(), "somebody") {
			t.Errorf("%v arrives as %v", want, err)
		}
	}
	k.mu.Lock()
	k.err = errors.New("a secret of the keeper")
	k.mu.Unlock()
	if _, err := c.Attempt(t.Context(), keeper.AttemptRequest{Blinded: somePoint(t)}); !errors.Is(err, ErrKeeper) || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// TestRoles: each role may do what the table says and nothing else, and a certificate
// without a role, or with an unknown one, gets no connection.
func TestRoles(t *testing.T) {
	k := &stub{}
	p := serve(t, k, k)
	for _, name := range (Authority | Closer | Peer | Administrator).Names() {
		bit, err := RoleNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		c := p.client(name)
		for f := attempt; f <= about; f++ {
			l, err := c.connected(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = l.ask(t.Context(), f, nil)
			if allowed := may(f)&bit != 0; allowed == errors.Is(err, ErrRole) {
				t.Errorf("%s, type %d: allowed %v, answered %v", name, f, allowed, err)
			}
		}
		l, err := c.connected(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.ask(t.Context(), 99, nil); !errors.Is(err, ErrRole) {
			t.Errorf("%s: a type that there is not: %v", name, err)
		}
	}
	for _, roles := range [][]string{nil, {"root"}, {"authority", "root"}} {
		if err := p.client(roles...).Admit(t.Context(), header()); err == nil {
			t.Errorf("roles %v are served", roles)
		}
	}
	if n := len(k.seen()); n != 0 {
		t.Errorf("%d requests without a body reached the keeper", n)
	}
}

// TestStrangersAreRefused: a certificate of another issuer on either side, an older TLS,
// another protocol.
func TestStrangersAreRefused(t *testing.T) {
	k := &stub{}
	p := serve(t, k, k)
	other := newIssuer(t)
	for name, change := range map[string]func(*ClientConfig){
		"another issuer's party":  func(c *ClientConfig) { c.TLS.Certificates = []tls.Certificate{other.certificate("authority")} },
		"another issuer's keeper": func(c *ClientConfig) { c.TLS.RootCAs = other.pool },
		"another keeper's name":   func(c *ClientConfig) { c.TLS.ServerName = "other.test" },
	} {
		if err := p.clientWith(change, "authority").Admit(t.Context(), header()); err == nil {
			t.Error(name)
		}
	}
	for name, c := range map[string]*tls.Config{
		"TLS 1.2":          {MaxVersion: tls.VersionTLS12, NextProtos: []string{ALPN}},
		"another protocol": {NextProtos: []string{"h2"}},
		"no protocol":      {},
		"no certificate":   {NextProtos: []string{ALPN}, Certificates: []tls.Certificate{}},
	} {
		c.RootCAs, c.ServerName = p.ca.pool, "keeper.test"
		if c.Certificates == nil {
			c.Certificates = []tls.Certificate{p.ca.certificate("authority")}
		}
		conn, err := tls.Dial("tcp", p.at, c)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(patience.Limit))
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: the keeper says hello", name)
		}
		conn.Close()
	}
	if n := len(k.seen()); n != 0 {
		t.Errorf("%d requests reached the keeper", n)
	}
}

// cutting is a connection that is cut when it is told to.
type cutting struct {
	net.Conn
	cut *atomic.Bool
}

func (c cutting) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.cut.Load() {
		c.Close()
		return 0, errors.New("cut")
	}
	return n, err
}

// TestLostIsNotRepeated: a connection that is cut before the answer leaves one request at
// the keeper, and the caller knows that it does not know; the next call has another
// connection.
func TestLostIsNotRepeated(t *testing.T) {
	var cut atomic.Bool
	k := &stub{slow: func(context.Context) { cut.Store(true) }}
	p := serve(t, k, k)
	c := p.clientWith(func(cfg *ClientConfig) {
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return cutting{conn, &cut}, err
		}
	}, "authority")
	if _, err := c.Attempt(t.Context(), keeper.AttemptRequest{Blinded: somePoint(t)}); !errors.Is(err, ErrLost) {
		t.Errorf("the answer was lost: %v", err)
	}
	cut.Store(false)
	if n := len(k.seen()); n != 1 {
		t.Errorf("the keeper was asked %d times", n)
	}
	if err := c.Admit(t.Context(), header()); err != nil {
		t.Errorf("the next call: %v", err)
	}
	if n := len(k.seen()); n != 2 {
		t.Errorf("the keeper was asked %d times in all", n)
	}
}

// TestCancelledIsNotRepeated: a caller that goes away leaves the connection to others, and
// the answer that comes then goes to nobody else.
func TestCancelledIsNotRepeated(t *testing.T) {
	release := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	k := &stub{slow: func(context.Context) { cancel(); <-release }, answer: keeper.AttemptAnswer{Answer: ack(), Spend: 12}}
	c := serve(t, k, k).client("authority")
	if _, err := c.Attempt(ctx, keeper.AttemptRequest{Blinded: somePoint(t)}); !errors.Is(err, ErrLost) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	first := c.line
	close(release)
	for range 20 {
		if err := c.Admit(t.Context(), header()); err != nil {
			t.Fatal(err)
		}
	}
	if c.line != first {
		t.Error("one caller that went away cost the connection")
	}
}

// TestDownSendsNothing: without a keeper calls fail at once with ErrDown.
func TestDownSendsNothing(t *testing.T) {
	k := &stub{}
	p := serve(t, k, k)
	c := p.clientWith(func(cfg *ClientConfig) { cfg.Address = "127.0.0.1:1" }, "authority")
	began := time.Now()
	for range 50 {
		if err := c.Admit(t.Context(), header()); !errors.Is(err, ErrDown) {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("50 calls to nobody took %s", took)
	}
	_ = c.Close()
	if err := c.Admit(t.Context(), header()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestManyAtOnce: answers find their requests.
func TestManyAtOnce(t *testing.T) {
	k := &stub{}
	for i := range 200 {
		k.rows = append(k.rows, ledger.Row{Card: liuma.CardID{1, byte(i)}, Version: liuma.Version(i + 1), KeySet: 1, Mark: liuma.Version(i + 1), Verifier: liuma.Verifier{1}, Tag: ledger.Tag{1}})
	}
	c := serve(t, k, k).client("authority")
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			for range 20 {
				a, err := c.Status(t.Context(), liuma.CardID{1, byte(i)})
				if err != nil || a.Row.Version != liuma.Version(i+1) {
					t.Errorf("row %d: %v, %v", i, a.Row.Version, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestBounds: too many connections, a list that is too long, and too many calls.
func TestBounds(t *testing.T) {
	release := make(chan struct{})
	k := &stub{slow: func(context.Context) { <-release }}
	p := serve(t, k, k, func(c *ServerConfig) { c.Connections, c.Call = 1, time.Minute })
	c := p.client("authority")
	if err := c.Admit(t.Context(), header()); err != nil {
		t.Fatal(err)
	}
	if err := p.client("authority").Admit(t.Context(), header()); !errors.Is(err, ErrDown) {
		t.Errorf("a second connection: %v", err)
	}
	if _, err := c.Settle(t.Context(), header(), make([]ledger.Settlement, keeper.MaxSettlements+1)); !errors.Is(err, keeper.ErrRequest) {
		t.Errorf("a long list: %v", err)
	}
	if _, err := c.Attempt(t.Context(), keeper.AttemptRequest{Settlements: make([]ledger.Settlement, keeper.MaxSettlements+1)}); !errors.Is(err, keeper.ErrRequest) {
		t.Errorf("an attempt with a long list: %v", err)
	}
	if _, err := c.Head(t.Context(), header(), make([]ledger.Head, maxHeads+1)); !errors.Is(err, keeper.ErrRequest) {
		t.Errorf("a long list of heads: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var busy, sent atomic.Int32
	var all sync.WaitGroup
	point := somePoint(t)
	for range maxCalls + 100 {
		sent.Add(1)
		all.Go(func() {
			if _, err := c.Attempt(ctx, keeper.AttemptRequest{Blinded: point}); errors.Is(err, ErrBusy) {
				busy.Add(1)
			}
		})
	}
	patience.Until(t, "all are with the keeper or refused", func() bool { return int(busy.Load())+len(k.seen()) >= int(sent.Load()) })
	if n := len(k.seen()); n > maxCalls+1 {
		t.Errorf("%d calls at once", n)
	}
	if busy.Load() == 0 {
		t.Error("nobody was told that there are too many")
	}
	close(release)
	cancel()
	all.Wait()
}

// TestQuorumOverTheWire: three keepers with real ledgers behind TLS give the verdicts that
// they give in one process, count each guess once, and lock.
func TestQuorumOverTheWire(t *testing.T) {
	shape := split.Shape{T: 2, N: 3}
	var dirs []string
	for i := range shape.N {
		dirs = append(dirs, filepath.Join(t.TempDir(), fmt.Sprintf("k%d", i+1)))
	}
	keySet, err := keeper.CreateQuorum(t.Context(), dirs, shape)
	if err != nil {
		t.Fatal(err)
	}
	cfg := keeper.QuorumConfig{Shape: shape, KeySet: keySet, Now: time.Now, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)}
	var nodes []*keeper.Node
	for i, dir := range dirs {
		n, err := keeper.OpenNode(t.Context(), dir, keeper.OpenConfig{Limits: ledger.NationalLimits(), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		nodes = append(nodes, n)
		cfg.Keepers = append(cfg.Keepers, serve(t, n, n).clientWith(func(c *ClientConfig) { c.ID = keeper.IDOf(i + 1) }, "authority", "closer"))
	}
	q, err := keeper.NewQuorum(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	target := keeper.Target{Card: liuma.NewCardID(), KeySet: keySet, Tag: ledger.Tag{1}}
	v, err := q.Propose(t.Context(), target, 1, 1, []byte("135790"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Commit(t.Context(), ledger.Commitment{Card: target.Card, Version: 1, KeySet: keySet, Verifier: v, Tag: target.Tag}, keeper.Head{}); err != nil {
		t.Fatal(err)
	}
	target.Version, target.Verifier = 1, v
	guess := func(pin string) liuma.Verdict {
		t.Helper()
		out, err := q.Attempt(t.Context(), target, keeper.Guess{Limits: ledger.NationalLimits()}, []byte(pin))
		if err != nil {
			t.Fatal(err)
		}
		return out.Verdict
	}
	if got := guess("135790"); got != liuma.Right {
		t.Errorf("right: %s", got)
	}
	for i := range 6 {
		if got := guess("246801"); got != liuma.Wrong {
			t.Errorf("wrong %d: %s", i+1, got)
		}
	}
	if got := guess("135790"); got != liuma.Locked {
		t.Errorf("after six: %s", got)
	}
	for i, n := range nodes {
		a, err := n.Status(t.Context(), target.Card)
		if err != nil || a.Row.Tally.Spent != 7 {
			t.Errorf("keeper %d counted %d, %v", i+1, a.Row.Tally.Spent, err)
		}
	}
}

// TestLargestSettlementsFit: as many as one request may hold, each of the largest
// quorum and with the longest names, fit into a frame, beside an attempt as well.
func TestLargestSettlementsFit(t *testing.T) {
	k := &stub{}
	c := serve(t, k, k).client("authority")
	list := make([]ledger.Settlement, keeper.MaxSettlements)
	for i := range list {
		list[i] = ledger.Settlement{Card: liuma.CardID{byte(i)}, Version: 1, KeySet: 1, Signature: [64]byte{1}}
		for n := range ledger.MaxSettled {
			list[i].Spends = append(list[i].Spends, ledger.SettledSpend{Keeper: fmt.Sprintf("%0*d", ledger.MaxKeeperName, n), S: 1})
		}
	}
	if _, err := c.Settle(t.Context(), header(), list); err != nil {
		t.Error(err)
	}
	if _, err := c.Attempt(t.Context(), keeper.AttemptRequest{Header: header(), Blinded: somePoint(t), Commit: &ledger.Commitment{}, Settlements: list}); err != nil {
		t.Error(err)
	}
	asked := k.seen()
	if len(asked) != 2 || !reflect.DeepEqual(asked[0], []any{header(), list}) || !reflect.DeepEqual(asked[1].(keeper.AttemptRequest).Settlements, list) {
		t.Error("the keeper was asked something else")
	}
}

// TestSettlementsHaveOneSpelling: spends out of order, twice, none, too many or with
// names that are too long are refused before the keeper is asked.
func TestSettlementsHaveOneSpelling(t *testing.T) {
	k := &stub{}
	c := serve(t, k, k).client("authority")
	name := func(names ...string) (list []ledger.SettledSpend) {
		for _, n := range names {
			list = append(list, ledger.SettledSpend{Keeper: n, S: 1})
		}
		return list
	}
	for what, spends := range map[string][]ledger.SettledSpend{
		"out of order": name("k2", "k1"), "twice": name("k1", "k1"), "none": nil, "six": name("k1", "k2", "k3", "k4", "k5", "k6"),
		"no name": name(""), "a long name": name(strings.Repeat("k", ledger.MaxKeeperName+1)),
	} {
		list := []ledger.Settlement{settlement(1), {Version: 1, Spends: spends}, settlement(2)}
		if _, err := c.Settle(t.Context(), header(), list); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := c.Attempt(t.Context(), keeper.AttemptRequest{Header: header(), Blinded: somePoint(t), Settlements: list}); !errors.Is(err, ErrFrame) {
			t.Errorf("%s, with an attempt: %v", what, err)
		}
	}
	if n := len(k.seen()); n != 0 {
		t.Errorf("the keeper was asked %d times", n)
	}
}

// TestOneSpelling: a body with a byte too many, or one too few, is refused and the keeper
// is not asked.
func TestOneSpelling(t *testing.T) {
	k := &stub{}
	c := serve(t, k, k).client("authority")
	l, err := c.connected(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b body
	b.attempt(keeper.AttemptRequest{Header: header(), Version: 1, Blinded: somePoint(t)})
	for name, sent := range map[string]body{"more": append(slices.Clone(b), 0), "less": b[:len(b)-1], "nothing": nil} {
		if _, err := l.ask(t.Context(), attempt, sent); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(k.seen()); n != 0 {
		t.Errorf("the keeper was asked %d times", n)
	}
}
