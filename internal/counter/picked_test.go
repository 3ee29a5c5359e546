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

// TestAskingAgainFindsTheSame: who takes a ticket back and asks again for the same person
// comes to the same supervisor, until the pair's ration is spent.
func TestAskingAgainFindsTheSame(t *testing.T) {
	for kind, person := range map[liuma.TicketKind]func(*desk) registry.Facts{liuma.TicketReset: (*desk).enrolled, liuma.TicketEnroll: (*desk).who} {
		d := newDesk(t)
		for i := range 3 {
			id := liuma.StaffID(fmt.Sprint("super", i))
			d.member(store.Member{ID: id, Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Document: d.holder(d.People[4+i])})
			d.session(id)
		}
		f := person(d)
		asked := func() liuma.StaffID {
			v, err := d.open(f, counter.Opening{Kind: kind})
			d.must(err)
			d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
			return v.Supervisor.ID
		}
		first := asked()
		for i := range 4 {
			if next := asked(); next != first {
				t.Fatalf("%s: %s after %s, time %d", kind, next, first, i+2)
			}
		}
		if next := asked(); next == first {
			t.Errorf("%s: a sixth time %s", kind, first)
		}
	}
}

// TestTwoClerksDrawNoFriend: a colleague whose ticket takes the place of one that nobody took
// comes to the same supervisor, as whoever takes a ticket back does; so two clerks who take
// turns ask the same one until the pair's ration is spent.
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
		d.must(err)
		if spent := i >= 2*policy.National().Counter.Pair-1; !spent && v.Supervisor.ID != first.Supervisor.ID {
			t.Fatalf("turn %d of %s: %s in place of %s", i, by, v.Supervisor.ID, first.Supervisor.ID)
		}
	}
}
