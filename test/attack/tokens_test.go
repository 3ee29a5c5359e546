package attack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma"
)

// A channel's key signs two kinds of token: client assertions for the hosted
// door, each used once, and bearer tokens for the native door, used again and
// again. Whoever catches one of a kind must not be able to use it as the other.

// knock calls the native door with a bearer token and gives status and reason.
func (w *world) knock(token string) (status int, reason string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, native+"/v1/challenges", strings.NewReader("{}"))
	must(w.t, r, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	return w.answered(r)
}

// pushWith pushes a good request of p's under another assertion.
func (p *party) pushWith(assertion string) (status int, reason string) {
	p.w.t.Helper()
	form := p.form(request{action: liuma.ActionVerify, card: p.w.card, bn: p.w.number()})
	form.Set("client_assertion", assertion)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, hosted+"/par", strings.NewReader(form.Encode()))
	must(p.w.t, r, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.w.answered(r)
}

func (w *world) answered(r *http.Request) (status int, reason string) {
	w.t.Helper()
	resp, err := w.net.RoundTrip(r)
	must(w.t, resp, err)
	var answer struct{ Reason string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, answer.Reason
}

// TestACaughtAssertionIsNoBearerToken catches a push on its way and presents
// its assertion at the native door, before the push arrives and after.
func TestACaughtAssertionIsNoBearerToken(t *testing.T) {
	w := newWorld(t, false)
	form := w.home.form(request{action: liuma.ActionVerify, card: w.card, bn: w.number()})
	caught := form.Get("client_assertion")
	for range 3 {
		if status, reason := w.knock(caught); status != http.StatusUnauthorized || reason != "token_typ" {
			t.Errorf("an assertion as bearer token: %d %s, want 401 token_typ", status, reason)
		}
	}
	if status, reason := w.home.pushWith(caught); status != http.StatusCreated {
		t.Fatalf("the push itself: %d %s", status, reason)
	}
	for range 3 {
		if status, _ := w.knock(caught); status != http.StatusUnauthorized {
			t.Errorf("a used assertion as bearer token: %d", status)
		}
	}
}

// TestACaughtBearerTokenIsNoAssertion catches a token of the SDK's and pushes
// under it.
func TestACaughtBearerTokenIsNoAssertion(t *testing.T) {
	w := newWorld(t, false)
	var caught string
	w.net.add("https://caught.example.cn", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		caught = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		rw.WriteHeader(http.StatusBadGateway)
	}))
	sdk, err := w.home.Connect("https://caught.example.cn", &http.Client{Transport: w.net})
	if _, err := must(t, sdk, err).Challenge(t.Context()); err == nil || caught == "" {
		t.Fatalf("nothing was caught (%v)", err)
	}
	if status, reason := w.home.pushWith(caught); status != http.StatusUnauthorized || reason != "assertion_typ" {
		t.Errorf("a bearer token as assertion: %d %s, want 401 assertion_typ", status, reason)
	}
	if status, reason := w.knock(caught); status != http.StatusOK {
		t.Errorf("the token at its own door: %d %s", status, reason)
	}
}

// TestTypAndAudienceEachKeepTheDoorsApart signs every typ with every audience,
// with all claims that either door asks for: typ alone and audience alone
// refuse a token of the other kind, and none passes at both doors.
func TestTypAndAudienceEachKeepTheDoorsApart(t *testing.T) {
	w := newWorld(t, false)
	own := "liuma-native+jwt"
	types := map[string]string{"": "assertion", "JWT": "assertion", "client-authentication+jwt": "assertion", own: "bearer",
		"at+jwt": "", "liuma-receipt+jwt": "", "Liuma-Native+JWT": "", "application/liuma-native+jwt": "",
		"jwt": "assertion", "application/jwt": "assertion", "text/jwt": ""} // of an assertion case and "application/" do not count (RFC 7515, 4.1.9)
	audiences := map[string]string{hosted: "assertion", hosted + "/token": "assertion", hosted + "/par": "assertion", hosted + "/v1": "bearer",
		native: "", native + "/v1": "", hosted + "/v1/": ""}
	for typ, typeOf := range types {
		for aud, audienceOf := range audiences {
			t.Run(fmt.Sprintf("typ %q aud %s", typ, aud), func(t *testing.T) {
				kind := ""
				if typeOf == audienceOf {
					kind = typeOf
				}
				status, reason := w.knock(w.home.signed(typ, aud))
				checkKnock(t, "native", kind == "bearer", http.StatusOK, status, reason,
					map[bool]string{true: "token_audience", false: "token_typ"}[typeOf == "bearer"])
				status, reason = w.home.pushWith(w.home.signed(typ, aud))
				checkKnock(t, "hosted", kind == "assertion", http.StatusCreated, status, reason,
					map[bool]string{true: "assertion_audience", false: "assertion_typ"}[typeOf == "assertion"])
			})
		}
	}
	both := w.home.signedFor(own, map[string]any{"aud": []string{hosted, hosted + "/v1"}})
	status, reason := w.knock(both)
	checkKnock(t, "native, both audiences", false, 0, status, reason, "token_audience")
	both = w.home.signedFor("JWT", map[string]any{"aud": []string{hosted, hosted + "/v1"}})
	status, reason = w.home.pushWith(both)
	checkKnock(t, "hosted, both audiences", false, 0, status, reason, "assertion_audience")
}

func checkKnock(t *testing.T, door string, passes bool, good, status int, reason, why string) {
	t.Helper()
	if passes && status != good {
		t.Errorf("%s door: %d %s, want %d", door, status, reason, good)
	}
	if !passes && (status != http.StatusUnauthorized || reason != why) {
		t.Errorf("%s door: %d %s, want 401 %s", door, status, reason, why)
	}
}

// signed is a fresh token of p's with every claim that either door asks for.
func (p *party) signed(typ, audience string) string {
	return p.signedFor(typ, map[string]any{"aud": audience})
}

func (p *party) signedFor(typ string, claims map[string]any) string {
	p.w.t.Helper()
	o := &jose.SignerOptions{}
	if typ != "" {
		o = o.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.Key, KeyID: p.KeyID}}, o)
	must(p.w.t, signer, err)
	now := p.w.Clock.Now()
	all := map[string]any{"iss": p.ID, "sub": p.ID, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	maps.Copy(all, claims)
	token, err := jwt.Signed(signer).Claims(all).Serialize()
	return must(p.w.t, token, err)
}
