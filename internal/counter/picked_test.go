package counter_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TestTicketsAreRationed: twenty a clerk and day, five a pair; the sixth goes to a
// supervisor of the region above, and with none left nothing is asked.
func TestTicketsAreRationed(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	region := f.Region
	d.change(clerk, func(m *store.Member) { m.Region, m.Agency = region, "north" })
	d.change(super, func(m *store.Member) { m.Region, m.Agency = region, "north" })
	open := func(phone bool) (counter.View, error) {
		return d.open(f, counter.Opening{Kind: liuma.TicketReset, Phone: phone})
	}
	for i := range 5 {
		v, err := open(false)
		d.must(err)
		if v.Supervisor.ID != super {
			t.Errorf("%d: %+v", i, v.Supervisor)
		}
		d.must(d.take(v.ID, f, fmt.Sprint("c", i)))
		_, err = d.approve(super, v.ID)
		d.must(err)
		d.must(d.use(v.ID, f, fmt.Sprint("c", i)))
	}
	_, err := open(false)
	d.want(err, counter.ErrNoSupervisor)
	d.member(store.Member{ID: "above", Region: region[:2], Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Document: d.holder(d.People[4])})
	v, err := open(false)
	d.must(err)
	if v.Supervisor.ID != "above" {
		t.Errorf("%+v", v.Supervisor)
	}
	for range 14 {
		_, err := open(true)
		d.must(err)
	}
	d.Close()
	d.Open()
	_, err = open(true)
	d.want(err, counter.ErrTickets)
	d.recorded(audit.TicketRefused, "staff:clerk ticket")
	d.Clock.Advance(25 * time.Hour)
	v, err = open(false)
	d.must(err)
	if v.Supervisor.ID != super {
		t.Errorf("a day later: %+v", v.Supervisor)
	}
}

