package counter_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/store"
)

// wrong is a number of four digits that is not this one.
func wrong(number string) string {
	if number == "1234" {
		return "4321"
	}
	return "1234"
}

// TestTheNumberIsTheBrowsers: before a browser has a ticket there is none, each browser has
// another, and only the number of the one that has it approves.
func TestTheNumberIsTheBrowsers(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v := d.asked(f, liuma.TicketReset)
	if n := d.counter().Number(d.ticket(v.ID)); n != "" || v.Shown {
		t.Errorf("a number %q without a screen", n)
	}
	for _, typed := range []string{"", "0000", "1234"} {
		_, err := d.counter().Approve(d.ctx(), super, v.ID, typed)
		d.want(err, counter.ErrUnseen)
	}
	d.must(d.take(v.ID, f, "c1"))
	row := d.ticket(v.ID)
	number := d.counter().Number(row)
	if !regexp.MustCompile(`^[0-9]{4}$`).MatchString(number) || d.counter().Number(row) != number {
		t.Errorf("%q", number)
	}
	numbers := map[string]bool{}
	for i := range 400 {
		other := row
		other.Ceremony = fmt.Sprint("c", i)
		numbers[d.counter().Number(other)] = true
	}
	if len(numbers) < 370 { // of 10,000; 392 are expected
		t.Errorf("400 browsers have %d numbers", len(numbers))
	}
	if p, err := d.counter().Asked(d.ctx(), super, v.ID); err != nil || !p.Shown || p.Tries != counter.NumberTries || p.State != counter.Asked {
		t.Errorf("%+v %v", p, err)
	}
	full := ""
	for _, r := range number {
		full += string(r - '0' + '０') // full-width, as a Chinese keyboard types it
	}
	got, err := d.counter().Approve(d.ctx(), super, v.ID, " "+full)
	d.must(err)
	if got.State != counter.Taken || got.Shown {
		t.Errorf("%+v", got)
	}
	d.must(d.use(v.ID, f, "c1"))
}

// TestWrongNumbersEndATicket: the third one, across a restart; it is recorded, looked at,
// and no number approves afterwards. What is no number of four digits is not counted.
func TestWrongNumbersEndATicket(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v := d.asked(f, liuma.TicketReset)
	d.must(d.take(v.ID, f, "c1"))
	number := d.counter().Number(d.ticket(v.ID))
	for _, typed := range []string{"", "12", number + "0", "12a4", "-123"} {
		_, err := d.counter().Approve(d.ctx(), super, v.ID, typed)
		d.want(err, counter.ErrNumberWrong)
	}
	for i := range counter.NumberTries - 1 {
		_, err := d.counter().Approve(d.ctx(), super, v.ID, wrong(number))
		d.want(err, counter.ErrNumberWrong)
		if row := d.ticket(v.ID); row.State != store.TicketAsked || row.Wrong != uint64(i+1) {
			t.Errorf("%+v", row)
		}
	}
	d.recorded(audit.TicketRefused, "staff:super number", "ticket="+v.ID.String())
	d.Close()
	d.Open()
	_, err := d.counter().Approve(d.ctx(), super, v.ID, wrong(number))
	d.want(err, counter.ErrNumberOver)
	row := d.ticket(v.ID)
	if row.State != store.TicketStopped || row.Ended != store.TicketEndedNumber || row.ReviewUntil.IsZero() {
		t.Errorf("%+v", row)
	}
	d.recorded(audit.TicketEnded, "staff:super number", "clerk=clerk supervisor=super")
	_, err = d.counter().Approve(d.ctx(), super, v.ID, number)
	d.want(err, counter.ErrState)
	d.code(d.use(v.ID, f, "c1"), liuma.CodeTicketEnded)
	// The clerk opens another, which begins anew.
	again := d.asked(f, liuma.TicketReset)
	d.must(d.take(again.ID, f, "c2"))
	_, err = d.approve(super, again.ID)
	d.must(err)
}

// TestAnotherBrowserHasIt: the person's own browser finds the ticket taken, before the
// approval and after it, and only another ticket helps.
func TestAnotherBrowserHasIt(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v := d.asked(f, liuma.TicketReset)
	d.must(d.take(v.ID, f, "of-the-clerk"))
	d.code(d.take(v.ID, f, "of-the-person"), liuma.CodeTicketTaken)
	d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
	d.code(d.take(v.ID, f, "of-the-person"), liuma.CodeTicketEnded)
	again := d.asked(f, liuma.TicketReset)
	d.must(d.take(again.ID, f, "of-the-person"))
	_, err := d.approve(super, again.ID)
	d.must(err)
	d.code(d.take(again.ID, f, "of-the-clerk"), liuma.CodeTicketTaken)
	d.must(d.use(again.ID, f, "of-the-person"))
}

// TestAClosingTakesNoNumber: nobody acts on a screen there.
func TestAClosingTakesNoNumber(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	p, err := d.lookUpFor(f, counter.ReasonDeath, cousin())
	d.must(err)
	v, err := d.counter().Open(d.ctx(), clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketClose, Checked: true})
	d.must(err)
	_, err = d.counter().NewCode(d.ctx(), clerk, v.ID)
	d.want(err, counter.ErrState)
	d.code(d.take(v.ID, f, "c1"), liuma.CodeTicketEnded)
	_, err = d.counter().Approve(d.ctx(), super, v.ID, "")
	d.must(err)
}
