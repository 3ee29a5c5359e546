package attack

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// course is one ceremony of the holder's, each of whose steps is beset: sent by
// another browser first, with later steps sent before it, sent four times at
// once, and with all that went before sent again after it.
type course struct {
	*world
	v     *visitor.Visitor
	q     request
	id    string
	past  []post
	first state
	spent uint64 // guesses that the holder made
}

// post is a step as the browser sent it.
type post struct {
	verb string
	form url.Values
}

func (w *world) course(a liuma.Action) *course {
	w.t.Helper()
	c := &course{world: w, v: w.browser(), q: request{action: a, card: w.card, bn: w.number()}, first: w.look(w.People[1])}
	c.id = ceremony(w.opened(c.v, w.home, c.q))
	return c
}

// still checks that nothing has changed, and that only the holder made guesses.
func (c *course) still(when string) {
	c.t.Helper()
	now := c.look(c.People[1])
	if what := got(c.first, now); what != "" {
		c.t.Fatalf("%s: somebody %s", when, what)
	}
	if n := now.spent - c.first.spent; n != c.spent {
		c.t.Fatalf("%s: %d guesses, want %d", when, n, c.spent)
	}
	if n := c.ticks("code_wrong"); n != 0 {
		c.t.Fatalf("%s: %d wrong codes", when, n)
	}
}

// step takes a step of the ceremony. last is that which brings it about.
func (c *course) step(verb string, form url.Values, last bool) *visitor.Page {
	c.t.Helper()
	stranger := c.browser()
	if p := c.post(stranger, c.id, verb, form); p.Status() != http.StatusConflict {
		c.t.Errorf("%s by another browser: %d %s", verb, p.Status(), p.Title())
	}
	if c.look1(c.v, c.id).Pad() == "" { // where there is one, the post is a try
		c.force(c.v, c.home, c.q, c.id)
		for _, skip := range []string{"phone", "card-number", "every-use"} {
			if skip != verb && (skip != "phone" || c.q.action != liuma.ActionRebind) { // which may be given again
				c.post(c.v, c.id, skip, verbs()[skip])
			}
		}
	}
	c.still("before " + verb)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { _, _ = c.v.Post(context.Background(), hosted+"/c/"+c.id+"/"+verb, form) })
	}
	wg.Wait()
	if verb == "pin" && c.q.action != liuma.ActionReset {
		c.spent++
	}
	c.past = append(c.past, post{verb, form})
	if !last {
		c.still("after " + verb)
	}
	done := c.look(c.People[1])
	for _, p := range c.past {
		c.post(c.v, c.id, p.verb, p.form)
		c.post(stranger, c.id, p.verb, p.form)
	}
	if again := c.look(c.People[1]); again.version != done.version || again.phone != done.phone || again.frozen != done.frozen || again.spent != done.spent {
		c.t.Fatalf("%s and what went before it, again: %+v, was %+v", verb, again, done)
	}
	return c.look1(c.v, c.id)
}

// coded asks for a one-time code and submits it.
func (c *course) coded(phone string, last bool) *visitor.Page {
	c.t.Helper()
	c.Clock.Advance(time.Minute)
	texts := len(c.Inbox.Texts(phone))
	c.step("send-code", url.Values{}, false)
	if c.Sent(); len(c.Inbox.Texts(phone)) != texts+1 {
		c.t.Errorf("%d texts for one code", len(c.Inbox.Texts(phone))-texts)
	}
	return c.step("code", values("code", c.LastCode(phone)), last)
}

// evidence goes to the provider and back under a new push, in this browser;
// another browser with the same address comes too late.
func (c *course) evidence() *visitor.Page {
	c.t.Helper()
	c.q.challenge = c.proof(c.look1(c.v, c.id))
	c.q.evidence = c.Evidence(c.who, c.q.challenge)
	address := c.home.pushed(c.q)
	p := c.enter(c.v, address)
	wantStatus(c.t, c.enter(c.browser(), address), "the address in another browser", http.StatusConflict)
	c.still("after the evidence")
	return p
}

// sealed is the form that the pad would post now.
func (c *course) sealed(secret string) url.Values {
	c.t.Helper()
	form, err := c.look1(c.v, c.id).Seal(secret)
	return must(c.t, form, err)
}

// once checks the outcome: one change, and one notice of it.
func (c *course) once(want, template string, notices int) {
	c.t.Helper()
	c.Sent()
	n := 0
	for _, r := range c.Inbox.Texts(c.who.Phone) {
		if string(r.Template) == template {
			n++
		}
	}
	now := c.look(c.People[1])
	if what := got(c.first, now); what != want || n != notices+1 || now.version > c.first.version+1 {
		c.t.Errorf("the holder %s (want %s), from version %d to %d, with %d notices", what, want, c.first.version, now.version, n-notices)
	}
	if guesses := now.spent - c.first.spent; guesses != c.spent {
		c.t.Errorf("%d guesses, want %d", guesses, c.spent)
	}
}

// TestEveryStepOfARecoveryOnce: if any step of a reset, an unfreezing or a
// rebinding is replayed, reordered, skipped, doubled in parallel or sent by
// another browser, the act still happens exactly once, and no extra guess is
// gained.
func TestEveryStepOfARecoveryOnce(t *testing.T) {
	const fresh = "738418"
	t.Run("reset", func(t *testing.T) {
		w := newWorld(t, false)
		c := w.course(liuma.ActionReset)
		c.step("agree", url.Values{}, false)
		c.coded(w.who.Phone, false)
		c.evidence()
		c.step("pin", c.sealed(fresh), true)
		c.once("set the PIN", "pin_reset", 0)
		if v, err := w.watch.verify(w.seen, fresh); err != nil || !v.Right() {
			t.Errorf("the new PIN: %+v, %v", v, err)
		}
	})
	t.Run("forgotten at the pad", func(t *testing.T) {
		w := newWorld(t, false)
		c := w.course(liuma.ActionVerify)
		c.step("forgot", url.Values{}, false)
		c.q.action = liuma.ActionReset // as which its pad is sealed now
		c.coded(w.who.Phone, false)
		again := c.q
		again.action = liuma.ActionVerify // as which it was pushed
		again.challenge = c.proof(w.look1(c.v, c.id))
		again.evidence = w.Evidence(w.who, again.challenge)
		w.enter(c.v, w.home.pushed(again))
		c.step("pin", c.sealed(fresh), true)
		c.once("set the PIN", "pin_reset", 0)
	})
	t.Run("unfreeze", func(t *testing.T) {
		w := newWorld(t, false)
		w.freeze()
		c := w.course(liuma.ActionUnfreeze)
		c.step("agree", url.Values{}, false)
		c.coded(w.who.Phone, false)
		c.step("pin", c.sealed(goodPIN), true)
		c.once("unfroze the card", "card_unfrozen", 0)
	})
	t.Run("rebind", func(t *testing.T) {
		w := newWorld(t, false)
		c := w.course(liuma.ActionRebind)
		c.step("agree", url.Values{}, false)
		c.step("pin", c.sealed(goodPIN), false)
		c.evidence()
		c.step("phone", values("phone", "13600136000"), false)
		c.coded("13600136000", true)
		c.once("bound a phone", "phone_changed_old", 0)
	})
}
