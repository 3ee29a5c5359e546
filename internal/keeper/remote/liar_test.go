package remote_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	mathrand "math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/testkit/keepers"
)

// lie is what one keeper of three makes of its true answers; a part that is nil is left
// as it is.
type lie struct {
	name    string
	answer  func(*keeper.Answer) // of every request
	attempt func(*keeper.AttemptAnswer)
	propose func(*keeper.ProposeAnswer)
	commit  func(*keeper.CommitAnswer)
	row     func(*ledger.Row) // of its status
	err     error             // in the place of every answer
}

// liar is a keeper that lies.
type liar struct {
	keeper.Keeper
	now *atomic.Pointer[lie]
}

func (l liar) told(a *keeper.Answer) (lie, error) {
	if said := l.now.Load(); said != nil {
		if said.answer != nil {
			said.answer(a)
		}
		return *said, said.err
	}
	return lie{}, nil
}

// deaf keeps from the liar's own ledger what the liar made the authority believe.
func (l liar) deaf(h *keeper.Header) {
	if l.now.Load() != nil {
		h.Seen = 0
	}
}

func (l liar) Attempt(ctx context.Context, q keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	l.deaf(&q.Header)
	a, err := l.Keeper.Attempt(ctx, q)
	said, lied := l.told(&a.Answer)
	if said.attempt != nil {
		said.attempt(&a)
	}
	return a, first(lied, err)
}

func (l liar) Propose(ctx context.Context, q keeper.ProposeRequest) (keeper.ProposeAnswer, error) {
	l.deaf(&q.Header)
	a, err := l.Keeper.Propose(ctx, q)
	said, lied := l.told(&a.Answer)
	if said.propose != nil {
		said.propose(&a)
	}
	return a, first(lied, err)
}

func (l liar) Commit(ctx context.Context, q keeper.CommitRequest) (keeper.CommitAnswer, error) {
	l.deaf(&q.Header)
	a, err := l.Keeper.Commit(ctx, q)
	said, lied := l.told(&a.Answer)
	if said.commit != nil {
		said.commit(&a)
	}
	return a, first(lied, err)
}

func (l liar) Settle(ctx context.Context, h keeper.Header, list []ledger.Settlement) (keeper.Answer, error) {
	l.deaf(&h)
	a, err := l.Keeper.Settle(ctx, h, list)
	_, lied := l.told(&a)
	return a, first(lied, err)
}

func (l liar) Head(ctx context.Context, h keeper.Header, list []ledger.Head) (keeper.HeadAnswer, error) {
	l.deaf(&h)
	a, err := l.Keeper.Head(ctx, h, list)
	_, lied := l.told(&a.Answer)
	return a, first(lied, err)
}

func (l liar) Admit(ctx context.Context, h keeper.Header) error {
	l.deaf(&h)
	return l.Keeper.Admit(ctx, h)
}

func (l liar) Status(ctx context.Context, card liuma.CardID) (keeper.StatusAnswer, error) {
	a, err := l.Keeper.Status(ctx, card)
	said, lied := l.told(&a.Answer)
	if said.row != nil && a.Row.Version > 0 {
		said.row(&a.Row)
	}
	return a, first(lied, err)
}

func first(lied, err error) error {
	if lied != nil {
		return lied
	}
	return err
}

