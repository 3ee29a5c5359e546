package counter

import (
	"context"
	"errors"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Waiting lists the tickets that wait for a supervisor, the oldest first. Errors:
// ErrMember, ErrDocument.
func (c *Counter) Waiting(ctx context.Context, by liuma.StaffID) (out []View, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		if _, err := acting(r, by, liuma.RoleSupervisor); err != nil {
			return err
		}
		asked, err := r.TicketsAsked(by)
		if err != nil {
			return err
		}
		asked = slices.DeleteFunc(asked, func(t store.Ticket) bool { return !c.c.Now().Before(t.Until) })
		out, err = c.views(r, asked)
		return err
	})
	return out, err
}

// Approve approves a ticket that waits for this supervisor: its minutes begin, in the
// browser that has it and shows number. The caller has checked a fresh touch of the
// supervisor's passkey. A closing, in which no holder takes part, has no number.
// Errors: ErrMember, ErrDocument, ErrTicket, ErrState, ErrOwn, ErrKind, ErrUnseen,
// ErrNumberWrong, ErrNumberOver, ErrAgentRegion.
//
// A crash before the commit leaves the ticket waiting, and no number counted.
func (c *Counter) Approve(ctx context.Context, by liuma.StaffID, id liuma.TicketID, number string) (out View, err error) {
	var refused error // committed together with the count and the entry
	err = c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		refused = nil
		t, err := c.approvable(tx, by, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if t.Kind != liuma.TicketClose {
			fits, err := c.fits(t, number)
			if err != nil {
				return audit.Entry{}, err
			}
			if !fits {
				var e audit.Entry
				e, refused, err = c.wrongNumber(tx, t, by)
				return e, err
			}
		}
		card, err := c.cardOf(tx, t)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := c.start(tx, &t, &card); err != nil {
			return audit.Entry{}, err
		}
		if t.Kind == liuma.TicketClose {
			if err := c.close(tx, &t, &card); err != nil {
				return audit.Entry{}, err
			}
		}
		if out, err = c.view(tx, t); err != nil {
			return audit.Entry{}, err
		}
		event, outcome := audit.TicketOpened, "ok"
		if t.Kind == liuma.TicketClose {
			event, outcome = audit.CardClosing, "begun"
		}
		return c.entry(by.Actor(), event, t, outcome), tx.UpdateTicket(t)
	})
	return out, errors.Join(err, refused)
}

// close begins the closing of a card. Its ticket is used up by the approval, because no
// holder takes part.
func (c *Counter) close(tx store.Tx, t *store.Ticket, card *store.Card) error {
	if c.c.Closer == nil {
		return ErrKind
	}
	if err := c.c.Closer.BeginClosing(tx, card, *t); err != nil {
		return err
	}
	t.End(store.TicketUsed, "", c.c.Now())
	return nil
}

// approvable is a ticket that waits for this supervisor and still stands.
func (c *Counter) approvable(r store.Reader, by liuma.StaffID, id liuma.TicketID) (store.Ticket, error) {
	m, err := acting(r, by, liuma.RoleSupervisor)
	if err != nil {
		return store.Ticket{}, err
	}
	t, err := r.Ticket(id)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && t.Supervisor != by:
		return store.Ticket{}, ErrTicket
	case err != nil:
		return store.Ticket{}, err
	case t.State != store.TicketAsked || !c.c.Now().Before(t.Until):
		return store.Ticket{}, ErrState
	}
	clerk, err := acting(r, t.Clerk, liuma.RoleClerk)
	if err != nil {
		return store.Ticket{}, stale(err)
	}
	if one, err := c.samePerson(r, clerk, m); err != nil || one {
		return store.Ticket{}, errors.Join(errIf(one, ErrOwn), err)
	}
	for _, who := range []store.Member{clerk, m} {
		if own, err := c.own(r, who, t.Holder); err != nil || own {
			return store.Ticket{}, errors.Join(errIf(own, ErrOwn), err)
		}
	}
	card, err := c.cardOf(r, t)
	if err != nil {
		return store.Ticket{}, err
	}
	if err := c.stillAgent(r, t, card, clerk, m); err != nil {
		return store.Ticket{}, err
	}
	if c.changed(t, card) != "" {
		return store.Ticket{}, ErrState
	}
	return t, nil
}

// stale is the error for a supervisor when the clerk may no longer act.
func stale(err error) error {
	if errors.Is(err, ErrMember) || errors.Is(err, ErrDocument) {
		return ErrState
	}
	return err
}

func errIf(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

// Decline ends a ticket that waits for this supervisor, with words for the clerk.
// Errors: ErrMember, ErrDocument, ErrTicket, ErrState, ErrFinding.
func (c *Counter) Decline(ctx context.Context, by liuma.StaffID, id liuma.TicketID, words string) error {
	why, err := audit.ParseReason(words)
	if err != nil {
		return ErrFinding
	}
	return c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		if _, err := acting(tx, by, liuma.RoleSupervisor); err != nil {
			return audit.Entry{}, err
		}
		t, err := tx.Ticket(id)
		switch {
		case errors.Is(err, store.ErrNotFound) || err == nil && t.Supervisor != by:
			return audit.Entry{}, ErrTicket
		case err != nil:
			return audit.Entry{}, err
		case t.State != store.TicketAsked || !c.c.Now().Before(t.Until):
			return audit.Entry{}, ErrState
		}
		t.End(store.TicketDeclined, string(why), c.c.Now())
		e := c.entry(by.Actor(), audit.TicketEnded, t, "declined")
		e.Note = why.Note(e.Note)
		return e, tx.UpdateTicket(t)
	})
}

// Withdraw ends the clerk's own ticket, if it was not used. If keepers may hold a new
// PIN already, it is carried through (I-7), and Withdraw refuses with ErrCarried,
// because it could not promise that nothing changed. Errors: ErrMember, ErrTicket,
// ErrState, ErrCarried.
func (c *Counter) Withdraw(ctx context.Context, by liuma.StaffID, id liuma.TicketID) error {
	return c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		t, err := c.ownTicket(tx, by, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if !t.Live() || !c.c.Now().Before(t.Until) {
			return audit.Entry{}, ErrState
		}
		if under, err := c.carried(tx, t); err != nil || under {
			return audit.Entry{}, errors.Join(errIf(under, ErrCarried), err)
		}
		t.End(store.TicketWithdrawn, "", c.c.Now())
		return c.entry(by.Actor(), audit.TicketEnded, t, "withdrawn"), tx.UpdateTicket(t)
	})
}

// carried reports whether the ceremony of a ticket is setting a PIN.
func (c *Counter) carried(r store.Reader, t store.Ticket) (bool, error) {
	if t.State != store.TicketTaken {
		return false, nil
	}
	cer, err := r.Ceremony(t.Ceremony)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return c.c.Engine.Setting(r, cer)
}

// ownTicket is a ticket that this clerk opened.
func (c *Counter) ownTicket(r store.Reader, by liuma.StaffID, id liuma.TicketID) (store.Ticket, error) {
	if _, err := acting(r, by, liuma.RoleClerk); err != nil {
		return store.Ticket{}, err
	}
	t, err := r.Ticket(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && t.Clerk != by {
		return store.Ticket{}, ErrTicket
	}
	return t, err
}

// cardOf is a ticket's card, or a zero card if it has none.
func (c *Counter) cardOf(r store.Reader, t store.Ticket) (store.Card, error) {
	if t.Card.IsZero() {
		return store.Card{}, nil
	}
	return c.c.Engine.ReadCard(r, t.Card)
}
