package api_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/door/api"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestRegistrationFromMemory: an act authenticates its channel by a cached
// registration. A change by an operator takes effect with the next request all
// the same.
func TestRegistrationFromMemory(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	key := env.NewKey()
	env.AddClient(store.Client{ID: "zj-hrss", Kind: store.ClientChannel, Regions: []liuma.Region{"33"}, Actions: liuma.Actions()}, key)
	door, err := api.New(api.Config{Authority: env.Authority(), Issuer: env.System.Config.Issuer, Now: env.Clock.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	freeze := func(region string) (int, string) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"business_no": env.BusinessNo(), "region": region,
			"subject": map[string]any{"card": "abcdefghijklmnopqrstuvwxyz234567"}})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/freezes", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+signedToken(t, key, env.System.Config.Issuer, env.Clock.Now()))
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		var p struct {
			Code   string `json:"code"`
			Reason string `json:"reason"`
		}
		_ = json.Unmarshal(w.Body.Bytes(), &p)
		return w.Code, p.Code + " " + p.Reason
	}
	want := func(when, region string, status int, code string) {
		t.Helper()
		if got, said := freeze(region); got != status || said != code {
			t.Errorf("%s: %d %q, want %d %q", when, got, said, status, code)
		}
	}
	const unknown = "refused " // an answer about the card: the channel was let in
	want("before", "33", http.StatusForbidden, unknown)
	if err := env.System.Admin.StopClient(t.Context(), store.ClientChannel, "zj-hrss"); err != nil {
		t.Fatal(err)
	}
	want("stopped", "33", http.StatusUnauthorized, "unauthenticated client_stopped")
	if err := env.System.Admin.ResumeClient(t.Context(), store.ClientChannel, "zj-hrss"); err != nil {
		t.Fatal(err)
	}
	want("resumed", "33", http.StatusForbidden, unknown)
	want("in a region that it is not registered for", "11", http.StatusForbidden, "forbidden ")
	if err := env.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Client("zj-hrss")
		if err != nil {
			return audit.Entry{}, err
		}
		c.Regions = append(c.Regions, "11")
		return audit.Entry{At: env.Clock.Now(), Actor: "operator", Event: audit.ChannelRegistered, Outcome: "ok"}, tx.UpdateClient(c)
	}); err != nil {
		t.Fatal(err)
	}
	want("after it was registered there", "11", http.StatusForbidden, unknown)
	pair, err := admin.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	if err := env.System.Admin.AddClientKey(t.Context(), store.ClientChannel, "zj-hrss", pair.Public); err != nil {
		t.Fatal(err)
	}
	want("with a second key", "33", http.StatusForbidden, unknown)
	if err := env.System.Admin.RemoveClientKey(t.Context(), store.ClientChannel, "zj-hrss", "k"); err != nil {
		t.Fatal(err)
	}
	want("by a key that was removed", "33", http.StatusUnauthorized, "unauthenticated token_signature")
}

// signedToken is a channel's own token for one request.
func signedToken(t *testing.T, key *ecdsa.PrivateKey, issuer string, now time.Time) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}},
		(&jose.SignerOptions{}).WithType(door.NativeType))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: "zj-hrss", Subject: "zj-hrss", Audience: jwt.Audience{door.NativeAudience(issuer)},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute))}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
