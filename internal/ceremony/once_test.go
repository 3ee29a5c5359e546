package ceremony_test

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// in is a hand with the form of a page.
func in(p ceremony.Page, h ceremony.Hand) ceremony.Hand {
	h.Form = p.Form
	return h
}

// TestAnEarlierCodeIsNoWrongOne: the code of the message before is told apart
// from a wrong one and does not count, as long as it would be fresh; it is never
// taken, and one of another ceremony or number is wrong like any other.
func TestAnEarlierCodeIsNoWrongOne(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	p, h := x.agreed(x.push(liuma.ActionReset))
	x.Clock.Advance(time.Minute)
	p = x.send(p, h)
	first, left := x.LastCode(x.who.Phone), p.CodesLeft
	x.Clock.Advance(time.Minute)
	p = x.send(p, h)
	for range 3 {
		p = x.give(p, h, first)
		x.want(p, ceremony.StepCode, liuma.CodePhoneCodeSuperseded)
		if p.CodesLeft != left {
			t.Fatalf("%d wrong codes left of %d", p.CodesLeft, left)
		}
	}
	x.Clock.Advance(9*time.Minute + time.Second)
	p = x.give(p, h, first)
	x.want(p, ceremony.StepCode, liuma.CodePhoneCodeWrong)
	if p.CodesLeft != left-1 {
		t.Errorf("one that is too old does not count: %d left of %d", p.CodesLeft, left)
	}
	x.want(x.give(p, h, x.LastCode(x.who.Phone)), ceremony.StepEvidence, liuma.CodeEvidenceRequired)

	other, hand := x.agreed(x.push(liuma.ActionReset))
	other = x.send(other, hand)
	x.want(x.give(other, hand, first), ceremony.StepCode, liuma.CodePhoneCodeWrong)
}

// TestAFormPostedTwiceCountsOnce: the second post of a form gets the first's
// answer; another entry in it, or the same in the next form, is one more.
func TestAFormPostedTwiceCountsOnce(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	p, h := x.agreed(x.push(liuma.ActionReset))
	x.Clock.Advance(time.Minute)
	before := p
	p = x.send(p, in(p, h))
	if again := x.send(p, in(before, h)); again.Code != "" || again.CodeSentAt != p.CodeSentAt {
		t.Errorf("the second press: %q", again.Code)
	}
	code := x.LastCode(x.who.Phone)
	left, form := p.CodesLeft, p
	for range 3 {
		p = x.give(p, in(form, h), not(code, 0))
		x.want(p, ceremony.StepCode, liuma.CodePhoneCodeWrong)
		if p.CodesLeft != left-1 {
			t.Fatalf("%d left of %d", p.CodesLeft, left)
		}
	}
	if p = x.give(p, in(form, h), not(code, 1)); p.CodesLeft != left-2 {
		t.Errorf("another entry in the same form: %d left of %d", p.CodesLeft, left)
	}
	if p = x.give(p, in(p, h), not(code, 1)); p.CodesLeft != left-3 {
		t.Errorf("the same entry in the next form: %d left of %d", p.CodesLeft, left)
	}
	form = p
	p = x.give(p, in(form, h), code)
	x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	if _, err := x.Authority().GiveCode(t.Context(), p.ID, in(form, h), code); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("the right one again: %v", err) // the door answers with the latest page
	}
}

// TestAConfirmedPhoneStaysConfirmed: at the step that takes a code after a right
// PIN, too, the second post says what the first did.
func TestAConfirmedPhoneStaysConfirmed(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.Clock.Advance(time.Minute)
	p = x.send(p, in(p, h))
	form := p
	for range 2 {
		p = x.give(p, in(form, h), x.LastCode(x.who.Phone))
		x.want(p, ceremony.StepDone, "")
	}
}

// TestAWrongCardNumberPostedTwice counts once.
func TestAWrongCardNumberPostedTwice(t *testing.T) {
	x := newLenient(t)
	p, h := x.agreed(x.push(liuma.ActionReset))
	p = x.Code(p, h, x.who.Phone)
	form := p
	for range 4 { // three may be wrong
		var err error
		if p, err = x.Authority().GiveCardNo(t.Context(), p.ID, in(form, h), "A00000000"); err != nil {
			t.Fatal(err)
		}
		x.want(p, ceremony.StepEvidence, liuma.CodeCardNoWrong)
	}
}
