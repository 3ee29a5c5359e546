package keeper

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// heard waits until all keepers have a head of a card.
func (h *harness) heard(card liuma.CardID, head uint64) {
	h.t.Helper()
	eventually(h.t, "all keepers heard", func() bool {
		for i := range h.nodes {
			if h.row(i, card).Head != head {
				return false
			}
		}
		return true
	})
}

// TestRowPutBackByOneChange (I-13): the next change gives the row the revision
// that the keepers know. A process that has just started asks them where it read
// the row; one that wrote the row knows it. Neither tells the keepers anything of
// the row, and neither gets a guess or a new PIN.
func TestRowPutBackByOneChange(t *testing.T) {
	for _, shape := range shapes() {
		t.Run(shape.String(), func(t *testing.T) {
			h := newHarness(t, shape)
			old := h.quorum()
			target := set(t, old, liuma.NewCardID(), 1, good)
			old.Head(target.Card, 0, 8)
			old.Head(target.Card, 8, 9) // a freeze
			h.heard(target.Card, 9)
			for name, q := range map[string]*Quorum{"same process": old, "after a restart": h.quorum()} {
				q.Head(target.Card, 8, 9) // read at 8, which was put back
				target.Head = Head{At: 9, Again: func(context.Context) (uint64, error) { return 9, nil }}
				if out := attemptPIN(t, q, target, good); out.Verdict != liuma.Unavailable || out.Behind != 9 || out.Evaluated != 0 {
					t.Errorf("%s: %+v", name, out)
				}
				if _, err := q.Propose(t.Context(), target, 2, 1, []byte(bad)); !errors.Is(err, ErrBehind) {
					t.Errorf("%s: propose: %v", name, err)
				}
				c := ledger.Commitment{Card: target.Card, Version: 2, Replaces: 1, KeySet: 1, Verifier: liuma.Verifier{1}, Tag: target.Tag}
				if _, err := q.Commit(t.Context(), c, target.Head); !errors.Is(err, ErrBehind) {
					t.Errorf("%s: commit: %v", name, err)
				}
				if err := q.Proved(t.Context(), target.Card); !errors.Is(err, ErrBehind) {
					t.Errorf("%s: an act without keepers: %v", name, err)
				}
				q.Head(target.Card, 9, 20)
				if got := q.Lost(target.Card); got != 9 {
					t.Errorf("%s: lost %d, want 9", name, got)
				}
			}
			time.Sleep(2 * proveWait)
			for i := range h.nodes {
				if r := h.row(i, target.Card); r.Tally.Spent != 0 || r.Mark != 1 || r.Head != 9 {
					t.Errorf("k%d: %+v", i+1, r)
				}
			}
			// A process that wrote the row itself raises its alarm in the background, as
			// soon as the machine gets round to it.
			raised := map[ID]bool{}
			eventually(t, "one alarm of each process", func() bool {
				for _, id := range h.alarmed(RowBehind) {
					raised[id] = true
				}
				return len(raised) == 2
			})
		})
	}
}

// TestStandsKnowsOwnCommits: a row below what this process wrote is refused
// without asking anybody, until an operator takes it.
func TestStandsKnowsOwnCommits(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	q, card := h.quorum(), liuma.NewCardID()
	if err := q.Stands(card, 3); err != nil {
		t.Errorf("a card that was never used: %v", err)
	}
	q.Head(card, 3, 4)
	for rev, want := range map[uint64]error{4: nil, 5: nil} {
		if err := q.Stands(card, rev); !errors.Is(err, want) {
			t.Errorf("at %d: %v", rev, err)
		}
	}
	if err := q.Stands(card, 3); !errors.Is(err, ErrBehind) {
		t.Errorf("at 3: %v", err)
	}
	if err := q.Stands(card, 3); !errors.Is(err, ErrBehind) || len(h.alarmed(RowBehind)) != 1 {
		t.Errorf("again: %v, alarms %v", err, h.alarmed(RowBehind))
	}
	if known := q.Forget(card); known != 4 {
		t.Errorf("forgot %d, want 4", known)
	}
	if err := q.Stands(card, 3); err != nil || q.Lost(card) != 0 {
		t.Errorf("after an operator's word: %v", err)
	}
}

