package keeper

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

func shapes() []split.Shape { return []split.Shape{{T: 1, N: 1}, {T: 2, N: 3}, {T: 3, N: 5}} }

// hands are the clocks of the keepers' machine, which a test moves.
type hands struct {
	mu   sync.Mutex
	at   time.Time
	boot time.Duration
}

func (c *hands) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *hands) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	c.boot += max(0, d) // setting the clock back lets no time pass
}

// Step moves the wall clock alone.
func (c *hands) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Read implements clock.Machine.
func (c *hands) Read() clock.Reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clock.Reading{Wall: c.at, Boot: c.boot, BootID: "one"}
}

// harness is a quorum's keepers on real ledgers.
type harness struct {
	t      testing.TB
	shape  split.Shape
	keySet uint32
	dirs   []string
	nodes  []*Node
	clock  *hands

	mu     sync.Mutex
	alarms []Alarm // guarded by mu
}

func newHarness(t testing.TB, shape split.Shape) *harness {
	t.Helper()
	h := &harness{t: t, shape: shape, clock: &hands{at: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}}
	for i := range shape.N {
		h.dirs = append(h.dirs, filepath.Join(t.TempDir(), fmt.Sprintf("keeper%d", i+1)))
	}
	var err error
	if h.keySet, err = CreateQuorum(t.Context(), h.dirs, shape); err != nil {
		t.Fatal(err)
	}
	for i := range h.dirs {
		h.nodes = append(h.nodes, h.open(i))
	}
	return h
}

func (h *harness) open(i int) *Node {
	h.t.Helper()
	n, err := OpenNode(h.t.Context(), h.dirs[i], OpenConfig{
		Machine: h.clock, Limits: ledger.NationalLimits(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := n.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return n
}

// quorum makes a client of the harness's keepers, each perhaps wrapped.
func (h *harness) quorum(wrap ...func(i int, k Keeper) Keeper) *Quorum {
	h.t.Helper()
	return h.quorumWith(QuorumConfig{}, wrap...)
}

func (h *harness) quorumWith(c QuorumConfig, wrap ...func(i int, k Keeper) Keeper) *Quorum {
	h.t.Helper()
	for i, n := range h.nodes {
		k := Keeper(n)
		for _, w := range wrap {
			k = w(i, k)
		}
		c.Keepers = append(c.Keepers, k)
	}
	c.Shape, c.KeySet, c.Now, c.Random = h.shape, h.keySet, h.clock.Now, rand.Reader
	c.Logger = slog.New(slog.DiscardHandler)
	c.Alarm = func(a Alarm) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.alarms = append(h.alarms, a)
	}
	q, err := NewQuorum(c)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := q.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return q
}

// alarmed lists the keepers that alarms of this kind named since the last call.
func (h *harness) alarmed(fault Fault) []ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []ID
	for _, a := range h.alarms {
		if a.Fault == fault && !slices.Contains(out, a.Keeper) {
			out = append(out, a.Keeper)
		}
	}
	slices.Sort(out)
	h.alarms = nil
	return out
}

// tagOf is a tag that only this card has.
func tagOf(card liuma.CardID) (tag ledger.Tag) {
	copy(tag[:], card[:])
	return tag
}

// before is the target that version follows: the version below it.
func before(card liuma.CardID, version liuma.Version) Target {
	return Target{Card: card, Version: version - 1, Tag: tagOf(card)}
}

// set sets a PIN, which follows the version below it, and returns the target that the authority would hold.
func set(t testing.TB, q *Quorum, card liuma.CardID, version liuma.Version, pin string) Target {
	t.Helper()
	v, err := q.Propose(t.Context(), before(card, version), version, 1, []byte(pin))
	if err != nil {
		t.Fatalf("propose: %v", err)
	}
	target := Target{Card: card, Version: version, Replaces: version - 1, KeySet: q.KeySet(), Verifier: v, Tag: tagOf(card)}
	all, err := q.Commit(t.Context(), target.commitment(), target.Head)
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	target.Unacknowledged = !all
	return target
}

func attemptPIN(t testing.TB, q *Quorum, target Target, pin string) Outcome {
	t.Helper()
	out, err := q.Attempt(t.Context(), target, Guess{}, []byte(pin))
	if err != nil {
		t.Fatalf("attempt: %v", err)
	}
	return out
}

func want(t testing.TB, out Outcome, v liuma.Verdict) {
	t.Helper()
	if out.Verdict != v {
		t.Fatalf("verdict %s (%+v), want %s", out.Verdict, out, v)
	}
}

func (h *harness) row(i int, card liuma.CardID) ledger.Row {
	h.t.Helper()
	s, err := h.nodes[i].Status(h.t.Context(), card)
	if err != nil {
		h.t.Fatal(err)
	}
	return s.Row
}

// eventually waits until background work has made f true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	patience.Until(t, what, f)
}

