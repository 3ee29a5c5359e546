package keeper

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// TestRolledBackKeeper: a keeper whose ledger was put back stops serving and
// is named; the others give the verdict; repaired, it counts as they do.
func TestRolledBackKeeper(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	restore := h.snapshot(2)
	q = h.quorumWith(QuorumConfig{Seen: q.Seen()})
	for range 3 {
		want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	}
	eventually(t, "all have answered", func() bool { return q.Seen()["k3"] == h.nodes[2].answer().Sequence })
	seen := q.Seen()
	restore()

	q = h.quorumWith(QuorumConfig{Seen: seen})
	want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	eventually(t, "k3 is named", func() bool { return slices.Equal(h.alarmed(RolledBack), []ID{"k3"}) })
	before := h.nodes[2].answer().Incarnation

	if err := h.nodes[2].Repair(t.Context(), seen["k3"], h.nodes[0]); !errors.Is(err, ErrPeers) {
		t.Errorf("repair from one peer: %v, want ErrPeers", err)
	}
	if err := h.nodes[2].Readmit(t.Context(), seen["k3"]); !errors.Is(err, ErrPeers) {
		t.Errorf("readmit beside others: %v, want ErrPeers", err)
	}
	if err := h.nodes[2].Repair(t.Context(), seen["k3"], h.nodes[0], h.nodes[1]); err != nil {
		t.Fatal(err)
	}
	if after := h.nodes[2].answer(); after.Incarnation == before || after.Sequence <= seen["k3"] {
		t.Errorf("repaired: %+v, want a new incarnation above %d", after, seen["k3"])
	}
	if own, peer := h.row(2, target.Card).Tally, h.row(0, target.Card).Tally; own.Failures != peer.Failures || own.Spent < peer.Spent {
		t.Errorf("repaired: %+v, want no less than %+v", own, peer)
	}
	out := attemptPIN(t, q, target, bad)
	want(t, out, liuma.Wrong)
	if out.Evaluated != 3 || out.TriesLeft != 1 {
		t.Errorf("%+v, want all three and one try left", out)
	}
	if got := h.alarmed(RolledBack); len(got) != 0 {
		t.Errorf("named again: %v", got)
	}
}

// TestNoRowsFromAStoppedLedger: a keeper that was found to be rolled back gives no rows to
// another one's repair, so that what only it and the lost one had counted is not refunded.
func TestNoRowsFromAStoppedLedger(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	restore := h.snapshot(1)
	q = h.quorumWith(QuorumConfig{Seen: q.Seen()})
	want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	eventually(t, "k2 has counted", func() bool { return h.row(1, target.Card).Tally.Spent == 1 })
	seen := h.nodes[1].answer().Sequence
	restore()
	if err := h.nodes[1].Admit(t.Context(), Header{Now: h.nodes[1].Times().Wall, Seen: seen}); !errors.Is(err, ledger.ErrRolledBack) {
		t.Fatal(err)
	}
	if err := h.nodes[2].Repair(t.Context(), seen, h.nodes[0], h.nodes[1]); !errors.Is(err, ledger.ErrRolledBack) {
		t.Errorf("repaired from a ledger that was rolled back: %v", err)
	}
	if err := h.nodes[2].Admit(t.Context(), Header{Now: h.nodes[2].Times().Wall}); !errors.Is(err, ledger.ErrRepairing) {
		t.Errorf("it serves: %v", err)
	}
}

// TestRollbackAtOneOfOne: the only keeper stops until its operator readmits it.
func TestRollbackAtOneOfOne(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	restore := h.snapshot(0)
	q = h.quorumWith(QuorumConfig{Seen: q.Seen()})
	want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	seen := q.Seen()
	restore()
	q = h.quorumWith(QuorumConfig{Seen: seen})
	want(t, attemptPIN(t, q, target, good), liuma.Unavailable)
	if got := h.alarmed(RolledBack); !slices.Equal(got, []ID{"k1"}) {
		t.Errorf("named %v, want k1", got)
	}
	if err := h.nodes[0].Repair(t.Context(), seen["k1"]); !errors.Is(err, ErrPeers) {
		t.Errorf("repair from nobody: %v, want ErrPeers", err)
	}
	if err := h.nodes[0].Readmit(t.Context(), seen["k1"]); err != nil {
		t.Fatal(err)
	}
	want(t, attemptPIN(t, q, target, good), liuma.Right)
}

// TestAnswerBelowSeenIsNotUsed: a rolled-back keeper that ignores the sequence
// in the request is found out by the sender.
func TestAnswerBelowSeenIsNotUsed(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	forgetful := func(k Keeper) Keeper {
		return &faulty{Keeper: k, attempt: func(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
			r.Seen = 0
			a, err := k.Attempt(ctx, r)
			a.Sequence = 1
			return a, err
		}}
	}
	target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
	q := h.quorumWith(QuorumConfig{Seen: map[ID]uint64{"k2": 2}}, at(forgetful, 2))
	out := attemptPIN(t, q, target, bad)
	if out.Verdict != liuma.Wrong || out.Evaluated != 2 {
		t.Errorf("%+v, want wrong by the other two", out)
	}
	if got := h.alarmed(RolledBack); !slices.Equal(got, []ID{"k2"}) {
		t.Errorf("named %v, want k2", got)
	}
}

// TestClockAlarm: a keeper refuses if its clock differs from the sender's, and
// is named.
func TestClockAlarm(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	q.now = func() time.Time { return h.clock.Now().Add(2 * time.Minute) }
	want(t, attemptPIN(t, q, target, good), liuma.Unavailable)
	if got := h.alarmed(ClockOff); !slices.Equal(got, []ID{"k1"}) {
		t.Errorf("named %v, want k1", got)
	}
}
