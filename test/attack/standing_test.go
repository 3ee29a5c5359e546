package attack

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/store"
)

// TestKnownAttacksOnAFrozenCard: only PIN and one-time code together unfreeze
// it.
func TestKnownAttacksOnAFrozenCard(t *testing.T) {
	w := newWorld(t, false)
	w.freeze()
	before := w.look(w.People[1])
	unfreeze := func(c *party, card string) (request, *world) {
		return request{action: liuma.ActionUnfreeze, card: card, bn: c.w.number()}, w
	}
	t.Run("SIM alone", func(t *testing.T) {
		v := w.browser()
		q, _ := unfreeze(w.home, w.card)
		p := w.coded(w.do(w.opened(v, w.home, q), "agree"), w.who.Phone)
		if p.Pad() != "current" {
			t.Fatalf("at %q", p.Title())
		}
		for range 8 {
			if p = w.look1(v, ceremony(p)); p.Pad() == "" {
				break
			}
			w.typed(p, wrongPIN)
		}
		if n := w.look(w.People[1]).spent - before.spent; n > 6 {
			t.Errorf("%d guesses", n)
		}
	})
	w.Clock.Advance(25 * time.Hour)
	t.Run("PIN alone", func(t *testing.T) {
		spent := w.look(w.People[1]).spent
		v := w.browser()
		q, _ := unfreeze(w.home, w.card)
		p := w.do(w.do(w.opened(v, w.home, q), "agree"), "send-code")
		for _, form := range w.forged(w.home, q, ceremony(p), goodPIN) {
			w.post(v, ceremony(p), "pin", form)
		}
		// A one-time code for another act, in another browser.
		other := w.browser()
		w.post(other, ceremony(p), "code", values("code", w.LastCode(w.who.Phone)))
		if w.look(w.People[1]).spent != spent {
			t.Error("a frozen card was a place to guess at")
		}
	})
	t.Run("evidence", func(t *testing.T) {
		v := w.browser()
		q, _ := unfreeze(w.home, w.card)
		q = w.home.proved(q, w.who)
		p := w.do(w.opened(v, w.home, q), "agree")
		for _, form := range w.forged(w.home, q, ceremony(p), goodPIN) {
			w.post(v, ceremony(p), "pin", form)
		}
	})
	t.Run("a channel", func(t *testing.T) {
		for _, a := range []liuma.Action{liuma.ActionVerify, liuma.ActionChange} {
			v := w.browser()
			p := w.opened(v, w.home, request{action: a, card: w.card, bn: w.number()})
			for verb, form := range verbs() {
				w.post(v, ceremony(p), verb, form)
			}
		}
		if _, err := w.home.verify(w.card, goodPIN); err != nil && client.CodeOf(err) != "frozen" {
			t.Errorf("%v", err)
		}
	})
	if what := got(before, w.look(w.People[1])); what != "" {
		t.Fatalf("a thief %s", what)
	}
	w.outside(t, before)
}

// TestKnownAttacksWithTheCard, where its number counts for something.
func TestKnownAttacksWithTheCard(t *testing.T) {
	w := newWorld(t, true)
	before := w.look(w.People[1])
	t.Run("the card alone", func(t *testing.T) {
		v := w.browser()
		q := request{action: liuma.ActionReset, card: w.card, bn: w.number()}
		p := w.do(w.opened(v, w.home, q), "agree")
		w.post(v, ceremony(p), "card-number", values("card_no", w.who.CardNo))
		w.Clock.Advance(25 * time.Hour)
		w.force(v, w.home, q, ceremony(p))
		if w.ticks("reset_planned") != 0 {
			t.Error("a card alone plans a reset")
		}
	})
	t.Run("SIM and card, at once", func(t *testing.T) {
		for range 2 {
			v := w.browser()
			q, p := w.withSIM(v)
			p = w.do(p, "card-number", "card_no", w.who.CardNo)
			w.force(v, w.home, q, ceremony(p))
		}
		w.freeze() // the acts of the holder, who was notified
		if w.ticks("reset_planned") != 0 {
			t.Error("the plan outlives the freeze")
		}
	})
	t.Run("guessing the card's number", func(t *testing.T) {
		w := newWorld(t, true)
		v := w.browser()
		q, p := w.withSIM(v)
		for i := range 6 {
			w.post(v, ceremony(p), "card-number", values("card_no", fmt.Sprintf("A0000000%d", i)))
		}
		w.post(v, ceremony(p), "card-number", values("card_no", w.who.CardNo))
		w.force(v, w.home, q, ceremony(p))
		if n := w.ticks("card_no"); n != 3 {
			t.Errorf("%d numbers were judged, want 3", n)
		}
		if w.ticks("reset_planned") != 0 {
			t.Error("the fourth number planned a reset")
		}
	})
	t.Run("a lost card's number", func(t *testing.T) {
		w := newWorld(t, true)
		reg := w.party(store.Client{ID: "mohrss", Kind: store.ClientRegistry})
		_, err := reg.native.PhysicalStatus(context.Background(), client.PhysicalRequest{BusinessNo: w.number(), IDNumber: w.who.IDNumber, CardNo: w.who.CardNo, Event: "lost"})
		must(t, w, err)
		v := w.browser()
		q, p := w.withSIM(v)
		w.post(v, ceremony(p), "card-number", values("card_no", w.who.CardNo))
		w.Clock.Advance(25 * time.Hour)
		w.force(v, w.home, q, ceremony(p))
		if w.ticks("reset_planned") != 0 {
			t.Error("it plans a reset")
		}
	})
	t.Run("SIM and card, a day apart", func(t *testing.T) {
		// With two factors, and a notice that the holder did not read for a
		// day, it works. This shows that the refusals above depend on the
		// missing factor.
		w := newWorld(t, true)
		before := w.look(w.People[1])
		_, p := w.withSIM(w.browser())
		w.do(p, "card-number", "card_no", w.who.CardNo)
		w.Clock.Advance(25 * time.Hour)
		_, p = w.withSIM(w.browser())
		w.typed(w.do(p, "card-number", "card_no", w.who.CardNo), thiefPIN)
		if got(before, w.look(w.People[1])) != "set the PIN" {
			t.Error("not found")
		}
	})
	if what := got(before, w.look(w.People[1])); what != "" {
		t.Fatalf("a thief %s", what)
	}
}

