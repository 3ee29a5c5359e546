package ceremony_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// readyToReset brings a reset to its pad: code and evidence are given.
func (x *phoned) readyToReset() (ceremony.Page, ceremony.Hand) {
	x.T.Helper()
	p, h := x.agreed(x.PushFor(x.ch, liuma.ActionReset, envelope.Subject{Card: string(x.card)}, &x.who))
	p = x.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepPIN, "")
	return p, h
}

// TestResetSurvivesADeathAtEveryStep kills the process before and after every
// durable step of a reset. Afterwards exactly one of the two PINs is right; an
// acknowledged reset is never lost; and there is a notice if and only if the
// reset happened (I-7, I-8).
func TestResetSurvivesADeathAtEveryStep(t *testing.T) {
	for _, death := range testkit.Deaths("1/1", "2/3") {
		shape, after := death.Shape, death.After
		t.Run(fmt.Sprintf("%s/after=%v", shape, after), func(t *testing.T) {
			faults := &testkit.Faults{}
			x := newPhoned(t, testkit.Options{Shape: shape, Faults: faults})
			pins := []string{goodPIN, otherPIN}
			resets, steps := 0, 0
			for ; ; steps++ {
				p, h := x.readyToReset()
				g := ceremony.Given{Try: p.Try, New: x.SealPage(p, liuma.RoleNew, pins[1])}
				faults.DieAt(steps, after)
				done, err := x.Authority().GivePIN(context.Background(), p.ID, h, g)
				died := faults.Revive()
				restart(x.Env)
				now := whichPIN(t, x.Env, x.ch.Client.ID, x.card, pins)
				if err == nil && done.Step == ceremony.StepDone && now != 1 {
					t.Fatalf("step %d: an acknowledged reset was lost", steps)
				}
				if now == 1 {
					resets++
					pins[0], pins[1] = pins[1], pins[0]
				}
				told := 0
				for _, n := range x.Notices(x.who.Phone) {
					if n == "pin_reset" {
						told++
					}
				}
				if told != resets {
					t.Fatalf("step %d: %d resets, %d notices of one", steps, resets, told)
				}
				x.goesOn(p, h, now == 1, pins)
				if !died {
					break
				}
				x.Clock.Advance(25 * time.Hour) // later, because the number has had its codes for the day
			}
			if steps < 6 {
				t.Errorf("a reset took only %d durable steps", steps)
			}
		})
	}
}

// goesOn looks at the ceremony after the process died: it is done, or its
// holder can try again with the same proofs.
func (x *phoned) goesOn(p ceremony.Page, h ceremony.Hand, reset bool, pins []string) {
	x.T.Helper()
	p, err := x.Authority().Look(x.T.Context(), p.ID, h)
	if err != nil {
		x.T.Fatal(err)
	}
	if reset {
		x.want(p, ceremony.StepDone, "")
		return
	}
	if p.Step != ceremony.StepPIN {
		x.T.Fatalf("the holder cannot go on: %+v", p)
	}
}

// TestResetIsDoneOnce submits the pad of a reset, and of two resets, many times
// at once with different PINs: one succeeds, and only its PIN is right.
func TestResetIsDoneOnce(t *testing.T) {
	x := newPhoned(t, testkit.Options{Shape: "2/3"})
	p1, h1 := x.readyToReset()
	p2, h2 := x.readyToReset()
	pins := []string{"835271", "904738", "627159", "382916"}
	done := make([]bool, len(pins)*2)
	var wg sync.WaitGroup
	for i, pin := range pins {
		for j, f := range []struct {
			p ceremony.Page
			h ceremony.Hand
		}{{p1, h1}, {p2, h2}} {
			g := ceremony.Given{Try: f.p.Try, New: x.SealPage(f.p, liuma.RoleNew, pin)}
			wg.Go(func() {
				p, err := x.Authority().GivePIN(context.Background(), f.p.ID, f.h, g)
				done[i*2+j] = err == nil && p.Step == ceremony.StepDone
			})
		}
	}
	wg.Wait()
	won := -1
	for i, d := range done {
		if d && won >= 0 && won/2 != i/2 {
			t.Fatal("two resets were acknowledged with different PINs")
		}
		if d {
			won = i
		}
	}
	if won < 0 {
		t.Fatal("no reset was acknowledged")
	}
	if v := x.Verify(x.ch, x.card, pins[won/2]); v.Verdict != liuma.Right {
		t.Errorf("the winner's PIN: %+v", v)
	}
	resets := 0
	for _, n := range x.Notices(x.who.Phone) {
		if n == "pin_reset" {
			resets++
		}
	}
	if resets != 1 {
		t.Errorf("%d resets were told of", resets)
	}
}

// TestRebindSurvivesADeathAtEveryStep: the old phone or the new, and a notice
// of the change if and only if there was one.
func TestRebindSurvivesADeathAtEveryStep(t *testing.T) {
	for _, death := range testkit.Deaths("1/1") {
		after := death.After
		faults := &testkit.Faults{}
		x := newPhoned(t, testkit.Options{Faults: faults})
		for steps := 0; ; steps++ {
			number := fmt.Sprintf("1390013%04d", steps)
			p, h := x.agreed(x.PushFor(x.ch, liuma.ActionRebind, envelope.Subject{Card: string(x.card)}, &x.who))
			p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
			p, err := x.Authority().GivePhone(t.Context(), p.ID, h, number)
			if err != nil {
				t.Fatal(err)
			}
			x.send(p, h)
			code := x.LastCode(number)
			faults.DieAt(steps, after)
			p, err = x.Authority().GiveCode(context.Background(), p.ID, h, code)
			died := faults.Revive()
			restart(x.Env)
			bound := slices.Contains(x.Notices(number), "phone_changed_new")
			if err == nil && p.Step == ceremony.StepDone && !bound {
				t.Fatalf("step %d: an acknowledged change was lost", steps)
			}
			if !died {
				break
			}
			x.Clock.Advance(time.Hour)
		}
	}
}
