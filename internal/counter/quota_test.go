package counter_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// strictDesk is one under rules in which the city of a person with a card lowers what its
// clerks do in a day.
func strictDesk(t *testing.T) (d *desk, rules *policy.Running, of registry.Facts, city liuma.Region) {
	t.Helper()
	national := policy.National()
	national.AllowStandInEvidence = true
	relaxed, err := policy.NewLayers(national)
	if err != nil {
		t.Fatal(err)
	}
	rules = policy.NewRunning(relaxed)
	d = newDeskWith(t, testkit.Options{Phones: true, People: 30, Rules: rules})
	of = d.enrolled()
	city = d.card(of).Region[:4]
	f, err := policy.ParseFile("city", []byte("layer: region "+string(city)+"\ncounter.look_ups: 4\ncounter.tickets: 3\ncounter.pair: 2\n"))
	d.must(err)
	strict, err := policy.NewLayers(national, f)
	d.must(err)
	rules.Swap(strict, d.System.Clock.Now())
	return d, rules, of, city
}

// TestRationsAreThoseOfTheClerksRegion: not of the region of who comes, whom the clerk
// chooses; and one of the layers that run now.
func TestRationsAreThoseOfTheClerksRegion(t *testing.T) {
	d, _, f, city := strictDesk(t)
	d.member(store.Member{ID: "city", Region: city, Roles: []liuma.StaffRole{liuma.RoleClerk}, Document: d.holder(d.People[4])})
	d.member(store.Member{ID: "super-2", Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Document: d.holder(d.People[5])})
	d.session("city")
	for range 4 {
		_, err := d.lookUp("city", f)
		d.must(err)
	}
	_, err := d.lookUp("city", f)
	d.want(err, counter.ErrLookUps)
	for range 9 { // a clerk of the nation, for a person of that city
		_, err := d.lookUp(clerk, f)
		d.must(err)
	}
	p, err := d.lookUp(clerk, f)
	d.must(err)
	for range 5 {
		_, err := d.counter().Open(d.ctx(), clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketReset, Checked: true})
		d.must(err)
	}
}

// TestTicketsOfAStrictRegion are rationed for the clerk and for the pair.
func TestTicketsOfAStrictRegion(t *testing.T) {
	d, rules, f, city := strictDesk(t)
	d.change(clerk, func(m *store.Member) { m.Region = city })
	p, err := d.lookUp(clerk, f)
	d.must(err)
	open := func(phone bool) error {
		_, err := d.counter().Open(d.ctx(), clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketReset, Checked: true, Phone: phone})
		return err
	}
	d.must(open(false))
	d.must(open(false))
	d.want(open(false), counter.ErrPairSpent) // the pair has had its two
	d.must(open(true))
	d.want(open(true), counter.ErrTickets)
	relaxed, err := policy.NewLayers(policy.National())
	d.must(err)
	rules.Swap(relaxed, d.System.Clock.Now())
	d.must(open(true)) // what runs now counts
}
