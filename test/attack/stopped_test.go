package attack

import (
	"context"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// stop stops a channel, as an operator does whose channel was broken into.
func (p *party) stop() {
	p.w.t.Helper()
	err := p.w.System.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Client(p.ID)
		if err != nil {
			return audit.Entry{}, err
		}
		c.Stopped = true
		return audit.Entry{At: p.w.Clock.Now(), Actor: "operator", Event: audit.ChannelRegistered, Outcome: "ok"}, tx.UpdateClient(c)
	})
	must(p.w.t, p, err)
}

// TestAStoppedChannelsCeremoniesEnd: its open ceremonies set no PIN, bind no
// phone and unfreeze no card any more.
func TestAStoppedChannelsCeremoniesEnd(t *testing.T) {
	t.Run("reset", func(t *testing.T) {
		w := newWorld(t, false)
		before := w.look(w.People[1])
		v := w.browser()
		q, p := w.withSIM(v)
		q.challenge = w.proof(p)
		q.evidence = w.Evidence(w.who, q.challenge)
		p = w.enter(v, w.home.pushed(q))
		w.home.stop()
		if again := w.look1(v, ceremony(p)); again.Pad() != "" {
			t.Errorf("the page still asks:\n%s", again.Text())
		}
		_, _ = p.TypePIN(context.Background(), thiefPIN)
		if what := got(before, w.look(w.People[1])); what != "" {
			t.Error(what)
		}
	})
	t.Run("rebind", func(t *testing.T) {
		w := newWorld(t, false)
		before := w.look(w.People[1])
		v := w.browser()
		q := request{action: liuma.ActionRebind, card: w.card, bn: w.number()}
		p := w.typed(w.do(w.opened(v, w.home, q), "agree"), goodPIN)
		q.challenge = w.proof(p)
		q.evidence = w.Evidence(w.who, q.challenge)
		p = w.do(w.do(w.enter(v, w.home.pushed(q)), "phone", "phone", thiefNumber), "send-code")
		w.home.stop()
		w.post(v, ceremony(p), "code", values("code", w.LastCode(thiefNumber)))
		if what := got(before, w.look(w.People[1])); what != "" {
			t.Error(what)
		}
	})
	t.Run("unfreeze", func(t *testing.T) {
		w := newWorld(t, false)
		w.freeze()
		before := w.look(w.People[1])
		q := request{action: liuma.ActionUnfreeze, card: w.card, bn: w.number()}
		p := w.coded(w.do(w.opened(w.browser(), w.home, q), "agree"), w.who.Phone)
		w.home.stop()
		_, _ = p.TypePIN(context.Background(), goodPIN)
		if what := got(before, w.look(w.People[1])); what != "" {
			t.Error(what)
		}
	})
	t.Run("change", func(t *testing.T) {
		w := newWorld(t, false)
		before := w.look(w.People[1])
		p := w.opened(w.browser(), w.home, request{action: liuma.ActionChange, card: w.card, bn: w.number()})
		w.home.stop()
		_, _ = p.TypePIN(context.Background(), goodPIN, thiefPIN)
		if what := got(before, w.look(w.People[1])); what != "" {
			t.Error(what)
		}
	})
}
