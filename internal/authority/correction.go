package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// When a person's ID number is corrected, their card moves to the new number, in
// durable steps. A crash between two steps leaves the old number or the new one, and
// the next round goes on:
//
//	received  noted by an import, a registry client or an operator; old number
//	waiting   the bound phone is being told; once the gateway has the message, 72 hours
//	          run; old number
//	moving    keepers are asked to move the card's tag; old number
//	moved     q keepers have it, and card and person have the new number; it stays
//	          until every keeper has it
//
// A correction is stopped before moving by a freeze, by an operator, by a notice that
// reached no gateway, or if its facts have changed meanwhile. If keepers refuse to
// move the tag, it is undone. A person without a card gets the new number at once, if
// the keepers do not know of a card either.

const (
	// correctionWait is how long a holder has to stop a correction, from when the
	// gateway took the notice.
	correctionWait = 72 * time.Hour
	// correctionPage is how many corrections are listed at once, and correctionTime
	// how long one round may take.
	correctionPage = 256
	correctionTime = 5 * time.Second
)

// The reasons why a correction stops; an operator sees the word.
const (
	stoppedFrozen    = "frozen"    // the card was frozen, or its correction taken from it
	stoppedCancelled = "cancelled" // the physical card was cancelled
	stoppedHasCard   = "has_card"  // there is a card under the new number
	stoppedElsewhere = "kept_back" // keepers know a card of this person that the database does not
	stoppedChanged   = "changed"   // the person or the new number is another by now
	stoppedRefused   = "keepers"   // keepers hold the new number for another card
	stoppedUntold    = store.WhyUntold
)

// goOnCorrecting goes on with corrections, some in each round. One that cannot go on
// stays for the next round and does not stop the others.
func (a *Authority) goOnCorrecting(ctx context.Context) error {
	var errs []error
	for began := time.Now(); ; {
		var page []store.Correction
		err := a.store.View(ctx, func(r store.Reader) (err error) {
			page, err = r.Corrections(a.done, correctionPage)
			return err
		})
		if err != nil {
			return fmt.Errorf("list corrections: %w", err)
		}
		for _, c := range page {
			if time.Since(began) > correctionTime || ctx.Err() != nil {
				return errors.Join(append(errs, ctx.Err())...)
			}
			if err := a.GoOnCorrecting(ctx, c.ID); err != nil && len(errs) < 3 {
				errs = append(errs, fmt.Errorf("correction %s: %w", c.ID, err))
			}
			a.done = c.ID
		}
		if len(page) < correctionPage {
			a.done = ""
			return errors.Join(errs...)
		}
	}
}

// GoOnCorrecting takes a correction as far as it can go now, so that the person or
// program that reported it need not wait for the next round.
func (a *Authority) GoOnCorrecting(ctx context.Context, id string) error {
	c, err := a.correction(ctx, id)
	if err != nil || c.State == store.CorrectionStopped || c.State == store.CorrectionCancelled {
		return err
	}
	// Meanwhile an application or a link under either number waits.
	ctx, releaseFormer, err := a.HoldHolder(ctx, c.Former)
	if err != nil {
		return err
	}
	defer releaseFormer()
	ctx, releaseNumber, err := a.HoldHolder(ctx, c.Number)
	if err != nil {
		return err
	}
	defer releaseNumber()
	for range 4 { // as many steps as there are
		before := c.State
		if err := a.correctionStep(ctx, c); err != nil {
			return err
		}
		if c, err = a.correction(ctx, id); err != nil || c.State == before {
			return err
		}
	}
	return nil
}

