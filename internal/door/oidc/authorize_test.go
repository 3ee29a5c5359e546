package oidc_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// hosted is a world whose door has the pages as well, as it is served.
type hosted struct {
	*world
	card string
}

func newHosted(t *testing.T) *hosted {
	t.Helper()
	h := &hosted{world: newWorldOf(t, testkit.Options{Configure: func(c *config.Config) { c.Hosted.Listen = "127.0.0.1:0" }})}
	h.server.Close()
	h.server = httptest.NewServer(h.System.Hosted.Handler)
	t.Cleanup(h.server.Close)
	h.door.Store(h.server.Listener.Addr().String())
	h.card = h.world.card(h.provider(), h.People[0])
	return h
}

func (h *hosted) browser() *visitor.Visitor {
	h.t.Helper()
	v, err := visitor.New(visitor.Config{Transport: internet{h.http().Transport}, Now: h.Clock.Now})
	must(h.t, err)
	return v
}

// internet is the door and, beside it, the channel's app.
type internet struct{ door http.RoundTripper }

func (i internet) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "app.example" {
		return i.door.RoundTrip(r)
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, "<h1>back</h1>")
	return w.Result(), nil
}

// pushed pushes a verification, and returns the address to open.
func (h *hosted) pushed() (address string, s session) {
	h.t.Helper()
	p := h.provider()
	s = h.push(p, h.verifyDetails(h.card))
	return h.issuer() + "/authorize?" + url.Values{"client_id": {channelID}, "request_uri": {s.requestURI}}.Encode(), s
}

// get sends a GET without cookies and follows no redirect.
func (h *hosted) get(address string, header ...string) (*http.Response, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, address, nil)
	must(h.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := h.http().Transport.RoundTrip(r)
	must(h.t, err)
	defer func() { must(h.t, resp.Body.Close()) }()
	body, err := io.ReadAll(resp.Body)
	must(h.t, err)
	return resp, string(body)
}

// TestRequestURILivesUntilItIsUsed: it may be opened, reloaded and prefetched
// for 90 seconds, and names no holder; the first browser that posts from its
// page is bound to it.
func TestRequestURILivesUntilItIsUsed(t *testing.T) {
	h := newHosted(t)
	address, s := h.pushed()
	look := func(what string, header ...string) {
		t.Helper()
		resp, body := h.get(address, header...)
		if resp.StatusCode != http.StatusOK || strings.Contains(body, h.People[0].Name) || strings.Contains(body, h.card) || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d\n%s", what, resp.StatusCode, body)
		}
	}
	look("the first look")
	look("a reload")
	look("a prefetch", "Sec-Purpose", "prefetch;prerender", "Purpose", "prefetch")
	look("a scanner of links", "User-Agent", "LinkChecker")
	h.Clock.Advance(89 * time.Second)
	look("at the last second")

	mine := h.browser()
	page, err := mine.Enter(t.Context(), address)
	must(t, err)
	if page.Status() != http.StatusOK || page.Pad() != "current" {
		t.Fatalf("%d %s", page.Status(), page.Text())
	}
	h.Clock.Advance(5 * time.Minute) // the ceremony's time runs, not the address's
	again, err := mine.Open(t.Context(), address)
	must(t, err)
	if again.Pad() != "current" || again.URL().Path != "/authorize" || !strings.Contains(again.Body(), page.URL().Path+"/pin") {
		t.Errorf("the same browser again: %s %s", again.URL(), again.Text())
	}
	if resp, body := h.get(address); resp.StatusCode/100 == 2 || strings.Contains(body, "data-pad") {
		t.Errorf("another browser: %d\n%s", resp.StatusCode, body)
	}
	done, err := again.TypePIN(t.Context(), goodPIN)
	must(t, err)
	if back := done.URL(); back.Host != "app.example" || back.Query().Get("state") != s.state || back.Query().Get("iss") != h.issuer() || !back.Query().Has("code") {
		t.Errorf("back at %s: %s", back, done.Text())
	}
	if resp, body := h.get(address); resp.StatusCode/100 == 2 || strings.Contains(body, "data-pad") {
		t.Errorf("when all is over: %d\n%s", resp.StatusCode, body)
	}
}

