package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
)

// Whose card was closed, and retired at every keeper, applies for another one. The closed
// card never comes back, nor its PIN. Keepers can put it back for thirty days, and hold
// the person's tag as long: so another card comes about only after EraseWait, when none of
// them can, and never beside it. Its row goes bare then, as an erased card's does, so that
// the holder's index leads to the new card (I-4).

// AnewFrom is from when the holder of a card may apply for another one, because this one
// was closed; false of a card that was not. The time of one that a keeper still holds up
// is the earliest that it may be. A closing that waits can be stopped by its holder, so it
// counts only where the card is not theirs any more.
func (a *Authority) AnewFrom(card store.Card) (from time.Time, closed bool) {
	switch {
	case !card.RetiredAt.IsZero():
		return card.RetiredAt.Add(EraseWait), true
	case !card.Retiring.IsZero():
		return a.Now().Add(EraseWait), true
	case card.Contested && card.IsClosing():
		return card.Closing.Until.Add(EraseWait), true
	}
	return time.Time{}, false
}

// ClosedForGood reports whether a card was closed, and no keeper can put it back.
func (a *Authority) ClosedForGood(card store.Card) bool {
	from, closed := a.AnewFrom(card)
	return closed && !card.RetiredAt.IsZero() && !a.Now().Before(from)
}

// LetClosedGo makes the row of a card that was closed for good a bare one, in the
// transaction that inserts the card in its place. Its tickets stay until their time is
// over, or the person is erased.
func (a *Authority) LetClosedGo(tx store.Tx, id liuma.CardID) error {
	card, err := a.ReadCard(tx, id)
	if err != nil {
		return err
	}
	if !a.ClosedForGood(card) {
		return liuma.Fail(liuma.CodeAlreadyEnrolled, nil)
	}
	if _, err := tx.Intent(id); !errors.Is(err, store.ErrNotFound) {
		return errors.Join(err, liuma.Fail(liuma.CodeChangeUnderWay, nil))
	}
	if err := tx.DeletePersonChange(id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if !card.Follows.IsZero() { // an older one yet: nothing leads to it any more
		old, err := tx.TicketsOf(card.Follows)
		if err := errors.Join(err, dropTickets(tx, old)); err != nil {
			return err
		}
	}
	return tx.EraseCard(id, a.Now())
}

// keptClosed retires a card anew that was closed for good, and that keepers hold in use all
// the same: one of their owners put it back. It is closed as before, and the thirty days
// begin again, so that nobody ever has two cards.
//
// A crash after the keepers did leaves the row as it was: the next application retires it
// again.
func (a *Authority) keptClosed(ctx context.Context, held ledger.Row) error {
	if held.Card.IsZero() {
		return nil
	}
	var back bool
	err := a.store.View(ctx, func(r store.Reader) error {
		card, err := r.Card(held.Card)
		back = err == nil && card.ErasedAt.IsZero() && a.ClosedForGood(card)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil || !back {
		return err
	}
	a.log.ErrorContext(ctx, "ALARM: keepers put a closed card back in use: retired again", "card", held.Card)
	if err := a.quorum.Retire(ctx, held.Card); err != nil {
		return fmt.Errorf("%w: %w", ErrRetire, err)
	}
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		card, err := a.ReadCard(tx, held.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		card.RetiredAt = a.Now()
		return a.Entry("system", audit.CardRetired, card.ID, "", "again"), tx.UpdateCard(card)
	})
}
