package keeper

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// rowAt is a database row's head, which acts move on.
type rowAt struct{ at atomic.Uint64 }

func (r *rowAt) head() Head {
	return Head{At: r.at.Load(), Again: func(context.Context) (uint64, error) { return r.at.Load(), nil }}
}

// TestRowThatWasPutBackServesNobody (I-13): after keepers saw a later row, a
// guess, a proposal and a commit from an earlier one get no evaluation at any
// shape, and the alarm names the card.
func TestRowThatWasPutBackServesNobody(t *testing.T) {
	for _, shape := range shapes() {
		t.Run(shape.String(), func(t *testing.T) {
			h := newHarness(t, shape)
			q := h.quorum()
			target := set(t, q, liuma.NewCardID(), 1, good)
			row := &rowAt{}
			row.at.Store(9)
			target.Head = row.head()
			want(t, attemptPIN(t, q, target, good), liuma.Right)
			eventually(t, "all have counted", func() bool {
				for i := range h.nodes {
					if r := h.row(i, target.Card); r.Tally.Spent != 1 || r.Head != 9 {
						return false
					}
				}
				return true
			})
			row.at.Store(8) // the row was put back
			target.Head = row.head()
			out := attemptPIN(t, q, target, good)
			want(t, out, liuma.Unavailable)
			if out.Behind != 9 || out.Evaluated != 0 {
				t.Errorf("%+v, want behind and nothing evaluated", out)
			}
			if _, err := q.Propose(t.Context(), target, 2, 1, []byte(bad)); !errors.Is(err, ErrBehind) {
				t.Errorf("propose: %v", err)
			}
			c := ledger.Commitment{Card: target.Card, Version: 2, Replaces: 1, KeySet: 1, Verifier: liuma.Verifier{1}, Tag: target.Tag}
			if _, err := q.Commit(t.Context(), c, target.Head); !errors.Is(err, ErrBehind) {
				t.Errorf("commit: %v", err)
			}
			for i := range h.nodes {
				if r := h.row(i, target.Card); r.Tally.Spent != 1 || r.Mark != 1 || r.Version != 1 || r.Head != 9 {
					t.Errorf("k%d: %+v", i+1, r)
				}
			}
			if got := h.alarmed(RowBehind); len(got) != shape.N {
				t.Errorf("alarms of %v", got)
			}
			row.at.Store(9)
			target.Head = row.head()
			want(t, attemptPIN(t, q, target, good), liuma.Right)
		})
	}
}

// TestRowThatMovesOnIsReadAgain: another act's head came first, the row is read
// again, and every keeper counts the guess once.
func TestRowThatMovesOnIsReadAgain(t *testing.T) {
	for _, shape := range shapes() {
		h := newHarness(t, shape)
		q := h.quorum()
		target := set(t, q, liuma.NewCardID(), 1, good)
		row := &rowAt{}
		target.Head = row.head()
		row.at.Store(5)
		for i, n := range h.nodes {
			if _, err := n.Head(t.Context(), Header{Now: h.clock.Now()}, []ledger.Head{{Card: target.Card, Head: 5}}); err != nil {
				t.Fatalf("k%d: %v", i+1, err)
			}
		}
		out := attemptPIN(t, q, target, bad)
		want(t, out, liuma.Wrong)
		if out.Behind != 0 || out.Evaluated != shape.N && shape.N == 1 {
			t.Errorf("%s: %+v", shape, out)
		}
		if _, err := q.Propose(t.Context(), target, 2, 1, []byte(bad)); err != nil {
			t.Errorf("%s: propose: %v", shape, err)
		}
		c := ledger.Commitment{Card: target.Card, Version: 2, Replaces: 1, KeySet: 1, Verifier: liuma.Verifier{1}, Tag: target.Tag}
		if _, err := q.Commit(t.Context(), c, target.Head); err != nil {
			t.Errorf("%s: commit: %v", shape, err)
		}
		eventually(t, "all counted once", func() bool {
			for i := range h.nodes {
				if r := h.row(i, target.Card); r.Tally.Spent != 1 || r.Version != 2 || r.Head != 5 {
					return false
				}
			}
			return true
		})
	}
}

