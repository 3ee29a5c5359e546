package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// A card is closed at a counter because its holder died or emigrated, by a clerk and a
// supervisor, in durable steps. A crash between two steps leaves the state of the step
// before, and maintenance goes on:
//
//	approved      the card is frozen, and everybody who is told of it is told
//	ClosingWait   any freeze stops the closing: the card stays frozen; UntoldWait of whom
//	              no number is known, since a letter needs its days and an answer too
//	Retiring      the card counts as cancelled; keepers are asked to retire it
//	RetiredAt     every keeper has; for thirty days each can still put it back
//
// The person's data is deleted by erasing them (erase.go), which then finds the card
// retired.

// How long a closing can be stopped: ClosingWait if a number of the holder's got a notice
// of it, UntoldWait if there is no such number.
const (
	ClosingWait = 72 * time.Hour
	UntoldWait  = 30 * 24 * time.Hour
)

// closingPage is how many closings one round of maintenance goes on with.
const closingPage = 100

// BeginClosing freezes a card and schedules its closing after the wait, in the transaction
// that approves the ticket. It ends all other tickets of the card. The caller writes the
// ticket and the audit entry.
//
// A crash before the commit leaves the card as it was, and the ticket to be approved.
func (a *Authority) BeginClosing(tx store.Tx, card *store.Card, t store.Ticket) error {
	now := a.Now()
	if !card.Frozen {
		card.Frozen, card.FrozenAt = true, now
	}
	card.EndCorrection()
	card.Stops++
	wait, err := a.closingWait(tx, card.ID)
	if err != nil {
		return err
	}
	card.Closing = store.Closing{Ticket: t.ID, Until: now.Add(wait), Stops: card.Stops}
	err = errors.Join(tx.UpdateCard(*card), tx.DeleteCodesOf(card.ID), tx.PutClosing(store.ClosingDue{Card: card.ID, At: card.Closing.Until}))
	if err != nil {
		return err
	}
	template := noticeClosing
	if t.Came.As != "" {
		template = noticeAgentClose // tells the holder that somebody else came for it
	}
	return a.Tell(tx, *card, template, counterPlace(), map[string]string{"until": a.ToWall(card.Closing.Until).Format(time.RFC3339)})
}

// closingWait is how long a closing of a card can be stopped.
func (a *Authority) closingWait(r store.Reader, card liuma.CardID) (time.Duration, error) {
	wait := UntoldWait
	err := a.EachContact(r, card, func(store.Contact, string) error {
		wait = ClosingWait
		return nil
	})
	return wait, err
}

// goOnClosing goes on with the closings whose time has come. A closing that cannot go on
// because a keeper is missing stays for the next round and does not stop the others.
func (a *Authority) goOnClosing(ctx context.Context) error {
	var due []store.ClosingDue
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		due, err = r.DueClosings(a.Now(), closingPage)
		return err
	})
	var errs []error
	for _, c := range due {
		if e := a.closeCard(ctx, c.Card); e != nil && len(errs) < 3 {
			errs = append(errs, fmt.Errorf("close card %s: %w", c.Card, e))
		}
	}
	return errors.Join(append(errs, err)...)
}

func (a *Authority) closeCard(ctx context.Context, id liuma.CardID) error {
	if err := a.FinishIntent(ctx, id); err != nil {
		return err
	}
	ctx, release, err := a.HoldCard(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	goes, err := a.retireClosing(ctx, id)
	if err != nil || !goes {
		return err
	}
	if err := a.quorum.Retire(ctx, id); err != nil {
		return fmt.Errorf("%w: %w", ErrRetire, err)
	}
	_, err = a.endRetiring(ctx, "system", id)
	if err != nil {
		return err
	}
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		return a.Entry("system", audit.CardClosing, id, "", "ok"), tx.DeleteClosing(id)
	})
}

// retireClosing marks a card before any keeper is asked, as erasing does, and reports
// whether keepers are to be asked. The card's row decides: a closing that was stopped by a
// freeze, or that the card's row does not name, is dropped.
//
// A crash before the commit leaves the closing waiting. After it the keepers are asked in
// the next round, and neither a freeze nor a report brings the card back (I-8).
func (a *Authority) retireClosing(ctx context.Context, id liuma.CardID) (goes bool, err error) {
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		goes = false
		card, err := a.ReadCard(tx, id)
		if err != nil {
			return audit.Entry{}, err
		}
		switch {
		case !card.Retiring.IsZero():
			goes = true
			return audit.Entry{}, nil
		case !card.IsClosing():
			card.Closing = store.Closing{}
			return a.Entry("system", audit.CardClosing, id, "", "stopped"), errors.Join(tx.UpdateCard(card), tx.DeleteClosing(id))
		case a.Now().Before(card.Closing.Until):
			return audit.Entry{}, tx.PutClosing(store.ClosingDue{Card: id, At: card.Closing.Until})
		}
		goes = true
		card.Retiring, card.Physical = a.Now(), liuma.PhysicalCancelled
		e := a.Entry("system", audit.CardRetired, id, "", "begun")
		e.Note = "ticket=" + card.Closing.Ticket.String()
		return e, tx.UpdateCard(card)
	})
	return goes, err
}