var errDown = errors.New("connection refused")

// faulty wraps a keeper; a function that is set replaces the keeper's method.
type faulty struct {
	Keeper
	attempt func(context.Context, AttemptRequest) (AttemptAnswer, error)
	propose func(context.Context, ProposeRequest) (ProposeAnswer, error)
	commit  func(context.Context, CommitRequest) (CommitAnswer, error)
	settle  func(context.Context, Header, []ledger.Settlement) (Answer, error)
	head    func(context.Context, Header, []ledger.Head) (HeadAnswer, error)
	tagged  func(context.Context, ledger.Tag) (StatusAnswer, error)
	status  func(context.Context, liuma.CardID) (StatusAnswer, error)
}

func (f *faulty) Status(ctx context.Context, card liuma.CardID) (StatusAnswer, error) {
	if f.status != nil {
		return f.status(ctx, card)
	}
	return f.Keeper.Status(ctx, card)
}

func (f *faulty) Head(ctx context.Context, h Header, heads []ledger.Head) (HeadAnswer, error) {
	if f.head != nil {
		return f.head(ctx, h, heads)
	}
	return f.Keeper.Head(ctx, h, heads)
}

func (f *faulty) StatusOfTag(ctx context.Context, tag ledger.Tag) (StatusAnswer, error) {
	if f.tagged != nil {
		return f.tagged(ctx, tag)
	}
	return f.Keeper.StatusOfTag(ctx, tag)
}

func (f *faulty) Attempt(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
	if f.attempt != nil {
		return f.attempt(ctx, r)
	}
	return f.Keeper.Attempt(ctx, r)
}

func (f *faulty) Propose(ctx context.Context, r ProposeRequest) (ProposeAnswer, error) {
	if f.propose != nil {
		return f.propose(ctx, r)
	}
	return f.Keeper.Propose(ctx, r)
}

func (f *faulty) Commit(ctx context.Context, r CommitRequest) (CommitAnswer, error) {
	if f.commit != nil {
		return f.commit(ctx, r)
	}
	return f.Keeper.Commit(ctx, r)
}

func (f *faulty) Settle(ctx context.Context, h Header, s []ledger.Settlement) (Answer, error) {
	if f.settle != nil {
		return f.settle(ctx, h, s)
	}
	return f.Keeper.Settle(ctx, h, s)
}

// dead is a keeper that cannot be reached.
type dead struct{ id ID }

func (d dead) ID() ID { return d.id }
func (dead) Attempt(context.Context, AttemptRequest) (AttemptAnswer, error) {
	return AttemptAnswer{}, errDown
}
func (dead) Propose(context.Context, ProposeRequest) (ProposeAnswer, error) {
	return ProposeAnswer{}, errDown
}
func (dead) Commit(context.Context, CommitRequest) (CommitAnswer, error) {
	return CommitAnswer{}, errDown
}
func (dead) Settle(context.Context, Header, []ledger.Settlement) (Answer, error) {
	return Answer{}, errDown
}
func (dead) Admit(context.Context, Header) error { return errDown }

