package counter_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

func allowing(a policy.Agents) *policy.Policy {
	p := policy.National()
	p.Agents = a
	return &p
}

// ruling is a policy that may change while the system runs.
type ruling struct{ *policy.Policy }

func (r ruling) For(liuma.Region, liuma.ChannelID) policy.Policy { return *r.Policy }

func newAgentDesk(t *testing.T, a policy.Agents) *desk {
	t.Helper()
	return newDeskWith(t, testkit.Options{Phones: true, People: 30, Policy: allowing(a)})
}

// cousin came for the person: nobody of the registry.
func cousin() *counter.Somebody {
	return &counter.Somebody{As: store.CameAgent, Number: "passport:DEU-C01X00T47", Name: "Schmidt Anna"}
}

func (d *desk) lookUpFor(f registry.Facts, reason string, came *counter.Somebody) (counter.Person, error) {
	return d.counter().LookUp(d.ctx(), clerk, counter.Seeking{Number: f.IDNumber, Reason: reason, Came: came})
}

func (d *desk) openFor(f registry.Facts, reason string, came *counter.Somebody, kind liuma.TicketKind) (counter.View, error) {
	d.Helper()
	p, err := d.lookUpFor(f, reason, came)
	d.must(err)
	return d.counter().Open(d.ctx(), clerk, counter.Opening{LookUp: p.LookUp, Kind: kind, Checked: true})
}

// TestWhatAnAgentMay draws every kind of ticket, policy, reason and who came, over cards
// that work and that are frozen: an agent freezes and closes where the policy lets them,
// closes the card of who died everywhere, and does nothing else anywhere; the person who
// is there is served as ever. What the page offers is what is done.
func TestWhatAnAgentMay(t *testing.T) {
	for _, allowed := range []policy.Agents{policy.AgentsNone, policy.AgentsFreeze, policy.AgentsClose, policy.AgentsBoth} {
		d := newAgentDesk(t, allowed)
		for _, frozen := range []bool{false, true} {
			f := d.enrolled()
			if frozen {
				d.freeze(f)
			}
			for _, reason := range []string{"question", counter.ReasonDeath, counter.ReasonEmigration} {
				for _, came := range []*counter.Somebody{nil, cousin()} {
					for _, kind := range liuma.TicketKinds() {
						d.agentDraw(f, allowed, frozen, reason, came, kind)
					}
				}
			}
		}
	}
}

func (d *desk) agentDraw(f registry.Facts, allowed policy.Agents, frozen bool, reason string, came *counter.Somebody, kind liuma.TicketKind) {
	d.Helper()
	name := fmt.Sprintf("%q frozen=%v %s agent=%v %s", allowed, frozen, reason, came != nil, kind)
	d.Clock.Advance(25 * time.Hour) // a day's ration each
	for _, id := range []liuma.StaffID{clerk, super} {
		d.session(id)
	}
	p, err := d.lookUpFor(f, reason, came)
	d.must(err)
	before := d.card(f)
	v, err := d.counter().Open(d.ctx(), clerk, counter.Opening{LookUp: p.LookUp, Kind: kind, Checked: true, Phone: true})
	offered := slices.ContainsFunc(p.Kinds, func(k counter.Possible) bool { return k.Kind == kind && k.Not == "" })
	if offered != (err == nil) {
		d.Errorf("%s: offered %v, and %v", name, offered, err)
	}
	after := d.card(f)
	if kind == liuma.TicketFreeze && came != nil && allowed.Freeze() {
		if err != nil || v.State != counter.Used || !after.Frozen || after.Stops == before.Stops {
			d.Errorf("%s: %+v %v", name, v, err)
		}
		if !frozen { // so that the next draw finds it as this one did
			d.update(func(tx store.Tx) error { return tx.UpdateCard(after.Thawed()) })
		}
		return
	}
	if after.Frozen != before.Frozen || after.Stops != before.Stops || after.Version != before.Version {
		d.Errorf("%s: the card is another: %+v", name, after)
	}
	closes := kind == liuma.TicketClose && (reason == counter.ReasonDeath && came != nil || reason == counter.ReasonEmigration && (came == nil || allowed.Close()))
	switch {
	case came != nil && !kind.Holderless():
		d.want(err, counter.ErrAgentKind)
	case closes:
		if err != nil || v.State != counter.Asked || v.Route != store.RouteSupervisor {
			d.Errorf("%s: %+v %v", name, v, err)
		}
		d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
	case came != nil && (kind == liuma.TicketFreeze || reason != counter.ReasonDeath && !allowed.Close()):
		d.want(err, counter.ErrAgentRegion)
	case kind == liuma.TicketClose && reason == counter.ReasonDeath:
		d.want(err, counter.ErrHeir)
	case kind == liuma.TicketClose:
		d.want(err, counter.ErrCloseReason)
	case kind == liuma.TicketFreeze:
		d.want(err, counter.ErrKind)
	case err == nil:
		d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
	}
}

