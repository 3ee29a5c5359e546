package counter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// lost is a ticket of somebody whose phone was stolen.
func (d *desk) lost() counter.View {
	d.Helper()
	f := d.enrolled()
	v, err := d.open(f, counter.Opening{Kind: liuma.TicketRebindReset, Lost: true})
	d.must(err)
	d.must(d.take(v.ID, f, "c1"))
	v, err = d.approve(super, v.ID)
	d.must(err)
	return v
}

// TestReviews: each ticket with a lost phone reaches a security officer, who decides once,
// with words, and not about their own.
func TestReviews(t *testing.T) {
	d := newDesk(t)
	v := d.lost()
	waiting, err := d.counter().Reviews(d.ctx(), officer, liuma.TicketID{})
	d.must(err)
	if len(waiting) != 1 || waiting[0].ID != v.ID || waiting[0].Clerk.ID != clerk || waiting[0].Supervisor.ID != super || !waiting[0].Lost {
		t.Errorf("%+v", waiting)
	}
	_, err = d.counter().Reviews(d.ctx(), super, liuma.TicketID{})
	d.want(err, counter.ErrMember)
	decide := func(by liuma.StaffID, finding, words string) error {
		return d.counter().DecideReview(d.ctx(), by, v.ID, finding, words)
	}
	d.want(decide(officer, "perhaps", "seen"), counter.ErrFinding)
	d.want(decide(officer, counter.FindingFine, ""), counter.ErrFinding)
	d.want(decide(officer, counter.FindingFine, "seen"), counter.ErrState) // it still goes on
	d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
	d.change(super, func(m *store.Member) { m.Roles = []liuma.StaffRole{liuma.RoleSupervisor, liuma.RoleOfficer} })
	d.want(decide(super, counter.FindingFine, "seen"), counter.ErrOwnTicket)
	d.member(store.Member{ID: "south", Agency: "south", Roles: []liuma.StaffRole{liuma.RoleOfficer}})
	d.want(decide("south", counter.FindingFine, "seen"), counter.ErrTicket)
	d.member(store.Member{ID: "unknown", Roles: []liuma.StaffRole{liuma.RoleOfficer}}) // who may be the clerk
	d.want(decide("unknown", counter.FindingFine, "seen"), counter.ErrDocument)
	d.must(decide(officer, counter.FindingWrong, "the form is missing"))
	d.recorded(audit.TicketReviewed, "staff:officer wrong", "ticket="+v.ID.String(), "reason=the form is missing")
	d.want(decide(officer, counter.FindingFine, "no, fine"), counter.ErrState)
	got, err := d.counter().Review(d.ctx(), officer, v.ID)
	d.must(err)
	if got.Finding != counter.FindingWrong || got.ReviewWords != "the form is missing" || got.Reviewer.ID != officer || got.ReviewedAt.IsZero() {
		t.Errorf("%+v", got)
	}
	if waiting, err := d.counter().Reviews(d.ctx(), officer, liuma.TicketID{}); err != nil || len(waiting) > 0 {
		t.Errorf("%+v %v", waiting, err)
	}
}

// TestOverdueAndFrozen raise alarms.
func TestOverdueAndFrozen(t *testing.T) {
	d := newDesk(t)
	alarms := func() map[string]counter.Alarm {
		all, err := d.counter().Alarms(d.ctx())
		d.must(err)
		out := map[string]counter.Alarm{}
		for _, a := range all {
			out[a.Kind] = a
		}
		return out
	}
	v := d.lost()
	d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
	d.Clock.Advance(counter.ReviewTime - time.Minute)
	if a := alarms(); len(a) > 0 {
		t.Errorf("%+v", a)
	}
	d.Clock.Advance(2 * time.Minute)
	if a := alarms()[counter.AlarmOverdue]; a.N != 1 || a.Since.IsZero() {
		t.Errorf("%+v", a)
	}
	for i := range 2 {
		if a, ok := alarms()[counter.AlarmFrozen]; ok {
			t.Errorf("after %d: %+v", i, a)
		}
		f := d.enrolled()
		d.approved(f, liuma.TicketReset)
		d.freeze(f)
	}
	if a := alarms()[counter.AlarmFrozen]; a.About != clerk || a.N != 2 {
		t.Errorf("%+v", a)
	}
	if waiting, err := d.counter().Reviews(d.ctx(), officer, liuma.TicketID{}); err != nil || len(waiting) != 3 || waiting[0].ID != v.ID {
		t.Errorf("%+v %v", waiting, err)
	}
	d.Clock.Advance(31 * 24 * time.Hour)
	if a, ok := alarms()[counter.AlarmFrozen]; ok {
		t.Errorf("%+v", a)
	}
}

// TestAFreezeAfterTheUseIsReviewed: a pair that works together is done before the text is
// read; whoever freezes then has both of them looked at.
func TestAFreezeAfterTheUseIsReviewed(t *testing.T) {
	d := newDesk(t)
	used := func(after time.Duration) store.Ticket {
		f := d.enrolled()
		v := d.approved(f, liuma.TicketReset)
		d.must(d.take(v.ID, f, "c1"))
		d.must(d.use(v.ID, f, "c1"))
		d.update(func(tx store.Tx) error { // not one that is drawn
			row, err := tx.Ticket(v.ID)
			row.ReviewUntil = time.Time{}
			return errors.Join(err, tx.UpdateTicket(row))
		})
		d.Clock.Advance(after)
		d.freeze(f)
		return d.ticket(v.ID)
	}
	if row := used(24 * time.Hour); row.State != store.TicketUsed || row.ReviewUntil.IsZero() {
		t.Errorf("a day later: %+v", row)
	}
	if row := used(8 * 24 * time.Hour); !row.ReviewUntil.IsZero() {
		t.Errorf("eight days later: %+v", row)
	}
}