// lies are one of each kind, and some that are drawn from a seed.
func lies(seed uint64) (all []*lie) {
	refusal := func(name string, r ledger.Refusal) {
		all = append(all, &lie{name: "refuses, " + name,
			attempt: func(a *keeper.AttemptAnswer) { a.Shares, a.Refusal = nil, &r },
			propose: func(a *keeper.ProposeAnswer) { a.Shares, a.Refusal = nil, &r },
			commit:  func(a *keeper.CommitAnswer) { a.Refusal = &r }})
	}
	top := ledger.Refusal{Until: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), At: math.MaxUint32, Mark: math.MaxUint32, Head: math.MaxUint64}
	for _, r := range reasons() {
		high := top
		high.Reason = r
		refusal(string(r)+" high", high)
		refusal(string(r)+" zero", ledger.Refusal{Reason: r})
	}
	for _, n := range []uint64{0, 1 << 47, 1 << 49, 1 << 62, math.MaxInt64, math.MaxUint64} {
		all = append(all, &lie{name: fmt.Sprintf("sequence %d", n), answer: func(a *keeper.Answer) { a.Sequence = n }})
	}
	all = append(all,
		&lie{name: "no incarnation", answer: func(a *keeper.Answer) { a.Incarnation = [16]byte{} }},
		&lie{name: "another incarnation", answer: func(a *keeper.Answer) { a.Incarnation[0] ^= 1 }},
		&lie{name: "the highest spend", attempt: func(a *keeper.AttemptAnswer) { a.Spend = math.MaxUint64 }},
		&lie{name: "no spend", attempt: func(a *keeper.AttemptAnswer) { a.Spend = 0 }},
		&lie{name: "many tries left", attempt: func(a *keeper.AttemptAnswer) { a.Left = math.MaxInt32 }},
		&lie{name: "no shares", attempt: func(a *keeper.AttemptAnswer) { a.Shares = nil }},
		&lie{name: "shares twice", attempt: func(a *keeper.AttemptAnswer) { a.Shares = append(a.Shares, a.Shares...) }},
		&lie{name: "shares turned round", attempt: func(a *keeper.AttemptAnswer) { turn(a.Shares) }, propose: func(a *keeper.ProposeAnswer) { turn(a.Shares) }},
		&lie{name: "a share of another subset", attempt: func(a *keeper.AttemptAnswer) {
			if len(a.Shares) > 0 {
				a.Shares[0].Subset = 0xff
			}
		}},
		&lie{name: "a later version", row: func(r *ledger.Row) { r.Version, r.Mark = math.MaxUint32, math.MaxUint32 }},
		&lie{name: "a later head", row: func(r *ledger.Row) { r.Head = 1 << 40 }},
		&lie{name: "nothing counted", row: func(r *ledger.Row) { r.Tally = ledger.Tally{} }},
	)
	for _, err := range []error{ledger.ErrRolledBack, ledger.ErrClock, ledger.ErrFull, keeper.ErrMetered, keeper.ErrRequest, keeper.ErrKeySet, keeper.ErrGone} {
		all = append(all, &lie{name: "says: " + err.Error(), err: err})
	}
	for i := range uint64(8) {
		all = append(all, drawn(seed, i))
	}
	return all
}

func reasons() []ledger.Reason {
	return []ledger.Reason{ledger.Locked, ledger.Blocked, ledger.LaneClosed, ledger.Stale, ledger.Behind, ledger.Conflict, ledger.VersionUsed, ledger.TagTaken, "made up"}
}

func turn(shares []split.Share) {
	if len(shares) > 1 {
		shares[0].Point, shares[1].Point = shares[1].Point, shares[0].Point
	}
}

// drawn answers each request with other fields at random.
func drawn(seed, i uint64) *lie {
	return &lie{name: fmt.Sprintf("at random, seed %d, %d", seed, i),
		answer: func(a *keeper.Answer) {
			if mathrand.N(2) == 0 {
				a.Sequence = mathrand.Uint64() >> mathrand.N(64)
			}
		},
		attempt: func(a *keeper.AttemptAnswer) {
			r := mathrand.New(mathrand.NewPCG(seed, i)) //nolint:gosec // a trial that is repeated
			a.Spend, a.Left = r.Uint64()>>r.IntN(64), int(r.Int32())
			if all := reasons(); r.IntN(3) == 0 {
				a.Refusal = &ledger.Refusal{Reason: all[r.IntN(len(all))], At: liuma.Version(r.Uint32()), Head: r.Uint64()}
			} else if r.IntN(2) == 0 {
				turn(a.Shares)
			}
		},
	}
}