// TestRequestURIEnds: after 90 seconds without a holder's act nothing opens it,
// and a begin that was prepared in time comes too late.
func TestRequestURIEnds(t *testing.T) {
	h := newHosted(t)
	address, _ := h.pushed()
	landing, err := h.browser().Open(t.Context(), address)
	must(t, err)
	if !landing.Has("begin") {
		t.Fatalf("no way to begin: %s", landing.Text())
	}
	h.Clock.Advance(90 * time.Second)
	if resp, body := h.get(address); resp.StatusCode/100 != 4 {
		t.Errorf("after 90 seconds: %d\n%s", resp.StatusCode, body)
	}
	late, err := landing.Press(t.Context(), "begin", nil)
	must(t, err)
	if late.Status()/100 != 4 || late.Pad() != "" {
		t.Errorf("begun too late: %d %s", late.Status(), late.Text())
	}
}

// TestAuthorizeTakesWhatWasPushedAlone: nothing but a pushed request of that
// very channel opens a page, and each parameter comes once.
func TestAuthorizeTakesWhatWasPushedAlone(t *testing.T) {
	h := newHosted(t)
	h.AddClient(store.Client{ID: "js-hrss", Kind: store.ClientChannel, Regions: []liuma.Region{""}, Actions: liuma.Actions(), RedirectURIs: []string{redirect}}, h.NewKey())
	address, s := h.pushed()
	good := func() url.Values { return url.Values{"client_id": {channelID}, "request_uri": {s.requestURI}} }
	flow := url.Values{"response_type": {"code"}, "client_id": {channelID}, "redirect_uri": {redirect}, "scope": {"openid"}, "state": {"12345678"},
		"nonce": {"12345678"}, "code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"},
		"authorization_details": {`[{"type":"liuma_pin","action":"verify","holder":{"card":"` + h.card + `"},"purpose":"x","business_no":"b"}]`}}
	with := func(name string, values ...string) string {
		q := good()
		q[name] = values
		return q.Encode()
	}
	for what, query := range map[string]string{
		"nothing":                      "",
		"a flow that was never pushed": flow.Encode(),
		"no channel":                   url.Values{"request_uri": {s.requestURI}}.Encode(),
		"another channel":              with("client_id", "js-hrss"),
		"an unknown channel":           with("client_id", "nobody"),
		"channel in upper case":        with("client_id", strings.ToUpper(channelID)),
		"the channel twice":            with("client_id", channelID, channelID),
		"two channels":                 with("client_id", channelID, "js-hrss"),
		"the request twice":            with("request_uri", s.requestURI, s.requestURI),
		"another request":              with("request_uri", s.requestURI[:len(s.requestURI)-1]+"_"),
		"a part of the request":        with("request_uri", s.requestURI[:len(s.requestURI)-1]),
		"an address as request":        with("request_uri", "https://evil.example/request.jwt"),
		"a request object":             url.Values{"client_id": {channelID}, "request": {"eyJhbGciOiJub25lIn0.e30."}}.Encode(),
		"more than is ever needed":     with("state", strings.Repeat("s", 4000)),
		"no query":                     "%zz&" + good().Encode(),
	} {
		resp, body := h.get(h.issuer() + "/authorize?" + query)
		if resp.StatusCode/100 != 4 || resp.Header.Get("Location") != "" || strings.Contains(body, "/begin") || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d\n%s", what, resp.StatusCode, body)
		}
	}
	// A parameter that was pushed once and now says something else is not read.
	page, err := h.browser().Enter(t.Context(), address+"&redirect_uri=https%3A%2F%2Fevil.example&scope=x&state=other")
	must(t, err)
	if page.Pad() != "current" || strings.Contains(page.Body(), "evil") {
		t.Errorf("%d %s", page.Status(), page.Text())
	}
}
