package counter

import (
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// The functions of this file are called by ceremonies, in their own transactions. Each
// reads the ticket's row there, so of two that go on at once only one succeeds, and a
// freeze, a suspension or the end of its time between two moves is seen.

// Ticket reads a ticket. CodeTicketUnknown.
func (c *Counter) Ticket(r store.Reader, id liuma.TicketID) (store.Ticket, error) {
	t, err := r.Ticket(id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Ticket{}, liuma.Fail(liuma.CodeTicketUnknown, nil)
	}
	return t, err
}

// Stands refuses a ticket that is not good now: it was not approved, or is not open or
// taken, its time is over, its card was frozen or is another than it was, or its clerk or
// supervisor may not act any more. card is the card as this transaction reads it; zero
// where the holder has none yet. Errors: CodeTicketUnknown, CodeTicketWaits,
// CodeTicketEnded.
func (c *Counter) Stands(r store.Reader, id liuma.TicketID, card store.Card) (store.Ticket, error) {
	t, err := c.Lasts(r, id, card)
	if err == nil && t.State == store.TicketAsked {
		return store.Ticket{}, liuma.Fail(liuma.CodeTicketWaits, nil)
	}
	return t, err
}

// Lasts is Stands for a ticket that may still wait for its supervisor: nothing can be
// done with that but to show its number. Errors: CodeTicketUnknown, CodeTicketEnded.
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

// staffStand refuses a ticket whose clerk or supervisor may not act any more.
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

// changed says why a ticket's card is not what it was when the ticket was asked for, or
// "".
func (c *Counter) changed(t store.Ticket, card store.Card) string {
	fresh := t.Card.IsZero() && t.Kind == liuma.TicketEnroll // the card comes about by the ticket
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

// Take has one browser's ceremony go on with a ticket: with RouteLink one that is open,
// with RouteSupervisor one that waits, which goes on waiting (Approve). A ceremony that
// took it before gets it again. card is as in Stands. Errors: those of Lasts,
// CodeTicketTaken.
//
// A crash before the commit leaves it for anybody with its code.
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

// Contest ends a ticket of a supervisor whose code a second browser gave: one of the two is
// not the person's, and nobody knows which. It cannot be approved any more, nor used if it
// was, and it is reviewed. One that is being carried through goes on, and is reviewed as
// well. The caller refuses the second browser all the same; for a ticket by link, which the
// bound phone's code stands behind, that is enough, and Contest changes nothing.
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

// Use uses a taken ticket, in the transaction that sets the PIN, binds the phone or
// thaws the card, and for the ceremony that took it. It raises card.Stops, so that no
// other ticket of the card stands after it, nor this one if its row is put back; the
// caller writes card and tells its contacts, in one text each that names the counter. The
// entry of that transaction has Note(ticket) in its note. Errors:
// those of Stands, CodeTicketTaken.
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

// Leave ends a ticket whose holder left the ceremony that took it, or was refused there
// for good. It is no error if it has ended.
func (c *Counter) Leave(tx store.Tx, id liuma.TicketID, ceremony string) error {
	t, err := c.Ticket(tx, id)
	if err != nil || !t.Live() || t.Ceremony != ceremony || ceremony == "" {
		return err
	}
	t.End(store.TicketStopped, store.TicketEndedLeft, c.c.Now())
	return tx.UpdateTicket(t)
}

// ForLink refuses a ticket that is not good in the place of evidence, in an act that
// the holder does through a known link: it is of another route or kind, or of another
// card. The caller sees to link and code. Errors: those of Stands.
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
