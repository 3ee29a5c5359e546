package counter

import (
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// Carry is Use for a PIN that keepers hold already: its version was reserved while the
// ticket stood, and it is carried through whatever happened since (I-7). stopped says
// that the card was stopped meanwhile: then the ticket may do nothing but set the PIN. A
// ticket that has ended by then stays as it is; the audit record of the card has both. It
// raises card.Stops; the caller writes card and tells its contacts.
func (c *Counter) Carry(tx store.Tx, id liuma.TicketID, card *store.Card, ceremony string) (t store.Ticket, stopped bool, err error) {
	if t, err = c.Ticket(tx, id); err != nil {
		return t, false, err
	}
	if ceremony == "" || t.Ceremony != ceremony {
		return t, false, errors.New("counter: another ceremony's ticket")
	}
	stopped = card.Stops != t.Stops
	card.Stops++
	if t.Live() {
		t.End(store.TicketUsed, "", c.c.Now())
		t.Card = card.ID
		if err := tx.UpdateTicket(t); err != nil {
			return t, stopped, err
		}
	}
	return t, stopped, nil
}
