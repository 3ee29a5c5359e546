package ceremony_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestACounterSurvivesADeathAtEveryStep kills the process before and after every durable
// step of a PIN and a phone that are set at a counter. Afterwards both are the old ones or
// both the new; the ticket was used if and only if they are new; and the holder goes on
// where they were with the same ticket (I-7, I-8).
func TestACounterSurvivesADeathAtEveryStep(t *testing.T) {
	for _, death := range testkit.Deaths("1/1", "2/3") {
		shape, after := death.Shape, death.After
		t.Run(fmt.Sprintf("%s/after=%v", shape, after), func(t *testing.T) {
			faults := &testkit.Faults{}
			x, d := atDesk(t, testkit.Options{Shape: shape, Faults: faults})
			pins, bound := []string{goodPIN, otherPIN}, x.who.Phone
			steps := 0
			for ; ; steps++ {
				number := fmt.Sprintf("1390015%04d", steps)
				p, h := d.Agreed(x.who, liuma.TicketRebindReset)
				p = d.Pad(p, h, number)
				x.want(p, ceremony.StepPIN, "")
				g := ceremony.Given{Try: p.Try, New: x.SealPage(p, liuma.RoleNew, pins[1])}
				faults.DieAt(steps, after)
				done, err := x.Authority().GivePIN(context.Background(), p.ID, h, g)
				died := faults.Revive()
				restart(x.Env)
				isNew := whichPIN(t, x.Env, x.ch.Client.ID, x.card, pins) == 1
				if err == nil && done.Step == ceremony.StepDone && !isNew {
					t.Fatalf("step %d: an acknowledged PIN was lost", steps)
				}
				if is := ticket(d, p.Counter.Ticket); (is.State == store.TicketUsed) != isNew || !isNew && is.State != store.TicketTaken {
					t.Fatalf("step %d: new %v, and the ticket is %+v", steps, isNew, is)
				}
				if isNew {
					pins[0], pins[1], bound = pins[1], pins[0], number
				}
				if got := boundTo(x.Env, x.who); got != bound {
					t.Fatalf("step %d: new %v, and bound is %s", steps, isNew, got)
				}
				x.goesOn(p, h, isNew, pins)
				if !died {
					break
				}
				x.Clock.Advance(73 * time.Hour) // later: of the rations of a day, and a phone of three days ago is told
			}
			if steps < 6 {
				t.Errorf("it took only %d durable steps", steps)
			}
		})
	}
}

// TestATicketIsTakenOnceAcrossADeath: a ticket whose begin broke off waits for a browser,
// and another one may take it; or it is taken, and none may.
func TestATicketIsTakenOnceAcrossADeath(t *testing.T) {
	for _, death := range testkit.Deaths("1/1") {
		after := death.After
		faults := &testkit.Faults{}
		x, d := atDesk(t, testkit.Options{Faults: faults})
		for steps := 0; ; steps++ {
			id, code := d.Ticket(x.who, liuma.TicketReset, false)
			faults.DieAt(steps, after)
			_, err := x.Authority().BeginTicket(context.Background(), code, ceremony.Hand{})
			died := faults.Revive()
			restart(x.Env)
			is := ticket(d, id)
			if is.State != store.TicketAsked || err == nil && is.Ceremony == "" {
				t.Fatalf("step %d: begun, and the ticket is %+v", steps, is)
			}
			_, again := x.Authority().BeginTicket(t.Context(), code, ceremony.Hand{})
			if taken := is.Ceremony != ""; taken != (liuma.CodeOf(again) == liuma.CodeTicketTaken) || !taken && again != nil {
				t.Fatalf("step %d: %+v, and then %v", steps, is, again)
			}
			if !died {
				break
			}
			x.Clock.Advance(25 * time.Hour)
		}
	}
}

// TestAnApprovalSurvivesADeath: the ticket waits and its page shows the same number, or it
// is approved and the page goes on; a wrong number is counted once, or not at all. After a
// wrong number whose answer was lost nothing is approved, and the right one still is.
func TestAnApprovalSurvivesADeath(t *testing.T) {
	for _, death := range testkit.Deaths("1/1") {
		after := death.After
		for _, right := range []bool{false, true} {
			t.Run(fmt.Sprintf("after=%v/right=%v", after, right), func(t *testing.T) { diesApproving(t, after, right) })
		}
	}
}

