package ceremony_test

import (
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

const goodWords = "春眠不觉晓，Willow 三月"

// wordsWhile is a policy that allows passphrases until it is told to stop, and from
// then on forces another PIN if age is set.
type wordsWhile struct {
	stopped *atomic.Bool
	forces  bool
}

func (w wordsWhile) For(liuma.Region, liuma.ChannelID) policy.Policy {
	p := policy.National()
	p.AllowStandInEvidence, p.Passphrase = true, !w.stopped.Load()
	if w.stopped.Load() && w.forces {
		p.RemindAfter, p.ForceAfter = day, 2*day
	}
	return p
}

// newWords is a card with a passphrase.
func newWords(t *testing.T, forces bool) (*phoned, func()) {
	t.Helper()
	stopped := &atomic.Bool{}
	env := testkit.New(t, testkit.Options{Phones: true, Rules: wordsWhile{stopped, forces}})
	x := &phoned{Env: env, ch: env.Channel("zj-hrss"), who: env.People[0]}
	x.card = env.EnrollPhone(x.ch, x.who, goodWords)
	env.Clock.Advance(4 * day)
	return x, func() { stopped.Store(true) }
}

func (x *phoned) form() pin.Form { return cardRow(x.T, x.Env, x.ch, x.card).PINForm }

// TestFromPINToPassphraseAndBack: each is a change, the other one is then wrong, and
// the page begins with the field that is needed once the link is known.
func TestFromPINToPassphraseAndBack(t *testing.T) {
	allowed := policy.National()
	allowed.Passphrase = true
	x := newPhoned(t, testkit.Options{Policy: &allowed})
	if f := x.form(); f != pin.FormDigits {
		t.Errorf("the form is %d", f)
	}
	change := func(old, chosen string) {
		t.Helper()
		p, h := x.OpenPage(x.ch, x.push(liuma.ActionChange))
		x.want(x.renew(p, h, old, chosen), ceremony.StepDone, "")
		if v := x.Verify(x.ch, x.card, chosen); v.Verdict != liuma.Right {
			t.Errorf("the new one: %+v", v)
		}
		if v := x.Verify(x.ch, x.card, old); v.Verdict != liuma.Wrong {
			t.Errorf("the old one: %+v", v)
		}
		x.Clock.Advance(4 * day)
	}
	change(goodPIN, goodWords)
	if f := x.form(); f != pin.FormPassphrase {
		t.Errorf("the form is %d", f)
	}
	// Another keyboard: half width, and a space behind it.
	if v := x.Verify(x.ch, x.card, "春眠不觉晓,Ｗｉｌｌｏｗ　三月 "); v.Verdict != liuma.Right {
		t.Errorf("typed in another width: %+v", v)
	}
	if p, _ := x.OpenPage(x.ch, x.push(liuma.ActionVerify)); p.Words != (ceremony.Words{Entered: true, First: true}) {
		t.Errorf("the page of a passphrase: %+v", p.Words)
	}
	change(goodWords, otherPIN)
	if f := x.form(); f != pin.FormDigits {
		t.Errorf("the form is %d", f)
	}
	if p, _ := x.OpenPage(x.ch, x.push(liuma.ActionVerify)); p.Words != (ceremony.Words{Entered: true}) {
		t.Errorf("the page of six digits: %+v", p.Words)
	}
}

// TestAStrangersPageDoesNotTellAPassphrase: without a known link the page of a card
// with a passphrase is that of every card, and so is the answer to either entry.
func TestAStrangersPageDoesNotTellAPassphrase(t *testing.T) {
	x, stop := newWords(t, false)
	y := newPhoned(t, testkit.Options{Rules: wordsWhile{stopped: &atomic.Bool{}}})
	other := x.Channel("zj-bank")
	fresh := x.linkAgain(x.ch, goodWords, false)
	for _, stopped := range []bool{false, true} {
		if stopped {
			stop()
		}
		p, h := x.OpenPage(other, x.PushFor(other, liuma.ActionLink, envelope.Subject{IDNumber: x.who.IDNumber, Name: x.who.Name}, &x.who))
		p, err := x.Authority().Agree(t.Context(), p.ID, h)
		if err != nil || p.Words != (ceremony.Words{Entered: !stopped}) {
			t.Errorf("a stranger's page: %+v, %v", p.Words, err)
		}
		// A link that was just made is not known, though the channel is the holder's.
		p, _ = x.OpenPage(x.ch, x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(fresh)}, nil))
		x.want(p, ceremony.StepPIN, "")
		if x.isKnown(fresh) || p.Words != (ceremony.Words{Entered: !stopped}) {
			t.Errorf("a new link's page: %+v", p.Words)
		}
	}
	for _, secret := range []string{wrongPIN, "lotus kettle window"} {
		if v := x.tryLink(other, secret, false, ""); v.Verdict != "" && v.Verdict != liuma.Wrong || v.Code != liuma.CodeRefused {
			t.Errorf("a stranger typed one: %+v", v)
		}
	}
	// Both kinds of entry are wrong alike for both kinds of card, and counted.
	for name, at := range map[string]*phoned{"passphrase": x, "digits": y} {
		for _, secret := range []string{wrongPIN, "lotus kettle window"} {
			before := counted(t, at.Env, cardRow(t, at.Env, at.ch, at.card).ID)[0]
			v := at.Verify(at.ch, at.card, secret)
			if v.Verdict != liuma.Wrong || counted(t, at.Env, cardRow(t, at.Env, at.ch, at.card).ID)[0] != before+1 {
				t.Errorf("%s: %+v", name, v)
			}
		}
	}
}

