package ceremony_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestACorrectionSurvivesADeathAtEveryStep kills the process before and after every
// durable step of a move. Afterwards the card is under exactly one of the numbers,
// and the next rounds bring it under the new one.
func TestACorrectionSurvivesADeathAtEveryStep(t *testing.T) {
	for _, death := range testkit.Deaths("1/1", "2/3") {
		shape, after := death.Shape, death.After
		t.Run(fmt.Sprintf("%s/after=%v", shape, after), func(t *testing.T) {
			faults := &testkit.Faults{}
			x := newCorrected(t, testkit.Options{Shape: shape, Faults: faults})
			steps := 0
			for ; ; steps++ {
				faults.DieAt(steps, after)
				_, _ = x.report()
				_ = x.MarkSent()
				_ = x.System.Authority.MaintainOnce(context.Background())
				x.Clock.Advance(73 * time.Hour)
				_ = x.System.Authority.MaintainOnce(context.Background())
				died := faults.Revive()
				restart(x.Env)
				if got := x.cardsUnder(); got != 1 {
					t.Fatalf("step %d: a card under %d of the numbers", steps, got)
				}
				x.reported()
				x.maintained()
				x.Clock.Advance(73 * time.Hour)
				x.maintained()
				x.maintained()
				x.wantUnder(true)
				if !died {
					break
				}
				x.who, x.is = x.is, x.who // and back again
			}
			if steps < 6 {
				t.Errorf("a correction took only %d durable steps", steps)
			}
		})
	}
}

// cardsUnder is how many of the two numbers lead to the card in the database.
func (x *corrected) cardsUnder() (n int) {
	x.T.Helper()
	err := x.System.Store.View(context.Background(), func(r store.Reader) error {
		n = 0
		for _, number := range []string{x.who.IDNumber, x.is.IDNumber} {
			if _, err := r.CardByHolder(x.index(number)); err == nil {
				n++
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return n
}

// retagAway is a keeper that answers no correction while it is set.
type retagAway struct {
	keeper.Keeper
	gone *atomic.Bool
}

func (k retagAway) Retag(ctx context.Context, r keeper.RetagRequest) (keeper.CommitAnswer, error) {
	if k.gone.Load() {
		return keeper.CommitAnswer{}, errors.New("away")
	}
	return k.Keeper.Retag(ctx, r)
}

// TestACorrectionReachesTheKeeperThatWasAway: with one of three away the number
// counts, and the keeper gets it when it is back; with two away nothing counts yet.
func TestACorrectionReachesTheKeeperThatWasAway(t *testing.T) {
	gone := map[keeper.ID]*atomic.Bool{}
	x := newCorrected(t, testkit.Options{Shape: "2/3", Keeper: func(k keeper.Keeper) keeper.Keeper {
		gone[k.ID()] = &atomic.Bool{}
		return retagAway{k, gone[k.ID()]}
	}})
	var ids []keeper.ID
	for id := range gone {
		ids = append(ids, id)
	}
	state := func() string {
		list, err := x.System.Registry.Corrections(t.Context(), "")
		if err != nil || len(list) > 1 {
			t.Fatal(list, err)
		}
		if len(list) == 0 {
			return "settled"
		}
		return list[0].State
	}
	gone[ids[0]].Store(true)
	gone[ids[1]].Store(true)
	x.reported()
	x.Clock.Advance(73 * time.Hour)
	if err := x.System.Authority.MaintainOnce(t.Context()); err == nil || state() != "moving" {
		t.Errorf("two away: %s, %v", state(), err)
	}
	if x.linksBy(x.is) || !x.linksBy(x.who) {
		t.Error("with two keepers away the new number counts")
	}
	gone[ids[1]].Store(false)
	x.maintained()
	if got := state(); got != "moved" {
		t.Errorf("one away: %s", got)
	}
	x.wantUnder(true)
	gone[ids[0]].Store(false)
	x.maintained()
	if got := state(); got != "settled" {
		t.Errorf("all there: %s", got)
	}
	x.wantUnder(true)
}

// refuser is a keeper that holds a number for another card when a correction comes.
type refuser struct {
	keeper.Keeper
	on *atomic.Bool
}

func (k refuser) Retag(ctx context.Context, r keeper.RetagRequest) (keeper.CommitAnswer, error) {
	a, err := k.Keeper.Retag(ctx, r)
	if err != nil || !k.on.Load() {
		return a, err
	}
	// It had taken the tag, and says that it cannot: the worst of both.
	_, err = k.Keeper.Retag(ctx, keeper.RetagRequest{Header: r.Header, Card: r.Card, Head: r.Head, Old: r.New, New: r.Old})
	a.Refusal = &ledger.Refusal{Reason: ledger.TagTaken}
	return a, err
}

// TestARefusedCorrectionIsUndone: keepers that hold the new number for another card
// leave the card where it was, at all of them, and an operator hears of it.
func TestARefusedCorrectionIsUndone(t *testing.T) {
	var on atomic.Bool
	n := 0
	x := newCorrected(t, testkit.Options{Shape: "2/3", Keeper: func(k keeper.Keeper) keeper.Keeper {
		if n++; n == 1 {
			return k // this one takes it
		}
		return refuser{k, &on}
	}})
	x.reported()
	x.Clock.Advance(73 * time.Hour)
	on.Store(true)
	x.System.Authority.MaintainOnce(t.Context())
	on.Store(false)
	x.maintained()
	list, err := x.System.Registry.Corrections(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].State != "stopped" || list[0].Why != "keepers" {
		t.Errorf("%+v, %v", list, err)
	}
	x.wantUnder(false)
	p, _ := x.agreed(x.push(liuma.ActionReset))
	x.want(p, ceremony.StepCode, "")
}
