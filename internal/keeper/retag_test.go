package keeper

import (
	"context"
	"errors"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// deadToRetags makes a keeper answer everything but corrections.
func deadToRetags(k Keeper) Keeper { return &mute{Keeper: k} }

type mute struct{ Keeper }

func (m *mute) Retag(ctx context.Context, r RetagRequest) (CommitAnswer, error) {
	return dead{m.ID()}.Retag(ctx, r)
}

// wantTag wants that a tag leads q to a card, or with a zero card to none.
func wantTag(t *testing.T, q *Quorum, tag ledger.Tag, card liuma.CardID) {
	t.Helper()
	if row, err := q.Tagged(t.Context(), tag); err != nil || row.Card != card {
		t.Errorf("tag %x: card %v, want %v: %v", tag[:2], row.Card, card, err)
	}
}

// TestRetag moves a tag at every shape, once, and to no tag that is taken.
func TestRetag(t *testing.T) {
	for _, shape := range shapes() {
		t.Run(shape.String(), func(t *testing.T) {
			h := newHarness(t, shape)
			q := h.quorum()
			target, other := set(t, q, liuma.NewCardID(), 1, good), set(t, q, liuma.NewCardID(), 1, good)
			to := ledger.Tag{7}
			if _, err := q.Retag(t.Context(), target, other.Tag); !errors.Is(err, ErrTagTaken) {
				t.Errorf("to a tag that is taken: %v", err)
			}
			wrong := target
			wrong.Tag = ledger.Tag{9}
			if _, err := q.Retag(t.Context(), wrong, to); !errors.Is(err, ErrStale) {
				t.Errorf("from another tag: %v", err)
			}
			target.Head.At = 5
			for range 2 { // again changes nothing
				if all, err := q.Retag(t.Context(), target, to); err != nil || !all {
					t.Fatal(all, err)
				}
				wantTag(t, q, to, target.Card)
				wantTag(t, q, target.Tag, liuma.CardID{})
			}
			target.Head.At = 4
			if _, err := q.Retag(t.Context(), target, ledger.Tag{8}); !errors.Is(err, ErrBehind) {
				t.Errorf("from an older row: %v", err)
			}
			for name, bad := range map[string]func(*Target, *ledger.Tag){
				"no card": func(x *Target, _ *ledger.Tag) { x.Card = liuma.CardID{} }, "no PIN": func(x *Target, _ *ledger.Tag) { x.Version = 0 },
				"no old tag": func(x *Target, _ *ledger.Tag) { x.Tag = ledger.Tag{} }, "no new tag": func(_ *Target, n *ledger.Tag) { *n = ledger.Tag{} },
				"the same tag": func(x *Target, n *ledger.Tag) { *n = x.Tag },
			} {
				x, n := target, to
				bad(&x, &n)
				if _, err := q.Retag(t.Context(), x, n); !errors.Is(err, ErrRequest) {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// TestRetagReachesTheKeeperThatWasAway: one of three that is away holds nobody up,
// and gets the tag when it is back, with the card itself if it never had it. Two
// that are away leave it to be repeated, and until then nobody else gets the old tag.
func TestRetagReachesTheKeeperThatWasAway(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	target := set(t, h.quorum(at(deadToCommits, 3)), liuma.NewCardID(), 1, good)
	to := ledger.Tag{7}
	if _, err := h.quorum(at(deadToRetags, 1, 2)).Retag(t.Context(), target, to); !errors.Is(err, ErrNoQuorum) {
		t.Fatalf("one of three took it: %v", err)
	}
	q := h.quorum()
	second := Target{Card: liuma.NewCardID(), Tag: target.Tag}
	if _, err := h.quorum(at(kill, 3)).Propose(t.Context(), second, 1, 1, []byte(bad)); !errors.Is(err, ErrTagTaken) {
		t.Errorf("the old tag of a card that has a new one nowhere else: %v", err)
	}
	if all, err := h.quorum(at(deadToRetags, 2)).Retag(t.Context(), target, to); err != nil || all {
		t.Fatal(all, err)
	}
	wantTag(t, q, to, target.Card)
	if all, err := q.Retag(t.Context(), target, to); err != nil || !all {
		t.Fatal(all, err)
	}
	for i, n := range h.nodes {
		if row, err := n.ledger.Tagged(t.Context(), to); err != nil || row.Card != target.Card || row.Version != 1 {
			t.Errorf("keeper %d: %+v, %v", i+1, row, err)
		}
	}
	target.Tag = to
	if out, err := q.Attempt(t.Context(), target, Guess{Limits: ledger.NationalLimits()}, []byte(good)); err != nil || out.Verdict != liuma.Right {
		t.Errorf("the PIN under the new tag: %v, %v", out.Verdict, err)
	}
}

// TestRetagAgainIsNotMetered: whoever repeats it until all keepers have it does not
// use up what a keeper allows within the hour.
func TestRetagAgainIsNotMetered(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	h.nodes[0].retires = newMeter(1, h.clock.Now())
	for range 3 {
		if _, err := q.Retag(t.Context(), target, ledger.Tag{7}); err != nil {
			t.Fatal(err)
		}
	}
	target.Tag = ledger.Tag{7}
	if _, err := q.Retag(t.Context(), target, ledger.Tag{8}); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("beyond the meter: %v", err)
	}
}
