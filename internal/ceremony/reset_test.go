package ceremony_test

import (
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

const day = 24 * time.Hour

// phoned is a system with an outbox and a card that was enrolled with a
// one-time code, so long ago that its phone does not count as new.
type phoned struct {
	*testkit.Env
	ch      authority.Caller
	who     registry.Facts
	card    store.Handle
	toLeave []func() // leave the ceremonies of resetBy
}

func newPhoned(t *testing.T, o testkit.Options) *phoned {
	t.Helper()
	o.Phones = true
	env := testkit.New(t, o)
	x := &phoned{Env: env, ch: env.Channel("zj-hrss"), who: env.People[0]}
	x.card = env.EnrollPhone(x.ch, x.who, goodPIN)
	env.Clock.Advance(73 * time.Hour)
	return x
}

func (x *phoned) push(a liuma.Action) ceremony.Push {
	return x.PushFor(x.ch, a, envelope.Subject{Card: string(x.card)}, nil)
}

// agreed opens a ceremony and agrees to it, unless its first page refuses.
func (x *phoned) agreed(q ceremony.Push) (ceremony.Page, ceremony.Hand) {
	x.T.Helper()
	p, h := x.OpenPage(x.ch, q)
	if p.Step == ceremony.StepRefused {
		return p, h
	}
	p, err := x.Authority().Agree(x.T.Context(), p.ID, h)
	if err != nil {
		x.T.Fatal(err)
	}
	return p, h
}

func (x *phoned) want(p ceremony.Page, step ceremony.Step, code liuma.Code) {
	x.T.Helper()
	if p.Step != step || p.Code != code {
		x.T.Fatalf("step %s, code %q; want %s, %q: %+v", p.Step, p.Code, step, code, p)
	}
}

// resetTo plays a reset to its end.
func (x *phoned) resetTo(secret string) {
	x.T.Helper()
	q := x.push(liuma.ActionReset)
	p, h := x.agreed(q)
	x.want(p, ceremony.StepCode, "")
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
	x.want(p, ceremony.StepPIN, "")
	x.want(x.GivePIN(p, h, liuma.RoleNew, secret), ceremony.StepDone, "")
}

func (x *phoned) lock() authority.Verification {
	x.T.Helper()
	for range 6 {
		x.Verify(x.ch, x.card, wrongPIN)
	}
	v := x.Verify(x.ch, x.card, goodPIN)
	if v.Verdict != liuma.Locked {
		x.T.Fatalf("not locked: %+v", v)
	}
	return v
}

func TestEnrollBindsThePhoneByCode(t *testing.T) {
	env := testkit.New(t, testkit.Options{Phones: true, Shape: "2/3"})
	ch, who := env.Channel("zj-hrss"), env.People[0]
	pushedPhone := testkit.Subject(who)
	pushedPhone.Phone = "13900000001" // the number is only the channel's word and binds nothing
	p, h := env.OpenPage(ch, env.PushFor(ch, liuma.ActionEnroll, pushedPhone, &who))
	p, err := env.Authority().Agree(t.Context(), p.ID, h)
	if err != nil || p.Step != ceremony.StepCode || p.PhoneMasked != who.MaskedPhone() || p.CodesLeft != 5 || !p.CodeSentAt.IsZero() {
		t.Fatalf("code step: %+v, %v", p, err)
	}
	h.Language = "en"
	if p, err = env.Authority().SendCode(t.Context(), p.ID, h, liuma.ByText); err != nil || p.CodeSentAt.IsZero() || !p.ResendAt.Equal(p.CodeSentAt.Add(time.Minute)) {
		t.Fatalf("sent: %+v, %v", p, err)
	}
	if p, err = env.Authority().GiveCode(t.Context(), p.ID, h, "12345"); err != nil || p.Code != liuma.CodePhoneCodeFormat || p.CodesLeft != 5 {
		t.Fatalf("five digits: %+v, %v", p, err)
	}
	texts := env.Texts(who.Phone)
	if len(texts) != 1 || texts[0].Kind != authority.KindCode || texts[0].Template != "code_bind" || texts[0].Language != "en" ||
		texts[0].Params["holder"] != who.MaskedName() || len(env.Texts("13900000001")) != 0 {
		t.Fatalf("texts: %+v", texts)
	}
	spaced := texts[0].Params["code"][:3] + " " + texts[0].Params["code"][3:]
	if p, err = env.Authority().GiveCode(t.Context(), p.ID, h, spaced); err != nil || p.Step != ceremony.StepPIN {
		t.Fatalf("right code: %+v, %v", p, err)
	}
	if p = env.GivePIN(p, h, liuma.RoleNew, goodPIN); p.Step != ceremony.StepDone {
		t.Fatalf("done: %+v", p)
	}
	if got := env.Notices(who.Phone); !slices.Equal(got, []string{"pin_set"}) {
		t.Errorf("notices: %v", got)
	}
	if freeze := env.LastFreezeCode(who.Phone); len(freeze) != 11 {
		t.Errorf("freeze code %q", freeze)
	}
}

func TestResetStory(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{Shape: shape})
			two := x.Channel("national")
			if v, err := x.Authority().Link(t.Context(), two, x.LinkRequest(two, x.who, goodPIN)); err != nil || v.Verdict != liuma.Right {
				t.Fatalf("link: %+v, %v", v, err)
			}
			x.Clock.Advance(time.Minute)
			x.lock()
			x.resetTo(otherPIN)
			if v := x.Verify(x.ch, x.card, otherPIN); v.Verdict != liuma.Right {
				t.Errorf("new PIN: %+v", v)
			}
			if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Wrong {
				t.Errorf("old PIN: %+v", v)
			}
			linked := handleIn(t, x, two)
			if v := x.Verify(two, linked, otherPIN); v.Verdict != liuma.Right {
				t.Errorf("in the other channel: %+v", v)
			}
			want := []string{"pin_set", "channel_linked", "pin_locked", "pin_reset"}
			if got := x.Notices(x.who.Phone); !slices.Equal(got, want) {
				t.Errorf("notices %v, want %v", got, want)
			}
		})
	}
}