// correction reads a correction. If it is gone, the result is empty, in state
// cancelled.
func (a *Authority) correction(ctx context.Context, id string) (c store.Correction, err error) {
	err = a.store.View(ctx, func(r store.Reader) (err error) {
		c, err = r.Correction(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.Correction{State: store.CorrectionCancelled}, nil
	}
	return c, err
}

func (a *Authority) correctionStep(ctx context.Context, c store.Correction) error {
	switch c.State {
	case store.CorrectionReceived:
		return a.openCorrection(ctx, c)
	case store.CorrectionWaiting:
		return a.awaitCorrection(ctx, c)
	case store.CorrectionMoving, store.CorrectionMoved:
		return a.moveCard(ctx, c)
	case store.CorrectionUndoing:
		return a.putBack(ctx, c)
	}
	return nil
}

// openCorrection sends the notice to the holder. A person without a card gets the new
// number now.
//
// A crash before the commit leaves the correction received, and no notice sent.
func (a *Authority) openCorrection(ctx context.Context, c store.Correction) error {
	var card store.Card
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		card, err = r.CardByHolder(c.Former)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && card.Version == 0 {
		return a.correctWithoutCard(ctx, c)
	}
	if err != nil {
		return err
	}
	return a.changeCorrection(ctx, c, func(tx store.Tx, c *store.Correction) (audit.Entry, error) {
		card, err := a.ReadCard(tx, card.ID)
		if err != nil {
			return audit.Entry{}, err
		}
		standing := card.Standing(a.Now())
		switch {
		case standing == liuma.StandingCancelled:
			return a.stopCorrection(tx, c, &card, stoppedCancelled)
		case standing == liuma.StandingFrozen, standing == liuma.StandingReported, card.CorrectionNo != c.No:
			return a.stopCorrection(tx, c, &card, stoppedFrozen)
		}
		c.Card = card.ID
		return a.beginWait(tx, c, card)
	})
}

// changeCorrection changes a correction in a transaction, if it has not changed since
// it was read.
func (a *Authority) changeCorrection(ctx context.Context, was store.Correction, change func(store.Tx, *store.Correction) (audit.Entry, error)) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Correction(was.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && (c.State != was.State || !c.Until.Equal(was.Until)) {
			return audit.Entry{}, nil // another process or an operator went on with it
		}
		if err != nil {
			return audit.Entry{}, err
		}
		e, err := change(tx, &c)
		if err != nil || c.ID == "" || e == (audit.Entry{}) { // an empty ID: it was deleted
			return e, err
		}
		return e, tx.PutCorrection(c)
	})
}

func (a *Authority) correctionEntry(ev audit.Event, c store.Correction, outcome string) audit.Entry {
	e := a.Entry("system", ev, c.Card, "", outcome)
	e.Note = "correction=" + c.ID
	return e
}

// stopCorrection stops a correction and leaves it to an operator. The new number is
// free again only when the operator cancels it.
func (a *Authority) stopCorrection(tx store.Tx, c *store.Correction, card *store.Card, why string) (audit.Entry, error) {
	c.State, c.Why = store.CorrectionStopped, why
	e := a.correctionEntry(audit.CorrectionStopped, *c, "ok")
	e.Note += " why=" + why
	if card == nil || card.CorrectionNo != c.No {
		return e, nil // the card's row does not name the correction any more
	}
	card.Moving = false
	card.EndCorrection()
	return e, tx.UpdateCard(*card)
}

// correctWithoutCard moves a person who has no card. It asks the keepers first: an
// attacker who deleted a card's row must not get its holder a second card under
// another number (I-13).
func (a *Authority) correctWithoutCard(ctx context.Context, c store.Correction) error {
	why := ""
	switch of, to, err := a.heldUnder(ctx, c); {
	case err != nil:
		return err
	case !of.Card.IsZero():
		why = stoppedElsewhere
	case !to.Card.IsZero():
		why = stoppedHasCard
	}
	return a.changeCorrection(ctx, c, func(tx store.Tx, c *store.Correction) (audit.Entry, error) {
		if why != "" {
			return a.stopCorrection(tx, c, nil, why)
		}
		card, err := tx.CardByHolder(c.Former)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return audit.Entry{}, err
		case card.Version > 0:
			return audit.Entry{}, nil // the person enrolled meanwhile: the next round sends the notice
		default:
			if _, err := tx.Intent(card.ID); !errors.Is(err, store.ErrNotFound) {
				return audit.Entry{}, err // its first PIN is being set
			}
			card.Holder = c.Number // the card of an application that broke off
			if err := tx.UpdateCard(card); err != nil {
				return audit.Entry{}, err
			}
		}
		if err := a.registry.Move(tx, *c); errors.Is(err, registry.ErrMoved) {
			return a.stopCorrection(tx, c, nil, stoppedChanged)
		} else if err != nil {
			return audit.Entry{}, err
		}
		e := a.correctionEntry(audit.CorrectionDone, *c, "ok")
		err = tx.DeleteCorrection(c.ID)
		c.ID = ""
		return e, err
	})
}

// heldUnder returns the cards in use that q keepers hold under the old and the new
// number.
func (a *Authority) heldUnder(ctx context.Context, c store.Correction) (of, to ledger.Row, err error) {
	if of, err = a.HeldOf(ctx, c.Former); err == nil {
		to, err = a.HeldOf(ctx, c.Number)
	}
	return of, to, err
}

