package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/upkeep"
)

// Claims of handles that lead nowhere (ClaimHandle) go with their ceremony (DropHandle). What
// an earlier release left, or a process that was suspended between the two, is found by a walk
// through all claims.

const (
	// handlesEvery is the pause between two steps of that walk, handlesPage how many claims a
	// step reads, each with its card. handlesRest is from the end of a round to the next one:
	// nearly always there is nothing to find.
	handlesEvery = time.Second
	handlesPage  = 100
	handlesRest  = 24 * time.Hour
)

// TendHandles drops claims of handles that lead nowhere, until ctx ends. Where rows lie
// together nothing is claimed first, and there are none.
func (a *Authority) TendHandles(ctx context.Context) {
	if !a.store.Spreads() {
		return
	}
	a.handles.forget()
	upkeep.Every(ctx, handlesEvery, a.log, "claims of handles not looked through", a.tendHandles)
}

// tendHandles is one step, if the rest after the last round is over.
func (a *Authority) tendHandles(ctx context.Context) error {
	a.handles.mu.Lock()
	sw, err := a.handles.position(ctx)
	a.handles.mu.Unlock()
	if err != nil || sw.After == nil && !sw.EndedAt.IsZero() && a.Now().Sub(sw.EndedAt) < handlesRest {
		return err
	}
	return a.TendHandlesStep(ctx)
}

// TendHandlesStep is one step of TendHandles, whether its time has come or not. A crash in it
// leaves the position that was saved last: the claims after it are looked at once more. A claim
// that cannot be dropped now is left to the next round.
func (a *Authority) TendHandlesStep(ctx context.Context) error {
	a.handles.mu.Lock()
	defer a.handles.mu.Unlock()
	now := a.Now()
	sw, err := a.handles.position(ctx)
	if err != nil {
		return err
	}
	var w store.WalkedHandles
	err = a.store.View(ctx, func(r store.Reader) (err error) {
		w, err = r.WalkHandles(sw.After, handlesPage)
		return err
	})
	if err != nil {
		return fmt.Errorf("walk through claims of handles: %w", err)
	}
	var failed error
	for _, k := range w.Loose {
		err := a.pruneHandle(ctx, k)
		if errors.Is(err, store.ErrUnreachable) || ctx.Err() != nil {
			return err // the whole step comes again
		}
		failed = errors.Join(failed, err)
	}
	if sw.After = w.Next; w.Next == nil {
		sw.EndedAt = now
	}
	return errors.Join(failed, a.handles.move(ctx, sw, now, w.Next == nil))
}

// pruneHandle drops the claim of a handle, unless a ceremony may still make its link: one whose
// code can be redeemed has not ended, and stands with its card. Whoever redeems a code at this
// moment, here or at another authority, writes the card as well: one of the two runs again, and
// sees what the other did. A crash before the commit leaves the claim to the next round.
func (a *Authority) pruneHandle(ctx context.Context, k store.HandleKey) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		open, err := tx.CeremoniesOf(k.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		for _, c := range open {
			if c.Channel == k.Channel && a.handleFor(c.Channel, c.ID) == k.Handle {
				return audit.Entry{}, nil
			}
		}
		did, err := tx.PruneHandle(k)
		if err != nil || !did {
			return audit.Entry{}, err
		}
		e := a.Entry("system", audit.RowsPruned, k.Card, "", "ok")
		e.Note = "handles=1"
		return e, nil
	})
}