// TestUnprovedRowIsNotServed: where too few keepers say what they have seen,
// nothing is evaluated and no keeper is told of the row; when they are back, it
// is proved in the background, and later guesses ask nobody.
func TestUnprovedRowIsNotServed(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 2, N: 3})
	target := fakeTarget(t, fakes, "314159")
	synctest.Test(t, func(t *testing.T) {
		fakes[0].does(script{before: down})
		fakes[1].does(script{before: down})
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		q.Head(target.Card, 4, 5)
		target.Head.At = 5
		if out := attemptPIN(t, q, target, "314159"); out.Verdict != liuma.Unavailable || out.Evaluated != 0 || out.Behind != 0 {
			t.Errorf("%+v", out)
		}
		fakes[0].does(script{})
		time.Sleep(2 * maxResend)
		q.rowMu.Lock()
		proved := q.lineages[target.Card].proved
		q.rowMu.Unlock()
		if !proved {
			t.Error("not proved when q keepers were back")
		}
		want(t, attemptPIN(t, q, target, "314159"), liuma.Right)
	})
}

// TestOneKeeperCannotDisprove: the others decide, whatever one of them claims.
func TestOneKeeperCannotDisprove(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	q := h.quorum(at(func(k Keeper) Keeper {
		return &faulty{Keeper: k, status: func(context.Context, liuma.CardID) (StatusAnswer, error) {
			return StatusAnswer{Answer: Answer{Sequence: 1 << 30}, Row: ledger.Row{Head: 1 << 60}}, nil
		}}
	}, 2))
	target := set(t, q, liuma.NewCardID(), 1, good)
	want(t, attemptPIN(t, q, target, good), liuma.Right)
}

// TestHeadsAreSentAgain to a keeper that was away, and at an orderly end.
func TestHeadsAreSentAgain(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	var away atomic.Bool
	q := h.quorumWith(QuorumConfig{Timing: Timing{Resend: 10 * time.Millisecond}}, at(func(k Keeper) Keeper {
		return &faulty{Keeper: k, head: func(ctx context.Context, hd Header, heads []ledger.Head) (HeadAnswer, error) {
			if away.Load() {
				return HeadAnswer{}, errDown
			}
			return k.Head(ctx, hd, heads)
		}}
	}, 1))
	target := set(t, q, liuma.NewCardID(), 1, good)
	away.Store(true)
	q.Head(target.Card, 0, 5)
	time.Sleep(50 * time.Millisecond)
	away.Store(false)
	h.heard(target.Card, 5)
	away.Store(true)
	q.Head(target.Card, 5, 6)
	time.Sleep(50 * time.Millisecond)
	away.Store(false)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	h.heard(target.Card, 6)
}

// TestRememberedRowsAreBounded: the ones with something open go last.
func TestRememberedRowsAreBounded(t *testing.T) {
	q := &Quorum{lineages: map[liuma.CardID]*lineage{}, unproved: map[liuma.CardID]bool{}}
	open := liuma.NewCardID()
	q.lineages[open] = &lineage{lost: 4}
	for range maxLineages + 100 {
		q.lineageAt(liuma.NewCardID(), 1).proved = true
	}
	if n := len(q.lineages); n != maxLineages || q.lineages[open] == nil {
		t.Errorf("%d remembered, the open one %v", n, q.lineages[open])
	}
}