// TestHeadsReachKeepers in the background; one that is away loses them and
// learns the head from the card's next attempt.
func TestHeadsReachKeepers(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	var down atomic.Bool
	down.Store(true)
	q := h.quorum(at(func(k Keeper) Keeper {
		return &faulty{Keeper: k, head: func(ctx context.Context, hd Header, heads []ledger.Head) (HeadAnswer, error) {
			if down.Load() {
				return HeadAnswer{}, errDown
			}
			return k.Head(ctx, hd, heads)
		}}
	}, 3))
	target := set(t, q, liuma.NewCardID(), 1, good)
	for head := range uint64(20) {
		q.Head(target.Card, head, head+1)
	}
	eventually(t, "two keepers heard", func() bool {
		return h.row(0, target.Card).Head == 20 && h.row(1, target.Card).Head == 20
	})
	if got := h.row(2, target.Card).Head; got != 0 {
		t.Errorf("the one that was away: %d", got)
	}
	target.Head = Head{At: 21}
	attemptPIN(t, q, target, good)
	eventually(t, "the third heard", func() bool { return h.row(2, target.Card).Head == 21 })
	q.Head(target.Card, 2, 3) // a row that was put back and moved on
	eventually(t, "an alarm", func() bool { return len(h.alarmed(RowBehind)) > 0 })
}

// TestWaitingHeadsAreBounded: beyond the bound heads are dropped, and those that
// wait are the highest of their card.
func TestWaitingHeadsAreBounded(t *testing.T) {
	m := &member{heads: map[liuma.CardID]uint64{}}
	for i := range byte(5) {
		if took := m.raise(liuma.CardID{i + 1}, 4, 3); took != (i < 3) {
			t.Errorf("card %d: %v", i, took)
		}
	}
	m.raise(liuma.CardID{1}, 9, 3)
	m.raise(liuma.CardID{1}, 2, 3)
	total := 0
	for range 2 {
		for _, head := range m.risen(2) {
			total++
			if want := uint64(4); head.Card == (liuma.CardID{1}) && head.Head != 9 || head.Card != (liuma.CardID{1}) && head.Head != want {
				t.Errorf("%+v", head)
			}
		}
	}
	if total != 3 || len(m.risen(9)) != 0 {
		t.Errorf("%d heads", total)
	}
}

// TestOneKeeperCannotHoldACardUp: a keeper that claims a later row is named, and
// the others decide.
func TestOneKeeperCannotHoldACardUp(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	claim := &ledger.Refusal{Reason: ledger.Behind, Head: 1 << 60}
	q := h.quorum(at(func(k Keeper) Keeper {
		return &faulty{Keeper: k, attempt: func(context.Context, AttemptRequest) (AttemptAnswer, error) {
			return AttemptAnswer{Refusal: claim, Answer: Answer{Sequence: 1 << 30}}, nil
		}}
	}, 2))
	target := set(t, q, liuma.NewCardID(), 1, good)
	want(t, attemptPIN(t, q, target, good), liuma.Right)
	want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	eventually(t, "named", func() bool { got := h.alarmed(RowBehind); return len(got) == 1 && got[0] == "k2" })
}

// TestLaggingKeeperIsCaughtUp at every shape with more than one keeper: it
// missed commits, gets the current version, and takes part in the next.
func TestLaggingKeeperIsCaughtUp(t *testing.T) {
	for _, shape := range shapes()[1:] {
		t.Run(shape.String(), func(t *testing.T) {
			h := newHarness(t, shape)
			away, q := h.quorum(at(kill, 1)), h.quorum()
			card := liuma.NewCardID()
			set(t, q, card, 1, good)
			set(t, away, card, 2, bad)
			current := set(t, away, card, 3, good)
			v, err := q.Propose(t.Context(), current, 4, 1, []byte(bad))
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "caught up and proposed", func() bool { r := h.row(0, card); return r.Version == 3 && r.Mark == 4 })
			c := ledger.Commitment{Card: card, Version: 4, Replaces: 3, KeySet: 1, Verifier: v, Tag: current.Tag}
			if all, err := q.Commit(t.Context(), c, Head{}); err != nil || !all {
				t.Errorf("all %v, %v", all, err)
			}
			set(t, away, card, 5, good)
			if all, err := q.Commit(t.Context(), ledger.Commitment{
				Card: card, Version: 6, Replaces: 5, KeySet: 1, Verifier: liuma.Verifier{1}, Tag: current.Tag}, Head{}); err != nil || !all {
				t.Errorf("a commit past a lagging keeper: all %v, %v", all, err)
			}
			fresh := set(t, away, liuma.NewCardID(), 1, good) // missed the enrolment
			fresh.Unacknowledged = false
			attemptPIN(t, q, fresh, good)
			eventually(t, "enrolled", func() bool { r := h.row(0, fresh.Card); return r.Version == 1 && r.Tag == fresh.Tag })
		})
	}
}