// TestAnAgentFreezes: at once, by the clerk alone; every number is told that somebody else
// came, with a freeze code; a waiting ticket of a colleague ends; a security officer is to
// look at it; the record has it in the card's stream, and nobody's name.
func TestAnAgentFreezes(t *testing.T) {
	d := newAgentDesk(t, policy.AgentsFreeze)
	f := d.enrolled()
	theirs, err := d.openBy(other, f, counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	v, err := d.openFor(f, "lost_phone", cousin(), liuma.TicketFreeze)
	d.must(err)
	row := d.ticket(v.ID)
	if v.State != counter.Used || row.Route != store.RouteAgent || row.Supervisor != "" || row.ReviewUntil.IsZero() || !d.card(f).Frozen ||
		row.Came.As != store.CameAgent || row.Came.Document == (vault.Index{}) || v.Came.Name != registry.MaskName("Schmidt Anna") {
		t.Errorf("%+v %+v", v, row)
	}
	if d.ticket(theirs.ID).State != store.TicketStopped {
		t.Error("a colleague's ticket goes on")
	}
	if got := d.Notices(f.Phone); !slices.Contains(got, "agent_froze") {
		t.Errorf("told: %v", got)
	}
	d.recorded(audit.CardFrozen, "staff:clerk ok", "kind=freeze route=agent", "came=agent", "for=lost_phone")
	d.recorded(audit.PersonSought, "came=agent")
	for _, ev := range []audit.Event{audit.CardFrozen, audit.PersonSought} {
		for _, n := range d.notes(ev) {
			if strings.Contains(n, "Schmidt") || strings.Contains(n, "Anna") || strings.Contains(n, "C01X") {
				t.Errorf("the record names who came: %s", n)
			}
		}
	}
	reviews, err := d.counter().Reviews(d.ctx(), officer, liuma.TicketID{})
	d.must(err)
	if !slices.ContainsFunc(reviews, func(r counter.View) bool { return r.ID == v.ID && r.Came.As == store.CameAgent }) {
		t.Errorf("%+v", reviews)
	}
	for name, err := range map[string]error{"stands": d.stands(v.ID, f), "take": d.take(v.ID, f, "c1"), "use": d.use(v.ID, f, "c1")} {
		if liuma.CodeOf(err) != liuma.CodeTicketEnded {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = d.counter().NewCode(d.ctx(), clerk, v.ID)
	d.want(err, counter.ErrState)
	// Its freeze code stops the card again, once it was unfrozen.
	d.update(func(tx store.Tx) error { card := d.card(f); return tx.UpdateCard(card.Thawed()) })
	_, err = d.System.Authority.FreezeByCode(d.ctx(), "1.2.3.4", d.LastFreezeCode(f.Phone))
	d.must(err)
	if !d.card(f).Frozen {
		t.Error("the freeze code of the text does nothing")
	}
}

// TestAnAgentsFreezeStopsAClosing: somebody whom the holder sent stops it as the holder
// would, also of a card without a phone.
func TestAnAgentsFreezeStopsAClosing(t *testing.T) {
	d := newAgentDesk(t, policy.AgentsBoth)
	for _, phoneless := range []bool{false, true} {
		f := d.who()
		if phoneless {
			d.Enroll(d.bank, f, "482915") // at the native door, which binds no phone
		} else {
			d.EnrollPhone(d.bank, f, "482915")
		}
		v, err := d.openFor(f, counter.ReasonEmigration, cousin(), liuma.TicketClose)
		d.must(err)
		_, err = d.counter().Approve(d.ctx(), super, v.ID, "")
		d.must(err)
		if got := d.Notices(f.Phone); !phoneless && !slices.Contains(got, "agent_closing") {
			t.Errorf("told: %v", got)
		}
		card := d.card(f)
		if !card.IsClosing() {
			t.Fatal("not closing")
		}
		if phoneless {
			d.update(func(tx store.Tx) error {
				links, err := tx.Links(card.ID)
				for _, l := range links {
					err = errors.Join(err, tx.DeleteLink(l.Channel, l.Handle))
				}
				return err
			})
		}
		_, err = d.openFor(f, "question", cousin(), liuma.TicketFreeze)
		d.must(err)
		if card := d.card(f); card.IsClosing() || !card.Frozen {
			t.Errorf("phoneless %v: closing goes on: %+v", phoneless, card)
		}
	}
}

// TestWhoMayCome: an adult with a valid document, who is neither the person nor of the
// clerk's or the supervisor's household.
func TestWhoMayCome(t *testing.T) {
	d := newAgentDesk(t, policy.AgentsBoth)
	f := d.enrolled()
	with := func(number, name string) *counter.Somebody {
		return &counter.Somebody{As: store.CameAgent, Number: number, Name: name}
	}
	for _, c := range []struct {
		came *counter.Somebody
		want error
	}{
		{with("330521195503070027", "李四"), counter.ErrCameNumber}, // the check digit
		{with("", "李四"), counter.ErrCameNumber},
		{&counter.Somebody{As: "heir", Number: "passport:DEU-C01X00T47", Name: "李四"}, counter.ErrCameNumber},
		{&counter.Somebody{Number: "passport:DEU-C01X00T47", Name: "李四"}, counter.ErrCameNumber},
		{with("passport:DEU-C01X00T47", ""), counter.ErrCameName},
		{with("passport:DEU-C01X00T47", "13800138000"), counter.ErrCameName},
		{with("110101202001010044", "小明"), counter.ErrCameYoung},
		{with(f.IDNumber, f.Name), counter.ErrCameSelf},
		{with(d.People[0].IDNumber, "李四"), counter.ErrOwn}, // the clerk
	} {
		if _, err := d.lookUpFor(f, "question", c.came); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.came, err, c.want)
		}
	}
	d.household("h-clerk", d.People[0], d.People[4])
	if _, err := d.lookUpFor(f, "question", with(d.People[4].IDNumber, d.People[4].Name)); !errors.Is(err, counter.ErrOwn) {
		t.Errorf("of the clerk's household: %v", err)
	}
	// Who shares the supervisor's: another supervisor is asked, or nobody.
	d.household("h-super", d.People[2], d.People[5])
	_, err := d.openFor(f, counter.ReasonEmigration, with(d.People[5].IDNumber, d.People[5].Name), liuma.TicketClose)
	d.want(err, counter.ErrNoSupervisor)
	// And if that comes about between asking and approving.
	v, err := d.openFor(f, counter.ReasonEmigration, with(d.People[6].IDNumber, d.People[6].Name), liuma.TicketClose)
	d.must(err)
	d.household("h-super", d.People[2], d.People[6])
	_, err = d.counter().Approve(d.ctx(), super, v.ID, "")
	d.want(err, counter.ErrOwn)
	// The agent's own relatives are no matter: they mostly are the person's.
	d.household("h-person", f, d.People[7])
	if _, err := d.lookUpFor(f, "question", with(d.People[7].IDNumber, d.People[7].Name)); err != nil {
		t.Errorf("of the person's household: %v", err)
	}
}

// TestAGuardianOfAnAdult is an agent, whatever they call themselves: the person of full age
// applies alone, and nobody does anything else in their place but what an agent may.
func TestAGuardianOfAnAdult(t *testing.T) {
	for _, allowed := range []policy.Agents{policy.AgentsNone, policy.AgentsBoth} {
		d := newAgentDesk(t, allowed)
		g := cousin()
		g.As = store.CameGuardian
		f, fresh := d.enrolled(), d.who()
		for _, kind := range liuma.TicketKinds() {
			who, want := f, counter.ErrAgentKind
			if kind == liuma.TicketEnroll {
				who = fresh
			}
			if kind.Holderless() {
				if want = counter.ErrAgentRegion; allowed == policy.AgentsBoth {
					want = nil
				}
			}
			v, err := d.openFor(who, counter.ReasonEmigration, g, kind)
			d.want(err, want)
			if err == nil && kind == liuma.TicketClose {
				_, err = d.counter().Approve(d.ctx(), super, v.ID, "")
				d.must(err)
			}
			if err == nil && d.ticket(v.ID).ReviewUntil.IsZero() {
				t.Errorf("%s: nobody looks at it", kind)
			}
		}
		told := d.Notices(f.Phone)
		if allowed == policy.AgentsBoth && (!slices.Contains(told, "agent_froze") || !slices.Contains(told, "agent_closing")) {
			t.Errorf("told: %v", told)
		}
	}
}

// TestAClosingOfTheDeadNamesWhoCame: nobody's card is closed as a dead person's on the
// clerk's word alone; a guardian is no heir. Every number hears that somebody else came.
func TestAClosingOfTheDeadNamesWhoCame(t *testing.T) {
	d := newAgentDesk(t, policy.AgentsNone)
	f := d.enrolled()
	guardian := cousin()
	guardian.As = store.CameGuardian
	for _, came := range []*counter.Somebody{nil, guardian} {
		p, err := d.lookUpFor(f, counter.ReasonDeath, came)
		d.must(err)
		if i := slices.IndexFunc(p.Kinds, func(k counter.Possible) bool { return k.Kind == liuma.TicketClose }); p.Kinds[i].Not != counter.NotHeir {
			t.Errorf("the page says %q", p.Kinds[i].Not)
		}
		_, err = d.counter().Open(d.ctx(), clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketClose, Checked: true})
		d.want(err, counter.ErrHeir)
	}
	v, err := d.openFor(f, counter.ReasonDeath, cousin(), liuma.TicketClose)
	d.must(err)
	_, err = d.counter().Approve(d.ctx(), super, v.ID, "")
	d.must(err)
	if row := d.ticket(v.ID); row.Came.As != store.CameAgent || row.ReviewUntil.IsZero() || !slices.Contains(d.Notices(f.Phone), "agent_closing") {
		t.Errorf("%+v, told %v", row, d.Notices(f.Phone))
	}
}

