package attack

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// wrongCodes are n one-time codes that differ from the right one.
func wrongCodes(right string, n int) []string {
	var all []string
	for i := 0; len(all) < n; i++ {
		if c := fmt.Sprintf("%06d", 111111+i); c != right {
			all = append(all, c)
		}
	}
	return all
}

// thousandCodes: a thousand guesses in twenty ceremonies at once, as many as two
// links may have open, have five between them, and resending gains nothing.
func thousandCodes(t *testing.T, w *world) {
	type open struct {
		v  *visitor.Visitor
		id string
	}
	var all []open
	w.Clock.Advance(25 * time.Hour) // what attacks before this one spent is back
	defer w.Clock.Advance(25 * time.Hour)
	for n := range 20 {
		v := w.browser()
		app, card := w.home, w.card
		if n%2 == 1 {
			app, card = w.watch, w.seen
		}
		p := w.do(w.opened(v, app, request{action: liuma.ActionReset, card: card, bn: w.number()}), "agree")
		if n < 6 { // three through each link
			w.Clock.Advance(time.Minute)
			w.do(p, "send-code")
		}
		all = append(all, open{v, ceremony(p)})
	}
	guesses := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	past := 0
	wrong := wrongCodes(w.LastCode(w.who.Phone), 1000)
	for range 8 {
		wg.Go(func() {
			for n := range guesses {
				o := all[n%len(all)]
				p, err := o.v.Post(context.Background(), hosted+"/c/"+o.id+"/code", values("code", wrong[n]))
				mu.Lock()
				if err != nil {
					t.Error(err)
				} else if p.Pad() != "" || p.Has("return") && !p.Has("code") {
					past++
				}
				mu.Unlock()
			}
		})
	}
	for n := range 1000 {
		guesses <- n
	}
	close(guesses)
	wg.Wait()
	if past != 0 {
		t.Errorf("%d guesses led on", past)
	}
	if ticks := w.ticks("code_wrong"); ticks != 5 {
		t.Errorf("%d wrong codes were judged, want 5", ticks)
	}
	w.Clock.Advance(time.Minute)
	texts := len(w.Inbox.Texts(w.who.Phone))
	w.post(all[0].v, all[0].id, "send-code", nil)
	if w.Sent(); len(w.Inbox.Texts(w.who.Phone)) != texts {
		t.Error("a new code was sent although none is taken any more")
	}
}

// TestAStrangerSpendsNobodysCodes: who has a card of their own asks for codes to
// somebody else's number, as if to bind it. The number gets three of them a day,
// and its owner recovers as ever.
func TestAStrangerSpendsNobodysCodes(t *testing.T) {
	w := newWorld(t, false)
	mine := w.ownCard()
	for range 3 {
		before := len(w.codesTo(w.who.Phone))
		for range 5 {
			v := w.browser()
			q := request{action: liuma.ActionRebind, card: mine, bn: w.number()}
			p := w.typed(w.do(w.opened(v, w.shady, q), "agree"), "715283")
			q.challenge = w.proof(p)
			q.evidence = w.Evidence(w.thief, q.challenge)
			p = w.do(w.enter(v, w.shady.pushed(q)), "phone", "phone", w.who.Phone)
			for range 3 {
				w.Clock.Advance(time.Minute)
				p = w.post(v, ceremony(p), "send-code", nil)
			}
		}
		if got := len(w.codesTo(w.who.Phone)) - before; got != 3 {
			t.Errorf("%d codes went to a number that a stranger typed, want 3", got)
		}
		w.Clock.Advance(time.Minute)
		p := w.do(w.opened(w.browser(), w.home, request{action: liuma.ActionReset, card: w.card, bn: w.number()}), "agree")
		w.proof(w.coded(p, w.who.Phone))
		w.Clock.Advance(24 * time.Hour)
	}
}

// TestAStolenSessionLeavesTheOwnerCodes: whoever has a session of the card in one
// app asks for all codes and types all wrong ones that they may. The owner recovers
// through another app all the same; and the thief's page says what to do next.
func TestAStolenSessionLeavesTheOwnerCodes(t *testing.T) {
	w := newWorld(t, false)
	for day := range 3 {
		var p *visitor.Page
		for range 6 {
			w.Clock.Advance(time.Minute)
			v := w.browser()
			p = w.do(w.opened(v, w.watch, request{action: liuma.ActionReset, card: w.seen, bn: w.number()}), "agree")
			w.post(v, ceremony(p), "send-code", nil)
			for _, wrong := range wrongCodes(w.LastCode(w.who.Phone), 3) {
				p = w.post(v, ceremony(p), "code", values("code", wrong))
			}
		}
		if text := p.Text(); !strings.Contains(text, "经办机构") || !strings.Contains(text, "明天") {
			t.Errorf("day %d: the page says neither where to go nor until when:\n%s", day, text)
		}
		if wrong := w.ticks("code_wrong"); wrong != 3 {
			t.Errorf("day %d: a stolen session typed %d wrong codes that counted, want 3", day, wrong)
		}
		w.Clock.Advance(time.Minute)
		p = w.do(w.opened(w.browser(), w.home, request{action: liuma.ActionReset, card: w.card, bn: w.number()}), "agree")
		w.proof(w.coded(p, w.who.Phone))
		w.Clock.Advance(24 * time.Hour)
	}
}

// codesTo lists the one-time codes to a number.
func (w *world) codesTo(number string) (codes []string) {
	for _, text := range w.Texts(number) {
		if text.Kind == "code" {
			codes = append(codes, text.Params["code"])
		}
	}
	return codes
}