// handleIn is the handle of the card's first link in another channel.
func handleIn(t *testing.T, x *phoned, c authority.Caller) store.Handle {
	t.Helper()
	for _, l := range x.links() {
		if l.Channel == c.Channel() {
			return l.Handle
		}
	}
	t.Fatalf("no link in %s", c.Channel())
	return ""
}

// TestForgotFromThePad: the holder turns to a reset, and comes back to the pad
// of the requested act.
func TestForgotFromThePad(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	x.want(x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN), ceremony.StepPIN, liuma.CodeWrong)
	p, err := x.Authority().Forgot(t.Context(), p.ID, h)
	if err != nil || p.Action != liuma.ActionReset || p.Began != liuma.ActionVerify {
		t.Fatalf("forgot: %+v, %v", p, err)
	}
	x.want(p, ceremony.StepCode, "")
	if !p.CanRemember {
		t.Error("the page leads nowhere back")
	}
	if back, err := x.Authority().Remember(t.Context(), p.ID, h); err != nil || back.Step != ceremony.StepPIN || back.Action != liuma.ActionVerify {
		t.Fatalf("remember: %+v, %v", back, err)
	}
	if p, err = x.Authority().Forgot(t.Context(), p.ID, h); err != nil {
		t.Fatal(err)
	}
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
	x.want(p, ceremony.StepPIN, "")
	x.want(x.GivePIN(p, h, liuma.RoleNew, "112233"), ceremony.StepPIN, liuma.CodeWeakPIN)
	p, err = x.Authority().Look(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	p = x.GivePIN(p, h, liuma.RoleNew, otherPIN)
	x.want(p, ceremony.StepPIN, "")
	if !p.WasReset || p.Action != liuma.ActionVerify {
		t.Fatalf("back at the pad: %+v", p)
	}
	x.want(x.GivePIN(p, h, liuma.RoleCurrent, otherPIN), ceremony.StepDone, "")
	if x.WayBack(p, h).Get("code") == "" {
		t.Error("no code for the channel")
	}
}

