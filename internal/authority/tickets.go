package authority

import (
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// A freeze, and the report of a loss, stop the tickets that are open at a counter for the
// card: who has just heard that one was opened, and knows nothing of it, freezes. That
// holds of a card that is frozen already, too: its thief may be at a counter to have it
// thawed.

const (
	// reviewTime is within how long a security officer looks at a ticket that its holder
	// stopped, or that was used shortly before the card was.
	reviewTime = 7 * 24 * time.Hour
	// stoppedLate is how long after a ticket was used a freeze is taken for its holder's
	// answer to it: clerk and supervisor who work together need a minute, and whoever is
	// told reads it later.
	stoppedLate = 7 * 24 * time.Hour
)

// stopTickets raises the card's Stops, writes the card, and ends its tickets. No ticket
// stands whose Stops are not the card's, whether or not its row was found here.
func (a *Authority) stopTickets(tx store.Tx, card *store.Card) error {
	return a.endTickets(tx, card, store.TicketEndedFrozen)
}

// endTickets is stopTickets that says why: an agent's freeze is not the holder's word
// against the clerk of another ticket.
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

// openTickets are the card's tickets that have not ended. One whose time is over counts
// no more than one that is not there: nobody can go on with it.
func openTickets(r store.Reader, card liuma.CardID) ([]store.Ticket, error) {
	all, err := r.TicketsOf(card)
	return slices.DeleteFunc(all, func(t store.Ticket) bool { return !t.Live() }), err
}

// dropTickets forgets the tickets of a person who is erased. One that goes on is an act
// that is under way.
func dropTickets(tx store.Tx, all []store.Ticket) error {
	for _, t := range all {
		if err := tx.DeleteTicket(t.ID); err != nil {
			return err
		}
	}
	return nil
}