// TestProvedByTwoAtOnce: of two requests that prove one row, the faster tells the
// keepers a head; the slower does not take it for a row that was put back.
func TestProvedByTwoAtOnce(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	asked, answer := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	q := h.quorum(at(func(k Keeper) Keeper {
		return &faulty{Keeper: k, status: func(ctx context.Context, card liuma.CardID) (StatusAnswer, error) {
			if first.CompareAndSwap(true, false) {
				close(asked)
				<-answer
			}
			return k.Status(ctx, card)
		}}
	}, 1))
	target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
	first.Store(true)
	q.Head(target.Card, 3, 4)
	slow := make(chan error)
	go func() { slow <- q.Proved(t.Context(), target.Card) }()
	<-asked
	if err := q.Proved(t.Context(), target.Card); err != nil {
		t.Error(err)
	}
	h.heard(target.Card, 4)
	close(answer)
	if err := <-slow; err != nil || q.Lost(target.Card) != 0 {
		t.Errorf("the slower one: %v", err)
	}
}

// TestWritten: what a process wrote is known to it before any keeper heard of it, and still
// after the row was found to be put back.
func TestWritten(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	q, card := h.quorum(), liuma.NewCardID()
	if got := q.Written(card); got != 0 {
		t.Errorf("of a card that was not written: %d", got)
	}
	q.Head(card, 6, 7)
	if got := q.Written(card); got != 7 {
		t.Errorf("written %d, want 7", got)
	}
	q.Head(card, 3, 4)
	if got := q.Written(card); got != 7 {
		t.Errorf("after it was put back: %d, want 7", got)
	}
}

// TestAnotherAuthorityMovesOn: what keepers have seen above a row that this process read or
// wrote may be another authority's. It is no row that was put back, and one that was is
// found all the same, before the transaction that read it is kept.
func TestAnotherAuthorityMovesOn(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	var row atomic.Uint64 // where the database has it
	now := func(context.Context) (uint64, error) { return row.Load(), nil }
	here := h.quorumWith(QuorumConfig{Timing: Timing{Proof: 1}, Row: func(context.Context, liuma.CardID) (uint64, error) { return row.Load(), nil }})
	there := h.quorumWith(QuorumConfig{Timing: Timing{Proof: 1}, Row: func(context.Context, liuma.CardID) (uint64, error) { return row.Load(), nil }})
	target := set(t, here, liuma.NewCardID(), 1, good)
	card := target.Card
	commit := func(q *Quorum, read uint64) {
		t.Helper()
		if err := q.Prove(t.Context(), card, read, "", now); err != nil {
			t.Fatalf("read at %d: %v", read, err)
		}
		row.Store(read + 1)
		q.Head(card, read, read+1)
		h.heard(card, read+1)
	}
	row.Store(8)
	for read := uint64(8); read < 14; read += 2 {
		commit(here, read)
		commit(there, read+1)
	}
	// It was read before the other one moved it on, and is not kept.
	if err := here.Prove(t.Context(), card, 13, "", now); !errors.Is(err, ErrMoved) {
		t.Errorf("a row that moved on: %v", err)
	}
	commit(here, 14)
	if err := errors.Join(here.Proved(t.Context(), card), there.Proved(t.Context(), card)); err != nil {
		t.Errorf("both have the row proved: %v", err)
	}
	if n := len(h.alarmed(RowBehind)); n != 0 {
		t.Fatalf("%d alarms about a row that nobody put back", n)
	}
	// Somebody puts it back, where this process did not write it last.
	row.Store(14)
	if err := there.Prove(t.Context(), card, 14, "", now); !errors.Is(err, ErrBehind) || len(h.alarmed(RowBehind)) != 1 {
		t.Errorf("a row that was put back: %v", err)
	}
}

