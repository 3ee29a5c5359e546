package counter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TestLookUpIsMaskedAndRecorded: what a clerk sees of a person, and what the record has.
func TestLookUpIsMaskedAndRecorded(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	p, err := d.counter().LookUp(d.ctx(), clerk, counter.Seeking{Number: f.IDNumber, Reason: "other", Words: "问一下"})
	d.must(err)
	for _, shown := range []string{p.Name, p.Number, p.Phone} {
		if shown == "" || strings.Contains(shown, f.IDNumber) || shown == f.Name || shown == f.Phone || !strings.Contains(shown, "*") {
			t.Errorf("not masked: %q", shown)
		}
	}
	if !p.Card || !p.PIN || p.Standing != liuma.StandingActive || p.Listed != "" || p.Live != nil || len(p.Kinds) != len(liuma.TicketKinds()) {
		t.Errorf("%+v", p)
	}
	d.recorded(audit.PersonSought, "staff:clerk ok at=counter for=other reason=问一下")
	again, err := d.counter().Person(d.ctx(), clerk, p.LookUp)
	d.must(err)
	if again.Name != p.Name || again.Number != p.Number || len(d.notes(audit.PersonSought)) != 1 {
		t.Errorf("shown again: %+v", again)
	}
	_, err = d.counter().Person(d.ctx(), other, p.LookUp)
	d.want(err, counter.ErrLookUp)
	d.Clock.Advance(counter.LookUpLife)
	_, err = d.counter().Person(d.ctx(), clerk, p.LookUp)
	d.want(err, counter.ErrLookUp)
	_, err = d.counter().Open(d.ctx(), clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketReset, Checked: true})
	d.want(err, counter.ErrLookUp)
}

// TestWhoIsNotLookedUp: each refusal, and that those which name a person are recorded.
func TestWhoIsNotLookedUp(t *testing.T) {
	d := newDesk(t)
	f := d.who()
	seek := func(by liuma.StaffID, q counter.Seeking) error {
		_, err := d.counter().LookUp(d.ctx(), by, q)
		return err
	}
	good := counter.Seeking{Number: f.IDNumber, Reason: "forgot_pin"}
	d.want(seek(super, good), counter.ErrMember)
	d.want(seek("nobody", good), counter.ErrMember)
	d.want(seek(clerk, counter.Seeking{Number: f.IDNumber, Reason: "because"}), counter.ErrReason)
	d.want(seek(clerk, counter.Seeking{Number: f.IDNumber, Reason: "other"}), counter.ErrReason)
	d.want(seek(clerk, counter.Seeking{Number: f.IDNumber, Reason: "forgot_pin", Words: "two\nlines"}), counter.ErrReason)
	d.want(seek(clerk, counter.Seeking{Number: "12345", Reason: "forgot_pin"}), counter.ErrNumber)
	d.change(other, func(m *store.Member) { m.Document = vault.Index{} })
	d.want(seek(other, good), counter.ErrDocument)
	d.change(other, func(m *store.Member) { m.Document, m.State = d.holder(d.People[1]), store.MemberSuspended })
	d.want(seek(other, good), counter.ErrMember)
	if n := len(d.notes(audit.PersonSought)); n > 0 {
		t.Errorf("%d were recorded of nobody who was looked for", n)
	}
	d.want(seek(clerk, counter.Seeking{Number: "110101199003070492", Reason: "forgot_pin"}), counter.ErrNobody)
	d.recorded(audit.PersonSought, "not_found")
	d.want(seek(clerk, counter.Seeking{Number: d.People[0].IDNumber, Reason: "forgot_pin"}), counter.ErrOwn)
	d.recorded(audit.PersonSought, "clerk own ")
	elsewhere := liuma.Region("11")
	if f.Region.Contains("11") || strings.HasPrefix(string(f.Region), "11") {
		elsewhere = "33"
	}
	d.change(clerk, func(m *store.Member) { m.Region = elsewhere })
	d.want(seek(clerk, good), counter.ErrBounds)
	d.recorded(audit.PersonSought, "clerk bounds ")
	d.change(clerk, func(m *store.Member) { m.Region = f.Region[:2] })
	d.must(seek(clerk, good))
}