// TestForgotFromTheLockedPage: the channel's business number stays locked, but
// the holder can reset the PIN at once.
func TestForgotFromTheLockedPage(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.lock()
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepRefused, liuma.CodeLocked)
	if _, err := x.Authority().Push(t.Context(), x.ch, q); liuma.CodeOf(err) != liuma.CodeBusinessNoUsed {
		t.Errorf("a locked business number goes on without a reset: %v", err)
	}
	p, err := x.Authority().Forgot(t.Context(), p.ID, h)
	if err != nil || p.CanRemember {
		t.Fatalf("forgot: %+v, %v", p, err)
	}
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
	p = x.GivePIN(p, h, liuma.RoleNew, otherPIN)
	x.want(p, ceremony.StepReset, liuma.CodePINReset)
	back := x.WayBack(p, h)
	if back.Get("code") != "" || back.Get("error_description") != string(liuma.CodePINReset) {
		t.Errorf("way back: %v", back)
	}
	if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.Code != liuma.CodePINReset || v.Verdict != "" {
		t.Errorf("the business number still says locked: %+v, %v", v, err)
	}
	if v := x.Verify(x.ch, x.card, otherPIN); v.Verdict != liuma.Right {
		t.Errorf("unlocked: %+v", v)
	}
}

// TestResetUpfrontEvidence: a channel may push the evidence with the reset.
func TestResetUpfrontEvidence(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	p, h := x.agreed(x.PushFor(x.ch, liuma.ActionReset, envelope.Subject{Card: string(x.card)}, &x.who))
	p = x.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepPIN, "")
	x.want(x.GivePIN(p, h, liuma.RoleNew, otherPIN), ceremony.StepDone, "")
	if back := x.WayBack(p, h); back.Get("code") == "" {
		t.Errorf("way back: %v", back)
	}
}

// TestResetRefuses: each refusal is explained on the page and leads to the
// counter.
func TestResetRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(x *phoned)
		want liuma.Code
	}{
		{"phone bound lately", func(x *phoned) { x.rebindTo("13900000009") }, liuma.CodePhoneLate},
		{"phone of an enrolment, the first day", func(x *phoned) {
			x.who = x.People[2]
			x.card = x.EnrollPhone(x.ch, x.who, goodPIN)
		}, ""},
		{"confirmed 399 days ago", func(x *phoned) { x.Clock.Advance(396 * day) }, ""},
		{"not confirmed for 400 days", func(x *phoned) { x.Clock.Advance(398 * day) }, liuma.CodePhoneStale},
		{"frozen", func(x *phoned) { freezeIn(x) }, liuma.CodeFrozen},
		{"no phone", func(x *phoned) {
			x.who = x.People[1]
			x.card = x.Enroll(x.ch, x.who, goodPIN)
		}, liuma.CodePhoneNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
			tt.do(x)
			q := x.push(liuma.ActionReset)
			p, h := x.agreed(q)
			if tt.want == "" {
				x.want(p, ceremony.StepCode, "")
				return
			}
			x.want(p, ceremony.StepRefused, tt.want)
			if back := x.WayBack(p, h); back.Get("error_description") != string(tt.want) {
				t.Errorf("way back: %v", back)
			}
			// The channel gets the same end time as the page shows.
			if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.Code != tt.want || !v.Until.Equal(p.Until) ||
				v.Until.IsZero() == (tt.want == liuma.CodePhoneLate) {
				t.Errorf("by business number: %+v, %v; the page says until %v", v, err, p.Until)
			}
			if _, err := x.Authority().SendCode(t.Context(), p.ID, h, liuma.ByText); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
				t.Errorf("code after a refusal: %v", err)
			}
			if tt.want == liuma.CodeRefused || tt.want == liuma.CodeFrozen {
				return
			}
			p, h = x.OpenPage(x.ch, x.push(liuma.ActionVerify))
			p, err := x.Authority().Forgot(t.Context(), p.ID, h)
			if err != nil || p.Step != ceremony.StepPIN || p.ResetRefused != tt.want || p.Code != "" {
				t.Errorf("forgot: %+v, %v", p, err)
			}
			if tt.want == liuma.CodePhoneLate && p.ResetRefusedUntil.IsZero() {
				t.Error("it does not say until when")
			}
		})
	}
}

