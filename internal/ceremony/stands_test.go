package ceremony_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// place is a step of an act that a holder has come to.
type place struct {
	act  liuma.Action
	step ceremony.Step
	come func(x *phoned) (ceremony.Push, ceremony.Page, ceremony.Hand)
}

// places are all steps of all acts at which something of the card is still to be
// asked for.
func places() []place {
	opened := func(a liuma.Action) func(x *phoned) (ceremony.Push, ceremony.Page, ceremony.Hand) {
		return func(x *phoned) (ceremony.Push, ceremony.Page, ceremony.Hand) {
			q := x.push(a)
			if a == liuma.ActionEnroll {
				who := x.People[3]
				q = x.PushFor(x.ch, a, testkit.Subject(who), &who)
			}
			p, h := x.OpenPage(x.ch, q)
			return q, p, h
		}
	}
	then := func(before func(x *phoned) (ceremony.Push, ceremony.Page, ceremony.Hand),
		step func(x *phoned, q ceremony.Push, p ceremony.Page, h ceremony.Hand) (ceremony.Page, ceremony.Hand)) func(x *phoned) (ceremony.Push, ceremony.Page, ceremony.Hand) {
		return func(x *phoned) (ceremony.Push, ceremony.Page, ceremony.Hand) {
			q, p, h := before(x)
			p, h = step(x, q, p, h)
			return q, p, h
		}
	}
	agree := func(x *phoned, _ ceremony.Push, p ceremony.Page, h ceremony.Hand) (ceremony.Page, ceremony.Hand) {
		p, err := x.Authority().Agree(x.T.Context(), p.ID, h)
		if err != nil {
			x.T.Fatal(err)
		}
		return p, h
	}
	forgot := func(x *phoned, _ ceremony.Push, p ceremony.Page, h ceremony.Hand) (ceremony.Page, ceremony.Hand) {
		p, err := x.Authority().Forgot(x.T.Context(), p.ID, h)
		if err != nil {
			x.T.Fatal(err)
		}
		return p, h
	}
	code := func(x *phoned, _ ceremony.Push, p ceremony.Page, h ceremony.Hand) (ceremony.Page, ceremony.Hand) {
		who := x.who
		if p.Action == liuma.ActionEnroll {
			who = x.People[3]
		}
		return x.Code(p, h, who.Phone), h
	}
	evidence := func(x *phoned, q ceremony.Push, p ceremony.Page, h ceremony.Hand) (ceremony.Page, ceremony.Hand) {
		return x.WithEvidence(x.ch, q, x.who, p, h, h)
	}
	pin := func(x *phoned, _ ceremony.Push, p ceremony.Page, h ceremony.Hand) (ceremony.Page, ceremony.Hand) {
		return x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), h
	}
	phone := func(x *phoned, _ ceremony.Push, p ceremony.Page, h ceremony.Hand) (ceremony.Page, ceremony.Hand) {
		p, err := x.Authority().GivePhone(x.T.Context(), p.ID, h, "13900139000")
		if err != nil {
			x.T.Fatal(err)
		}
		return p, h
	}
	var all []place
	add := func(a liuma.Action, s ceremony.Step, come func(x *phoned) (ceremony.Push, ceremony.Page, ceremony.Hand)) {
		all = append(all, place{a, s, come})
	}
	at := opened(liuma.ActionEnroll)
	add(liuma.ActionEnroll, ceremony.StepConfirm, at)
	at = then(at, agree)
	add(liuma.ActionEnroll, ceremony.StepCode, at)
	add(liuma.ActionEnroll, ceremony.StepPIN, then(at, code))
	add(liuma.ActionVerify, ceremony.StepPIN, opened(liuma.ActionVerify))
	add(liuma.ActionChange, ceremony.StepPIN, opened(liuma.ActionChange))
	for _, a := range []liuma.Action{liuma.ActionReset, liuma.ActionVerify, liuma.ActionChange} {
		at = opened(a)
		turn := forgot
		if a == liuma.ActionReset {
			add(a, ceremony.StepConfirm, at)
			turn = agree
		}
		at = then(at, turn)
		add(a, ceremony.StepCode, at)
		at = then(at, code)
		add(a, ceremony.StepEvidence, at)
		add(a, ceremony.StepPIN, then(at, evidence))
	}
	at = opened(liuma.ActionRebind)
	add(liuma.ActionRebind, ceremony.StepConfirm, at)
	at = then(at, agree)
	add(liuma.ActionRebind, ceremony.StepPIN, at)
	at = then(at, pin)
	add(liuma.ActionRebind, ceremony.StepEvidence, at)
	at = then(at, evidence)
	add(liuma.ActionRebind, ceremony.StepPhone, at)
	add(liuma.ActionRebind, ceremony.StepCode, then(at, phone))
	return all
}

