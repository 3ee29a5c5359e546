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

// ErrOwnTicket says that a reviewer stands behind the ticket themself.
var ErrOwnTicket = errors.New("you are clerk or supervisor of this ticket: another security officer looks at it")

// The findings of a review.
const (
	FindingFine  = "fine"
	FindingWrong = "wrong"
)

// Reviews lists the tickets that a security officer is to look at, within their bounds,
// those due first first, at most MaxTickets. ErrMember.
func (c *Counter) Reviews(ctx context.Context, by liuma.StaffID) (out []View, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		m, err := acting(r, by, liuma.RoleOfficer)
		if err != nil {
			return err
		}
		all, err := r.TicketsToReview(10 * MaxTickets)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(t store.Ticket) bool { return !reviews(m, t) })
		out, err = c.views(r, all[:min(len(all), MaxTickets)])
		return err
	})
	return out, err
}

// reviews reports whether a ticket is within an officer's bounds.
func reviews(m store.Member, t store.Ticket) bool {
	return m.Region.Contains(t.Region) && (m.Agency == "" || m.Agency == t.Agency)
}

// Review shows a security officer one that was drawn, or was reviewed. Errors: ErrMember,
// ErrTicket.
func (c *Counter) Review(ctx context.Context, by liuma.StaffID, id liuma.TicketID) (v View, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		t, _, err := c.toReview(r, by, id)
		if err == nil {
			v, err = c.view(r, t)
		}
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

// DecideReview keeps what a security officer found, once, with their words. Errors:
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
			return audit.Entry{}, ErrDocument // else nobody sees whether they stood behind it under another name
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

// Alarm is something about the counter that somebody has to look after.
type Alarm struct {
	Kind  string // AlarmOver, AlarmFrozen or AlarmOverdue
	About liuma.StaffID
	N     uint64
	Since time.Time
}

// The kinds of alarms, as package admin lists them.
const (
	AlarmOver    = "counter_over"    // a clerk asked for more than a day allows
	AlarmFrozen  = "counter_frozen"  // holders froze their cards while a clerk's tickets were open
	AlarmOverdue = "counter_overdue" // reviews were not made within their week
)

const (
	overFor     = day
	frozenFor   = 30 * day
	frozenAlarm = 2 // of one clerk within that time
	alarmPage   = 1000
)

// Alarms lists what somebody has to look after, by member.
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
			since, n, err := c.over(r, m.ID, overFor)
			if err != nil {
				return err
			}
			if n > 0 {
				out = append(out, Alarm{AlarmOver, m.ID, uint64(n), c.c.Engine.ToWall(since)})
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
	stopped, err := r.StoppedTickets(c.c.Now().Add(-frozenFor), alarmPage)
	by := map[liuma.StaffID][]store.Ticket{}
	for _, t := range stopped {
		if t.Ended == store.TicketEndedFrozen {
			by[t.Clerk] = append(by[t.Clerk], t)
		}
	}
	for clerk, all := range by {
		if len(all) >= frozenAlarm {
			out = append(out, Alarm{AlarmFrozen, clerk, uint64(len(all)), c.c.Engine.ToWall(all[0].EndedAt)})
		}
	}
	slices.SortFunc(out, func(a, b Alarm) int { return cmp.Compare(a.About, b.About) })
	return out, err
}

// overdue counts reviews whose week is over.
func (c *Counter) overdue(r store.Reader) ([]Alarm, error) {
	waiting, err := r.TicketsToReview(alarmPage)
	a := Alarm{Kind: AlarmOverdue}
	for _, t := range waiting {
		if c.c.Now().Before(t.ReviewUntil) {
			break
		}
		if a.N++; a.N == 1 {
			a.Since = c.c.Engine.ToWall(t.ReviewUntil)
		}
	}
	if a.N == 0 {
		return nil, err
	}
	return []Alarm{a}, err
}