// TestAnAgentsFreezeBlamesNoColleague: it ends the ticket of a colleague, but is not the
// holder's word against them, which a clerk could have said as often as they like.
func TestAnAgentsFreezeBlamesNoColleague(t *testing.T) {
	d := newAgentDesk(t, policy.AgentsFreeze)
	for range 3 {
		f := d.enrolled()
		v, err := d.openBy(other, f, counter.Opening{Kind: liuma.TicketReset})
		d.must(err)
		_, err = d.openFor(f, "question", cousin(), liuma.TicketFreeze)
		d.must(err)
		if row := d.ticket(v.ID); row.State != store.TicketStopped || row.Ended != store.TicketEndedAgent || row.ReviewUntil.IsZero() {
			t.Errorf("%+v", row)
		}
	}
	alarms, err := d.counter().Alarms(d.ctx())
	d.must(err)
	if slices.ContainsFunc(alarms, func(a counter.Alarm) bool { return a.Kind == counter.AlarmFrozen }) {
		t.Errorf("%+v", alarms)
	}
}

// TestAgentsAreRationed: an agent's freeze is one of the clerk's tickets of the day.
func TestAgentsAreRationed(t *testing.T) {
	d := newAgentDesk(t, policy.AgentsFreeze)
	f := d.enrolled()
	for range policy.National().Counter.Tickets {
		_, err := d.openFor(f, "question", cousin(), liuma.TicketFreeze)
		d.must(err)
	}
	stops := d.card(f).Stops
	_, err := d.openFor(f, "question", cousin(), liuma.TicketFreeze)
	d.want(err, counter.ErrTickets)
	if d.card(f).Stops != stops {
		t.Error("the freeze that was refused came about")
	}
}

