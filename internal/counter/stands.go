package counter

import (
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Ceremonies call the functions of this file in their own transactions. Each function reads
// the ticket's row there. So of two transactions at once only one succeeds, and a freeze, a
// suspension or the end of the ticket's time between two moves is noticed.

// Ticket reads a ticket. CodeTicketUnknown.
func (c *Counter) Ticket(r store.Reader, id liuma.TicketID) (store.Ticket, error) {
	t, err := r.Ticket(id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Ticket{}, liuma.Fail(liuma.CodeTicketUnknown, nil)
	}
	return t, err
}

// Stands refuses a ticket that is not good now: it was not approved, or is not open or
// taken; its time is over; its card was frozen, or is no longer the card that it was opened
// for; or its clerk or supervisor may no longer act. card is the card as this transaction
// reads it; zero if the holder has none yet. Errors: CodeTicketUnknown, CodeTicketWaits,
// CodeTicketEnded.
func (c *Counter) Stands(r store.Reader, id liuma.TicketID, card store.Card) (store.Ticket, error) {
	t, err := c.Lasts(r, id, card)
	if err == nil && t.State == store.TicketAsked {
		return store.Ticket{}, liuma.Fail(liuma.CodeTicketWaits, nil)
	}
	return t, err
}

// Lasts is Stands for a ticket that may still wait for its supervisor: such a ticket can
// only show its number. Errors: CodeTicketUnknown, CodeTicketEnded.
func (c *Counter) Lasts(r store.Reader, id liuma.TicketID, card store.Card) (store.Ticket, error) {
	t, err := c.Ticket(r, id)
	if err != nil {
		return store.Ticket{}, err
	}
	if !t.Live() || !c.c.Now().Before(t.Until) {
		return store.Ticket{}, ended("its time is over, or it was used")
	}
	if why := c.changed(t, card); why != "" {
		return store.Ticket{}, ended(why)
	}
	if err := c.staffStand(r, t); err != nil {
		return store.Ticket{}, err
	}
	return t, nil
}

func ended(why string) error {
	return liuma.Fail(liuma.CodeTicketEnded, fmt.Errorf("counter: the ticket stands no more: %s", why))
}

// staffStand refuses a ticket whose clerk or supervisor may no longer act.
func (c *Counter) staffStand(r store.Reader, t store.Ticket) error {
	if _, err := acting(r, t.Clerk, liuma.RoleClerk); errors.Is(err, ErrMember) || errors.Is(err, ErrDocument) {
		return ended(store.TicketEndedStaff)
	} else if err != nil {
		return err
	}
	if t.Route == store.RouteLink && t.Supervisor == "" {
		return nil
	}
	if _, err := acting(r, t.Supervisor, liuma.RoleSupervisor); errors.Is(err, ErrMember) || errors.Is(err, ErrDocument) {
		return ended(store.TicketEndedStaff)
	} else if err != nil {
		return err
	}
	return nil
}

// changed returns how a ticket's card differs from when the ticket was asked for, or "".
func (c *Counter) changed(t store.Ticket, card store.Card) string {
	fresh := t.Card.IsZero() && t.Kind == liuma.TicketEnroll // the ticket will make the card
	switch {
	case card.Stops != t.Stops:
		return store.TicketEndedFrozen
	case card.ID != t.Card && !fresh,
		!card.ID.IsZero() && card.Holder != t.Holder,
		!card.Retiring.IsZero(), !card.ErasedAt.IsZero():
		return store.TicketEndedCard
	case t.Kind == liuma.TicketClose:
		return ""
	case card.Contested, card.IsCorrecting(), card.Physical == liuma.PhysicalCancelled:
		return store.TicketEndedCard
	}
	return ""
}

// Take gives a ticket to one browser's ceremony: with RouteLink an open ticket, with
// RouteSupervisor a waiting one, which goes on waiting (Approve). The ceremony that took it
// before gets it again. card is as in Stands. Errors: those of Lasts, CodeTicketTaken.
//
// A crash before the commit leaves the ticket to any browser with its code.
func (c *Counter) Take(tx store.Tx, id liuma.TicketID, card store.Card, ceremony string) (store.Ticket, error) {
	t, err := c.Lasts(tx, id, card)
	if err != nil {
		return store.Ticket{}, err
	}
	switch {
	case t.Ceremony != "" && t.Ceremony == ceremony:
		return t, nil
	case t.Ceremony != "", ceremony == "":
		return store.Ticket{}, liuma.Fail(liuma.CodeTicketTaken, nil)
	case !c.handable(t):
		return store.Ticket{}, ended("no browser takes it any more")
	}
	t.Ceremony, t.TakenAt = ceremony, c.c.Now()
	if t.Route == store.RouteLink {
		t.State = store.TicketTaken
	}
	return t, tx.UpdateTicket(t)
}

// Contest ends a supervisor's ticket whose code a second browser gave: one of the two
// browsers is not the person's, and nobody knows which. The ticket can no longer be
// approved or used, and is reviewed. If a PIN is already being carried through, that goes
// on, and the ticket is reviewed as well. The caller refuses the second browser in any
// case. For a ticket by link that is enough, because it needs the bound phone's code, and
// Contest changes nothing.
func (c *Counter) Contest(tx store.Tx, t store.Ticket) (audit.Entry, error) {
	if t.Route != store.RouteSupervisor || !t.Live() {
		return audit.Entry{}, nil
	}
	under, err := c.carried(tx, t)
	if err != nil {
		return audit.Entry{}, err
	}
	event := audit.TicketRefused
	t.ReviewUntil = c.c.Now().Add(ReviewTime)
	if !under {
		event = audit.TicketEnded
		t.End(store.TicketStopped, store.TicketEndedTwice, c.c.Now())
	}
	return c.entry("holder", event, t, store.TicketEndedTwice), tx.UpdateTicket(t)
}

// Use uses a taken ticket up, for the ceremony that took it, in the transaction that sets
// the PIN, binds the phone or unfreezes the card. It raises card.Stops, so that no other
// ticket of the card stands afterwards, nor this one if its row is put back. The caller
// writes card, and tells its contacts in one text each that names the counter. The entry of
// that transaction has Note(ticket) in its note. Errors: those of Stands, CodeTicketTaken.
//
// A crash before the commit leaves ticket, card and PIN as they were (I-7).
func (c *Counter) Use(tx store.Tx, id liuma.TicketID, card *store.Card, ceremony string) (store.Ticket, error) {
	t, err := c.Stands(tx, id, *card)
	if err != nil {
		return store.Ticket{}, err
	}
	if t.State != store.TicketTaken || ceremony == "" || t.Ceremony != ceremony {
		return store.Ticket{}, liuma.Fail(liuma.CodeTicketTaken, nil)
	}
	t.End(store.TicketUsed, "", c.c.Now())
	t.Card = card.ID
	card.Stops++
	return t, tx.UpdateTicket(t)
}

// Leave ends a ticket whose holder left the ceremony that took it, or was refused there for
// good. It is no error if the ticket has ended already.
func (c *Counter) Leave(tx store.Tx, id liuma.TicketID, ceremony string) error {
	t, err := c.Ticket(tx, id)
	if err != nil || !t.Live() || t.Ceremony != ceremony || ceremony == "" {
		return err
	}
	t.End(store.TicketStopped, store.TicketEndedLeft, c.c.Now())
	return tx.UpdateTicket(t)
}

// ForLink refuses a ticket that cannot replace evidence in an act that the holder does
// through a known link: its route, kind or card is another. The caller checks link and code
// . Errors: those of Stands.
func (c *Counter) ForLink(r store.Reader, id liuma.TicketID, card store.Card, kind liuma.TicketKind) (store.Ticket, error) {
	t, err := c.Ticket(r, id)
	if err != nil {
		return store.Ticket{}, err
	}
	if t.Route != store.RouteLink || t.Kind != kind || t.Card != card.ID || card.ID.IsZero() || t.Code == (vault.Index{}) {
		return store.Ticket{}, liuma.Fail(liuma.CodeTicketUnknown, nil)
	}
	return c.Stands(r, id, card)
}