// TestPutBackWhileKeepersAreSlow: another authority froze the card, and somebody put the row
// back to where this process had left it and had it proved. Where too few keepers answered
// before the row was replaced, that earlier proof is worth nothing: they are asked before
// anything is evaluated by the row, and before they are told of it.
func TestPutBackWhileKeepersAreSlow(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	var row atomic.Uint64
	var slow atomic.Bool
	now := func(context.Context) (uint64, error) { return row.Load(), nil }
	here := h.quorumWith(QuorumConfig{Timing: Timing{Proof: 1}, Row: func(context.Context, liuma.CardID) (uint64, error) { return row.Load(), nil }},
		func(_ int, k Keeper) Keeper {
			return &faulty{Keeper: k, status: func(ctx context.Context, card liuma.CardID) (StatusAnswer, error) {
				if slow.Load() {
					return StatusAnswer{}, errDown
				}
				return k.Status(ctx, card)
			}}
		})
	there := h.quorum()
	target := set(t, here, liuma.NewCardID(), 1, good)
	card := target.Card
	if err := here.Prove(t.Context(), card, 8, "", now); err != nil {
		t.Fatal(err)
	}
	here.Head(card, 8, 9)
	h.heard(card, 9)
	there.Head(card, 9, 10) // the freeze
	if err := there.Proved(t.Context(), card); err != nil {
		t.Fatal(err)
	}
	h.heard(card, 10)
	row.Store(9)
	slow.Store(true)
	if err := here.Prove(t.Context(), card, 9, "", now); err != nil {
		t.Fatalf("a freeze would wait for keepers that do not answer: %v", err)
	}
	row.Store(10)
	here.Head(card, 9, 10)
	slow.Store(false)
	target.Head.At = 10
	if out := attemptPIN(t, here, target, good); out.Verdict != liuma.Unavailable || out.Behind == 0 {
		t.Errorf("by a row that was put back: %v", out.Verdict)
	}
	if len(h.alarmed(RowBehind)) == 0 {
		t.Error("no alarm")
	}
}

// TestPutBackWithinAMoment: what the keepers said a moment ago holds for what is done under
// the same hold, and for nothing else: another authority may have frozen the card since, and
// somebody put back the row before.
func TestPutBackWithinAMoment(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	var row atomic.Uint64
	now := func(context.Context) (uint64, error) { return row.Load(), nil }
	here := h.quorumWith(QuorumConfig{Timing: Timing{Proof: time.Hour}, Row: func(context.Context, liuma.CardID) (uint64, error) { return row.Load(), nil }})
	there := h.quorum()
	for _, next := range []string{"", "another"} {
		card := set(t, here, liuma.NewCardID(), 1, good).Card
		if err := here.Prove(t.Context(), card, 8, "guess", now); err != nil {
			t.Fatal(err)
		}
		here.Head(card, 8, 9)
		h.heard(card, 9)
		there.Head(card, 9, 10) // the freeze
		if err := there.Proved(t.Context(), card); err != nil {
			t.Fatal(err)
		}
		h.heard(card, 10)
		row.Store(9)
		if err := here.Prove(t.Context(), card, 9, next, now); !errors.Is(err, ErrBehind) {
			t.Errorf("under %q a row that was put back is replaced: %v", next, err)
		}
	}
}

// TestOwnCommitIsHeardLate: what a process hears of its own commit after it read a row that
// another authority wrote on top of it is no row that was put back.
func TestOwnCommitIsHeardLate(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	card := liuma.NewCardID()
	q := h.quorumWith(QuorumConfig{Row: func(context.Context, liuma.CardID) (uint64, error) { return 6, nil }})
	q.Head(card, 2, 3)
	if err := q.provedAt(t.Context(), card, 6); err != nil { // another one wrote 5 and 6
		t.Fatal(err)
	}
	q.Head(card, 3, 4)
	if lost := q.Lost(card); lost != 0 || q.Wrote(card) != 6 {
		t.Errorf("lost %d, wrote %d", lost, q.Wrote(card))
	}
	q.Head(card, 3, 4) // once more: below what this process wrote
	if q.Lost(card) == 0 {
		t.Error("a row below what this process wrote is not lost")
	}
}