// TestWhoIsPickedSeesWhomItIsAbout: also one of the region above, bound to an agency of
// their own; masked, and nobody beside who was picked.
func TestWhoIsPickedSeesWhomItIsAbout(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	d.change(clerk, func(m *store.Member) { m.Region, m.Agency = f.Region, "north" })
	d.change(super, func(m *store.Member) { m.State = store.MemberSuspended })
	for i, id := range []liuma.StaffID{"above", "beside"} {
		d.member(store.Member{ID: id, Region: f.Region[:2], Agency: "province", Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Document: d.holder(d.People[4+i])})
	}
	d.session("above") // who is there is picked
	v, err := d.open(f, counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	waiting, err := d.counter().Waiting(d.ctx(), "above")
	d.must(err)
	if len(waiting) != 1 || waiting[0].Name != f.MaskedName() || waiting[0].Number != f.MaskedIDNumber() {
		t.Errorf("the list: %+v", waiting)
	}
	one, err := d.counter().Asked(d.ctx(), "above", v.ID)
	d.must(err)
	if one.Name != f.MaskedName() || one.Number != f.MaskedIDNumber() || one.Region != f.Region || one.Clerk.ID != clerk || one.Reason == "" {
		t.Errorf("the ticket: %+v", one)
	}
	whole, err := json.Marshal(one)
	d.must(err)
	for _, secret := range []string{f.IDNumber, f.Phone, f.CardNo, f.Name} {
		if strings.Contains(string(whole), secret) {
			t.Errorf("it has %s", secret)
		}
	}
	_, err = d.counter().Asked(d.ctx(), "beside", v.ID)
	d.want(err, counter.ErrTicket)
	d.must(d.take(v.ID, f, "c1"))
	_, err = d.approve("above", v.ID)
	d.must(err)
}

// TestWhoIsPicked: never the clerk's choice.
func TestWhoIsPicked(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	region := f.Region
	d.change(clerk, func(m *store.Member) { m.Region, m.Agency = region, "north" })
	d.change(super, func(m *store.Member) { m.State = store.MemberSuspended })
	supervisor := func(id liuma.StaffID, n int, f func(*store.Member)) {
		m := store.Member{ID: id, Region: region, Agency: "north", Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Document: d.holder(d.People[4+n])}
		if f != nil {
			f(&m)
		}
		d.member(m)
	}
	pick := func() liuma.StaffID {
		d.Helper()
		d.Clock.Advance(24*time.Hour + time.Hour) // rations
		v, err := d.open(f, counter.Opening{Kind: liuma.TicketReset})
		if err != nil {
			d.want(err, counter.ErrNoSupervisor)
			return ""
		}
		return v.Supervisor.ID
	}
	supervisor("away", 0, func(m *store.Member) { m.Region = "99" })
	supervisor("unknown", 0, func(m *store.Member) { m.Document = vault.Index{} })
	supervisor("keyless", 0, func(m *store.Member) { m.Passkeys = []store.Passkey{} })
	supervisor("twin", 0, func(m *store.Member) { m.Document = d.holder(d.People[0]) }) // the clerk under another name
	if got := pick(); got != "" {
		t.Errorf("picked %s", got)
	}
	supervisor("nation", 0, func(m *store.Member) { m.Region, m.Agency = "", "" })
	if got := pick(); got != "nation" {
		t.Errorf("picked %q of the nation", got)
	}
	supervisor("south", 1, func(m *store.Member) { m.Agency = "south" })
	if got := pick(); got != "south" {
		t.Errorf("picked %q of the region", got)
	}
	supervisor("near", 2, nil)
	if got := pick(); got != "near" {
		t.Errorf("picked %q of the agency", got)
	}
	// Among equals by lot, and who has less to do first.
	supervisor("near2", 3, nil)
	seen := map[liuma.StaffID]int{}
	for range 12 {
		seen[pick()]++
	}
	if seen["near"] == 0 || seen["near2"] == 0 || seen["near"]+seen["near2"] != 12 {
		t.Errorf("%v", seen)
	}
	d.Clock.Advance(25 * time.Hour)
	d.change(clerk, func(m *store.Member) { m.Region = "" })
	for _, s := range []liuma.StaffID{"near", "near2"} {
		d.change(s, func(m *store.Member) { m.Region = "" })
	}
	d.change(other, func(m *store.Member) { m.Agency = "north" })
	taken, err := d.openBy(other, d.enrolled(), counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	for range 4 { // the clerk's own tickets move nobody
		v, err := d.open(d.enrolled(), counter.Opening{Kind: liuma.TicketReset})
		d.must(err)
		if v.Supervisor.ID == taken.Supervisor.ID {
			t.Errorf("%s has another clerk's to look at", v.Supervisor.ID)
		}
	}
	// Who is signed in goes before who is not.
	d.member(store.Member{ID: "here", Agency: "north", Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Document: d.holder(d.People[5])})
	d.session("here")
	third, err := d.open(d.enrolled(), counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	if third.Supervisor.ID != "here" {
		t.Errorf("%+v", third.Supervisor)
	}
}

// supervisors adds some who are signed in.
func (d *desk) supervisors(agency liuma.Agency, ids ...liuma.StaffID) {
	d.Helper()
	for i, id := range ids {
		d.member(store.Member{ID: id, Agency: agency, Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Document: d.holder(d.People[24+i])})
		d.session(id)
	}
}

// TestAskingAgainFindsTheSame: however a question ends that was not answered, the same
// supervisor comes for the same person, until the pair's ration is spent; then nobody does,
// rather than somebody else.
func TestAskingAgainFindsTheSame(t *testing.T) {
	for name, end := range map[string]func(d *desk, v counter.View, f registry.Facts){
		"withdrawn": func(d *desk, v counter.View, _ registry.Facts) { d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID)) },
		"left": func(d *desk, v counter.View, f registry.Facts) {
			d.must(d.take(v.ID, f, "c"))
			d.update(func(tx store.Tx) error { return d.counter().Leave(tx, v.ID, "c") })
		},
		"expired": func(d *desk, v counter.View, _ registry.Facts) {
			d.Clock.Advance(counter.AskedLife)
			d.must(d.counter().MaintainOnce(d.ctx()))
			for _, id := range []liuma.StaffID{clerk, super, "super0", "super1", "super2"} {
				d.session(id) // who sits there does something now and then
			}
		},
		"wrong numbers": func(d *desk, v counter.View, f registry.Facts) {
			d.must(d.take(v.ID, f, "c"))
			for range counter.NumberTries {
				_, _ = d.counter().Approve(d.ctx(), v.Supervisor.ID, v.ID, wrong(d.counter().Number(d.ticket(v.ID))))
			}
		},
		"approved, and withdrawn": func(d *desk, v counter.View, f registry.Facts) {
			d.must(d.take(v.ID, f, "c"))
			_, err := d.approve(v.Supervisor.ID, v.ID)
			d.must(err)
			d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
		},
	} {
		for kind, person := range map[liuma.TicketKind]func(*desk) registry.Facts{liuma.TicketReset: (*desk).enrolled, liuma.TicketEnroll: (*desk).who} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				d := newDesk(t)
				d.supervisors("", "super0", "super1", "super2")
				f := person(d)
				first := liuma.StaffID("")
				for i := range policy.National().Counter.Pair {
					v, err := d.open(f, counter.Opening{Kind: kind})
					d.must(err)
					if first == "" {
						first = v.Supervisor.ID
					}
					if v.Supervisor.ID != first {
						t.Fatalf("%s after %s, time %d", v.Supervisor.ID, first, i+1)
					}
					end(d, v, f)
				}
				_, err := d.open(f, counter.Opening{Kind: kind})
				d.want(err, counter.ErrPairSpent)
			})
		}
	}
}