// household has two people live together, as the registry says.
func (d *desk) household(name string, all ...registry.Facts) {
	d.Helper()
	file := "id_number,name,phone,card_no,region,status,household\n"
	for _, f := range all {
		file += strings.Join([]string{f.IDNumber, f.Name, f.Phone, f.CardNo, string(f.Region), "normal", name}, ",") + "\n"
	}
	_, err := d.Import(d.ctx(), strings.NewReader(file), nil)
	d.must(err)
}

// TestNobodyServesTheirHousehold: neither the clerk, nor a supervisor who would be picked,
// nor one who was picked before the registry knew.
func TestNobodyServesTheirHousehold(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	d.household("h1", f, d.People[0])
	_, err := d.lookUp(clerk, f)
	d.want(err, counter.ErrOwn)
	d.household("h2", d.People[0])
	d.household("h1", f, d.People[2]) // the supervisor
	_, err = d.open(f, counter.Opening{Kind: liuma.TicketReset})
	d.want(err, counter.ErrNoSupervisor)
	d.household("h3", d.People[2])
	v, err := d.open(f, counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	d.household("h1", d.People[2])
	_, err = d.approve(super, v.ID)
	d.want(err, counter.ErrOwn)
	d.household("h3", d.People[2])
	d.household("h1", d.People[0]) // the clerk's row changed after the ticket
	_, err = d.approve(super, v.ID)
	d.want(err, counter.ErrOwn)
	d.household("h4", d.People[0])
	d.must(d.take(v.ID, f, "c1"))
	_, err = d.approve(super, v.ID)
	d.must(err)
	// One person under two names is no second person.
	d.change(super, func(m *store.Member) { m.Document = d.holder(d.People[0]) })
	_, err = d.open(d.enrolled(), counter.Opening{Kind: liuma.TicketReset})
	d.want(err, counter.ErrNoSupervisor)
}

// TestLookUpsAreRationed: sixty a day, through a restart and a clock that was set back;
// the next one is refused, recorded, and an alarm (R-39, I-15).
func TestLookUpsAreRationed(t *testing.T) {
	d := newDesk(t)
	f := d.who()
	for range 59 {
		_, err := d.lookUp(clerk, f)
		d.must(err)
	}
	d.Close()
	d.Open()
	_, err := d.counter().LookUp(d.ctx(), clerk, counter.Seeking{Number: "110101199003070492", Reason: "forgot_pin"})
	d.want(err, counter.ErrNobody) // counts as well
	_, err = d.lookUp(clerk, f)
	d.want(err, counter.ErrLookUps)
	d.recorded(audit.TicketRefused, "staff:clerk look_up")
	d.session(other)
	_, err = d.lookUp(other, f)
	d.must(err)
	d.Clock.Advance(12 * time.Hour)
	d.Close()
	d.Clock.Step(-30 * time.Second)
	d.Open()
	_, err = d.lookUp(clerk, f)
	d.want(err, counter.ErrLookUps)
	all, err := d.counter().Alarms(d.ctx())
	d.must(err)
	if len(all) != 1 || all[0].Kind != counter.AlarmOver || all[0].About != clerk || all[0].N != 2 {
		t.Errorf("%+v", all)
	}
	d.Clock.Advance(26 * time.Hour)
	_, err = d.lookUp(clerk, f)
	d.must(err)
	if all, err := d.counter().Alarms(d.ctx()); err != nil || len(all) > 0 {
		t.Errorf("%+v %v", all, err)
	}
}

// TestWhatIsPossible: for each situation, which kinds of tickets there are and why not
// the others.
func TestWhatIsPossible(t *testing.T) {
	d := newDesk(t)
	possible := func(f registry.Facts) (can string, not map[liuma.TicketKind]string) {
		p, err := d.lookUp(clerk, f)
		d.must(err)
		not = map[liuma.TicketKind]string{}
		for _, k := range p.Kinds {
			if k.Not == "" {
				can += " " + string(k.Kind)
				if k.Link {
					can += "+link"
				}
			}
			not[k.Kind] = k.Not
		}
		return can, not
	}
	check := func(what string, f registry.Facts, want string, why map[liuma.TicketKind]string) {
		t.Helper()
		can, not := possible(f)
		if can != want {
			t.Errorf("%s: %q, want %q", what, can, want)
		}
		for k, w := range why {
			if not[k] != w {
				t.Errorf("%s: %s is %q, want %q", what, k, not[k], w)
			}
		}
	}
	check("nobody's card", d.who(), " enroll", map[liuma.TicketKind]string{liuma.TicketReset: counter.NotNoCard, liuma.TicketClose: counter.NotNoCard})
	f := d.enrolled()
	check("a card", f, " reset+link rebind+link rebind_reset", map[liuma.TicketKind]string{liuma.TicketEnroll: counter.NotHasCard,
		liuma.TicketUnfreeze: counter.NotFrozen, liuma.TicketOpen: counter.NotHasCard, liuma.TicketClose: counter.NotReason})
	d.freeze(f)
	check("a frozen one", f, " unfreeze+link", map[liuma.TicketKind]string{liuma.TicketReset: counter.NotThawed, liuma.TicketRebind: counter.NotThawed})
	d.update(func(tx store.Tx) error {
		c, err := tx.CardByHolder(d.holder(f))
		c.Contested = true
		return errors.Join(err, tx.UpdateCard(c))
	})
	check("another person's", f, " close", map[liuma.TicketKind]string{liuma.TicketUnfreeze: counter.NotContested, liuma.TicketOpen: counter.NotContested})
	f = d.enrolled()
	d.update(func(tx store.Tx) error {
		c, err := tx.CardByHolder(d.holder(f))
		c.Physical = liuma.PhysicalCancelled
		return errors.Join(err, tx.UpdateCard(c))
	})
	check("a cancelled one", f, "", map[liuma.TicketKind]string{liuma.TicketReset: counter.NotCancelled})
	p, err := d.lookUpFor(f, counter.ReasonDeath, cousin())
	d.must(err)
	for _, k := range p.Kinds {
		if (k.Not == "") != (k.Kind == liuma.TicketClose) {
			t.Errorf("looked up because they died: %s is %q", k.Kind, k.Not)
		}
	}
}

// TestACardThatOnlyKeepersKnow is adopted, frozen, with the ticket that opens it.
func TestACardThatOnlyKeepersKnow(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	was := d.card(f)
	d.SQL("DELETE FROM cards")
	p, err := d.lookUp(clerk, f)
	d.must(err)
	for _, k := range p.Kinds {
		if (k.Not == "") != (k.Kind == liuma.TicketOpen) {
			t.Errorf("%s: %q", k.Kind, k.Not)
		}
	}
	if !p.Card || p.PIN {
		t.Errorf("%+v", p)
	}
	v, err := d.counter().Open(d.ctx(), clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketOpen, Checked: true, Phone: true})
	d.must(err)
	card := d.card(f)
	if card.ID != was.ID || !card.Frozen || v.State != counter.Asked || d.ticket(v.ID).Card != card.ID || v.Route != store.RouteSupervisor {
		t.Errorf("%+v of %+v", v, card)
	}
	d.must(d.take(v.ID, f, "c1"))
	_, err = d.approve(super, v.ID)
	d.must(err)
	d.must(d.stands(v.ID, f))
	// A second visit finds it in the same state.
	if again, err := d.open(f, counter.Opening{Kind: liuma.TicketOpen}); err != nil || again.State != counter.Asked {
		t.Errorf("%+v %v", again, err)
	}
}
