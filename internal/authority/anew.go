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

// A holder whose card was closed, and retired at every keeper, may apply for another card.
// The closed card and its PIN never come back. For thirty days keepers can still put a
// retired card back, and they hold the person's tag as long. So a new card is made only
// after EraseWait, when no keeper can put the old one back, and a holder never has two. The
// old card's row then loses its contents, like an erased card's, so that the holder's index
// leads to the new card (I-4).

// AnewFrom is when the holder of a closed card may apply for another one; closed is false
// for a card that was not closed. While a keeper still holds up the retiring, the time is
// the earliest possible. A closing that is still waiting counts only if the card is
// contested: otherwise its holder can stop it.
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

// ClosedForGood reports whether a card was closed and no keeper can put it back any more.
func (a *Authority) ClosedForGood(card store.Card) bool {
	from, closed := a.AnewFrom(card)
	return closed && !card.RetiredAt.IsZero() && !a.Now().Before(from)
}

// LetClosedGo removes the contents of the row of a card that was closed for good, in the
// transaction that inserts the card that follows it. Its tickets stay until their time is
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
	if !card.Follows.IsZero() { // the card before it: nothing leads to its tickets any more
		old, err := tx.TicketsOf(card.Follows)
		if err := errors.Join(err, dropTickets(tx, old)); err != nil {
			return err
		}
	}
	return tx.EraseCard(id, a.Now())
}

// keptClosed handles a card that was closed for good but that keepers hold in use, because
// a keeper's owner put it back. It retires the card again. The card stays closed and the
// thirty days start over, so that nobody ever has two cards.
//
// A crash after the keepers retired it leaves the row unchanged: the next application
// retires it again.
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