// TestWhoDeclinedIsAskedNoMore: then the lot falls anew, and it does when the one who was
// asked is not there any more.
func TestWhoDeclinedIsAskedNoMore(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v := d.asked(f, liuma.TicketReset)
	d.supervisors("", "second")
	d.must(d.counter().Decline(d.ctx(), super, v.ID, "another's photo"))
	d.session("second")
	d.update(func(tx store.Tx) error { return tx.DeleteStaffSessionsOf(super) })
	v = d.asked(f, liuma.TicketReset)
	if v.Supervisor.ID != "second" {
		t.Errorf("after declining and going home: %s", v.Supervisor.ID)
	}
	d.session(super)
	d.change("second", func(m *store.Member) { m.State = store.MemberSuspended })
	if v = d.asked(f, liuma.TicketReset); v.Supervisor.ID != super {
		t.Errorf("a suspended one is asked: %s", v.Supervisor.ID)
	}
}

// TestAskingAgainAndAgainIsSeen: the fourth asking for one person within a day, and each one
// after it, names the clerk in an alarm and is reviewed, unless one was approved.
func TestAskingAgainAndAgainIsSeen(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	alarms := func() int {
		d.Helper()
		all, err := d.counter().Alarms(d.ctx())
		d.must(err)
		for _, a := range all {
			if a.Kind == counter.AlarmAgain && a.About == clerk {
				return int(a.N)
			}
		}
		return 0
	}
	for i := range 5 {
		v := d.asked(f, liuma.TicketReset)
		often := max(0, i-2)
		if reviewed := !d.ticket(v.ID).ReviewUntil.IsZero(); reviewed != (often > 0) || alarms() != often {
			t.Errorf("asking %d: reviewed %v, alarms %d", i+1, reviewed, alarms())
		}
	}
	d.Clock.Advance(25 * time.Hour)
	d.session(clerk)
	d.session(super)
	if v := d.asked(f, liuma.TicketReset); !d.ticket(v.ID).ReviewUntil.IsZero() || alarms() != 0 {
		t.Error("a day later it is seen still")
	}
}

