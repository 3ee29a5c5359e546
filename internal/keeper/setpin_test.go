package keeper

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// TestMissedCommit: a keeper that was away for a commit gets it with the next
// attempt while it is owed, and in the background when it answers stale.
func TestMissedCommit(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	away := h.quorum(at(kill, 3))
	card := liuma.NewCardID()

	target := set(t, away, card, 1, good)
	if !target.Unacknowledged {
		t.Fatal("all have it, though one was away")
	}
	if v := h.row(2, card).Version; v != 0 {
		t.Fatalf("k3 holds version %d", v)
	}
	q := h.quorum()
	if out := attemptPIN(t, q, target, bad); out.Verdict != liuma.Wrong || out.Evaluated != 3 {
		t.Fatalf("carried commit: %+v, want wrong by all three", out)
	}

	target = set(t, away, card, 2, bad)
	target.Unacknowledged = false
	out := attemptPIN(t, q, target, good)
	want(t, out, liuma.Wrong)
	if out.Evaluated != 2 || out.Stale {
		t.Errorf("%+v, want the other two, and nothing stale about the target", out)
	}
	eventually(t, "k3 caught up", func() bool { return h.row(2, card).Version == 2 })
	if got := h.row(2, card).Tally.Spent; got != 1 {
		t.Errorf("k3 counted %d, want 1: the attempt must not be repeated", got)
	}
	if all, err := q.Commit(t.Context(), target.commitment(), target.Head); err != nil || !all {
		t.Errorf("repeated commit: all %v, %v", all, err)
	}
}

// TestStaleTarget: when keepers hold a later version than the authority, the
// outcome says so.
func TestStaleTarget(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	card := liuma.NewCardID()
	old := set(t, q, card, 1, good)
	set(t, q, card, 2, bad)
	out := attemptPIN(t, q, old, good)
	want(t, out, liuma.Unavailable)
	if !out.Stale || out.Evaluated != 0 {
		t.Errorf("%+v, want stale", out)
	}
	for i := range h.nodes {
		if v := h.row(i, card).Version; v != 2 {
			t.Errorf("k%d went back to version %d", i+1, v)
		}
	}
}

// TestAVersionStaysWithItsKeySet: what was reserved under one is evaluated under it,
// although others are made with another one by now.
func TestAVersionStaysWithItsKeySet(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	card := liuma.NewCardID()
	set(t, q, card, 1, good)
	q.SetKeySet(2)
	if got := q.KeySet(); got != 2 {
		t.Errorf("key set %d", got)
	}
	if _, err := q.Propose(t.Context(), before(card, 2), 2, 1, []byte(good)); err != nil {
		t.Errorf("under its own: %v", err)
	}
	if _, err := q.Propose(t.Context(), before(card, 2), 3, 2, []byte(good)); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("under one that no keeper has: %v", err)
	}
	if _, err := q.Propose(t.Context(), before(card, 2), 4, 0, []byte(good)); !errors.Is(err, ErrRequest) {
		t.Errorf("under none: %v", err)
	}
}

// TestProposals: a version is proposed once (I-3), liars are refused, and
// fewer than q evaluations set no PIN.
func TestProposals(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	card := liuma.NewCardID()
	set(t, q, card, 1, good)
	propose := func(q *Quorum, v liuma.Version) error {
		_, err := q.Propose(t.Context(), before(card, 2), v, 1, []byte(good))
		return err
	}
	if err := propose(q, 1); !errors.Is(err, ErrVersionUsed) {
		t.Errorf("version 1 again: %v, want ErrVersionUsed", err)
	}
	if err := propose(q, 1002); !errors.Is(err, ErrVersionUsed) {
		t.Errorf("version far above: %v, want ErrVersionUsed", err)
	}
	if err := propose(h.quorum(at(lie(nil), 2)), 2); !errors.Is(err, ErrDisagree) {
		t.Errorf("a liar: %v, want ErrDisagree", err)
	}
	if got := h.alarmed(Disagrees); !slices.Equal(got, []ID{"k2"}) {
		t.Errorf("named %v, want k2", got)
	}
	if err := propose(h.quorum(at(kill, 1, 3)), 3); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("two dead: %v, want ErrNoQuorum", err)
	}
	if err := propose(h.quorum(at(deadToProposals, 1, 3)), 3); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("two that told of the card's head and died: %v, want ErrNoQuorum", err)
	}
	if err := propose(h.quorum(at(kill, 1)), 4); err != nil {
		t.Errorf("one dead: %v", err)
	}
	for i := range h.nodes {
		if got := h.row(i, card).Tally.Spent; got != 0 {
			t.Errorf("k%d counted %d guesses for proposals", i+1, got)
		}
	}
}

// TestNoTwoProposalsOfAVersionSucceed (I-3): of many that race, at most one
// has its verifier.
func TestNoTwoProposalsOfAVersionSucceed(t *testing.T) {
	for _, shape := range shapes() {
		h := newHarness(t, shape)
		q := h.quorum()
		card := liuma.NewCardID()
		for v := range liuma.Version(10) {
			var won atomic.Int32
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					_, err := q.Propose(t.Context(), before(card, 1), v+1, 1, fmt.Appendf(nil, "%06d", i))
					if err == nil {
						won.Add(1)
					} else if !errors.Is(err, ErrVersionUsed) {
						t.Errorf("%s: %v", shape, err)
					}
				})
			}
			wg.Wait()
			if n := won.Load(); n > 1 {
				t.Errorf("%s: version %d was proposed %d times", shape, v+1, n)
			}
		}
	}
}

// TestCommits: q acknowledgements are enough, fewer are not, and a version is
// committed with one verifier.
func TestCommits(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	c := ledger.Commitment{Card: liuma.NewCardID(), Version: 1, KeySet: h.keySet, Verifier: liuma.Verifier{1}, Tag: ledger.Tag{1}}
	commit := func(q *Quorum, c ledger.Commitment) (bool, error) { return q.Commit(t.Context(), c, Head{}) }
	if _, err := commit(h.quorum(at(kill, 1, 2)), c); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("two dead: %v, want ErrNoQuorum", err)
	}
	if _, err := commit(h.quorum(at(deadToCommits, 1, 2)), c); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("two that told of the card's head and died: %v, want ErrNoQuorum", err)
	}
	if all, err := commit(h.quorum(at(kill, 3)), c); err != nil || all {
		t.Errorf("one dead: all %v, %v", all, err)
	}
	q := h.quorum()
	for range 2 {
		if all, err := commit(q, c); err != nil || !all {
			t.Errorf("repeated: all %v, %v", all, err)
		}
	}
	other := c
	other.Verifier = liuma.Verifier{2}
	if _, err := commit(q, other); !errors.Is(err, ErrStale) {
		t.Errorf("another verifier: %v, want ErrStale", err)
	}
	other.Version, other.Replaces = 2, 1
	if all, err := commit(q, other); err != nil || !all {
		t.Errorf("next version: all %v, %v", all, err)
	}
	if _, err := commit(q, c); !errors.Is(err, ErrStale) {
		t.Errorf("the version before: %v, want ErrStale", err)
	}
}
