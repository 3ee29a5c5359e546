package attack

import (
	"net/http"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// A channel that pushes without end leaves ten open ceremonies a holder,
// and nobody's pushes keep the holder out.

// outcome is what the native door says of a business number: its code if it is
// decided, else its state.
func (p *party) outcome(bn string) string {
	p.w.t.Helper()
	v, err := p.native.Verification(p.w.t.Context(), bn)
	must(p.w.t, v, err)
	if v.State == "decided" {
		return v.Code
	}
	return v.State
}

// full pushes ten and begins each in a browser of its own.
func (p *party) full(q request) (begun []*visitor.Page) {
	p.w.t.Helper()
	for range 10 {
		q.bn = p.w.number()
		begun = append(begun, p.w.enter(p.w.browser(), p.pushed(q)))
	}
	return begun
}

// TestAThousandPushesAboutOneCard: the oldest that nobody began give way, their
// business numbers are decided, and the newest works.
func TestAThousandPushesAboutOneCard(t *testing.T) {
	w := newWorld(t, false)
	var numbers []string
	var last string
	pushes := 200 // twenty times what may be open; a thousand in the long form
	if testkit.EveryStory() {
		pushes = 1000
	}
	for range pushes {
		w.Clock.Advance(10 * time.Millisecond)
		bn := w.number()
		numbers = append(numbers, bn)
		last = w.home.pushed(request{action: liuma.ActionVerify, card: w.card, bn: bn})
	}
	for i, want := range map[int]string{0: "ceremony_expired", pushes - 11: "ceremony_expired", pushes - 10: "pending", pushes - 1: "pending"} {
		if got := w.home.outcome(numbers[i]); got != want {
			t.Errorf("push %d is %q, want %q", i, got, want)
		}
	}
	p := w.typed(w.enter(w.browser(), last), goodPIN)
	if got := w.home.redeemed(p); got.BusinessNo != numbers[pushes-1] {
		t.Errorf("the newest: %+v", got)
	}
}

// TestTenBegunCeremonies: the eleventh is refused, until one of them ends.
// Another channel, another card and another action about a person go on.
func TestTenBegunCeremonies(t *testing.T) {
	w := newWorld(t, false)
	q := request{action: liuma.ActionVerify, card: w.card}
	begun := w.home.full(q)
	for _, a := range []liuma.Action{liuma.ActionVerify, liuma.ActionReset, liuma.ActionChange} {
		_, no := w.home.push(request{action: a, card: w.card, bn: w.number()})
		if no == nil || no.Code != "too_many_open" || no.Status != http.StatusTooManyRequests || no.Until.IsZero() {
			t.Fatalf("an eleventh, %s: %+v", a, no)
		}
	}
	w.watch.pushed(request{action: liuma.ActionVerify, card: w.seen, bn: w.number()})
	w.home.pushed(request{action: liuma.ActionLink, about: &w.who, bn: w.number()})
	w.do(begun[3], "leave")
	w.home.pushed(request{action: liuma.ActionVerify, card: w.card, bn: w.number()})
}

// TestStrangersPushesKeepNobodyOut: whoever knows an ID number fills the room of
// those who only name it. The owner goes on with evidence, and by the link; and
// the refusal is the same for a person without a card.
func TestStrangersPushesKeepNobodyOut(t *testing.T) {
	w := newWorld(t, false)
	for _, about := range []registry.Facts{w.who, w.People[5]} {
		q := request{action: liuma.ActionLink, about: &about}
		for i, p := range w.home.full(q) {
			if i == 0 {
				w.typed(w.do(p, "agree"), wrongPIN) // a guess; the ceremony goes on
			}
		}
		q.bn = w.number()
		if _, no := w.home.push(q); no == nil || no.Code != "too_many_open" {
			t.Fatalf("an eleventh about %s: %+v", about.MaskedName(), no)
		}
		w.home.pushed(w.home.proved(request{action: liuma.ActionLink, about: &about, bn: w.number()}, about))
	}
	w.home.pushed(request{action: liuma.ActionVerify, card: w.card, bn: w.number()})
	w.home.pushed(w.home.proved(request{action: liuma.ActionEnroll, about: &w.People[5], bn: w.number()}, w.People[5]))
}

// TestAnotherAccountKeepsNobodyOut: a second account of the same channel that is
// linked to the card fills its own ten. The holder's link goes on as before, also
// where the other account pushes on.
func TestAnotherAccountKeepsNobodyOut(t *testing.T) {
	w := newWorld(t, false)
	second := w.link(w.home, w.who, goodPIN)
	q := request{action: liuma.ActionVerify, card: second}
	w.home.full(q)
	q.bn = w.number()
	if _, no := w.home.push(q); no == nil || no.Code != "too_many_open" {
		t.Fatalf("an eleventh of the second account: %+v", no)
	}
	w.home.full(request{action: liuma.ActionReset, card: w.card}) // ten of the holder's own
	if _, no := w.home.push(request{action: liuma.ActionVerify, card: w.card, bn: w.number()}); no == nil || no.Code != "too_many_open" {
		t.Errorf("an eleventh of the holder's link: %+v", no)
	}
}

// TestAnotherAccountTakesNoWaitingRoom: pushes of a second account that nobody
// began end the oldest of that account and none of the holder's.
func TestAnotherAccountTakesNoWaitingRoom(t *testing.T) {
	w := newWorld(t, false)
	second := w.link(w.home, w.who, goodPIN)
	own := w.number()
	waiting := w.home.pushed(request{action: liuma.ActionVerify, card: w.card, bn: own})
	var numbers []string
	for range 30 {
		w.Clock.Advance(10 * time.Millisecond)
		bn := w.number()
		numbers = append(numbers, bn)
		w.home.pushed(request{action: liuma.ActionVerify, card: second, bn: bn})
	}
	for i, want := range map[int]string{19: "ceremony_expired", 20: "pending"} {
		if got := w.home.outcome(numbers[i]); got != want {
			t.Errorf("push %d of the second account is %q, want %q", i, got, want)
		}
	}
	if got := w.home.redeemed(w.typed(w.enter(w.browser(), waiting), goodPIN)); got.BusinessNo != own {
		t.Errorf("the holder's own: %+v", got)
	}
}