// TestTheSupervisorIsOfTheDesksAgency: another agency of the region is not asked, neither when
// the pair's ration is spent nor because it was asked about the person at its own desk.
func TestTheSupervisorIsOfTheDesksAgency(t *testing.T) {
	d := newDesk(t)
	d.change(clerk, func(m *store.Member) { m.Agency = "north" })
	d.change(super, func(m *store.Member) { m.Agency = "north" })
	d.change(other, func(m *store.Member) { m.Agency = "south" })
	d.supervisors("south", "south")
	f := d.enrolled()
	v := d.asked(f, liuma.TicketReset)
	d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
	w, err := d.openBy(other, f, counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	if v.Supervisor.ID != super || w.Supervisor.ID != "south" || v.Elsewhere || w.Elsewhere {
		t.Errorf("north asked %+v, south %+v", v.Supervisor, w.Supervisor)
	}
	d.must(d.counter().Withdraw(d.ctx(), other, w.ID))
	for range 4 {
		if v = d.asked(d.enrolled(), liuma.TicketReset); v.Supervisor.ID != super {
			t.Errorf("north asked %+v", v.Supervisor)
		}
	}
	_, err = d.open(d.enrolled(), counter.Opening{Kind: liuma.TicketReset})
	d.want(err, counter.ErrNoSupervisor)
	// One of the region, of no agency, may be asked then; the clerk is told that they walk.
	d.member(store.Member{ID: "region", Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Document: d.holder(d.People[4])})
	d.session("region")
	if v = d.asked(d.enrolled(), liuma.TicketReset); v.Supervisor.ID != "region" || !v.Elsewhere {
		t.Errorf("%+v", v)
	}
	// An agency without any supervisor asks another one.
	d.change(super, func(m *store.Member) { m.State = store.MemberSuspended })
	d.change("region", func(m *store.Member) { m.State = store.MemberSuspended })
	if v = d.asked(d.enrolled(), liuma.TicketReset); v.Supervisor.ID != "south" || !v.Elsewhere {
		t.Errorf("%+v", v)
	}
}

// TestAnotherAgencyHasNobodyForgotten: what a desk of another agency asked in between changes
// nothing about who comes to this one.
func TestAnotherAgencyHasNobodyForgotten(t *testing.T) {
	d := newDesk(t)
	d.change(clerk, func(m *store.Member) { m.Agency = "north" })
	d.change(super, func(m *store.Member) { m.Agency = "north" })
	d.change(other, func(m *store.Member) { m.Agency = "north" })
	f := d.enrolled()
	v := d.asked(f, liuma.TicketReset)
	d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
	_, err := d.openBy(other, d.enrolled(), counter.Opening{Kind: liuma.TicketReset}) // keeps them busy
	d.must(err)
	d.supervisors("north", "friend")
	d.member(store.Member{ID: "south-clerk", Agency: "south", Roles: []liuma.StaffRole{liuma.RoleClerk}, Document: d.holder(d.People[4])})
	d.member(store.Member{ID: "south", Agency: "south", Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Document: d.holder(d.People[5])})
	d.session("south-clerk")
	d.session("south")
	w, err := d.openBy("south-clerk", f, counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	d.must(d.counter().Withdraw(d.ctx(), "south-clerk", w.ID))
	if v = d.asked(f, liuma.TicketReset); w.Supervisor.ID != "south" || v.Supervisor.ID != super {
		t.Errorf("south asked %s, and then north %s", w.Supervisor.ID, v.Supervisor.ID)
	}
}

// TestTwoClerksDrawNoFriend: a colleague whose ticket takes the place of one that nobody took
// comes to the same supervisor, as whoever takes a ticket back does; so two clerks who take
// turns ask the same one until the pair's ration is spent, and then nobody.
func TestTwoClerksDrawNoFriend(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	d.change(super, func(m *store.Member) { m.State = store.MemberSuspended })
	for i := range 6 {
		id := liuma.StaffID(fmt.Sprintf("friend-%d", i))
		d.member(store.Member{ID: id, Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Document: d.holder(d.People[20+i])})
		d.session(id)
	}
	first, err := d.open(f, counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	for i := range 2 * policy.National().Counter.Pair {
		d.Clock.Advance(counter.LeftAfter)
		d.session(first.Supervisor.ID) // or nobody would be there
		by := other
		if i%2 == 1 {
			by = clerk
		}
		v, err := d.openBy(by, f, counter.Opening{Kind: liuma.TicketReset})
		if i == 2*policy.National().Counter.Pair-1 {
			d.want(err, counter.ErrPairSpent)
			break
		}
		d.must(err)
		if v.Supervisor.ID != first.Supervisor.ID {
			t.Fatalf("turn %d of %s: %s in place of %s", i, by, v.Supervisor.ID, first.Supervisor.ID)
		}
	}
}
