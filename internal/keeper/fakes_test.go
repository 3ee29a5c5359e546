package keeper

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// fakeKeeper evaluates without a ledger, for tests of the quorum alone that
// run in a bubble of fake time or very often. It answers as its script says.
type fakeKeeper struct {
	dead
	set    KeySet
	script atomic.Pointer[script] // nil: honest
	mu     sync.Mutex
	seq    uint64 // guarded by mu
	notes         // guarded by mu
}

// notes are the calls that a fake keeper remembers.
type notes struct {
	settled  []ledger.Settlement
	attempts int
	carried  int // settlements that came with attempts
	refusals int // Settle calls that failed
}

// script makes a fake keeper misbehave.
type script struct {
	before func(context.Context) error // delay or failure of every call
	refuse *ledger.Refusal             // instead of an evaluation
	lying  bool
	deaf   func() bool // whether Settle fails
}

// does gives the keeper a script; the zero script makes it honest.
func (f *fakeKeeper) does(s script) { f.script.Store(&s) }

func (f *fakeKeeper) now() script {
	if s := f.script.Load(); s != nil {
		return *s
	}
	return script{}
}

// newFakes makes the keepers of a key set in memory.
func newFakes(t testing.TB, shape split.Shape) []*fakeKeeper {
	t.Helper()
	members, err := newMembers(1, shape)
	if err != nil {
		t.Fatal(err)
	}
	if err := meet(members); err != nil {
		t.Fatal(err)
	}
	var out []*fakeKeeper
	for _, m := range members {
		set, err := m.Done()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &fakeKeeper{dead: dead{m.hello.ID}, set: set})
	}
	return out
}

func (f *fakeKeeper) come(ctx context.Context) (Answer, error) {
	if before := f.now().before; before != nil {
		if err := before(ctx); err != nil {
			return Answer{}, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seq++
	return Answer{Sequence: f.seq}, nil
}

func (f *fakeKeeper) shares(card liuma.CardID, v liuma.Version, p split.Point) ([]split.Share, error) {
	var out []split.Share
	for _, m := range f.set.Shape.SubsetsOf(f.set.Member) {
		k, err := split.Derive(f.set.Keys[m], split.Scope{KeySet: f.set.ID, Subset: m, Card: card, Version: v})
		if err != nil {
			return nil, err
		}
		s, err := k.Evaluate(p)
		if err != nil {
			return nil, err
		}
		if f.now().lying {
			s.Point = strangePoint()
		}
		out = append(out, s)
	}
	return out, nil
}

func (f *fakeKeeper) Attempt(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
	a, err := f.come(ctx)
	if err != nil {
		return AttemptAnswer{}, err
	}
	if ref := f.now().refuse; ref != nil {
		return AttemptAnswer{Answer: a, Refusal: ref}, nil
	}
	f.mu.Lock()
	f.attempts++
	f.carried += len(r.Settlements)
	f.mu.Unlock()
	shares, err := f.shares(r.Card, r.Version, r.Blinded)
	return AttemptAnswer{Answer: a, Spend: a.Sequence, Left: 3, Shares: shares}, err
}

func (f *fakeKeeper) Propose(ctx context.Context, r ProposeRequest) (ProposeAnswer, error) {
	a, err := f.come(ctx)
	if err != nil {
		return ProposeAnswer{}, err
	}
	if ref := f.now().refuse; ref != nil {
		return ProposeAnswer{Answer: a, Refusal: ref}, nil
	}
	shares, err := f.shares(r.Card, r.Version, r.Blinded)
	return ProposeAnswer{Answer: a, Shares: shares}, err
}

func (f *fakeKeeper) Commit(ctx context.Context, _ CommitRequest) (CommitAnswer, error) {
	a, err := f.come(ctx)
	return CommitAnswer{Answer: a, Refusal: f.now().refuse}, err
}

func (f *fakeKeeper) Settle(ctx context.Context, _ Header, list []ledger.Settlement) (Answer, error) {
	a, err := f.come(ctx)
	if err != nil {
		return Answer{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if deaf := f.now().deaf; deaf != nil && deaf() {
		f.refusals++
		return Answer{}, errDown
	}
	f.settled = append(f.settled, list...)
	return a, nil
}

func (f *fakeKeeper) Status(ctx context.Context, card liuma.CardID) (StatusAnswer, error) {
	a, err := f.come(ctx)
	return StatusAnswer{Answer: a, Row: ledger.Row{Card: card}}, err
}

func (f *fakeKeeper) Admit(ctx context.Context, _ Header) error {
	_, err := f.come(ctx)
	return err
}

// spends lists the spend numbers that were settled with a valid proof.
func (f *fakeKeeper) spends(v liuma.Verifier) (out []uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.settled {
		if ed25519.Verify(v[:], ledger.SettlementMessage(s), s.Signature[:]) {
			own, _ := s.Of(string(f.id))
			out = append(out, own.S)
		}
	}
	return out
}

// forget drops the keeper's notes.
func (f *fakeKeeper) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes = notes{}
}

func (f *fakeKeeper) noted() notes {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.notes
}

// cardsWaiting is how many cards' settlements wait for m.
func (m *member) cardsWaiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pending)
}

// fakeQuorum is a client of fakes, and the alarms it raises. Close it.
func fakeQuorum(t testing.TB, fakes []*fakeKeeper) (*Quorum, func() []Alarm) {
	t.Helper()
	var mu sync.Mutex
	var alarms []Alarm
	c := QuorumConfig{
		Shape: fakes[0].set.Shape, KeySet: 1, Now: time.Now, Random: rand.Reader,
		Logger: slog.New(slog.DiscardHandler),
		Alarm: func(a Alarm) {
			mu.Lock()
			defer mu.Unlock()
			alarms = append(alarms, a)
		},
	}
	for _, f := range fakes {
		c.Keepers = append(c.Keepers, f)
	}
	q, err := NewQuorum(c)
	if err != nil {
		t.Fatal(err)
	}
	return q, func() []Alarm {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(alarms)
	}
}

// worksOn makes q one that has used the card before, so that its row is proved.
func (q *Quorum) worksOn(t Target) {
	q.lineages[t.Card] = &lineage{base: t.Head.At, rev: t.Head.At, proved: true}
}

// fakeTarget sets a PIN at fakes.
func fakeTarget(t testing.TB, fakes []*fakeKeeper, pin string) Target {
	t.Helper()
	q, _ := fakeQuorum(t, fakes)
	defer q.Close()
	card := liuma.NewCardID()
	v, err := q.Propose(context.Background(), before(card, 1), 1, 1, []byte(pin))
	if err != nil {
		t.Fatal(err)
	}
	return Target{Card: card, Version: 1, KeySet: 1, Verifier: v, Tag: tagOf(card)}
}

// after is a delay that ends early with the call.
func after(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func down(context.Context) error { return errDown }