// TestACardThatStopsEndsTheCeremony walks every act to each of its steps, stops
// the card, the link or the channel there, and goes one step on: the ceremony ends
// with the reason, nobody is sent for evidence, and the channel reads the same.
func TestACardThatStopsEndsTheCeremony(t *testing.T) {
	for _, at := range places() {
		t.Run(string(at.act)+"/"+string(at.step), func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
			var card store.Card
			if at.act != liuma.ActionEnroll { // else TestASecondApplicationEnds
				card = cardRow(t, x.Env, x.ch, x.card)
				x.stopsAt(at, liuma.CodeFrozen, func() { x.freeze() })
				tamper(t, x.Env, func(tx store.Tx) error {
					now, err := tx.Card(card.ID)
					now.Frozen = false
					return errors.Join(err, tx.UpdateCard(now))
				})
				link := x.link(x.card)
				x.stopsAt(at, liuma.CodeRefused, func() {
					if err := x.Authority().Unlink(t.Context(), x.ch, x.card); err != nil {
						t.Fatal(err)
					}
				})
				tamper(t, x.Env, func(tx store.Tx) error { return tx.PutLink(link) })
			}
			x.stopsAt(at, liuma.CodeForbidden, func() { x.client(stopped) })
			x.client(func(c *store.Client) { c.Stopped = false })
			if at.act != liuma.ActionEnroll {
				x.stopsAt(at, liuma.CodeCancelled, func() { physically(x, authority.PhysicalCancelled) })
			}
		})
	}
}

// stopsAt comes to a place on another day, has something happen there, and wants
// the ceremony to end for it.
func (x *phoned) stopsAt(at place, code liuma.Code, happens func()) {
	x.T.Helper()
	x.Clock.Advance(25 * time.Hour) // rations of codes begin anew
	q, p, h := at.come(x)
	x.want(p, at.step, p.Code)
	happens()
	x.stopsHere(q, p, h, code)
}

// stopsHere goes on from a step and wants the ceremony to end: where the holder
// would be sent for evidence, by the way to the channel itself.
func (x *phoned) stopsHere(q ceremony.Push, p ceremony.Page, h ceremony.Hand, code liuma.Code) {
	x.T.Helper()
	if p.Step == ceremony.StepEvidence {
		if way, err := x.Authority().WayBack(x.T.Context(), p.ID, h); err == nil && strings.Contains(way.URL, "challenge=") {
			x.T.Errorf("sent for evidence in vain: %s", way.URL)
		}
	}
	now, err := x.Authority().Extend(x.T.Context(), p.ID, h)
	if liuma.CodeOf(err) == liuma.CodeCeremonyMoved { // it ended on the way back
		now, err = x.Authority().Look(x.T.Context(), p.ID, h)
	}
	if err != nil {
		x.T.Fatal(err)
	}
	if now.Step != ceremony.StepRefused || now.Code != code || now.AAD != nil {
		x.T.Errorf("page: step %s, code %q, want refused, %q", now.Step, now.Code, code)
	}
	if code == liuma.CodeForbidden {
		return // a stopped channel asks nothing
	}
	back := x.WayBack(now, h)
	if back.Get("error") != "access_denied" || back.Get("error_description") != string(code) || back.Get("challenge") != "" {
		x.T.Errorf("way back: %v", back)
	}
	v, err := x.Authority().Verification(x.T.Context(), x.ch, q.BusinessNo)
	if err != nil || v.Code != code || v.State == authority.StatePending {
		x.T.Errorf("the channel reads %+v, %v", v, err)
	}
}

// TestASecondApplicationEnds: with the first one done meanwhile, each step of
// another says that there is a card, before a code is sent.
func TestASecondApplicationEnds(t *testing.T) {
	for _, at := range places() {
		if at.act != liuma.ActionEnroll {
			continue
		}
		t.Run(string(at.step), func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
			q, p, h := at.come(x)
			x.Clock.Advance(2 * time.Minute)
			x.EnrollPhone(x.Channel("national"), x.People[3], goodPIN)
			x.stopsHere(q, p, h, liuma.CodeAlreadyEnrolled)
		})
	}
}

// TestWithoutAProviderNobodyIsSentToOne: a reset and a rebind end before the code
// and before the PIN, and the locked page promises no reset.
func TestWithoutAProviderNobodyIsSentToOne(t *testing.T) {
	for _, at := range places() {
		if at.act == liuma.ActionEnroll || at.step == ceremony.StepPIN || at.step == ceremony.StepPhone || at.act == liuma.ActionRebind && at.step == ceremony.StepCode {
			continue // evidence is there, or is not asked for
		}
		t.Run(string(at.act)+"/"+string(at.step), func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
			q, p, h := at.come(x)
			x.noProvider()
			if at.act == p.Action {
				x.stopsHere(q, p, h, liuma.CodeOnlineOff)
				return
			}
			now, err := x.Authority().Extend(t.Context(), p.ID, h)
			if err != nil {
				t.Fatal(err)
			}
			x.want(now, ceremony.StepPIN, "") // the pad that the holder turned away from
			if now.ResetRefused != liuma.CodeOnlineOff {
				t.Errorf("the pad promises a reset: %+v", now)
			}
		})
	}
}

