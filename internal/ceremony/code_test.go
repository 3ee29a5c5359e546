package ceremony_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

func (x *phoned) send(p ceremony.Page, h ceremony.Hand) ceremony.Page {
	x.T.Helper()
	p, err := x.Authority().SendCode(x.T.Context(), p.ID, h, liuma.ByText)
	if err != nil {
		x.T.Fatal(err)
	}
	return p
}

func (x *phoned) give(p ceremony.Page, h ceremony.Hand, code string) ceremony.Page {
	x.T.Helper()
	p, err := x.Authority().GiveCode(x.T.Context(), p.ID, h, code)
	if err != nil {
		x.T.Fatal(err)
	}
	return p
}

// not is a one-time code that differs from the given one.
func not(code string, n int) string {
	var v int
	fmt.Sscanf(code, "%d", &v)
	return fmt.Sprintf("%06d", (v+1+n)%1_000_000)
}

// TestCodesAreCountedOverAllCeremonies: five wrong one-time codes a day, over
// all ceremonies and resends; then even the right one is not taken.
func TestCodesAreCountedOverAllCeremonies(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	wrong := 0
	for range 3 {
		p, h := x.agreed(x.push(liuma.ActionReset))
		x.Clock.Advance(time.Minute)
		p = x.send(p, h)
		for range min(2, 5-wrong) {
			if p.CodesLeft != 5-wrong {
				t.Fatalf("%d left after %d wrong", p.CodesLeft, wrong)
			}
			p = x.give(p, h, not(x.LastCode(x.who.Phone), wrong))
			if wrong++; wrong < 5 {
				x.want(p, ceremony.StepCode, liuma.CodePhoneCodeWrong)
				continue
			}
			x.want(p, ceremony.StepCode, liuma.CodePhoneCodesSpent)
			if p.Until.IsZero() || p.CodesLeft != 0 {
				t.Errorf("spent: %+v", p)
			}
			x.want(x.give(p, h, x.LastCode(x.who.Phone)), ceremony.StepCode, liuma.CodePhoneCodesSpent)
			x.want(x.send(p, h), ceremony.StepCode, liuma.CodePhoneCodesSpent)
		}
	}
	x.Clock.Advance(24 * time.Hour)
	p, h := x.agreed(x.push(liuma.ActionReset))
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
}