func freezeIn(x *phoned) {
	x.T.Helper()
	_, err := x.Authority().Freeze(x.T.Context(), x.ch, authority.Request{BusinessNo: x.BusinessNo(), Subject: envelope.Subject{Card: string(x.card)}})
	if err != nil {
		x.T.Fatal(err)
	}
}

// TestResetCodeConfirmsNothingByItself: a number that went to another owner
// must not renew itself by a one-time code without evidence.
func TestResetCodeConfirmsNothingByItself(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.Clock.Advance(390 * day)
	p, h := x.agreed(x.push(liuma.ActionReset))
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	x.Clock.Advance(10 * day)
	p, _ = x.agreed(x.push(liuma.ActionReset))
	x.want(p, ceremony.StepRefused, liuma.CodePhoneStale)
}

// TestConfirmingAPhone: a right PIN and a one-time code confirm it.
func TestConfirmingAPhone(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.Clock.Advance(390 * day)
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepDone, "")
	if p.CodesLeft != 5 {
		t.Errorf("a verify's page offers no code: %+v", p)
	}
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepDone, "")
	x.Clock.Advance(10 * day)
	p, _ = x.agreed(x.push(liuma.ActionReset))
	x.want(p, ceremony.StepCode, "")
}

// TestResetEndsWhatWasOpen: other ceremonies with a proof end; links and their
// cards stay.
func TestResetEndsWhatWasOpen(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	verify, hv := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	verify = x.GivePIN(verify, hv, liuma.RoleCurrent, wrongPIN)
	other, ho := x.agreed(x.push(liuma.ActionReset))
	x.want(x.Code(other, ho, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	x.resetTo(otherPIN)
	for _, y := range []struct {
		p ceremony.Page
		h ceremony.Hand
	}{{verify, hv}, {other, ho}} {
		p, err := x.Authority().Look(t.Context(), y.p.ID, y.h)
		if err != nil {
			t.Fatal(err)
		}
		x.want(p, ceremony.StepRefused, liuma.CodePINReset)
	}
}

// TestWithoutAnOutbox: acts that need a one-time code lead to the counter, all
// others work as always.
func TestWithoutAnOutbox(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	card := enrollHosted(t, env, ch, env.People[0])
	for _, action := range []liuma.Action{liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze} {
		p, _ := env.OpenPage(ch, env.PushFor(ch, action, envelope.Subject{Card: string(card)}, nil))
		if p.Step != ceremony.StepRefused || p.Code != liuma.CodeOnlineOff {
			t.Errorf("%s: %+v", action, p)
		}
	}
	p, h := env.OpenPage(ch, env.PushFor(ch, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil))
	if p, err := env.Authority().Forgot(t.Context(), p.ID, h); err != nil || p.ResetRefused != liuma.CodeOnlineOff || p.Step != ceremony.StepPIN {
		t.Errorf("forgot: %+v, %v", p, err)
	}
	if p, err := env.Authority().FreezeOwn(t.Context(), p.ID, h); err != nil || p.Step != ceremony.StepRefused || p.Code != liuma.CodeFrozen {
		t.Errorf("freeze: %+v, %v", p, err)
	}
}

// TestProofsStayInTheirBrowser: a reset that goes on in another browser asks
// for the one-time code again; in the same browser it does not.
func TestProofsStayInTheirBrowser(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	q := x.push(liuma.ActionReset)
	p, h := x.agreed(q)
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	q.Challenge = x.WayBack(p, h).Get("challenge")
	q.Evidence = x.Evidence(x.who, q.Challenge)
	p, elsewhere := x.OpenPage(x.ch, q)
	x.want(p, ceremony.StepCode, "")
	if _, err := x.Authority().GiveCode(t.Context(), p.ID, h, x.LastCode(x.who.Phone)); liuma.CodeOf(err) != liuma.CodeCeremonyElsewhere {
		t.Errorf("the first browser goes on: %v", err)
	}
	g := ceremony.Given{Try: 1, New: x.SealPage(x.padOf(), liuma.RoleNew, otherPIN)}
	if _, err := x.Authority().GivePIN(t.Context(), p.ID, elsewhere, g); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("the second browser sets a PIN: %v", err)
	}
	x.want(x.Code(p, elsewhere, x.who.Phone), ceremony.StepPIN, "")
	p, again := x.OpenPageIn(x.ch, push(q), elsewhere)
	if again.Secret != elsewhere.Secret {
		t.Error("the same browser got another secret")
	}
	x.want(p, ceremony.StepPIN, "")
	x.want(x.GivePIN(p, again, liuma.RoleNew, otherPIN), ceremony.StepDone, "")
}

// TestASpentProofKeepsItsBrowser: a holder who turned back from a reset and
// goes on in the same browser, after another push, keeps their proofs; another
// browser gets none.
func TestASpentProofKeepsItsBrowser(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	p, err := x.Authority().Forgot(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	if p, err = x.Authority().Remember(t.Context(), p.ID, h); err != nil {
		t.Fatal(err)
	}
	x.want(p, ceremony.StepPIN, "")
	p, again := x.OpenPageIn(x.ch, q, h)
	x.want(p, ceremony.StepPIN, "")
	if again.Secret != h.Secret {
		t.Error("the same browser got another secret")
	}
	p = x.GivePIN(p, again, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepDone, "")
}

// TestTheFirstPostMayBeThePIN: it binds the ceremony, even if the browser had
// an older secret of it, and its page is shown.
func TestTheFirstPostMayBeThePIN(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	q := x.push(liuma.ActionVerify)
	_, h := x.OpenPage(x.ch, q)
	pushed, err := x.Authority().Push(t.Context(), x.ch, q)
	if err != nil {
		t.Fatal(err)
	}
	p, err := x.Authority().LookAt(t.Context(), x.ch.Client.ID, pushed.RequestURI, ceremony.Hand{})
	if err != nil {
		t.Fatal(err)
	}
	p = x.GivePIN(p, ceremony.Hand{Secret: h.Secret, RequestURI: pushed.RequestURI}, liuma.RoleCurrent, goodPIN)
	if p.Step != ceremony.StepDone || p.Elsewhere || p.Bound == "" {
		t.Errorf("after the PIN: %+v", p)
	}
}

// push pushes again, without the evidence of the first push.
func push(q ceremony.Push) ceremony.Push {
	q.Evidence, q.Challenge = "", ""
	return q
}

// padOf opens the pad of another ceremony, for its seal key.
func (x *phoned) padOf() ceremony.Page {
	p, _ := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	p.AAD[liuma.RoleNew] = p.AAD[liuma.RoleCurrent]
	return p
}

// TestEvidenceOfSomebodyElse: valid evidence about another person is refused,
// and so is the holder's evidence a second time.
func TestEvidenceOfSomebodyElse(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	q := x.push(liuma.ActionReset)
	p, h := x.agreed(q)
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	other := q
	other.Challenge = x.WayBack(p, h).Get("challenge")
	other.Evidence = x.Evidence(x.People[4], other.Challenge)
	if _, err := x.Authority().Push(t.Context(), x.ch, other); liuma.CodeOf(err) != liuma.CodeEvidenceInvalid {
		t.Errorf("about somebody else: %v", err)
	}
	used := q
	used.Challenge = x.WayBack(p, h).Get("challenge")
	used.Evidence = x.Evidence(x.who, used.Challenge)
	for i, want := range []liuma.Code{"", liuma.CodeEvidenceUsed} {
		if _, err := x.Authority().Push(t.Context(), x.ch, used); err != nil && liuma.CodeOf(err) != want || err == nil && want != "" {
			t.Errorf("push %d: %v", i, err)
		}
	}
}
