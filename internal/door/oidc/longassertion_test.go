package oidc_test

import (
	"crypto/rand"
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// TestAnHourOldAssertionStaysUsed: an assertion lives up to an hour, and its jti
// stays used for as long, through a restart and while what is over is dropped.
func TestAnHourOldAssertionStaysUsed(t *testing.T) {
	w := newWorld(t)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: w.key, KeyID: "k"}}, nil)
	must(t, err)
	assertion, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: channelID, Subject: channelID, Audience: jwt.Audience{w.issuer()}, ID: rand.Text(),
		Expiry: jwt.NewNumericDate(w.Clock.Now().Add(time.Hour))}).Serialize()
	must(t, err)
	// The assertion is used before the request, which lacks everything else, is read.
	push := func() string {
		r, err := w.http().PostForm(w.issuer()+"/par", url.Values{"client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}})
		must(t, err)
		defer func() { must(t, r.Body.Close()) }()
		var answer struct{ Reason string }
		must(t, json.NewDecoder(r.Body).Decode(&answer))
		return answer.Reason
	}
	if got := push(); got != "parameter_missing" {
		t.Fatalf("first: %s", got)
	}
	for range 6 {
		w.Clock.Advance(10 * time.Minute)
		must(t, w.Authority().RetainStep(t.Context()))
		w.Close()
		w.Open()
		w.serve()
		if got := push(); got != "assertion_used" {
			t.Errorf("after %v: %s", w.Clock.Now(), got)
		}
	}
	w.Clock.Advance(time.Minute)
	if got := push(); got != "assertion_expired" {
		t.Errorf("after its hour: %s", got)
	}
}