func diesApproving(t *testing.T, after, right bool) {
	faults := &testkit.Faults{}
	x, d := atDesk(t, testkit.Options{Faults: faults})
	for steps := 0; ; steps++ {
		p, h := d.Shown(x.who, liuma.TicketReset)
		number := p.Counter.Number
		if !right {
			number = map[bool]string{true: "4321", false: "1234"}[number == "1234"]
		}
		faults.DieAt(steps, after)
		_, err := d.System.Counter.Approve(context.Background(), d.Supervisor, p.Counter.Ticket, number)
		died := faults.Revive()
		restart(x.Env)
		is := ticket(d, p.Counter.Ticket)
		page, looked := x.Authority().Look(t.Context(), p.ID, h)
		if looked != nil {
			t.Fatal(looked)
		}
		want := ceremony.StepNumber
		if is.State == store.TicketTaken {
			want = ceremony.StepConfirm
		}
		if page.Step != want || want == ceremony.StepNumber && page.Counter.Number != p.Counter.Number {
			t.Fatalf("step %d: %+v, and the page is at %s with %q", steps, is, page.Step, page.Counter.Number)
		}
		if err == nil && is.State != store.TicketTaken || !right && (is.State != store.TicketAsked || is.Wrong > 1) {
			t.Fatalf("step %d: %v, and the ticket is %+v", steps, err, is)
		}
		if is.State == store.TicketAsked {
			page = d.Approve(page, h)
		}
		h.Consent = page.ConsentHash
		if page, err = x.Authority().Agree(t.Context(), p.ID, h); err != nil || page.Step != ceremony.StepCode {
			t.Fatalf("step %d: it goes on at %s, %v", steps, page.Step, err)
		}
		if !died {
			break
		}
		x.Clock.Advance(25 * time.Hour)
	}
}

// TestAThawAndAPhoneSurviveADeath: both are one transaction with their ticket.
func TestAThawAndAPhoneSurviveADeath(t *testing.T) {
	for _, death := range testkit.Deaths("1/1") {
		after := death.After
		faults := &testkit.Faults{}
		x, d := atDesk(t, testkit.Options{Faults: faults})
		freezeIn(x)
		for steps := 0; ; steps++ {
			p, h := d.Begin(x.who, liuma.TicketUnfreeze)
			p, err := x.Authority().Agree(t.Context(), p.ID, h)
			if err != nil {
				t.Fatal(err)
			}
			x.Clock.Advance(time.Minute)
			x.send(p, h)
			code := x.LastCode(x.who.Phone)
			faults.DieAt(steps, after)
			_, _ = x.Authority().GiveCode(context.Background(), p.ID, h, code)
			died := faults.Revive()
			restart(x.Env)
			thawed := !cardOf(x.Env, x.who).Frozen
			if is := ticket(d, p.Counter.Ticket); (is.State == store.TicketUsed) != thawed {
				t.Fatalf("thaw, step %d: %v, and the ticket is %+v", steps, thawed, is)
			}
			x.Clock.Advance(25 * time.Hour)
			if thawed {
				freezeIn(x)
			}
			if !died {
				break
			}
		}
		d.Served(x.who, liuma.TicketUnfreeze, "", "")
		bound := x.who.Phone
		for steps := 0; ; steps++ {
			x.Clock.Advance(25 * time.Hour)
			number := fmt.Sprintf("1390016%04d", steps)
			p, h := d.Agreed(x.who, liuma.TicketRebind)
			p, err := x.Authority().GivePhone(t.Context(), p.ID, h, number)
			if err != nil {
				t.Fatal(err)
			}
			x.Clock.Advance(time.Minute)
			x.send(p, h)
			code := x.LastCode(number)
			faults.DieAt(steps, after)
			_, _ = x.Authority().GiveCode(context.Background(), p.ID, h, code)
			died := faults.Revive()
			restart(x.Env)
			used := ticket(d, p.Counter.Ticket).State == store.TicketUsed
			if used {
				bound = number
			}
			if got := boundTo(x.Env, x.who); got != bound {
				t.Fatalf("phone, step %d: used %v, and bound is %s", steps, used, got)
			}
			if !died {
				break
			}
		}
	}
}
