package attack

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// links counts the links of the holder's card.
func (w *world) links() int {
	w.t.Helper()
	n := 0
	err := w.System.Store.View(context.Background(), func(r store.Reader) error {
		l, err := r.LinkByHandle(liuma.ChannelID(w.home.ID), store.Handle(w.card))
		if err != nil {
			return err
		}
		all, err := r.Links(l.Card)
		n = len(all)
		return err
	})
	must(w.t, n, err)
	return n
}

// TestARelayedPageGivesTheThiefNothing (I-14): the thief starts a request in an
// account of his own and sends the genuine address to the owner, who types the
// PIN. The owner's browser fails at the callback, because the log-in is the
// thief's; the thief asks for the verdict by business number, now and later.
func TestARelayedPageGivesTheThiefNothing(t *testing.T) {
	for name, ask := range map[string]func(w *world) (*party, request){
		"verify": func(w *world) (*party, request) {
			return w.home, request{action: liuma.ActionVerify, card: w.card, bn: w.number()}
		},
		"link": func(w *world) (*party, request) {
			return w.shady, request{action: liuma.ActionLink, about: &w.who, bn: w.number()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			w.Sent()
			before, texts := w.links(), len(w.Inbox.Texts(w.who.Phone))
			c, q := ask(w)
			address := c.pushed(q)
			owner := w.browser()
			p := w.enter(owner, address)
			if p.Has("agree") {
				p = w.do(p, "agree")
			}
			p = w.typed(p, goodPIN)
			asked := func(when, state, code string) {
				t.Helper()
				v, err := c.native.Verification(context.Background(), q.bn)
				if must(t, v, err); v.State != state || v.Code != code || v.Right() || v.Verdict != "" || v.Card != "" || v.Receipt != "" {
					t.Errorf("%s: %+v", when, v)
				}
			}
			asked("right after the PIN", "returning", "")
			if p.Has("return") {
				p = w.do(p, "return")
			}
			if !p.URL().Query().Has("code") {
				t.Fatalf("the owner's browser is at %s", p.URL())
			}
			asked("with a code on its way", "returning", "")

			thief := w.enter(w.browser(), address)
			if thief.Status() != http.StatusConflict || thief.Has("return") || strings.Contains(thief.Text(), "核验") || strings.Contains(thief.Text(), "成功") {
				t.Errorf("the thief's browser is told %q:\n%s", thief.Title(), thief.Text())
			}
			if _, no := c.push(q); no == nil || no.Code != "business_no_used" {
				t.Errorf("pushed again: %+v", no)
			}
			w.Clock.Advance(30 * time.Minute)
			asked("half an hour later", "decided", "not_returned")
			if w.Sent(); w.links() != before || name == "link" && len(w.Inbox.Texts(w.who.Phone)) != texts {
				t.Errorf("%d links, %d before; %d texts, %d before", w.links(), before, len(w.Inbox.Texts(w.who.Phone)), texts)
			}
			if _, status := c.redeem(p.URL().Query().Get("code")); status != http.StatusBadRequest {
				t.Errorf("the late code: %d", status)
			}
		})
	}
}

// TestALostCallbackIsRepeatedInTheSameBrowser: the address, opened again, leads
// back at once with a fresh code, and the first is void. The code then makes the
// link.
func TestALostCallbackIsRepeatedInTheSameBrowser(t *testing.T) {
	w := newWorld(t, false)
	before := w.links()
	q := request{action: liuma.ActionLink, about: &w.who, bn: w.number()}
	address := w.shady.pushed(q)
	owner := w.browser()
	w.do(w.typed(w.do(w.enter(owner, address), "agree"), goodPIN), "return")
	first := w.enter(owner, address).URL().Query().Get("code")
	second := w.enter(owner, address).URL().Query().Get("code")
	if first == "" || second == "" || first == second {
		t.Fatalf("codes %q and %q", first, second)
	}
	if _, status := w.shady.redeem(first); status != http.StatusBadRequest {
		t.Errorf("a code that was replaced: %d", status)
	}
	if w.links() != before {
		t.Error("linked before a code was redeemed")
	}
	got, status := w.shady.redeem(second)
	if status != http.StatusOK || got.BusinessNo != q.bn || w.links() != before+1 || w.shady.standing(got.Card) != "active" {
		t.Errorf("%d %+v, %d links", status, got, w.links())
	}
	if v, err := w.shady.native.Verification(context.Background(), q.bn); err != nil || !v.Right() || v.Card != got.Card || !v.Redeemed || v.Receipt != "" {
		t.Errorf("after it: %+v, %v", v, err)
	}
	if _, status := w.shady.redeem(second); status != http.StatusBadRequest {
		t.Errorf("the code again: %d", status)
	}
}

// TestAViewWithoutCookiesStartsAgain: its hand is in its pages, so that the
// address opened again shows nothing of the verdict, even in the same view.
func TestAViewWithoutCookiesStartsAgain(t *testing.T) {
	w := newWorld(t, false)
	q := request{action: liuma.ActionVerify, card: w.card, bn: w.number()}
	address := w.home.pushed(q)
	v, err := visitor.New(visitor.Config{Transport: w.net, Now: w.Clock.Now, NoCookies: true})
	must(t, v, err)
	p := w.typed(w.enter(v, address), goodPIN)
	if again := w.enter(v, address); again.Status() != http.StatusConflict || again.Has("return") {
		t.Errorf("opened again: %q", again.Title())
	}
	if got := w.home.redeemed(p); got.BusinessNo != q.bn {
		t.Errorf("its own way back: %+v", got)
	}
}