// TestOneLiarOfThree: whatever one keeper of three says in any field of any answer, over the
// real wire, a right PIN is right, a wrong one wrong, each guess is counted once at the
// others, and a new PIN is set as it was typed or not at all. Nothing of it outlasts the
// keeper's repair: then it serves with either of the others.
func TestOneLiarOfThree(t *testing.T) {
	var now atomic.Pointer[lie]
	h, err := keepers.New(t.Context(), keepers.Config{Dir: t.TempDir(), Between: func(k keeper.Keeper) keeper.Keeper {
		if k.ID() != "k3" {
			return k
		}
		return liar{k, &now}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	dir := t.TempDir()
	if err := h.Join(dir); err != nil {
		t.Fatal(err)
	}
	k := (&house{House: h, t: t, dir: dir, conf: h.Settings()}).open()
	q, err := keeper.NewQuorum(keeper.QuorumConfig{Keepers: k.Keepers(), Shape: split.Shape{T: 2, N: 3}, KeySet: 1, Now: time.Now, Random: rand.Reader,
		Logger: slog.New(slog.DiscardHandler), Timing: keeper.Timing{Propose: 5 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	g := &guesses{t: t, q: q, k: k}
	var cards []holding
	for _, l := range lies(75) {
		now.Store(&lie{name: "none"})
		target := g.set(liuma.NewCardID(), l.name)
		now.Store(l)
		g.guess(target, "135790", liuma.Right, l.name)
		g.guess(target, "246801", liuma.Wrong, l.name)
		g.counted(target.Card, 2, l.name)
		cards = append(cards, g.change(target))
	}
	now.Store(nil)
	mend(t, h, q.Seen()["k3"])
	look(t, k)
	for _, away := range []int{0, 1} {
		if err := h.Posts()[away].Stop(); err != nil {
			t.Fatal(err)
		}
		for _, c := range cards[:6] {
			g.guess(c, c.pin(), liuma.Right, fmt.Sprintf("when it is put right, without k%d", away+1))
		}
		if err := h.Posts()[away].Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		redial()
		look(t, k)
	}
}

// guesses are what holders do while a keeper lies.
type guesses struct {
	t *testing.T
	q *keeper.Quorum
	k interface{ Keepers() []keeper.Keeper }
}

// holding is a card with its PIN, which a change moves from old to next.
type holding struct {
	keeper.Target
	changed bool
}

func (h holding) pin() string {
	if h.changed {
		return "864209"
	}
	return "135790"
}

func (g *guesses) propose(now keeper.Target, pin string) (keeper.Target, error) {
	next := now
	next.Version, next.Replaces, next.KeySet = now.Version+1, now.Version, 1
	v, err := g.q.Propose(g.t.Context(), now, next.Version, 1, []byte(pin))
	next.Verifier = v
	if err != nil {
		return now, err
	}
	_, err = g.q.Commit(g.t.Context(), ledger.Commitment{Card: next.Card, Version: next.Version, Replaces: next.Replaces, KeySet: 1, Verifier: v, Tag: next.Tag}, next.Head)
	next.Unacknowledged = true
	return next, err
}

// set sets a first PIN; everybody tells the truth.
func (g *guesses) set(card liuma.CardID, lie string) holding {
	g.t.Helper()
	target := keeper.Target{Card: card, Tag: ledger.Tag(append(card[:], make([]byte, len(ledger.Tag{})-len(card))...)), Head: keeper.Head{At: 1}}
	next, err := g.propose(target, "135790")
	if err != nil {
		g.t.Fatalf("before it lied (%s): %v", lie, err)
	}
	return holding{Target: next}
}

// change sets another PIN while a keeper lies. It may fail, and then the PIN is as it was.
func (g *guesses) change(h holding) holding {
	if next, err := g.propose(h.Target, "864209"); err == nil {
		return holding{next, true}
	}
	return h
}

func (g *guesses) guess(h holding, pin string, want liuma.Verdict, lie string) {
	g.t.Helper()
	out, err := g.q.Attempt(g.t.Context(), h.Target, keeper.Guess{}, []byte(pin))
	if err != nil || out.Verdict != want {
		g.t.Errorf("%s: %s %+v, %v", lie, out.Verdict, out, err)
	}
}

// counted wants n guesses on the ledgers of the two that do not lie.
func (g *guesses) counted(card liuma.CardID, n uint64, lie string) {
	g.t.Helper()
	for _, k := range g.k.Keepers()[:2] {
		var spent uint64
		for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); { // the verdict does not wait for all
			a, err := k.Status(g.t.Context(), card)
			if spent = a.Row.Tally.Spent; err == nil && spent >= n {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if spent != n {
			g.t.Errorf("%s: %s counted %d guesses of %d", lie, k.ID(), spent, n)
		}
	}
}

// mend repairs k3 as its administrator does: with the sequence that the authority had from
// it, and the rows of the others, as a peer of theirs.
func mend(t *testing.T, h *keepers.House, seen uint64) {
	t.Helper()
	if seen >= 1<<62 {
		t.Fatalf("no repair takes up the sequence %d", seen)
	}
	key, err := admission.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	r, err := admission.NewRequest("k3", wire.Peer, key)
	if err != nil {
		t.Fatal(err)
	}
	var others []keeper.RowSource
	for _, p := range h.Posts()[:2] {
		a, err := p.Admit(r)
		if err != nil {
			t.Fatal(err)
		}
		conf, err := a.TLS(key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := wire.NewClient(wire.ClientConfig{ID: a.Keeper, Address: a.Address, TLS: conf})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		others = append(others, c)
	}
	k3 := h.Posts()[2]
	if err := k3.Stop(); err != nil {
		t.Fatal(err)
	}
	n, err := keeper.OpenNode(t.Context(), k3.Dir, keeper.OpenConfig{Limits: ledger.NationalLimits(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(n.Repair(t.Context(), seen, others...), n.Close()); err != nil {
		t.Fatal(err)
	}
	if err := k3.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	redial()
}