// moves reports whether the card's row names this correction as the one that moves, or
// moved, the card. If the row of a correction that was carried out, stopped or
// cancelled before is put back, keepers are not asked for anything.
func (a *Authority) moves(ctx context.Context, c store.Correction) (ok bool, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		card, err := a.ReadCard(r, c.Card)
		if c.State == store.CorrectionMoved {
			ok = err == nil && card.Holder != c.Former
		} else {
			ok = err == nil && card.Moving && card.CorrectionNo == c.No && card.Holder == c.Former
		}
		return err
	})
	return ok, err
}

// stopPutBack leaves to an operator a correction's row that the card's row does not
// name.
func (a *Authority) stopPutBack(ctx context.Context, c store.Correction) error {
	return a.changeCorrection(ctx, c, func(tx store.Tx, c *store.Correction) (audit.Entry, error) {
		return a.stopCorrection(tx, c, nil, stoppedChanged)
	})
}

// moveCard has the keepers move the tag, and then gives card and person the new
// number, in one transaction. It is repeated until every keeper has the new tag.
//
// A crash or an error leaves some keepers with the new tag and the card with the old
// number: the next round repeats it. Links and PIN belong to the card and stay.
func (a *Authority) moveCard(ctx context.Context, c store.Correction) error {
	ctx, release, err := a.HoldCard(ctx, c.Card)
	if err != nil {
		return err
	}
	defer release()
	if ok, err := a.moves(ctx, c); err != nil {
		return err
	} else if !ok {
		return a.stopPutBack(ctx, c)
	}
	all, err := a.retag(ctx, c, false)
	if errors.Is(err, keeper.ErrTagTaken) && c.State == store.CorrectionMoving {
		return a.changeCorrection(ctx, c, a.undo)
	}
	if err != nil {
		return fmt.Errorf("retag: %w", err)
	}
	return a.changeCorrection(ctx, c, func(tx store.Tx, c *store.Correction) (audit.Entry, error) {
		if c.State == store.CorrectionMoved {
			if !all {
				return audit.Entry{}, nil // still waiting for a keeper
			}
			e := a.correctionEntry(audit.CorrectionSettled, *c, "ok")
			err := tx.DeleteCorrection(c.ID)
			c.ID = ""
			return e, err
		}
		card, err := a.ReadCard(tx, c.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := a.registry.Move(tx, *c); errors.Is(err, registry.ErrMoved) {
			return a.undo(tx, c)
		} else if err != nil {
			return audit.Entry{}, err
		}
		card.Holder, card.Correcting, card.Moving = c.Number, time.Time{}, false
		if err := tx.UpdateCard(card); err != nil {
			return audit.Entry{}, err
		}
		e := a.correctionEntry(audit.CorrectionDone, *c, "ok")
		c.State = store.CorrectionMoved
		if all {
			err = tx.DeleteCorrection(c.ID)
			c.ID = ""
		}
		return e, err
	})
}

// retag moves the card's tag to the new number or back.
func (a *Authority) retag(ctx context.Context, c store.Correction, back bool) (all bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTime)
	defer cancel()
	current, err := a.current(ctx, c.Card)
	if err != nil {
		return false, err
	}
	of, to := a.TagOf(c.Former), a.TagOf(c.Number)
	if back {
		of, to = to, of
	}
	current.Tag = of
	return a.quorum.Retag(ctx, current, to)
}

func (a *Authority) undo(_ store.Tx, c *store.Correction) (audit.Entry, error) {
	c.State = store.CorrectionUndoing
	return a.correctionEntry(audit.CorrectionUndone, *c, "ok"), nil
}

// putBack takes the tag back from keepers that had moved it, until all have the old
// one. It then leaves the correction to an operator.
func (a *Authority) putBack(ctx context.Context, c store.Correction) error {
	ctx, release, err := a.HoldCard(ctx, c.Card)
	if err != nil {
		return err
	}
	defer release()
	if ok, err := a.moves(ctx, c); err != nil {
		return err
	} else if !ok {
		return a.stopPutBack(ctx, c)
	}
	all, err := a.retag(ctx, c, true)
	if err != nil || !all {
		return err
	}
	return a.changeCorrection(ctx, c, func(tx store.Tx, c *store.Correction) (audit.Entry, error) {
		card, err := a.ReadCard(tx, c.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		return a.stopCorrection(tx, c, &card, stoppedRefused)
	})
}
