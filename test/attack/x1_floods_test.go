package attack

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// What is refused, or repeated without end, fills no disk.

// allEntries counts the entries of the record.
func (w *world) allEntries() (n int) {
	w.t.Helper()
	w.must(w.System.Store.View(context.Background(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		n = len(all)
		return err
	}))
	return n
}

// TestABrowserThatPressesWithoutEnd: a browser with one ceremony presses every
// button of its page thousands of times. It writes a few hundred entries, and
// the card can still be frozen from the page.
func TestABrowserThatPressesWithoutEnd(t *testing.T) {
	w := newWorld(t, false)
	v := w.browser()
	p := w.do(w.enter(v, w.home.pushed(request{action: liuma.ActionReset, card: w.card, bn: w.number()})), "agree")
	before := w.allEntries()
	status := 0
	for range 600 {
		for verb, with := range map[string]url.Values{"send-code": {"way": {"text"}}, "code": {"code": {"12"}}, "extend": nil, "begin": nil} {
			status = w.post(v, ceremony(p), verb, with).Status()
		}
	}
	if n := w.allEntries() - before; n > 300 {
		t.Errorf("%d entries from one ceremony", n)
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("the last was answered with %d", status)
	}
	w.post(v, ceremony(p), "freeze", nil)
	if got := w.watch.standing(w.seen); got != "frozen" {
		t.Errorf("frozen from the page: %q", got)
	}
}

// sent posts a form to the hosted door as a channel does.
func (p *party) sent(path string, form url.Values) int {
	p.w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, hosted+path, strings.NewReader(form.Encode()))
	must(p.w.t, r, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.w.net.RoundTrip(r)
	must(p.w.t, resp, err)
	return resp.StatusCode
}

// TestRefusedRequestsAreRationed: pushes that are refused, and codes that nobody
// was given, each under a fresh assertion. They count like others, and when the
// ration is spent they write nothing more. Codes that are redeemed do not count.
func TestRefusedRequestsAreRationed(t *testing.T) {
	rules := policy.National()
	rules.Rations.Pushes = policy.Ration{Hour: 20, Day: 100}
	rules.Rations.Redemptions = policy.Ration{Hour: 5, Day: 10}
	w := newWorldOf(t, testkit.Options{Policy: &rules})
	w.must(w.System.Authority.MaintainOnce(context.Background())) // counts what the world was made with
	w.Clock.Advance(2 * time.Hour)
	for range 3 {
		q := request{action: liuma.ActionVerify, card: w.card, bn: w.number()}
		w.home.redeemed(w.typed(w.enter(w.browser(), w.home.pushed(q)), goodPIN))
	}
	before := w.entries(audit.AssertionUsed)
	refused := 0
	for range 60 {
		form := w.home.form(request{action: liuma.ActionVerify, card: w.card, bn: w.number()})
		form.Set("authorization_details", "[]")
		if w.home.sent("/par", form) == http.StatusTooManyRequests {
			refused++
		}
	}
	if n := w.entries(audit.AssertionUsed) - before; n != 17 || refused != 60-17 {
		t.Errorf("60 bad pushes: %d entries, %d refused for the ration", n, refused)
	}
	before, refused = w.entries(audit.AssertionUsed), 0
	for range 60 {
		if _, status := w.home.redeem("nobodys"); status == http.StatusTooManyRequests {
			refused++
		}
	}
	if n := w.entries(audit.AssertionUsed) - before; n != 5 || refused != 55 {
		t.Errorf("60 codes of nobody: %d entries, %d refused for the ration", n, refused)
	}
	w.watch.redeemed(w.typed(w.enter(w.browser(), w.watch.pushed(request{action: liuma.ActionVerify, card: w.seen, bn: w.number()})), goodPIN))
}

// TestARegistryKeyTriesCardNumbers: whoever has a registry client's key and ID
// numbers tries card numbers. Tries are rationed and recorded.
func TestARegistryKeyTriesCardNumbers(t *testing.T) {
	rules := policy.National()
	rules.Rations.Losses = policy.Ration{Hour: 20, Day: 100}
	w := newWorldOf(t, testkit.Options{Policy: &rules})
	stolen := w.party(store.Client{ID: "mohrss", Kind: store.ClientRegistry})
	codes := map[string]int{}
	for i := range 60 {
		_, err := stolen.native.PhysicalStatus(context.Background(), client.PhysicalRequest{BusinessNo: w.number(),
			IDNumber: w.People[1].IDNumber, CardNo: fmt.Sprintf("Z%08d", i), Event: []string{"lost", "cancelled"}[i%2]})
		codes[client.CodeOf(err)]++
	}
	if codes["not_found"] != 20 || codes["ration_spent"] != 40 {
		t.Errorf("%v", codes)
	}
	if n := w.entries(audit.PhysicalTried); n != 20 {
		t.Errorf("%d entries", n)
	}
}
