package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// What operators see of corrections, and how they decide about them.

// Errors of an operator's acts.
var (
	// ErrUnknownCorrection says that there is no such correction, or that it has ended.
	ErrUnknownCorrection = errors.New("there is no such correction; it may count already, or have been cancelled ('liuma registry corrections' lists them)")
	// ErrCounts says that it is too late to cancel a correction.
	ErrCounts = errors.New("the correction counts already, or is being carried out; correct the number back if it was wrong")
	// ErrNotUntold says that a correction was not stopped because its holder could not be told.
	ErrNotUntold = errors.New("only a correction that was stopped as 'untold' goes on; cancel this one, and correct anew ('liuma registry corrections' says why it stopped)")
)

// MaxCorrections is how many corrections are listed at once.
const MaxCorrections = 100

// CorrectionView shows a correction. Nothing in it is a whole name or number.
type CorrectionView struct {
	ID     string `json:"id"`
	Former string `json:"former_id_number"` // masked
	Number string `json:"id_number"`        // masked
	Name   string `json:"name"`             // masked
	// State is received (the next round tells the holder), waiting (until Until, or for
	// the gateway to take the notice), moving, undoing, moved (it counts, and waits for a keeper), stopped (Why) or
	// cancelled.
	State   string     `json:"state"`
	At      time.Time  `json:"at"`
	Until   *time.Time `json:"until,omitempty"`
	HasCard bool       `json:"has_card"`
	Why     string     `json:"why,omitempty"`
	By      string     `json:"by"`
}

func stateName(s store.CorrectionState) string {
	switch s {
	case store.CorrectionReceived:
		return "received"
	case store.CorrectionWaiting:
		return "waiting"
	case store.CorrectionMoving:
		return "moving"
	case store.CorrectionUndoing:
		return "undoing"
	case store.CorrectionMoved:
		return "moved"
	case store.CorrectionStopped:
		return "stopped"
	case store.CorrectionCancelled:
		return "cancelled"
	}
	return fmt.Sprintf("state %d", s)
}

// Corrections lists corrections in the order of their IDs after a given one, at most a hundred,
// without cancelled ones.
func (g *Registry) Corrections(ctx context.Context, after string) ([]CorrectionView, error) {
	all := []CorrectionView{}
	err := g.store.View(ctx, func(r store.Reader) error {
		all = all[:0]
		for {
			page, err := r.Corrections(after, MaxCorrections)
			if err != nil {
				return err
			}
			for _, c := range page {
				if after = c.ID; c.State == store.CorrectionCancelled {
					continue
				}
				v, err := g.correctionView(r, c)
				if err != nil {
					return err
				}
				if all = append(all, v); len(all) == MaxCorrections {
					return nil
				}
			}
			if len(page) < MaxCorrections {
				return nil
			}
		}
	})
	return all, err
}

func (g *Registry) correctionView(r store.Reader, c store.Correction) (CorrectionView, error) {
	v := CorrectionView{ID: c.ID, State: stateName(c.State), At: c.At, HasCard: !c.Card.IsZero(), Why: c.Why, By: c.Actor}
	if !c.Until.IsZero() {
		v.Until = &c.Until
	}
	f, err := g.open(store.Person{Holder: c.Number, Sealed: c.Sealed})
	if err != nil {
		return v, err
	}
	v.Number, v.Name = f.MaskedIDNumber(), f.MaskedName()
	switch _, was, err := g.Of(r, c.Former); {
	case err == nil:
		v.Former = was.MaskedIDNumber()
	case !errors.Is(err, store.ErrNotFound):
		return v, err
	}
	return v, nil
}

// CorrectionOf is the waiting correction of a report that Correct took. store.ErrNotFound: none
// waits, so it is done.
func (g *Registry) CorrectionOf(r store.Reader, q Correction) (store.Correction, error) {
	c, err := r.CorrectionOf(g.vault.Index(vault.IndexIDNumber, q.Former.Canonical()))
	if err == nil && c.Number != g.vault.Index(vault.IndexIDNumber, q.Number.Canonical()) {
		err = store.ErrNotFound
	}
	return c, err
}