func (x *phoned) noProvider() {
	x.T.Helper()
	tamper(x.T.(*testing.T), x.Env, func(tx store.Tx) error {
		all, err := tx.Clients()
		for _, c := range all {
			if c.Kind == store.ClientProvider && err == nil {
				c.Stopped = true
				err = tx.UpdateClient(c)
			}
		}
		return err
	})
}

// TestTheLockedPagePromisesOnlyWhatCanBe: "unlock at once" stands where a reset
// can be made now, and else why not and until when.
func TestTheLockedPagePromisesOnlyWhatCanBe(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(x *phoned)
		want    liuma.Code
		until   bool
	}{
		"all there":    {func(*phoned) {}, "", false},
		"no provider":  {(*phoned).noProvider, liuma.CodeOnlineOff, false},
		"phone is new": {func(x *phoned) { x.rebindTo("13900139000") }, liuma.CodePhoneLate, true},
		"too many wrong codes": {func(x *phoned) {
			p, h := x.agreed(x.push(liuma.ActionReset))
			x.Clock.Advance(time.Minute)
			p = x.send(p, h)
			for n := range 5 {
				p = x.give(p, h, not(x.LastCode(x.who.Phone), n))
			}
		}, liuma.CodePhoneCodesSpent, true},
	} {
		t.Run(name, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
			c.happens(x)
			x.lock()
			p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
			x.want(p, ceremony.StepRefused, liuma.CodeLocked)
			if p.ResetRefused != c.want || p.ResetRefusedUntil.IsZero() == c.until {
				t.Errorf("the page says %q until %v, want %q", p.ResetRefused, p.ResetRefusedUntil, c.want)
			}
			p, err := x.Authority().Forgot(t.Context(), p.ID, h)
			if err != nil {
				t.Fatal(err)
			}
			if turned := p.Step == ceremony.StepCode; turned != (c.want == "") {
				t.Errorf("after forgot: %s, %q", p.Step, p.ResetRefused)
			}
		})
	}
}

// TestEvidenceThatCannotHelpIsNotAskedFor: a verify that came to ask for evidence
// ends instead, once no evidence would help.
func TestEvidenceThatCannotHelpIsNotAskedFor(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	physically(x, authority.PhysicalLost)
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepRefused, liuma.CodeEvidenceRequired)
	if back := x.WayBack(p, h); back.Get("challenge") == "" {
		t.Fatalf("a lost card comes with evidence: %v", back)
	}
	x.freeze()
	back := x.WayBack(p, h)
	if back.Get("challenge") != "" || back.Get("error_description") != string(liuma.CodeFrozen) {
		t.Errorf("sent for evidence in vain: %v", back)
	}
	if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.Code != liuma.CodeFrozen {
		t.Errorf("the channel reads %+v, %v", v, err)
	}
}

// TestASecondApplicationIsToldBeforeTheCamera where the channel is linked to the
// card, at both doors; any other channel is asked for evidence first, as for
// everybody.
func TestASecondApplicationIsToldBeforeTheCamera(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	other := x.Channel("national")
	stranger := x.who
	stranger.Name = x.People[3].Name
	for name, c := range map[string]struct {
		at   authority.Caller
		who  registry.Facts
		want liuma.Code
	}{
		"linked":        {x.ch, x.who, liuma.CodeAlreadyEnrolled},
		"another name":  {x.ch, stranger, liuma.CodeEvidenceRequired},
		"another one":   {x.ch, x.People[3], liuma.CodeEvidenceRequired},
		"not linked":    {other, x.who, liuma.CodeEvidenceRequired},
		"no card there": {other, x.People[3], liuma.CodeEvidenceRequired},
	} {
		_, err := x.Authority().Push(t.Context(), c.at, x.PushFor(c.at, liuma.ActionEnroll, testkit.Subject(c.who), nil))
		if liuma.CodeOf(err) != c.want {
			t.Errorf("%s, hosted: %v, want %s", name, err, c.want)
		}
		q := authority.Request{BusinessNo: x.BusinessNo(), Subject: testkit.Subject(c.who), Challenge: x.Challenge(c.at).Value}
		if _, err := x.Authority().Enroll(t.Context(), c.at, q); liuma.CodeOf(err) != c.want {
			t.Errorf("%s, native: %v, want %s", name, err, c.want)
		}
	}
}
