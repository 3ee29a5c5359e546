package attack

import (
	"net/http"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// Calls to the store will be round trips over a network, so their number is
// held here, over the real doors.

// countedWorld is a world that counts the round trips of each request by
// method and kind of path.
func countedWorld(t *testing.T) (*world, *testkit.Counts) {
	t.Helper()
	counts := &testkit.Counts{}
	w := newWorldOf(t, testkit.Options{Counts: counts})
	for origin, handler := range map[string]http.Handler{hosted: w.System.Hosted.Handler, native: w.System.Door.Handler} {
		w.net.add(origin, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			handler.ServeHTTP(rw, r.WithContext(counts.Step(r.Context(), stepOf(r))))
		}))
	}
	counts.Reset()
	return w, counts
}

// stepOf names a request's step: the id in a ceremony's path is left out.
func stepOf(r *http.Request) string {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if parts[0] == "c" && len(parts) > 1 {
		parts = append(parts[:1:1], parts[2:]...)
	}
	return r.Method + " /" + strings.Join(parts, "/")
}

// TestTripsOfOnePIN: the POST of one PIN makes at most three views and three
// updates at the hosted door, right or wrong, and one and two at the native one.
func TestTripsOfOnePIN(t *testing.T) {
	w, counts := countedWorld(t)
	for name, pin := range map[string]string{"right": goodPIN, "wrong": wrongPIN} {
		t.Run(name+" hosted", func(t *testing.T) {
			p := w.opened(w.browser(), w.home, request{action: liuma.ActionVerify, card: w.card, bn: w.number()})
			counts.Reset()
			w.typed(p, pin)
			got := counts.Of("POST /c/pin")
			if got.Updates == 0 || got.Views > 3 || got.Updates > 3 {
				t.Errorf("%d views and %d updates, want at most 3 and 3", got.Views, got.Updates)
			}
		})
		t.Run(name+" native", func(t *testing.T) {
			counts.Reset()
			v, err := w.home.verify(w.card, pin)
			must(t, v, err)
			got := counts.Of("POST /v1/verifications")
			if v.Verdict != name || got.Updates == 0 || got.Views > 1 || got.Updates > 2 {
				t.Errorf("%s after %d views and %d updates, want %s after at most 1 and 2", v.Verdict, got.Views, got.Updates, name)
			}
		})
	}
}

// TestTripsOfAPage: a page costs one view, however often it is looked at.
func TestTripsOfAPage(t *testing.T) {
	w, counts := countedWorld(t)
	v := w.browser()
	p := w.opened(v, w.home, request{action: liuma.ActionVerify, card: w.card, bn: w.number()})
	counts.Reset()
	if _, err := v.Open(t.Context(), at(p)); err != nil {
		t.Fatal(err)
	}
	if got := counts.Of("GET /c"); got != (testkit.Trips{Views: 1}) {
		t.Errorf("%d views and %d updates, want one view", got.Views, got.Updates)
	}
}

// TestTripsOfACeremony reports the round trips of a whole ceremony, from push
// to token.
func TestTripsOfACeremony(t *testing.T) {
	w, counts := countedWorld(t)
	w.opened(w.browser(), w.home, request{action: liuma.ActionVerify, card: w.card, bn: w.number()}) // reads the channel's counts
	counts.Reset()
	v := w.browser()
	q := request{action: liuma.ActionVerify, card: w.card, bn: w.number()}
	p := w.opened(v, w.home, q)
	p = w.typed(p, goodPIN)
	w.redeem(w.home, q, p.URL().Query().Get("code"))
	all := counts.Total()
	for _, step := range []string{"POST /par", "GET /authorize", "POST /c/begin", "GET /c", "POST /c/pin", "GET /c/return", "POST /token"} {
		got := counts.Of(step)
		t.Logf("%-18s %d views, %d updates", step, got.Views, got.Updates)
	}
	t.Logf("%-18s %d views, %d updates", "verify, in all", all.Views, all.Updates)
	if all.Updates == 0 || all.Views > 10 || all.Updates > 11 {
		t.Errorf("%d views and %d updates, want at most 10 and 11", all.Views, all.Updates)
	}
}

// redeem exchanges an authorization code for the ID token, as a channel's
// server does.
func (w *world) redeem(c *party, q request, code string) {
	w.t.Helper()
	if resp := w.token(c, q, code); resp.StatusCode != http.StatusOK {
		w.t.Fatalf("token: %d", resp.StatusCode)
	}
}
