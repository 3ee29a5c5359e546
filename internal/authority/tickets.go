package authority

import (
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// A freeze, and the report of a loss, stop the card's open tickets at a counter: a holder
// who gets the notice of a ticket and knows nothing of it will freeze the card. This
// holds for a card that is already frozen, too: a thief may be at a counter to have it
// unfrozen.

const (
	// reviewTime is the time within which a security officer looks at a ticket that its
	// holder stopped, or that was used shortly before its card was stopped.
	reviewTime = 7 * 24 * time.Hour
	// stoppedLate is how long after the use of a ticket a freeze is taken as the holder's
	// objection to it. A clerk and a supervisor who collude need only a minute, and the
	// holder may read the notice later.
	stoppedLate = 7 * 24 * time.Hour
)

// stopTickets raises the card's Stops, writes the card, and ends its tickets. A ticket
// whose Stops differ from the card's no longer stands, whether or not its row was found
// here.
func (a *Authority) stopTickets(tx store.Tx, card *store.Card) error {
	return a.endTickets(tx, card, store.TicketEndedFrozen)
}

// endTickets is stopTickets with a reason: after an agent's freeze the tickets of other
// clerks do not count as objected to by the holder.
func (a *Authority) endTickets(tx store.Tx, card *store.Card, why string) error {
	card.Stops++
	if err := tx.UpdateCard(*card); err != nil {
		return err
	}
	all, err := tx.TicketsOf(card.ID)
	if err != nil {
		return err
	}
	now := a.Now()
	for _, t := range all {
		live := t.Live()
		if live {
			t.End(store.TicketStopped, why, now)
		}
		late := t.State == store.TicketUsed && now.Sub(t.EndedAt) < stoppedLate
		review := (live || late) && t.ReviewUntil.IsZero()
		if review {
			t.ReviewUntil = now.Add(reviewTime)
		}
		if !live && !review {
			continue
		}
		if err := tx.UpdateTicket(t); err != nil {
			return err
		}
	}
	return nil
}

// openTickets are the card's tickets that have not ended. A ticket whose time is over is
// left out: nobody can go on with it.
func openTickets(r store.Reader, card liuma.CardID) ([]store.Ticket, error) {
	all, err := r.TicketsOf(card)
	return slices.DeleteFunc(all, func(t store.Ticket) bool { return !t.Live() }), err
}

// dropTickets deletes the tickets of a person who is erased. An open ticket counts as an
// act under way.
func dropTickets(tx store.Tx, all []store.Ticket) error {
	for _, t := range all {
		if err := tx.DeleteTicket(t.ID); err != nil {
			return err
		}
	}
	return nil
}
