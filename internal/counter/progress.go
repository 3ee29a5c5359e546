package counter

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// View is a ticket as members of staff see it: masked.
type View struct {
	ID         liuma.TicketID    `json:"id"`
	Kind       liuma.TicketKind  `json:"kind"`
	State      string            `json:"state"` // of States
	Route      store.TicketRoute `json:"route"`
	Name       string            `json:"name"`
	Number     string            `json:"number"`
	Region     liuma.Region      `json:"region"`
	Agency     liuma.Agency      `json:"agency,omitempty"`
	Clerk      Who               `json:"clerk"`
	Supervisor Who               `json:"supervisor,omitzero"`
	// Elsewhere says that the supervisor belongs to another agency than the clerk's desk,
	// and has to walk there.
	Elsewhere bool   `json:"elsewhere,omitempty"`
	Reason    string `json:"reason"`
	Words     string `json:"words,omitempty"`
	Lost      bool   `json:"lost,omitempty"`
	Code      bool   `json:"code,omitempty"` // one was made
	Pad       string `json:"pad,omitempty"`  // that it was sent to
	// Step is the holder's step, as package ceremony names it; empty before the holder has
	// begun.
	Step     string    `json:"step,omitempty"`
	AskedAt  time.Time `json:"asked_at"`
	OpenedAt time.Time `json:"opened_at,omitzero"`
	TakenAt  time.Time `json:"taken_at,omitzero"`
	Until    time.Time `json:"until"`
	EndedAt  time.Time `json:"ended_at,omitzero"`
	Ended    string    `json:"ended,omitempty"` // why it was stopped, or the supervisor's words
	// Shown says that a screen has the ticket and shows its number, which the supervisor may
	// still type Tries times.
	Shown bool `json:"shown,omitempty"`
	Tries int  `json:"tries,omitempty"`
	// For tickets that are reviewed.
	ReviewUntil time.Time `json:"review_until,omitzero"`
	ReviewedAt  time.Time `json:"reviewed_at,omitzero"`
	Reviewer    Who       `json:"reviewer,omitzero"`
	Finding     string    `json:"finding,omitempty"`
	ReviewWords string    `json:"review_words,omitempty"`
	// Frozen says that the card is frozen now. Only an open review shows it (Review): clerk
	// and supervisor need not know how a card stands after its ticket.
	Frozen bool `json:"frozen,omitempty"`
	// Came is the agent or guardian who came.
	Came CameView `json:"came,omitzero"`
}

// Who is a member of staff as a View shows them.
type Who struct {
	ID   liuma.StaffID `json:"id"`
	Name string        `json:"name"`
}

// The states of a View.
const (
	Asked     = "asked"
	Opened    = "open"
	Taken     = "taken"
	Used      = "used"
	Stopped   = "stopped"
	Declined  = "declined"
	Withdrawn = "withdrawn"
	Expired   = "expired"
)

// States lists them.
func States() []string {
	return []string{Asked, Opened, Taken, Used, Stopped, Declined, Withdrawn, Expired}
}

// stateOf names a ticket's state as it is now: a ticket whose time is over has expired, even
// if that is not written yet.
func (c *Counter) stateOf(t store.Ticket) string {
	if t.Live() && !c.c.Now().Before(t.Until) {
		return Expired
	}
	return cmp.Or(t.State.Name(), Expired)
}

func (c *Counter) views(r store.Reader, all []store.Ticket) (out []View, err error) {
	for _, t := range all {
		v, err := c.view(r, t)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (c *Counter) view(r store.Reader, t store.Ticket) (View, error) {
	wall := func(at time.Time) time.Time {
		if at.IsZero() {
			return at
		}
		return c.c.Engine.ToWall(at)
	}
	v := View{ID: t.ID, Kind: t.Kind, State: c.stateOf(t), Route: t.Route, Region: t.Region, Agency: t.Agency, Reason: t.Reason, Words: t.Words,
		Lost: t.Lost, Code: t.Code != (vault.Index{}), Pad: t.Pad, AskedAt: wall(t.AskedAt), OpenedAt: wall(t.OpenedAt), TakenAt: wall(t.TakenAt),
		Until: wall(t.Until), EndedAt: wall(t.EndedAt), Ended: t.Ended, ReviewUntil: wall(t.ReviewUntil), ReviewedAt: wall(t.ReviewedAt),
		Finding: t.Finding, ReviewWords: t.ReviewWords, Came: cameView(t.Came)}
	if v.Shown = v.State == Asked && t.Ceremony != ""; v.Shown {
		v.Tries = NumberTries - int(t.Wrong)
	}
	for _, w := range []struct {
		id   liuma.StaffID
		into *Who
	}{{t.Clerk, &v.Clerk}, {t.Supervisor, &v.Supervisor}, {t.Reviewer, &v.Reviewer}} {
		if w.id == "" {
			continue
		}
		m, err := r.Member(w.id)
		if err != nil {
			return View{}, err
		}
		*w.into = Who{m.ID, m.Name}
		v.Elsewhere = v.Elsewhere || w.id == t.Supervisor && m.Agency != t.Agency
	}
	_, f, err := c.c.Registry.Of(r, t.Holder)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return View{}, err
	}
	v.Name, v.Number = f.MaskedName(), f.MaskedIDNumber()
	if t.Ceremony != "" {
		s, err := r.Ceremony(t.Ceremony)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return View{}, err
		}
		v.Step = s.Step
	}
	return v, nil
}

// Progress shows the clerk their own ticket. Errors: ErrMember, ErrDocument, ErrTicket.
func (c *Counter) Progress(ctx context.Context, by liuma.StaffID, id liuma.TicketID) (v View, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		t, err := c.ownTicket(r, by, id)
		if err != nil {
			return err
		}
		v, err = c.view(r, t)
		return err
	})
	return v, err
}

// Asked shows a supervisor a ticket that waits for them, or that they decided. Errors:
// ErrMember, ErrDocument, ErrTicket.
func (c *Counter) Asked(ctx context.Context, by liuma.StaffID, id liuma.TicketID) (v View, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		if _, err := acting(r, by, liuma.RoleSupervisor); err != nil {
			return err
		}
		t, err := r.Ticket(id)
		if errors.Is(err, store.ErrNotFound) || err == nil && t.Supervisor != by {
			return ErrTicket
		}
		if err == nil {
			v, err = c.view(r, t)
		}
		return err
	})
	return v, err
}

// MaxTickets is how many tickets a list holds.
const MaxTickets = 50

// Tickets lists the clerk's own tickets, the newest first, at most MaxTickets: those after a
// given one, or from the beginning (the zero ID). Errors: ErrMember, ErrDocument, ErrTicket
// (after is not the clerk's).
func (c *Counter) Tickets(ctx context.Context, by liuma.StaffID, after liuma.TicketID) (out []View, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		if _, err := acting(r, by, liuma.RoleClerk); err != nil {
			return err
		}
		if !after.IsZero() {
			if _, err := c.ownTicket(r, by, after); err != nil {
				return err
			}
		}
		from, err := placeOf(r, after, func(t store.Ticket) time.Time { return t.AskedAt })
		if err != nil {
			return err
		}
		all, err := r.TicketsBy(by, from, MaxTickets)
		if err != nil {
			return err
		}
		out, err = c.views(r, all)
		return err
	})
	return out, err
}