// TestAThiefsAccountGetsAThiefsLink: a thief who saw the PIN links the card in
// the holder's own channel, from another account, at either door. The thief has
// a handle of their own and cannot change the PIN with the PIN alone; the holder
// is told, and goes on as before.
func TestAThiefsAccountGetsAThiefsLink(t *testing.T) {
	for _, door := range []string{"hosted", "native"} {
		t.Run(door, func(t *testing.T) {
			w := newWorld(t, false)
			w.Clock.Advance(80 * time.Hour)
			var stolen string
			if door == "hosted" {
				stolen = w.link(w.home, w.who, goodPIN)
			} else {
				stolen = w.nativeLink(w.home, goodPIN)
			}
			if stolen == w.card {
				t.Fatal("the thief has the holder's handle")
			}
			if got := w.Notices(w.who.Phone); got[len(got)-1] != "channel_linked" {
				t.Errorf("notices: %v", got)
			}
			before := w.look(w.People[1])
			v, err := w.home.change(stolen, goodPIN, thiefPIN, "", w.home.challenge())
			if client.CodeOf(err) != "evidence_required" {
				t.Errorf("the thief's change: %+v, %v", v, err)
			}
			q := request{action: liuma.ActionChange, card: stolen, bn: w.number()}
			p := w.opened(w.browser(), w.home, q)
			if p.Pad() != "" {
				w.typed(p, goodPIN, thiefPIN)
			}
			if what := got(before, w.look(w.People[1])); what != "" {
				t.Fatalf("a thief %s", what)
			}
			if v, err := w.home.change(w.card, goodPIN, "385027", "", w.home.challenge()); err != nil || !v.Right() {
				t.Errorf("the holder's change: %+v, %v", v, err)
			}
		})
	}
}

// nativeLink links the holder's card at the native door, from one more account.
func (w *world) nativeLink(c *party, secret string) string {
	w.t.Helper()
	v, err := w.tryLink(c, secret)
	if must(w.t, v, err); v.Card == "" {
		w.t.Fatalf("link: %+v", v)
	}
	return v.Card
}

func (w *world) tryLink(c *party, secret string) (*client.Verification, error) {
	w.t.Helper()
	ch := c.challenge()
	d := client.DeviceRequest{Channel: c.ID, Action: client.Link, Subject: client.Subject{IDNumber: w.who.IDNumber, Name: w.who.Name},
		BusinessNo: w.number(), Purpose: purpose, Challenge: ch}
	e, err := d.SealPIN([]byte(secret))
	must(w.t, e, err)
	return c.native.Link(context.Background(), client.LinkRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: e})
}

// TestNameAndNumberLockNobodyOut: whoever knows name and ID number, both public,
// sends wrong PINs by link for ten days. Four a day are counted and thirty in
// all, each gets the one refusal, and the holder goes on all the time.
func TestNameAndNumberLockNobodyOut(t *testing.T) {
	w := newWorld(t, false)
	shady := w.channel("shady")
	before := w.look(w.People[1]).spent
	for day := range 10 {
		for n := range 10 {
			v, err := w.tryLink(shady, wrongPIN)
			if client.CodeOf(err) != "refused" {
				t.Fatalf("day %d, %d: %+v, %v", day, n, v, err)
			}
		}
		if v, err := w.home.verify(w.card, goodPIN); err != nil || !v.Right() {
			t.Fatalf("day %d: the holder: %+v, %v", day, v, err)
		}
		w.Clock.Advance(25 * time.Hour)
	}
	if n := w.look(w.People[1]).spent - before; n != 30+10 {
		t.Errorf("%d guesses were counted, want 30 and the holder's 10", n)
	}
}

