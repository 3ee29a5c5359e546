package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// The wait of a correction. It gives the holder 72 hours to stop the correction, so the
// time runs from when a gateway took the notice, not from when it was queued. If no gateway
// takes the notice, or the holder has no phone, the correction stops (stoppedUntold). An
// operator who has reached the holder in another way may let it go on; the 72 hours then
// run from that decision.

// beginWait queues the notice, and writes card and correction so that each names the other.
//
// A crash before the commit leaves the correction received, and no notice sent.
func (a *Authority) beginWait(tx store.Tx, c *store.Correction, card store.Card) (audit.Entry, error) {
	notice, err := a.tell(tx, card, noticeCorrection, registryPlace(), nil)
	switch {
	case err != nil:
		return audit.Entry{}, err
	case c.Decided:
		c.Until, notice = a.Now().Add(correctionWait), "" // whether this one arrives decides nothing
	case notice == "":
		return a.stopCorrection(tx, c, &card, stoppedUntold)
	}
	c.State, c.Notice = store.CorrectionWaiting, notice
	card.Correcting, card.Untold = c.Until, c.Until.IsZero()
	return a.correctionEntry(audit.CorrectionOpened, *c, "ok"), tx.UpdateCard(card)
}

// told is when a gateway took the notice of a correction; zero: not yet. lost says that no
// gateway will take it, or that it did not reach the phone.
func (a *Authority) told(r store.Reader, c store.Correction) (at time.Time, lost bool, err error) {
	if c.Notice == "" {
		return time.Time{}, false, nil // an operator decided
	}
	m, err := r.Message(c.Notice)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return time.Time{}, c.Until.IsZero(), nil // the message is gone, as old messages are
	case err != nil:
		return time.Time{}, false, err
	case m.Card != c.Card, m.State == store.MessageDead:
		return time.Time{}, true, nil
	case m.State == store.MessageSent, m.State == store.MessageDelivered:
		return m.DoneAt, false, nil
	}
	return time.Time{}, false, nil
}

// asItWas reports whether a correction that is not due yet keeps waiting unchanged.
func (a *Authority) asItWas(ctx context.Context, c store.Correction) (same bool, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		card, err := a.ReadCard(r, c.Card)
		if err != nil || !a.waits(card, c) {
			return err
		}
		at, lost, err := a.told(r, c)
		same = !lost && (at.IsZero() || !c.Until.IsZero())
		return err
	})
	return same, err
}