// TestASmallRegionHasItsReviews: an officer of a county sees theirs behind as many others
// as there are, page by page, and so does one of an agency.
func TestASmallRegionHasItsReviews(t *testing.T) {
	d := newDesk(t)
	d.member(store.Member{ID: "county", Region: "540121", Roles: []liuma.StaffRole{liuma.RoleOfficer}})
	d.member(store.Member{ID: "agency", Agency: "small", Roles: []liuma.StaffRole{liuma.RoleOfficer}})
	due, mine := d.System.Clock.Now().Add(time.Hour), map[liuma.TicketID]bool{}
	d.update(func(tx store.Tx) error {
		for i := range 620 + 2*counter.MaxTickets + 3 {
			k := store.Ticket{ID: liuma.NewTicketID(), Kind: liuma.TicketReset, State: store.TicketUsed, Holder: vault.Index{1}, Region: "330502", Agency: "large",
				Clerk: clerk, Supervisor: super, Reason: "forgot_pin", AskedAt: due, EndedAt: due, ReviewUntil: due.Add(time.Duration(i/7) * time.Second)}
			if i >= 620 {
				k.Region, k.Agency, mine[k.ID] = "540121", "small", true
			}
			if err := tx.InsertTicket(k); err != nil {
				return err
			}
		}
		return nil
	})
	for _, by := range []liuma.StaffID{"county", "agency"} {
		seen, pages := map[liuma.TicketID]bool{}, 0
		for after := (liuma.TicketID{}); ; pages++ {
			page, err := d.counter().Reviews(d.ctx(), by, after)
			d.must(err)
			for i, v := range page {
				if seen[v.ID] || !mine[v.ID] || i > 0 && v.ReviewUntil.Before(page[i-1].ReviewUntil) {
					t.Fatalf("%s, page %d: %+v", by, pages, v)
				}
				seen[v.ID], after = true, v.ID
			}
			if len(page) < counter.MaxTickets {
				break
			}
		}
		if len(seen) != len(mine) || pages != 2 {
			t.Errorf("%s: %d on %d pages, want %d", by, len(seen), pages, len(mine))
		}
	}
	d.Clock.Advance(48 * time.Hour)
	if all, err := d.counter().Alarms(d.ctx()); err != nil || len(all) != 1 || all[0].N != 723 {
		t.Errorf("%+v %v, want all overdue ones", all, err)
	}
}

// TestTicketsGoOn: a clerk leafs through all of theirs, and not by another's.
func TestTicketsGoOn(t *testing.T) {
	d := newDesk(t)
	at := d.System.Clock.Now()
	foreign := liuma.NewTicketID()
	d.update(func(tx store.Tx) error {
		for i := range counter.MaxTickets + 9 {
			k := store.Ticket{ID: liuma.NewTicketID(), Kind: liuma.TicketReset, State: store.TicketExpired, Holder: vault.Index{1}, Region: "330502", Clerk: clerk,
				Reason: "forgot_pin", AskedAt: at.Add(time.Duration(i/20) * time.Second), EndedAt: at}
			if i == 0 {
				k.ID, k.Clerk = foreign, other
			}
			if err := tx.InsertTicket(k); err != nil {
				return err
			}
		}
		return nil
	})
	first, err := d.counter().Tickets(d.ctx(), clerk, liuma.TicketID{})
	d.must(err)
	last, err := d.counter().Tickets(d.ctx(), clerk, first[len(first)-1].ID)
	d.must(err)
	seen := map[liuma.TicketID]bool{}
	for _, v := range append(first, last...) {
		seen[v.ID] = true
	}
	if len(first) != counter.MaxTickets || len(last) != 8 || len(seen) != counter.MaxTickets+8 {
		t.Errorf("%d, then %d, of them %d", len(first), len(last), len(seen))
	}
	_, err = d.counter().Tickets(d.ctx(), clerk, foreign)
	d.want(err, counter.ErrTicket)
}

// TestOnlyAnOpenReviewSaysFrozen: how a card stands after its ticket is nothing for clerk
// and supervisor, nor for an officer who has decided.
func TestOnlyAnOpenReviewSaysFrozen(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v := d.approved(f, liuma.TicketReset)
	d.must(d.take(v.ID, f, "c1"))
	d.must(d.use(v.ID, f, "c1"))
	d.freeze(f) // within a week: it is reviewed
	mine, err := d.counter().Tickets(d.ctx(), clerk, liuma.TicketID{})
	d.must(err)
	progress, err := d.counter().Progress(d.ctx(), clerk, v.ID)
	d.must(err)
	decided, err := d.counter().Asked(d.ctx(), super, v.ID)
	d.must(err)
	listed, err := d.counter().Reviews(d.ctx(), officer, liuma.TicketID{})
	d.must(err)
	for who, view := range map[string]counter.View{"list": mine[0], "clerk": progress, "supervisor": decided, "reviews": listed[0]} {
		if view.ID != v.ID || view.Frozen {
			t.Errorf("%s: %+v", who, view)
		}
	}
	review := func() counter.View {
		view, err := d.counter().Review(d.ctx(), officer, v.ID)
		d.must(err)
		return view
	}
	if !review().Frozen {
		t.Error("the open review does not say that the card is frozen")
	}
	d.must(d.counter().DecideReview(d.ctx(), officer, v.ID, counter.FindingFine, "the holder had lost the phone"))
	if review().Frozen {
		t.Error("a decided review still says how the card stands")
	}
}