// CorrectNumber takes an operator's report that a number was corrected to another. The authority
// carries it out. The errors are those of Correct, and CodeCorrectionContested.
func (g *Registry) CorrectNumber(ctx context.Context, q Correction, reason audit.Reason) (Corrected, error) {
	var out Corrected
	err := g.store.Update(ctx, func(tx store.Tx) (e audit.Entry, err error) {
		q.Insist = true
		if out, err = g.Correct(tx, q); err != nil || !out.Fresh {
			return audit.Entry{}, err
		}
		e = audit.Entry{At: g.now(), Actor: q.Actor, Event: audit.CorrectionReceived, Card: out.Correction.Card, Outcome: "ok",
			Note: reason.Note("correction=" + out.Correction.ID)}
		if out.Contested {
			e.Event, e.Outcome, e.Note = audit.CorrectionTried, string(liuma.CodeCorrectionContested), reason.Note("")
		}
		return e, nil
	})
	if err == nil && out.Contested {
		err = liuma.FailField(liuma.CodeCorrectionContested, "id_number", nil)
	}
	return out, err
}

// CancelCorrection ends a correction that does not count yet. The registry's same report is then
// refused until an operator accepts it. Errors: ErrUnknownCorrection, ErrCounts.
//
// A crash before the commit leaves it as it was.
func (g *Registry) CancelCorrection(ctx context.Context, actor, id string, reason audit.Reason) error {
	return g.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := correctionOf(tx, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if c.State == store.CorrectionMoving || c.State == store.CorrectionUndoing || c.State == store.CorrectionMoved {
			return audit.Entry{}, ErrCounts
		}
		if err := g.Release(tx, c); err != nil {
			return audit.Entry{}, err
		}
		if err := releaseCard(tx, c); err != nil {
			return audit.Entry{}, err
		}
		c.State = store.CorrectionCancelled
		e := audit.Entry{At: g.now(), Actor: actor, Event: audit.CorrectionEnded, Card: c.Card, Outcome: "ok", Note: reason.Note("correction=" + c.ID)}
		return e, tx.PutCorrection(c)
	})
}

// GoOn continues a correction that was stopped because its holder could not be told: the operator
// has reached the holder in another way. The authority's next round opens it, and its 72 hours run
// from then on. Errors: ErrUnknownCorrection, ErrNotUntold.
//
// A crash before the commit leaves it stopped.
func (g *Registry) GoOn(ctx context.Context, actor, id string, reason audit.Reason) error {
	return g.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := correctionOf(tx, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if c.State != store.CorrectionStopped || c.Why != store.WhyUntold {
			return audit.Entry{}, ErrNotUntold
		}
		if c.No, err = nextCorrection(tx, c.Card); err != nil {
			return audit.Entry{}, err
		}
		c.State, c.Why, c.Until, c.Notice, c.Decided = store.CorrectionReceived, "", time.Time{}, "", true
		e := audit.Entry{At: g.now(), Actor: actor, Event: audit.CorrectionGoesOn, Card: c.Card, Outcome: "ok", Note: reason.Note("correction=" + c.ID)}
		return e, tx.PutCorrection(c)
	})
}

// correctionOf reads a correction that an operator decides about. ErrUnknownCorrection, also if it
// was cancelled.
func correctionOf(r store.Reader, id string) (store.Correction, error) {
	c, err := r.Correction(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && c.State == store.CorrectionCancelled {
		return store.Correction{}, ErrUnknownCorrection
	}
	return c, err
}

// releaseCard allows resets and phone changes of a card again, and invalidates the correction's row
// in case it is put back.
func releaseCard(tx store.Tx, c store.Correction) error {
	if c.Card.IsZero() {
		return nil
	}
	card, err := tx.Card(c.Card)
	if errors.Is(err, store.ErrNotFound) { // the database was restored from before its enrolment
		return nil
	}
	if err != nil || card.CorrectionNo != c.No {
		return err // stopped before
	}
	card.EndCorrection()
	return tx.UpdateCard(card)
}