// awaitCorrection stops a correction that the card's row no longer names, or of which
// nobody can be told. It starts the 72 hours when the holder was told, and the move when
// they are over. The card's row decides: an attacker who puts the correction's own row
// back, or writes another one, moves nothing.
//
// A crash before the commit leaves it waiting; after it the move is carried through or
// undone.
func (a *Authority) awaitCorrection(ctx context.Context, c store.Correction) error {
	due, why := !c.Until.IsZero() && !a.Now().Before(c.Until), ""
	if !due {
		if same, err := a.asItWas(ctx, c); err != nil || same {
			return err
		}
	}
	if due {
		if err := a.FinishIntent(ctx, c.Card); err != nil {
			return err
		}
		to, err := a.HeldOf(ctx, c.Number)
		if err != nil {
			return err
		}
		if !to.Card.IsZero() && to.Card != c.Card {
			why = stoppedHasCard
		}
	}
	return a.changeCorrection(ctx, c, func(tx store.Tx, c *store.Correction) (audit.Entry, error) {
		card, err := a.ReadCard(tx, c.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		at, lost, err := a.told(tx, *c)
		if err != nil {
			return audit.Entry{}, err
		}
		_, err = tx.CardByHolder(c.Number)
		switch {
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return audit.Entry{}, err
		case !a.waits(card, *c):
			return a.stopCorrection(tx, c, &card, stoppedFrozen)
		case card.Physical == liuma.PhysicalCancelled:
			return a.stopCorrection(tx, c, &card, stoppedCancelled)
		case err == nil || why != "":
			return a.stopCorrection(tx, c, &card, stoppedHasCard)
		case lost && !c.Full.IsZero():
			return a.fullWait(tx, c, card)
		case lost:
			return a.stopCorrection(tx, c, &card, stoppedUntold)
		case c.Until.IsZero() && !at.IsZero():
			c.Until = waitFrom(*c, at)
			card.Correcting, card.Untold = c.Until, false
			return a.correctionEntry(audit.CorrectionTold, *c, "ok"), tx.UpdateCard(card)
		case !due:
			return audit.Entry{}, nil
		}
		c.State, card.Moving = store.CorrectionMoving, true
		return a.correctionEntry(audit.CorrectionBegun, *c, "ok"), tx.UpdateCard(card)
	})
}

// hastenedWait is the shortest time that a holder has, from when a gateway took the notice
// of the shorter wait.
const hastenedWait = 4 * time.Hour

// waitFrom is when a correction takes effect if its notice was taken at a given time.
func waitFrom(c store.Correction, at time.Time) time.Time {
	if c.Full.IsZero() {
		return at.Add(correctionWait)
	}
	if sooner := at.Add(hastenedWait); sooner.Before(c.Full) {
		return sooner
	}
	return c.Full
}

// fullWait restores the 72 hours, because the holder was not told that the wait is shorter.
func (a *Authority) fullWait(tx store.Tx, c *store.Correction, card store.Card) (audit.Entry, error) {
	c.Until, c.Full, c.Notice, c.Earlier = c.Full, time.Time{}, c.Earlier, ""
	card.Correcting, card.Untold = c.Until, false
	return a.correctionEntry(audit.CorrectionHastened, *c, stoppedUntold), tx.UpdateCard(card)
}

// ErrNotHastened says that the wait of this correction cannot be shortened.
var ErrNotHastened = errors.New("the wait of this correction cannot be shortened: it must wait, its holder must have been told by text, more than four hours must be left, and it must not have been shortened")

// Hastenable checks that the wait of a correction can be shortened: its 72 hours must run
// since a gateway took the notice. It returns the correction's number and the end of the
// wait, which the later decision must name. Errors: ErrNotHastened, store.ErrNotFound.
func (a *Authority) Hastenable(ctx context.Context, id string) (no uint64, until time.Time, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		c, err := r.Correction(id)
		if err != nil {
			return err
		}
		no, until = c.No, c.Until
		return a.hastenable(c)
	})
	return no, until, err
}

func (a *Authority) hastenable(c store.Correction) error {
	if c.State != store.CorrectionWaiting || c.Until.IsZero() || c.Decided || c.Notice == "" || !c.Full.IsZero() || !a.Now().Add(hastenedWait).Before(c.Until) {
		return ErrNotHastened
	}
	return nil
}

// Hasten shortens the wait of a correction, as two members of staff decided. Every contact
// is told, and four hours run from when a gateway takes that notice. If no gateway takes
// it, the 72 hours run on. no and until are the values that the decision named. Errors:
// ErrNotHastened, store.ErrNotFound.
//
// A crash before the commit leaves the 72 hours; the approver repeats the decision.
func (a *Authority) Hasten(ctx context.Context, actor, id string, no uint64, until time.Time, reason audit.Reason) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Correction(id)
		if err != nil {
			return audit.Entry{}, err
		}
		if c.No == no && c.Full.Equal(until) && !until.IsZero() {
			return audit.Entry{}, nil // done already
		}
		if err := a.hastenable(c); err != nil || c.No != no || !c.Until.Equal(until) {
			return audit.Entry{}, ErrNotHastened
		}
		card, err := a.ReadCard(tx, c.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		if !a.waits(card, c) {
			return audit.Entry{}, ErrNotHastened
		}
		notice, err := a.tell(tx, card, noticeSooner, registryPlace(), nil)
		if err != nil {
			return audit.Entry{}, err
		}
		if notice == "" {
			return audit.Entry{}, ErrNotHastened // there is nobody to tell
		}
		c.Full, c.Until, c.Earlier, c.Notice = c.Until, time.Time{}, c.Notice, notice
		card.Correcting, card.Untold = time.Time{}, true
		e := a.correctionEntry(audit.CorrectionHastened, c, "ok")
		e.Actor, e.Note = actor, reason.Note(e.Note)
		return e, errors.Join(tx.UpdateCard(card), tx.PutCorrection(c))
	})
}

// waits reports whether the card's row names a correction, and nothing stops it.
func (a *Authority) waits(card store.Card, c store.Correction) bool {
	return card.IsCorrecting() && card.Correcting.Equal(c.Until) && card.CorrectionNo == c.No && !card.Frozen && card.Holder == c.Former
}
