package keeper

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// deadToRetirements makes a keeper answer everything but retirements.
func deadToRetirements(k Keeper) Keeper { return &staying{Keeper: k} }

type staying struct{ Keeper }

func (s *staying) Retire(ctx context.Context, h Header, card liuma.CardID) (Answer, error) {
	return dead{s.ID()}.Retire(ctx, h, card)
}

// TestRetireNeedsEveryKeeper: while one keeper is away the card is not retired, for it
// would hold the person's tag for ever; asked again it is, at all of them, and again
// changes nothing. The right PIN is worth nothing then, no keeper evaluates, and
// thirty days later the tag is free for another card, which the retired one never is.
func TestRetireNeedsEveryKeeper(t *testing.T) {
	for _, shape := range shapes() {
		t.Run(shape.String(), func(t *testing.T) {
			h := newHarness(t, shape)
			q := h.quorum()
			target, other := set(t, q, liuma.NewCardID(), 1, good), set(t, q, liuma.NewCardID(), 1, good)
			if err := h.quorum(at(deadToRetirements, shape.N)).Retire(t.Context(), target.Card); !errors.Is(err, ErrNoQuorum) || !errors.Is(err, errDown) {
				t.Errorf("one keeper was away: %v", err)
			}
			if row := h.row(shape.N-1, target.Card); !row.Retired.IsZero() {
				t.Errorf("the keeper that was away has retired it at %v", row.Retired)
			}
			if err := q.Retire(t.Context(), liuma.CardID{}); !errors.Is(err, ErrRequest) {
				t.Errorf("no card: %v", err)
			}
			if err := q.Retire(t.Context(), target.Card); err != nil {
				t.Fatal(err)
			}
			var first []time.Time
			for i := range h.nodes {
				first = append(first, h.row(i, target.Card).Retired)
			}
			h.clock.Add(time.Hour)
			if err := q.Retire(t.Context(), target.Card); err != nil {
				t.Errorf("again: %v", err)
			}
			for i := range h.nodes {
				if row := h.row(i, target.Card); row.Retired.IsZero() || !row.Retired.Equal(first[i]) {
					t.Errorf("keeper %d: retired at %v, was %v", i+1, row.Retired, first[i])
				}
			}
			if out, err := q.Attempt(t.Context(), target, Guess{Limits: ledger.NationalLimits()}, []byte(good)); err == nil && out.Verdict == liuma.Right || out.Evaluated != 0 {
				t.Errorf("the right PIN of a retired card: %+v, %v", out, err)
			}
			if out, err := q.Attempt(t.Context(), other, Guess{Limits: ledger.NationalLimits()}, []byte(good)); err != nil || out.Verdict != liuma.Right {
				t.Errorf("another card: %+v, %v", out, err)
			}
			anew := Target{Card: liuma.NewCardID(), Tag: target.Tag}
			if _, err := q.Propose(t.Context(), anew, 1, 1, []byte(bad)); !errors.Is(err, ErrTagTaken) {
				t.Errorf("the tag within thirty days: %v", err)
			}
			h.clock.Add(31 * 24 * time.Hour)
			if _, err := q.Propose(t.Context(), anew, 1, 1, []byte(bad)); err != nil {
				t.Errorf("the tag after thirty days: %v", err)
			}
		})
	}
}
