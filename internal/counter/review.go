package counter

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// ErrOwnTicket says that the reviewer is clerk or supervisor of the ticket.
var ErrOwnTicket = errors.New("you are clerk or supervisor of this ticket: another security officer looks at it")

// The findings of a review.
const (
	FindingFine  = "fine"
	FindingWrong = "wrong"
)

// Reviews lists the tickets that a security officer must review, within their bounds, the
// first due first, at most MaxTickets: those after a given one of the list, or from the
// beginning (the zero ID). ErrMember.
func (c *Counter) Reviews(ctx context.Context, by liuma.StaffID, after liuma.TicketID) (out []View, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		out = nil
		m, err := acting(r, by, liuma.RoleOfficer)
		if err != nil {
			return err
		}
		from, err := placeOf(r, after, func(t store.Ticket) time.Time { return t.ReviewUntil })
		if err != nil {
			return err
		}
		var all []store.Ticket
		err = eachToReview(r, m.Region, from, func(t store.Ticket) bool {
			if reviews(m, t) {
				all = append(all, t)
			}
			return len(all) < MaxTickets
		})
		if err == nil {
			out, err = c.views(r, all)
		}
		return err
	})
	return out, err
}

// eachToReview calls f for each ticket of a region that is to be reviewed, from a given
// place on, until f returns false. An officer with narrower bounds skips the other tickets
// in f.
func eachToReview(r store.Reader, within liuma.Region, from store.TicketPlace, f func(store.Ticket) bool) error {
	return eachTicket(from, func(after store.TicketPlace) ([]store.Ticket, error) {
		return r.TicketsToReview(within, after, listPage)
	},
		func(t store.Ticket) time.Time { return t.ReviewUntil }, f)
}

// eachTicket walks a list page by page.
func eachTicket(from store.TicketPlace, list func(store.TicketPlace) ([]store.Ticket, error), at func(store.Ticket) time.Time, f func(store.Ticket) bool) error {
	for {
		page, err := list(from)
		if err != nil {
			return err
		}
		for _, t := range page {
			if from = (store.TicketPlace{At: at(t), ID: t.ID}); !f(t) {
				return nil
			}
		}
		if len(page) < listPage {
			return nil
		}
	}
}

// placeOf is the place of a ticket in a list; the beginning for the zero ID, and for a
// ticket that was deleted meanwhile.
func placeOf(r store.Reader, id liuma.TicketID, at func(store.Ticket) time.Time) (store.TicketPlace, error) {
	if id.IsZero() {
		return store.TicketPlace{}, nil
	}
	t, err := r.Ticket(id)
	if errors.Is(err, store.ErrNotFound) {
		return store.TicketPlace{}, nil
	}
	return store.TicketPlace{At: at(t), ID: id}, err
}

// reviews reports whether a ticket is within an officer's bounds.
func reviews(m store.Member, t store.Ticket) bool {
	return m.Region.Contains(t.Region) && (m.Agency == "" || m.Agency == t.Agency)
}

// Review shows a security officer a ticket that is to be reviewed, or was. While the review
// is open it says whether the card is frozen now; afterwards it shows the finding, and the
// card's state no more. Errors: ErrMember, ErrTicket.
func (c *Counter) Review(ctx context.Context, by liuma.StaffID, id liuma.TicketID) (v View, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		t, _, err := c.toReview(r, by, id)
		if err != nil {
			return err
		}
		if v, err = c.view(r, t); err != nil || !t.ReviewedAt.IsZero() || t.Card.IsZero() {
			return err
		}
		card, err := r.Card(t.Card)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		v.Frozen = card.Frozen
		return err
	})
	return v, err
}

func (c *Counter) toReview(r store.Reader, by liuma.StaffID, id liuma.TicketID) (store.Ticket, store.Member, error) {
	m, err := acting(r, by, liuma.RoleOfficer)
	if err != nil {
		return store.Ticket{}, m, err
	}
	t, err := r.Ticket(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (t.ReviewUntil.IsZero() || !reviews(m, t)) {
		return store.Ticket{}, m, ErrTicket
	}
	return t, m, err
}

// DecideReview stores a security officer's finding, once, with their words. Errors:
// ErrMember, ErrDocument, ErrTicket, ErrState, ErrOwnTicket, ErrFinding.
func (c *Counter) DecideReview(ctx context.Context, by liuma.StaffID, id liuma.TicketID, finding, words string) error {
	why, err := audit.ParseReason(words)
	if err != nil || finding != FindingFine && finding != FindingWrong {
		return ErrFinding
	}
	return c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		t, m, err := c.toReview(tx, by, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if m.Document == (vault.Index{}) {
			return audit.Entry{}, ErrDocument // without it nobody could see whether they handled it under another name
		}
		if !t.ReviewedAt.IsZero() || t.Live() {
			return audit.Entry{}, ErrState
		}
		if mine, err := c.stoodBehind(tx, m, t); err != nil || mine {
			return audit.Entry{}, errors.Join(errIf(mine, ErrOwnTicket), err)
		}
		t.ReviewedAt, t.Reviewer, t.Finding, t.ReviewWords = c.c.Now(), by, finding, string(why)
		e := c.entry(by.Actor(), audit.TicketReviewed, t, finding)
		e.Note = why.Note(e.Note)
		return e, tx.UpdateTicket(t)
	})
}