// TestWhoBoundAPhoneIsStoppedByTheOldOne: a thief with PIN, face and session
// binds another phone and gets nothing more for three days. In this time the
// freeze code sent to the old number freezes the card, and the new phone cannot
// unfreeze it.
func TestWhoBoundAPhoneIsStoppedByTheOldOne(t *testing.T) {
	w := newWorld(t, false)
	v := w.browser()
	q := request{action: liuma.ActionRebind, card: w.card, bn: w.number()}
	p := w.typed(w.do(w.opened(v, w.home, q), "agree"), goodPIN)
	q.challenge = w.proof(p)
	q.evidence = w.Evidence(w.who, q.challenge)
	p = w.do(w.do(w.enter(v, w.home.pushed(q)), "phone", "phone", thiefNumber), "send-code")
	w.do(p, "code", "code", w.LastCode(thiefNumber))
	before := w.look(w.People[1])

	reset := w.home.proved(request{action: liuma.ActionReset, card: w.card, bn: w.number()}, w.who)
	p = w.do(w.opened(v, w.home, reset), "agree")
	if p.Has("send-code") || p.Pad() != "" {
		t.Error("a phone that was bound just now resets a PIN")
	}
	for _, verb := range []string{"send-code", "code", "forgot"} {
		w.post(v, ceremony(p), verb, verbs()[verb])
	}
	w.force(v, w.home, reset, ceremony(p))

	texts := w.Inbox.Texts(w.who.Phone)
	freeze := texts[len(texts)-1].Params["freeze"]
	if _, err := w.browser().Post(context.Background(), hosted+"/freeze", values("code", freeze)); err != nil || w.watch.standing(w.seen) != "frozen" {
		t.Fatalf("the old number's code %q did not freeze: %v", freeze, err)
	}
	frozen := w.look(w.People[1])
	thaw := func(after time.Duration) {
		t.Helper()
		w.Clock.Advance(after)
		q := w.home.proved(request{action: liuma.ActionUnfreeze, card: w.card, bn: w.number()}, w.who)
		p := w.do(w.opened(v, w.home, q), "agree")
		w.post(v, ceremony(p), "send-code", nil)
		w.post(v, ceremony(p), "code", values("code", w.LastCode(thiefNumber)))
		for _, form := range w.forged(w.home, q, ceremony(p), goodPIN) {
			w.post(v, ceremony(p), "pin", form)
		}
	}
	thaw(time.Minute)
	thaw(80 * time.Hour)
	if what := got(before, w.look(w.People[1])) + got(frozen, w.look(w.People[1])); what != "" {
		t.Errorf("the thief %s", what)
	}
}

// TestKnownAttacksOnALostCard: with the physical card lost, a PIN alone is
// nothing at any door.
func TestKnownAttacksOnALostCard(t *testing.T) {
	w := newWorld(t, false)
	own := w.link(w.shady, w.who, goodPIN)
	w.Clock.Advance(80 * time.Hour)
	reg := w.party(store.Client{ID: "mohrss", Kind: store.ClientRegistry})
	_, err := reg.native.PhysicalStatus(context.Background(), client.PhysicalRequest{BusinessNo: w.number(), IDNumber: w.who.IDNumber, CardNo: w.who.CardNo, Event: "lost"})
	must(t, w, err)
	before := w.look(w.People[1])
	if v, err := w.shady.verify(own, goodPIN); err == nil && v.Right() {
		t.Error("verified by PIN alone")
	}
	if v, err := w.shady.change(own, goodPIN, thiefPIN, "", w.shady.challenge()); err == nil && v.Right() {
		t.Error("changed by PIN alone")
	}
	ch := w.shady.challenge()
	if v, err := w.shady.change(own, goodPIN, thiefPIN, w.Evidence(w.thief, ch.Value), ch); err == nil && v.Right() {
		t.Error("changed by PIN and somebody else's face")
	}
	w.typed(w.opened(w.browser(), w.shady, request{action: liuma.ActionChange, card: own, bn: w.number()}), goodPIN, thiefPIN)
	q := request{action: liuma.ActionVerify, card: own, bn: w.number()}
	w.typed(w.opened(w.browser(), w.shady, q), goodPIN)
	if v, err := w.shady.native.Verification(context.Background(), q.bn); err == nil && v.Right() {
		t.Error("verified at the hosted door by PIN alone")
	}
	other := w.channel("other-app")
	q = request{action: liuma.ActionLink, about: &w.who, bn: w.number()}
	w.typed(w.do(w.opened(w.browser(), other, q), "agree"), goodPIN)
	if v, err := other.native.Verification(context.Background(), q.bn); err == nil && v.Right() {
		t.Error("linked by PIN alone")
	}
	if _, err := w.shady.native.PhysicalStatus(context.Background(), client.PhysicalRequest{BusinessNo: w.number(), IDNumber: w.who.IDNumber, CardNo: w.who.CardNo, Event: "found"}); err == nil {
		t.Error("a channel found the card")
	}
	if what := got(before, w.look(w.People[1])); what != "" {
		t.Errorf("the thief %s", what)
	}
	if got := w.watch.standing(w.seen); got != "suspended" {
		t.Errorf("the card is %s", got)
	}
}