// TestReplacingWhatIsNotThere: who believes a card to be without a PIN, or at an
// older one, sets none, and nothing is evaluated (I-3).
func TestReplacingWhatIsNotThere(t *testing.T) {
	for _, shape := range shapes() {
		h := newHarness(t, shape)
		q := h.quorum()
		card := liuma.NewCardID()
		old := set(t, q, card, 1, good)
		set(t, q, card, 2, bad)
		for _, current := range []Target{{Card: card, Tag: old.Tag}, old} {
			if _, err := q.Propose(t.Context(), current, 7, 1, []byte(good)); !errors.Is(err, ErrStale) {
				t.Errorf("%s: propose over %d: %v", shape, current.Version, err)
			}
			c := ledger.Commitment{Card: card, Version: 7, Replaces: current.Version, KeySet: 1, Verifier: liuma.Verifier{1}, Tag: old.Tag}
			if _, err := q.Commit(t.Context(), c, Head{}); !errors.Is(err, ErrStale) {
				t.Errorf("%s: commit over %d: %v", shape, current.Version, err)
			}
		}
		for i := range h.nodes {
			if r := h.row(i, card); r.Version != 2 || r.Mark != 2 {
				t.Errorf("%s: k%d: %+v", shape, i+1, r)
			}
		}
	}
}

// TestTaggedRestsOnAQuorum: a card of a tag is what q keepers agree on; none
// is what too few hold; between them there is no answer.
func TestTaggedRestsOnAQuorum(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	claim := func(card liuma.CardID) func(Keeper) Keeper {
		return func(k Keeper) Keeper {
			return &faulty{Keeper: k, tagged: func(context.Context, ledger.Tag) (StatusAnswer, error) {
				return StatusAnswer{Answer: Answer{Sequence: 1 << 30}, Row: ledger.Row{Card: card, Version: 1}}, nil
			}}
		}
	}
	other := ledger.Tag{3}
	for name, c := range map[string]struct {
		q    *Quorum
		tag  ledger.Tag
		card liuma.CardID
		err  error
	}{
		"held":                        {q, target.Tag, target.Card, nil},
		"free":                        {q, other, liuma.CardID{}, nil},
		"one away":                    {h.quorum(at(kill, 2)), target.Tag, target.Card, nil},
		"two away":                    {h.quorum(at(kill, 2, 3)), target.Tag, liuma.CardID{}, ErrNoQuorum},
		"one makes a card up":         {h.quorum(at(claim(liuma.CardID{9}), 3)), other, liuma.CardID{}, nil},
		"one hides it":                {h.quorum(at(claim(liuma.CardID{}), 3)), target.Tag, target.Card, nil},
		"one hides it and one is off": {h.quorum(at(claim(liuma.CardID{}), 3), at(kill, 1)), target.Tag, liuma.CardID{}, ErrDisagree},
		"two cards":                   {h.quorum(at(claim(liuma.CardID{9}), 3), at(kill, 1)), target.Tag, liuma.CardID{}, ErrDisagree},
	} {
		row, err := c.q.Tagged(t.Context(), c.tag)
		if row.Card != c.card || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v, %v, want %v, %v", name, row.Card, err, c.card, c.err)
		}
	}
	stranger := Target{Card: liuma.NewCardID(), Tag: target.Tag}
	if _, err := q.Propose(t.Context(), stranger, 1, 1, []byte(bad)); !errors.Is(err, ErrTagTaken) {
		t.Errorf("a second card of a holder: %v", err)
	}
	if row, err := q.Held(t.Context(), target.Card); err != nil || row.Head != 0 || row.Verifier != target.Verifier {
		t.Errorf("%+v, %v", row, err)
	}
	q.Head(target.Card, 0, 12)
	eventually(t, "heads", func() bool { row, err := q.Held(t.Context(), target.Card); return err == nil && row.Head == 12 })
	if _, err := h.quorum(at(kill, 2, 3)).Held(t.Context(), target.Card); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("two away: %v", err)
	}
}

// TestRetagIsMetered, together with retirements.
func TestRetagIsMetered(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
	n := h.nodes[0]
	n.retires = newMeter(2, h.clock.Now())
	req := RetagRequest{Header: Header{Now: h.clock.Now()}, Card: target.Card, Old: target.Tag, New: ledger.Tag{7}}
	if a, err := n.Retag(t.Context(), req); err != nil || a.Refusal != nil {
		t.Fatal(a.Refusal, err)
	}
	req.Old = ledger.Tag{9}
	req.New = ledger.Tag{8}
	if a, err := n.Retag(t.Context(), req); err != nil || a.Refusal == nil || a.Refusal.Reason != ledger.Conflict {
		t.Errorf("another tag: %+v, %v", a.Refusal, err)
	}
	if _, err := n.Retire(t.Context(), req.Header, target.Card); !errors.Is(err, ErrMetered) {
		t.Errorf("a third change of owner: %v", err)
	}
}