func TestACodeServesOnceAndItsCeremonyOnly(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	one, h1 := x.agreed(x.push(liuma.ActionReset))
	two, h2 := x.agreed(x.push(liuma.ActionReset))
	x.want(x.give(one, h1, "000000"), ceremony.StepCode, liuma.CodePhoneCodeExpired) // no code was sent
	x.want(x.send(one, h1), ceremony.StepCode, "")
	first := x.LastCode(x.who.Phone)
	x.want(x.give(two, h2, first), ceremony.StepCode, liuma.CodePhoneCodeExpired) // the code of another ceremony
	x.Clock.Advance(time.Minute)
	x.want(x.send(one, h1), ceremony.StepCode, "")
	second := x.LastCode(x.who.Phone)
	if first == second {
		second = "" // one in a million: the resent code is the first one
	}
	if second != "" {
		x.want(x.give(one, h1, first), ceremony.StepCode, liuma.CodePhoneCodeSuperseded) // replaced
		x.Clock.Advance(10 * time.Minute)
		x.want(x.give(one, h1, second), ceremony.StepCode, liuma.CodePhoneCodeExpired) // too old
	}
	x.want(x.Code(one, h1, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	if _, err := x.Authority().GiveCode(t.Context(), one.ID, h1, x.LastCode(x.who.Phone)); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("a code twice: %v", err)
	}
}

// TestAThousandParallelFlowsGainNothing: nine ceremonies with an open one-time
// code each would give nine chances in a million a guess; of a thousand guesses
// at once five are judged, in all ceremonies together.
func TestAThousandParallelFlowsGainNothing(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	type flow struct {
		p ceremony.Page
		h ceremony.Hand
	}
	var flows []flow
	home := x.card
	all := []store.Handle{home, x.linkAgain(x.ch, goodPIN, true), x.linkAgain(x.ch, goodPIN, true)}
	for i := range 9 {
		x.card = all[i/3]
		p, h := x.agreed(x.push(liuma.ActionReset))
		x.want(x.send(p, h), ceremony.StepCode, "")
		x.Clock.Advance(time.Minute)
		flows = append(flows, flow{p, h})
	}
	open := map[string]bool{}
	for _, text := range x.Texts(x.who.Phone) {
		if text.Template == "code_reset" {
			open[text.Params["code"]] = true
		}
	}
	var judged, right atomic.Int32
	var wg sync.WaitGroup
	next := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range next {
				f := flows[i%len(flows)]
				guess := fmt.Sprintf("%06d", i)
				for open[guess] {
					guess = not(guess, 2000)
				}
				p, err := x.Authority().GiveCode(context.Background(), f.p.ID, f.h, guess)
				switch {
				case err != nil && liuma.CodeOf(err) != liuma.CodeCeremonyMoved:
					t.Errorf("%v", err)
				case err != nil:
				case p.Code == liuma.CodePhoneCodeWrong:
					judged.Add(1)
				case p.Step != ceremony.StepCode:
					right.Add(1)
				}
			}
		})
	}
	for i := range 1000 {
		next <- i
	}
	close(next)
	wg.Wait()
	// Three of each link, five in all; the answer to the fifth is codes_spent.
	if wrong := x.cardTicks("code_wrong"); wrong != 5 || judged.Load() > 4 || right.Load() != 0 {
		t.Errorf("%d wrong were counted, after %d the ceremony went on, %d were right; want 5, at most 4 and 0", wrong, judged.Load(), right.Load())
	}
	for _, f := range flows {
		for code := range open {
			x.want(x.give(f.p, f.h, code), ceremony.StepCode, liuma.CodePhoneCodesSpent)
		}
	}
}

// TestSendingInParallel: a thousand requests at once send one message.
func TestSendingInParallel(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	before := len(x.Texts(x.who.Phone))
	var pages []ceremony.Page
	var hands []ceremony.Hand
	for range 5 {
		p, h := x.agreed(x.push(liuma.ActionReset))
		pages, hands = append(pages, p), append(hands, h)
	}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			_, err := x.Authority().SendCode(context.Background(), pages[i%5].ID, hands[i%5], liuma.ByText)
			if err != nil && liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if n := len(x.Texts(x.who.Phone)) - before; n != 1 {
		t.Errorf("%d texts", n)
	}
}

// TestTwoCardsOnOneNumber: messages name their card's holder, and the wrong
// codes of one card do not count for the other.
func TestTwoCardsOnOneNumber(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	second := x.People[1]
	card := x.EnrollPhone(x.ch, second, goodPIN)
	other := &phoned{Env: x.Env, ch: x.ch, who: second, card: card}
	other.rebindTo(x.who.Phone)
	x.Clock.Advance(73 * time.Hour)
	for i := range 5 {
		p, h := x.agreed(x.push(liuma.ActionReset))
		x.Clock.Advance(time.Minute)
		p = x.send(p, h)
		x.give(p, h, not(x.LastCode(x.who.Phone), i))
	}
	p, h := other.agreed(other.push(liuma.ActionReset))
	p = other.Code(p, h, x.who.Phone)
	other.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	texts := x.Texts(x.who.Phone)
	if last := texts[len(texts)-1]; last.Params["holder"] != second.MaskedName() {
		t.Errorf("the text names %q", last.Params["holder"])
	}
}

// rebindTo plays a rebind to another number.
func (x *phoned) rebindTo(number string) {
	x.T.Helper()
	q := x.PushFor(x.ch, liuma.ActionRebind, x.push(liuma.ActionRebind).Subject, &x.who)
	p, h := x.agreed(q)
	x.want(p, ceremony.StepPIN, "")
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepPhone, "")
	p, err := x.Authority().GivePhone(x.T.Context(), p.ID, h, number)
	if err != nil {
		x.T.Fatal(err)
	}
	x.want(p, ceremony.StepCode, "")
	x.want(x.Code(p, h, number), ceremony.StepDone, "")
}
