package ceremony_test

import (
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestTriesLeftAtTheFirstLook: the pad shows the tries before a guess is spent,
// and only to a linked channel.
func TestTriesLeftAtTheFirstLook(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	id := cardRow(t, x.Env, x.ch, x.card).ID
	for want := 6; want > 0; want-- {
		before := counted(t, x.Env, id)[0]
		p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
		if p.TriesLeft == nil || *p.TriesLeft != want || p.Code != "" || counted(t, x.Env, id)[0] != before {
			t.Fatalf("first look: %+v, want %d left", p, want)
		}
		p = x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
		if *p.TriesLeft != want-1 {
			t.Fatalf("after a wrong PIN: %+v", p)
		}
	}
	far := x.Channel("national")
	for name, q := range map[string]ceremony.Push{
		"named": x.PushFor(far, liuma.ActionLink, identity(x.who), nil),
	} {
		p, h := x.OpenPage(far, q)
		if p.Step == ceremony.StepConfirm {
			var err error
			if p, err = x.Authority().Agree(t.Context(), p.ID, h); err != nil {
				t.Fatal(err)
			}
		}
		if p.Step != ceremony.StepPIN || p.TriesLeft != nil || !p.Until.IsZero() || p.LaneClosed {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// TestTheSixthWrongPINSaysLocked: the error code is locked, at both doors and
// on the way back; after the thirtieth it is blocked. The verdict stays wrong,
// because the PIN was evaluated.
func TestTheSixthWrongPINSaysLocked(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	for range 5 {
		if v := x.Verify(x.ch, x.card, wrongPIN); v.Code != liuma.CodeWrong || !v.Until.IsZero() {
			t.Fatalf("%+v", v)
		}
	}
	until := x.Clock.Now().Add(day)
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	p = x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
	x.want(p, ceremony.StepRefused, liuma.CodeLocked)
	if p.Verdict != liuma.Wrong || *p.TriesLeft != 0 || !p.Until.Equal(until) {
		t.Errorf("page: %+v", p)
	}
	if back := x.WayBack(p, h); back.Get("error_description") != string(liuma.CodeLocked) {
		t.Errorf("way back: %v", back)
	}
	v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo)
	if err != nil || v.Verdict != liuma.Wrong || v.Code != liuma.CodeLocked || *v.TriesLeft != 0 || !v.Until.Equal(until) {
		t.Errorf("by business number: %+v, %v", v, err)
	}
	if p, err := x.Authority().Forgot(t.Context(), p.ID, h); err != nil || p.Step != ceremony.StepCode {
		t.Errorf("the page leads on to a reset: %+v, %v", p, err)
	}
	var last authority.Verification
	for n := 6; n < 30; {
		if v := x.Verify(x.ch, x.card, wrongPIN); v.Verdict == liuma.Wrong {
			last = v
			n++
			continue
		}
		x.Clock.Advance(day)
	}
	if last.Code != liuma.CodeBlocked || !last.Until.IsZero() || *last.TriesLeft != 0 {
		t.Errorf("the thirtieth: %+v", last)
	}
	if got := x.Notices(x.who.Phone); got[len(got)-1] != "pin_blocked" || !slices.Contains(got, "pin_locked") {
		t.Errorf("notices: %v", got)
	}
}

// TestReminderOfAnOldPIN: after a right PIN, on the page and by a notice, and
// by notice only once in four weeks.
func TestReminderOfAnOldPIN(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	count := func() (n int) {
		for _, name := range x.Notices(x.who.Phone) {
			if name == "rotation_reminder" {
				n++
			}
		}
		return n
	}
	x.Clock.Advance(360 * day)
	if p, _ := x.verified(x.card); p.RemindChange || count() != 0 {
		t.Fatal("reminded of a PIN that is not a year old")
	}
	x.Clock.Advance(3 * day)
	x.Verify(x.ch, x.card, wrongPIN)
	if count() != 0 {
		t.Error("a wrong PIN reminds")
	}
	for range 3 {
		if p, _ := x.verified(x.card); !p.RemindChange || count() != 1 {
			t.Fatalf("reminded %d times, on the page %v", count(), p.RemindChange)
		}
		x.Verify(x.ch, x.card, goodPIN)
		x.Clock.Advance(9 * day)
	}
	texts := x.Texts(x.who.Phone)
	var params map[string]string
	for _, text := range texts {
		if text.Template == "rotation_reminder" {
			params = text.Params
		}
	}
	if params["days"] != "366" || params["at"] == "" || params["freeze"] == "" {
		t.Errorf("reminder: %v", params)
	}
	x.Clock.Advance(2 * day)
	if x.verified(x.card); count() != 2 {
		t.Errorf("after four weeks: %d", count())
	}
	x.Change(x.ch, x.card, goodPIN, otherPIN)
	x.Clock.Advance(40 * day)
	if x.Verify(x.ch, x.card, otherPIN); count() != 2 {
		t.Errorf("after a change: %d", count())
	}
}

// TestWhatTheAuditRecordSaysOfLinksAndCodes: a new link, a refused
// authorization code, and a guess without a verdict each have their entry.
func TestWhatTheAuditRecordSaysOfLinksAndCodes(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	two := x.Channel("national")
	for range 2 { // two accounts
		if v, err := x.Authority().Link(t.Context(), two, x.LinkRequest(two, x.who, goodPIN)); err != nil || v.Verdict != liuma.Right {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	if n := countEvents(t, x.Env, audit.CardLinked, "right"); n != 2 {
		t.Errorf("%d links recorded, want 2", n)
	}
	p, h := x.verified(x.card)
	code := x.WayBack(p, h).Get("code")
	for _, try := range []struct{ redirect, verifier string }{
		{testkit.RedirectURI + "/", testkit.Verifier}, {testkit.RedirectURI, testkit.Verifier + "x"}} {
		_, err := x.Authority().RedeemCode(t.Context(), x.ch, code, try.redirect, try.verifier)
		wantCode(t, err, liuma.CodeCodeInvalid)
	}
	if n := countEvents(t, x.Env, audit.CodeRefused, string(liuma.CodeCodeInvalid)); n != 2 {
		t.Errorf("%d refused codes recorded, want 2", n)
	}
	if _, err := x.Authority().RedeemCode(t.Context(), x.ch, code, testkit.RedirectURI, testkit.Verifier); err != nil {
		t.Errorf("the code is void after a refusal: %v", err)
	}
	env, hooks := hooked(t, "1/1")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	hooks.set(once(func() { env.Clock.Advance(time.Minute) }), nil)
	_, err := env.Authority().Verify(t.Context(), ch, env.VerifyRequest(ch, card, goodPIN))
	wantCode(t, err, liuma.CodeUnavailable)
	if n := countEvents(t, env, audit.AttemptUndecided, string(liuma.CodeUndecided)); n != 1 {
		t.Errorf("%d undecided attempts recorded, want 1", n)
	}
}
