package attack

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

const nextPIN = "738518"

// known reports whether a link of the holder's card is known.
func (w *world) known(c *party, handle string) bool {
	w.t.Helper()
	var known bool
	err := w.System.Store.View(context.Background(), func(r store.Reader) error {
		l, err := r.LinkByHandle(liuma.ChannelID(c.ID), store.Handle(handle))
		if err != nil {
			return err
		}
		card, err := r.Card(l.Card)
		known = w.System.Authority.KnownLink(card, l)
		return err
	})
	must(w.t, known, err)
	return known
}

// TestARelayedPINProvesNoLink (I-14): a thief once saw the PIN and linked the
// card from an account of his own. The holder chose another PIN, so the thief's
// link is a stranger's. He sends the genuine page of a verification through his
// link to the holder, who types the PIN; the verdict never comes back. The thief's
// link is as unknown as before, then and 80 hours later.
func TestARelayedPINProvesNoLink(t *testing.T) {
	w := newWorld(t, false)
	thief := w.link(w.home, w.who, goodPIN)
	if got := w.attempt(goodPIN, nextPIN); got != "right" {
		t.Fatalf("the holder's change: %q", got)
	}
	q := request{action: liuma.ActionVerify, card: thief, bn: w.number()}
	w.typed(w.enter(w.browser(), w.home.pushed(q)), nextPIN)
	w.Clock.Advance(80 * time.Hour)
	w.settle()
	if v, err := w.home.native.Verification(context.Background(), q.bn); err != nil || v.Code != "not_returned" {
		t.Fatalf("the relayed request: %+v, %v", v, err)
	}
	if w.known(w.home, thief) {
		t.Error("the thief's link is known, by a PIN whose verdict never came back")
	}
	// A PIN that he sees now changes nothing without evidence.
	v, err := w.home.change(thief, nextPIN, thiefPIN, "", w.home.challenge())
	if client.CodeOf(err) != "evidence_required" {
		t.Errorf("changed through it without evidence: %+v, %v", v, err)
	}
}

// TestTheHoldersOwnPageProvesItsLink: what came back does count.
func TestTheHoldersOwnPageProvesItsLink(t *testing.T) {
	w := newWorld(t, false)
	if got := w.attempt(goodPIN, nextPIN); got != "right" {
		t.Fatalf("the holder's change: %q", got)
	}
	if w.known(w.watch, w.seen) {
		t.Fatal("the other link is known in spite of a new PIN")
	}
	q := request{action: liuma.ActionVerify, card: w.seen, bn: w.number()}
	w.watch.redeemed(w.typed(w.enter(w.browser(), w.watch.pushed(q)), nextPIN))
	w.Clock.Advance(71 * time.Hour)
	if w.known(w.watch, w.seen) {
		t.Error("known after 71 hours")
	}
	w.Clock.Advance(time.Hour)
	if !w.known(w.watch, w.seen) {
		t.Error("not known after 72 hours")
	}
}

// TestALinkThatEndsBeforeTheCode: a verdict through a link that was ended
// before its code came is not redeemed.
func TestALinkThatEndsBeforeTheCode(t *testing.T) {
	w := newWorld(t, false)
	q := request{action: liuma.ActionVerify, card: w.seen, bn: w.number()}
	p := w.typed(w.enter(w.browser(), w.watch.pushed(q)), goodPIN)
	if p.Has("return") {
		p = w.do(p, "return")
	}
	w.must(w.watch.native.Unlink(context.Background(), w.seen))
	if got, status := w.watch.redeem(p.URL().Query().Get("code")); status == http.StatusOK {
		t.Errorf("redeemed for an ended link: %+v", got)
	}
}

// TestRedeemingAtOnce: one code redeemed by many, and more links than a day
// allows redeemed at once, make one link a code and three links.
func TestRedeemingAtOnce(t *testing.T) {
	w := newWorld(t, false)
	before := w.links()
	var codes []string
	for range 5 {
		q := request{action: liuma.ActionLink, about: &w.who, bn: w.number()}
		p := w.typed(w.do(w.enter(w.browser(), w.shady.pushed(q)), "agree"), goodPIN)
		if p.Has("return") {
			p = w.do(p, "return")
		}
		codes = append(codes, p.URL().Query().Get("code"))
	}
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for _, code := range codes {
		for range 4 {
			wg.Go(func() {
				if _, status := w.shady.redeem(code); status == http.StatusOK {
					mu.Lock()
					got[code]++
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	for code, n := range got {
		if n != 1 {
			t.Errorf("%s redeemed %d times", code, n)
		}
	}
	if len(got) != 3 || w.links() != before+3 {
		t.Errorf("%d codes redeemed, %d new links", len(got), w.links()-before)
	}
}

// TestWrongInParallel: forty wrong PINs at once through a known link of each
// shape make it a stranger and evaluate six.
func TestWrongInParallel(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			w := newWorldOf(t, testkit.Options{Shape: shape})
			wrong := 0
			for range 3 {
				var mu sync.Mutex
				var wg sync.WaitGroup
				n := 0
				for range 12 {
					wg.Go(func() {
						v, err := w.watch.verify(w.seen, wrongPIN)
						if err == nil && v.Verdict == "wrong" {
							mu.Lock()
							n++
							mu.Unlock()
						}
					})
				}
				wg.Wait()
				if wrong += n; n > 6 {
					t.Errorf("%d guesses in a window", n)
				}
				w.Clock.Advance(25 * time.Hour)
			}
			if wrong > 16 { // ten in the known lane, two more of that window, four of a stranger
				t.Errorf("%d wrong", wrong)
			}
			if w.known(w.watch, w.seen) {
				t.Errorf("still known after %d wrong", wrong)
			}
			if got := w.attempt(goodPIN, ""); got != "right" {
				t.Errorf("the holder: %q after %d wrong", got, wrong)
			}
		})
	}
}
