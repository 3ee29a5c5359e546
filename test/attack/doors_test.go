package attack

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// seal seals a PIN for a try of a ceremony as its pad does. The format is
// public, so a thief can do it without a pad.
func (c *party) seal(q request, id string, try int, role liuma.Role, secret string) string {
	c.w.t.Helper()
	ch := c.challenge()
	key, err := base64.RawURLEncoding.DecodeString(ch.SealKey.Public)
	must(c.w.t, key, err)
	e, err := envelope.Seal(key, envelope.Binding{Channel: liuma.ChannelID(c.ID), Action: q.action, Role: role,
		Subject: envelope.Subject{Card: "ceremony:" + id}, BusinessNo: liuma.BusinessNo(fmt.Sprintf("%s#%d", q.bn, try)),
		PurposeHash: envelope.PurposeHash(purpose), SealKeyID: ch.SealKey.ID, Challenge: fmt.Sprintf("%s:%d", id, try)}, []byte(secret))
	must(c.w.t, e, err)
	raw, err := json.Marshal(e)
	return string(must(c.w.t, raw, err))
}

// ticks counts the events of a kind on the holder within a day.
func (w *world) ticks(kind string) int {
	w.t.Helper()
	n := 0
	err := w.System.Store.View(context.Background(), func(r store.Reader) error {
		card, err := r.CardByHolder(w.System.Vault.Index("id-number", w.who.IDNumber))
		if err != nil {
			return err
		}
		all, err := r.CardTicks(card.ID, kind, w.Clock.Now().Add(-24*time.Hour))
		n = len(all)
		return err
	})
	must(w.t, n, err)
	return n
}

// TestForgedPadsAreGood: the forms that the attacks forge equal the pad's, so
// that they are refused only for the ceremony's state.
func TestForgedPadsAreGood(t *testing.T) {
	w := newWorld(t, false)
	v := w.browser()
	mine := w.ownCard()
	q, p := w.ownReset(v, mine)
	w.post(v, ceremony(p), "pin", w.forged(w.shady, q, ceremony(p), thiefPIN)[0])
	if got, err := w.shady.verify(mine, thiefPIN); err != nil || !got.Right() {
		t.Errorf("%+v, %v", got, err)
	}
}

// onSteps: steps left out, out of order, twice.
func onSteps() []known {
	return []known{
		{"straight to the pad's address", func(t *testing.T, w *world) {
			unborn := w.People[1]
			for _, q := range []request{
				{action: liuma.ActionReset, card: w.card}, {action: liuma.ActionUnfreeze, card: w.card}, {action: liuma.ActionRebind, card: w.card},
				w.home.proved(request{action: liuma.ActionReset, card: w.card}, w.who),
				w.home.proved(request{action: liuma.ActionEnroll, about: &unborn}, unborn),
			} {
				q.bn = w.number()
				v := w.browser()
				p := w.opened(v, w.home, q)
				w.force(v, w.home, q, ceremony(p))
				w.post(v, ceremony(p), "agree", nil)
				if q.action != liuma.ActionRebind { // whose pad it is
					w.force(v, w.home, q, ceremony(p))
				}
			}
		}},
		{"steps in any order", func(t *testing.T, w *world) {
			v := w.browser()
			q := request{action: liuma.ActionReset, card: w.card, bn: w.number()}
			p := w.opened(v, w.home, q)
			all := func() {
				for verb, form := range verbs() {
					if verb != "code" || form.Get("code") == "000000" && w.ticks("code_wrong") < 4 {
						w.post(v, ceremony(p), verb, form)
					}
				}
			}
			all()
			all()
			w.Clock.Advance(time.Minute)
			w.post(v, ceremony(p), "send-code", nil)
			w.post(v, ceremony(p), "code", values("code", w.LastCode(w.who.Phone)))
			all()
			w.force(v, w.home, q, ceremony(p))
		}},
		{"every step of somebody who is only in the channel", func(t *testing.T, w *world) {
			for _, a := range []liuma.Action{liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze, liuma.ActionChange, liuma.ActionVerify} {
				v := w.browser()
				q := request{action: a, card: w.card, bn: w.number()}
				p := w.opened(v, w.home, q)
				for _, verb := range []string{"agree", "forgot", "send-code", "code", "phone", "remember", "card-number"} {
					w.post(v, ceremony(p), verb, verbs()[verb])
					if w.look1(v, ceremony(p)).Pad() != "" {
						continue // the page expects a try
					}
					w.force(v, w.home, q, ceremony(p))
					reset := q
					reset.action = liuma.ActionReset // as which it goes on after forgot
					w.force(v, w.home, reset, ceremony(p))
				}
			}
		}},
		{"one try posted many times at once", func(t *testing.T, w *world) {
			v := w.browser()
			p := w.opened(v, w.home, request{action: liuma.ActionVerify, card: w.card, bn: w.number()})
			sealed, err := p.Seal(wrongPIN)
			must(t, sealed, err)
			before := w.look(w.People[1]).spent
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() { _, _ = v.Post(context.Background(), at(p, "pin"), sealed) })
			}
			wg.Wait()
			if n := w.look(w.People[1]).spent - before; n != 1 {
				t.Errorf("%d guesses of one try", n)
			}
		}},
		{"six tries at once, in as many ceremonies", func(t *testing.T, w *world) {
			before := w.look(w.People[1]).spent
			var all []func() // opened before the first of them locks the PIN
			for range 9 {
				v := w.browser()
				p := w.opened(v, w.home, request{action: liuma.ActionVerify, card: w.card, bn: w.number()})
				sealed, err := p.Seal(wrongPIN)
				must(t, sealed, err)
				all = append(all, func() { _, _ = v.Post(context.Background(), at(p, "pin"), sealed) })
			}
			var wg sync.WaitGroup
			for _, post := range all {
				wg.Go(post)
			}
			wg.Wait()
			if n := w.look(w.People[1]).spent - before; n > 6 {
				t.Errorf("%d guesses", n)
			}
		}},
		{"one right code posted many times at once", func(t *testing.T, w *world) {
			v := w.browser()
			q := request{action: liuma.ActionReset, card: w.card, bn: w.number()}
			p := w.do(w.do(w.opened(v, w.home, q), "agree"), "send-code")
			code := w.LastCode(w.who.Phone)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() { _, _ = v.Post(context.Background(), at(p, "code"), values("code", code)) })
			}
			wg.Wait()
			w.force(v, w.home, q, ceremony(p))
		}},
	}
}