// stoodBehind reports whether a member, under any name, opened or approved a ticket.
func (c *Counter) stoodBehind(r store.Reader, m store.Member, t store.Ticket) (bool, error) {
	for _, id := range []liuma.StaffID{t.Clerk, t.Supervisor} {
		if id == "" {
			continue
		}
		other, err := r.Member(id)
		if err != nil {
			return false, err
		}
		if one, err := c.samePerson(r, m, other); err != nil || one {
			return one, err
		}
	}
	return false, nil
}

// Alarm is something about the counter that somebody must look into.
type Alarm struct {
	Kind  string // AlarmOver, AlarmAgain, AlarmFrozen or AlarmOverdue
	About liuma.StaffID
	N     uint64
	Since time.Time
}

// The kinds of alarms, as package admin lists them.
const (
	AlarmOver    = TickOver          // a clerk asked for more than a day allows
	AlarmAgain   = TickAgain         // a clerk asked about one person again and again, and nobody approved
	AlarmFrozen  = "counter_frozen"  // holders froze their cards while a clerk's tickets were open
	AlarmOverdue = "counter_overdue" // reviews were not made within their week
)

const (
	overFor     = day
	frozenFor   = 30 * day
	frozenAlarm = 2 // of one clerk within that time
	// lateMost is how far overdue reviews are counted: a higher number changes nothing
	// about the alarm.
	lateMost = 10_000
)

// listPage is how many tickets of a list are read at a time.
const listPage = 500

// Alarms lists the present alarms, by member.
func (c *Counter) Alarms(ctx context.Context) (out []Alarm, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		out = nil
		members, err := r.Members()
		if err != nil {
			return err
		}
		for _, m := range members {
			if !m.Has(liuma.RoleClerk) {
				continue
			}
			for _, kind := range []string{AlarmOver, AlarmAgain} {
				since, n, err := c.marked(r, kind, m.ID, overFor)
				if err != nil {
					return err
				}
				if n > 0 {
					out = append(out, Alarm{kind, m.ID, uint64(n), c.c.Engine.ToWall(since)})
				}
			}
		}
		frozen, err := c.frozenAlarms(r)
		if err != nil {
			return err
		}
		late, err := c.overdue(r)
		out = append(append(out, frozen...), late...)
		return err
	})
	return out, err
}

// frozenAlarms counts, by clerk, the tickets whose cards their holders froze.
func (c *Counter) frozenAlarms(r store.Reader) (out []Alarm, err error) {
	by := map[liuma.StaffID]*Alarm{}
	err = eachTicket(store.TicketPlace{At: c.c.Now().Add(-frozenFor)},
		func(after store.TicketPlace) ([]store.Ticket, error) { return r.StoppedTickets(after, listPage) },
		func(t store.Ticket) time.Time { return t.EndedAt },
		func(t store.Ticket) bool {
			if t.Ended != store.TicketEndedFrozen {
				return true
			}
			if by[t.Clerk] == nil {
				by[t.Clerk] = &Alarm{AlarmFrozen, t.Clerk, 0, c.c.Engine.ToWall(t.EndedAt)}
			}
			by[t.Clerk].N++
			return true
		})
	for _, a := range by {
		if a.N >= frozenAlarm {
			out = append(out, *a)
		}
	}
	slices.SortFunc(out, func(a, b Alarm) int { return cmp.Compare(a.About, b.About) })
	return out, err
}

// overdue counts reviews whose week is over.
func (c *Counter) overdue(r store.Reader) ([]Alarm, error) {
	a := Alarm{Kind: AlarmOverdue}
	err := eachToReview(r, "", store.TicketPlace{}, func(t store.Ticket) bool {
		if c.c.Now().Before(t.ReviewUntil) {
			return false
		}
		if a.N++; a.N == 1 {
			a.Since = c.c.Engine.ToWall(t.ReviewUntil)
		}
		return a.N < lateMost
	})
	if a.N == 0 {
		return nil, err
	}
	return []Alarm{a}, err
}