// TestAPassphraseIsTriedOnThePadItWasTypedOn: after a wrong one the page begins with
// the same field.
func TestAPassphraseIsTriedOnThePadItWasTypedOn(t *testing.T) {
	x, _ := newWords(t, false)
	fresh := x.linkAgain(x.ch, goodWords, false)
	p, h := x.OpenPage(x.ch, x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(fresh)}, nil))
	for _, words := range []bool{true, false} {
		var err error
		p, err = x.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: p.Try, Words: words, Current: x.SealPage(p, liuma.RoleCurrent, wrongPIN)})
		if err != nil || p.Words.First != words {
			t.Errorf("typed as a passphrase %v: %+v, %v", words, p.Words, err)
		}
	}
}

// TestWhereNoPassphraseIsSetAnyMore: who has one gets in and is told; a change ends
// in six digits alone, and where it is forced the business goes on.
func TestWhereNoPassphraseIsSetAnyMore(t *testing.T) {
	for _, forces := range []bool{false, true} {
		x, stop := newWords(t, forces)
		stop()
		q := x.push(liuma.ActionVerify)
		p, h := x.OpenPage(x.ch, q)
		if p.Words != (ceremony.Words{Entered: true, First: true}) {
			t.Fatalf("the page: %+v", p.Words)
		}
		p, err := x.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: p.Try, Words: true, Current: x.SealPage(p, liuma.RoleCurrent, goodWords)})
		if err != nil {
			t.Fatal(err)
		}
		if forces {
			x.want(p, ceremony.StepPIN, liuma.CodePINTooOld)
		} else {
			x.want(p, ceremony.StepDone, "")
			if !p.PassphraseEnded {
				t.Error("the last page does not tell")
			}
			x.Return(x.ch, p, h)
			p, h = x.OpenPage(x.ch, x.push(liuma.ActionChange))
		}
		if p.Words != (ceremony.Words{Entered: true, First: true}) {
			t.Errorf("the pad of the change: %+v", p.Words)
		}
		if c, err := x.check(p, h, "lotus kettle window"); err != nil || c.Reason != pin.ReasonNotSixDigits || c.Sentence != pin.FormatSentence(c.Reason) {
			t.Errorf("asked before it is set: %+v, %v", c, err)
		}
		p = x.renew(p, h, goodWords, "lotus kettle window")
		x.want(p, ceremony.StepPIN, liuma.CodePINFormat)
		if p.Reason != pin.ReasonNotSixDigits {
			t.Errorf("the reason is %s", p.Reason)
		}
		p = x.renew(p, h, goodWords, otherPIN)
		x.want(p, ceremony.StepDone, "")
		if forces {
			if g := x.Return(x.ch, p, h); g.Action != liuma.ActionVerify || g.BusinessNo != q.BusinessNo || p.PassphraseEnded {
				t.Errorf("the business at hand: %+v", g)
			}
		}
		if v := x.Verify(x.ch, x.card, otherPIN); v.Verdict != liuma.Right {
			t.Errorf("the new PIN: %+v", v)
		}
	}
}

// TestAPassphraseFromBeforeStaysRight: a card whose PIN was set before forms were kept
// is proved by the spelling of that time, and keeps it.
func TestAPassphraseFromBeforeStaysRight(t *testing.T) {
	const plain, wide = "lotus,kettle,window", "lotus，kettle，window"
	x, _ := newWords(t, false)
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionChange))
	x.want(x.renew(p, h, goodWords, plain), ceremony.StepDone, "")
	before := func(f pin.Form) {
		t.Helper()
		id := cardRow(t, x.Env, x.ch, x.card).ID
		x.edit(id, func(c *store.Card) { c.PINForm = f })
	}
	verify := func(secret string, want liuma.Verdict, form pin.Form) {
		t.Helper()
		if v := x.Verify(x.ch, x.card, secret); v.Verdict != want {
			t.Errorf("%s: %+v", secret, v)
		}
		if f := x.form(); f != form {
			t.Errorf("%s: form %d, want %d", secret, f, form)
		}
	}
	before(pin.FormEarlier)
	verify(wide, liuma.Wrong, pin.FormEarlier) // in NFC it is another text
	verify(plain, liuma.Right, pin.FormPassphrase)
	verify(wide, liuma.Right, pin.FormPassphrase)
	before(pin.FormPassphraseNFC)
	verify(wide, liuma.Wrong, pin.FormPassphraseNFC)
	verify(plain, liuma.Right, pin.FormPassphraseNFC)
	p, h = x.OpenPage(x.ch, x.push(liuma.ActionChange))
	x.want(x.renew(p, h, plain, goodWords), ceremony.StepDone, "")
	if f := x.form(); f != pin.FormPassphrase {
		t.Errorf("after a change: form %d", f)
	}
	before(pin.FormUnknown)
	verify(goodWords, liuma.Right, pin.FormPassphrase)
}