func (dead) Status(context.Context, liuma.CardID) (StatusAnswer, error) {
	return StatusAnswer{}, errDown
}
func (dead) StatusOfTag(context.Context, ledger.Tag) (StatusAnswer, error) {
	return StatusAnswer{}, errDown
}
func (dead) Head(context.Context, Header, []ledger.Head) (HeadAnswer, error) {
	return HeadAnswer{}, errDown
}
func (dead) Retag(context.Context, RetagRequest) (CommitAnswer, error) {
	return CommitAnswer{}, errDown
}
func (dead) Retire(context.Context, Header, liuma.CardID) (Answer, error) { return Answer{}, errDown }
func (dead) Unretire(context.Context, Header, liuma.CardID) (Answer, error) {
	return Answer{}, errDown
}

// at wraps only the keepers with the given numbers.
func at(f func(Keeper) Keeper, numbers ...int) func(int, Keeper) Keeper {
	return func(i int, k Keeper) Keeper {
		if slices.Contains(numbers, i+1) {
			return f(k)
		}
		return k
	}
}

func kill(k Keeper) Keeper { return dead{k.ID()} }

// deadToProposals makes a keeper answer everything but proposals.
func deadToProposals(k Keeper) Keeper {
	return &faulty{Keeper: k, propose: dead{k.ID()}.Propose}
}

// deadToCommits makes a keeper answer everything but commits.
func deadToCommits(k Keeper) Keeper {
	return &faulty{Keeper: k, commit: dead{k.ID()}.Commit}
}

// lie makes a keeper answer with a different point for the subsets that lies
// names; all of them if it is nil.
func lie(lies func(split.Subset) bool) func(Keeper) Keeper {
	return func(k Keeper) Keeper {
		twist := func(shares []split.Share) []split.Share {
			out := slices.Clone(shares)
			for i := range out {
				if lies == nil || lies(out[i].Subset) {
					out[i].Point = strangePoint()
				}
			}
			return out
		}
		return &faulty{
			Keeper: k,
			attempt: func(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
				a, err := k.Attempt(ctx, r)
				a.Shares = twist(a.Shares)
				return a, err
			},
			propose: func(ctx context.Context, r ProposeRequest) (ProposeAnswer, error) {
				a, err := k.Propose(ctx, r)
				a.Shares = twist(a.Shares)
				return a, err
			},
		}
	}
}

// strangePoint is a point that has nothing to do with a keeper's share.
func strangePoint() split.Point {
	g, err := split.Blind([]byte(rand.Text()), rand.Reader)
	if err != nil {
		panic(err)
	}
	return g.Blinded()
}

// snapshot closes keeper i, copies its ledger and opens it again. The returned
// function puts the copy back, as a restore of an old backup would.
func (h *harness) snapshot(i int) (restore func()) {
	h.t.Helper()
	const pattern = ledgerFile + "*"
	reopen := func(change func()) {
		h.t.Helper()
		if err := h.nodes[i].Close(); err != nil {
			h.t.Fatal(err)
		}
		change()
		h.nodes[i] = h.open(i)
	}
	files := map[string][]byte{}
	list := func() []string {
		names, err := filepath.Glob(filepath.Join(h.dirs[i], pattern))
		if err != nil {
			h.t.Fatal(err)
		}
		return names
	}
	reopen(func() {
		for _, name := range list() {
			b, err := os.ReadFile(name)
			if err != nil {
				h.t.Fatal(err)
			}
			files[name] = b
		}
	})
	return func() {
		h.t.Helper()
		reopen(func() {
			for _, name := range list() {
				if err := os.Remove(name); err != nil {
					h.t.Fatal(err)
				}
			}
			for name, b := range files {
				if err := os.WriteFile(name, b, 0o600); err != nil {
					h.t.Fatal(err)
				}
			}
		})
	}
}