// sub is what receipts call the holder's card in a channel.
func (w *world) sub(c *party) (sub string) {
	w.t.Helper()
	err := w.System.Store.View(context.Background(), func(r store.Reader) error {
		card, err := r.CardByHolder(w.System.Vault.Index("id-number", w.who.IDNumber))
		sub = w.System.Vault.Handle(liuma.ChannelID(c.ID), card.ID)
		return err
	})
	return must(w.t, sub, err)
}

// onDoors: the back channel, the native door, the hotline.
func onDoors() []known {
	return []known{
		{"one business number with something else", func(t *testing.T, w *world) {
			q := request{action: liuma.ActionVerify, card: w.card, bn: w.number()}
			v := w.browser()
			p := w.opened(v, w.home, q)
			for _, other := range []request{
				{action: liuma.ActionReset, card: w.card}, {action: liuma.ActionVerify, card: w.seen}, {action: liuma.ActionLink, about: &w.who},
				w.home.proved(request{action: liuma.ActionReset, card: w.card}, w.who),
			} {
				other.bn = q.bn
				_, no := w.home.push(other)
				wantRefused(t, no, "business_no_used")
			}
			if w.look1(v, ceremony(p)).Pad() != "current" {
				t.Error("the ceremony is not what it was")
			}
			if _, err := w.home.native.Freeze(context.Background(), client.FreezeRequest{BusinessNo: q.bn, Subject: client.Subject{Card: w.card}}); client.CodeOf(err) != "business_no_used" {
				t.Errorf("the native door took the number: %v", err)
			}
		}},
		{"a reset by what is public", func(t *testing.T, w *world) {
			for _, a := range []liuma.Action{liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze, liuma.ActionChange} {
				_, no := w.home.push(request{action: a, about: &w.who, bn: w.number()})
				if no == nil {
					t.Errorf("%s by ID number was pushed", a)
				}
			}
		}},
		{"a handle of another channel, a sub, an ended link", func(t *testing.T, w *world) {
			for _, a := range []liuma.Action{liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze, liuma.ActionChange, liuma.ActionVerify} {
				_, no := w.shady.push(w.shady.proved(request{action: a, card: w.card, bn: w.number()}, w.who))
				wantRefused(t, no, "evidence_invalid")
				_, no = w.shady.push(request{action: a, card: w.card, bn: w.number()})
				wantRefused(t, no, "refused")
				_, no = w.home.push(request{action: a, card: w.sub(w.home), bn: w.number()})
				wantRefused(t, no, "refused")
			}
			ended := w.link(w.shady, w.who, goodPIN)
			v := w.browser()
			q := request{action: liuma.ActionReset, card: ended, bn: w.number()}
			p := w.opened(v, w.shady, q)
			if err := w.shady.native.Unlink(context.Background(), ended); err != nil {
				t.Fatal(err)
			}
			for _, verb := range []string{"agree", "forgot", "send-code", "freeze"} {
				w.post(v, ceremony(p), verb, nil)
			}
			w.force(v, w.shady, q, ceremony(p))
			if w.ticks("code_sent") != 0 || w.watch.standing(w.seen) != "active" {
				t.Error("a code was sent, or the card was frozen, for a stranger")
			}
		}},
		{"a hosted challenge at the native door, and the reverse", func(t *testing.T, w *world) {
			v := w.browser()
			q, p := w.withSIM(v)
			id, challenge := ceremony(p), w.proof(p)
			ch := w.shady.challenge() // for its seal key
			ch.Value = challenge
			if _, err := w.shady.change(w.card, wrongPIN, thiefPIN, w.Evidence(w.who, challenge), ch); err == nil {
				t.Error("another channel used the challenge")
			}
			for _, made := range []string{id + ":1", challenge + "x"} {
				ch.Value = made
				if _, err := w.home.change(w.card, goodPIN, thiefPIN, "", ch); err == nil {
					t.Errorf("changed by challenge %q", made)
				}
			}
			// Sealed for the native door, posted at the hosted one.
			d := client.DeviceRequest{Channel: w.home.ID, Action: client.Enroll, Subject: client.Subject{Card: w.card}, BusinessNo: q.bn, Purpose: purpose, Challenge: w.home.challenge()}
			e, err := d.SealPIN([]byte(thiefPIN))
			must(t, e, err)
			raw, err := json.Marshal(e)
			must(t, raw, err)
			w.post(v, id, "pin", url.Values{"try": {"1"}, "new_pin": {string(raw)}})
		}},
		{"a channel's key at the native door", func(t *testing.T, w *world) {
			ctx, c := context.Background(), w.home
			if v, err := c.change(w.card, wrongPIN, thiefPIN, "", c.challenge()); err == nil && v.Right() {
				t.Error("changed without the PIN")
			}
			for _, f := range []registry.Facts{w.who, w.People[1]} {
				ch := c.challenge()
				d := client.DeviceRequest{Channel: c.ID, Action: client.Enroll, Subject: client.Subject{IDNumber: f.IDNumber, Name: f.Name, Phone: f.Phone},
					BusinessNo: w.number(), Purpose: purpose, Challenge: ch}
				e, err := d.SealPIN([]byte(thiefPIN))
				must(t, e, err)
				for _, evidence := range []string{"", w.Evidence(w.thief, ch.Value), w.Evidence(f, w.shady.challenge().Value)} {
					if _, err := c.native.Enroll(ctx, client.EnrollRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose,
						Challenge: ch.Value, Evidence: evidence, NewPIN: e}); err == nil {
						t.Error("enrolled without evidence")
					}
				}
			}
			if _, err := c.native.PhysicalStatus(ctx, client.PhysicalRequest{BusinessNo: w.number(), IDNumber: w.who.IDNumber, CardNo: w.who.CardNo, Event: "found"}); err == nil {
				t.Error("a channel speaks for the registry")
			}
			if _, err := c.native.HotlineFreeze(ctx, client.HotlineFreezeRequest{BusinessNo: w.number(), IDNumber: w.who.IDNumber}); err == nil {
				t.Error("a channel freezes as the hotline does")
			}
		}},
		{"a hotline", func(t *testing.T, w *world) {
			desk := w.party(store.Client{ID: "desk", Kind: store.ClientHotline})
			ctx := context.Background()
			for _, a := range liuma.Actions() {
				if _, no := desk.push(request{action: a, card: w.card, bn: w.number()}); no == nil {
					t.Errorf("pushed %s", a)
				}
			}
			if _, err := desk.native.Challenge(ctx); err == nil {
				t.Error("has a challenge")
			}
			if _, err := desk.native.Card(ctx, w.card); err == nil {
				t.Error("sees a card")
			}
			ch := w.home.challenge()
			if _, err := desk.change(w.card, goodPIN, thiefPIN, "", ch); err == nil {
				t.Error("changes a PIN")
			}
			if _, err := desk.native.PhysicalStatus(ctx, client.PhysicalRequest{BusinessNo: w.number(), IDNumber: w.who.IDNumber, CardNo: w.who.CardNo, Event: "found"}); err == nil {
				t.Error("speaks for the registry")
			}
		}},
		{"a link by a seen PIN, then a change", func(t *testing.T, w *world) {
			own := w.link(w.shady, w.who, goodPIN)
			if _, err := w.shady.change(own, goodPIN, thiefPIN, "", w.shady.challenge()); client.CodeOf(err) != "evidence_required" {
				t.Errorf("a new link's change: %v", err)
			}
			ch := w.shady.challenge()
			if _, err := w.shady.change(own, goodPIN, thiefPIN, w.Evidence(w.thief, ch.Value), ch); client.CodeOf(err) != "evidence_invalid" {
				t.Errorf("with somebody else's face: %v", err)
			}
			w.typed(w.opened(w.browser(), w.shady, request{action: liuma.ActionChange, card: own, bn: w.number()}), goodPIN, thiefPIN)
			// With the holder's own channel the PIN would be two things already.
			for _, a := range []liuma.Action{liuma.ActionReset, liuma.ActionRebind} {
				v := w.browser()
				q := request{action: a, card: own, bn: w.number()}
				p := w.do(w.opened(v, w.shady, q), "agree")
				if a == liuma.ActionRebind {
					p = w.typed(p, goodPIN)
				}
				for _, verb := range []string{"phone", "send-code", "code"} {
					w.post(v, ceremony(p), verb, verbs()[verb])
				}
				w.force(v, w.shady, q, ceremony(p))
			}
		}},
	}
}