// TestAPolicyThatForbidsAgentsMeanwhile: a closing that was asked for is not approved.
func TestAPolicyThatForbidsAgentsMeanwhile(t *testing.T) {
	rules := allowing(policy.AgentsClose)
	rules.AllowStandInEvidence = true
	d := newDeskWith(t, testkit.Options{Phones: true, People: 30, Rules: ruling{rules}})
	f := d.enrolled()
	v, err := d.openFor(f, counter.ReasonEmigration, cousin(), liuma.TicketClose)
	d.must(err)
	rules.Agents = policy.AgentsFreeze
	_, err = d.counter().Approve(d.ctx(), super, v.ID, "")
	d.want(err, counter.ErrAgentRegion)
	if d.card(f).Frozen {
		t.Error("frozen by a closing that was refused")
	}
}

// TestAnAgentsFreezeAcrossDeaths: at every durable step, before it and after, there is the
// freeze with its ticket and notice, or none of them. (The tests' phones hear of no commit
// after which the process died.)
func TestAnAgentsFreezeAcrossDeaths(t *testing.T) {
	for _, after := range []bool{false, true} {
		died := true
		for n := 0; died; n++ {
			var faults testkit.Faults
			d := newDeskWith(t, testkit.Options{Phones: true, People: 30, Policy: allowing(policy.AgentsFreeze), Faults: &faults})
			f := d.enrolled()
			p, err := d.lookUpFor(f, "question", cousin())
			d.must(err)
			faults.DieAt(n, after)
			_, _ = d.counter().Open(d.ctx(), clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketFreeze, Checked: true})
			died = faults.Revive()
			mine, err := d.counter().Tickets(d.ctx(), clerk, liuma.TicketID{})
			d.must(err)
			froze := slices.Contains(d.Notices(f.Phone), "agent_froze")
			if frozen := d.card(f).Frozen; frozen != (len(mine) == 1) || !after && frozen != froze || !died && !frozen {
				t.Fatalf("step %d, after %v: frozen %v, tickets %d, told %v", n, after, frozen, len(mine), froze)
			}
			if n > 20 {
				t.Fatal("it never ends")
			}
		}
	}
}
