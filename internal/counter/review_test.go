package counter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/store"
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
	waiting, err := d.counter().Reviews(d.ctx(), officer)
	d.must(err)
	if len(waiting) != 1 || waiting[0].ID != v.ID || waiting[0].Clerk.ID != clerk || waiting[0].Supervisor.ID != super || !waiting[0].Lost {
		t.Errorf("%+v", waiting)
	}
	_, err = d.counter().Reviews(d.ctx(), super)
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
	if waiting, err := d.counter().Reviews(d.ctx(), officer); err != nil || len(waiting) > 0 {
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
	if waiting, err := d.counter().Reviews(d.ctx(), officer); err != nil || len(waiting) != 3 || waiting[0].ID != v.ID || !waiting[1].Frozen {
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
