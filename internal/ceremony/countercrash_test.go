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
	for _, shape := range []string{"1/1", "2/3"} {
		for _, after := range []bool{false, true} {
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
}

// TestATicketIsTakenOnceAcrossADeath: a ticket whose begin broke off is open, and another
// browser may begin it; or it is taken, and none may.
func TestATicketIsTakenOnceAcrossADeath(t *testing.T) {
	for _, after := range []bool{false, true} {
		faults := &testkit.Faults{}
		x, d := atDesk(t, testkit.Options{Faults: faults})
		for steps := 0; ; steps++ {
			id, code := d.Ticket(x.who, liuma.TicketReset, false)
			faults.DieAt(steps, after)
			_, err := x.Authority().BeginTicket(context.Background(), code, ceremony.Hand{})
			died := faults.Revive()
			restart(x.Env)
			is := ticket(d, id)
			if err == nil && is.State != store.TicketTaken {
				t.Fatalf("step %d: begun, and the ticket is %+v", steps, is)
			}
			_, again := x.Authority().BeginTicket(t.Context(), code, ceremony.Hand{})
			if taken := is.State == store.TicketTaken; taken != (liuma.CodeOf(again) == liuma.CodeTicketTaken) || !taken && again != nil {
				t.Fatalf("step %d: %+v, and then %v", steps, is, again)
			}
			if !died {
				break
			}
			x.Clock.Advance(25 * time.Hour)
		}
	}
}

// TestAThawAndAPhoneSurviveADeath: both are one transaction with their ticket.
func TestAThawAndAPhoneSurviveADeath(t *testing.T) {
	for _, after := range []bool{false, true} {
		faults := &testkit.Faults{}
		x, d := atDesk(t, testkit.Options{Faults: faults})
		freezeIn(x)
		for steps := 0; ; steps++ {
			p, h := d.Begin(x.who, liuma.TicketUnfreeze)
			faults.DieAt(steps, after)
			_, _ = x.Authority().Agree(context.Background(), p.ID, h)
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
