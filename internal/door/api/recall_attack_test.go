package api_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/door/api"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestMemoryNeverRefuses: a registration that was widened lets in from the next
// request on, as routes.go says ("Memory lets in, but never refuses").
func TestMemoryNeverRefuses(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	key := env.NewKey()
	env.AddClient(store.Client{ID: "zj-hrss", Kind: store.ClientChannel, Regions: []liuma.Region{"33"}, Actions: []liuma.Action{liuma.ActionVerify}}, key)
	door, err := api.New(api.Config{Authority: env.Authority(), Issuer: env.System.Config.Issuer, Now: env.Clock.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	freeze := func() string {
		body, _ := json.Marshal(map[string]any{"business_no": env.BusinessNo(), "region": "33",
			"subject": map[string]any{"card": "abcdefghijklmnopqrstuvwxyz234567"}})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/freezes", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+signedToken(t, key, env.System.Config.Issuer, env.Clock.Now()))
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		var p struct {
			Code string `json:"code"`
		}
		_ = json.Unmarshal(w.Body.Bytes(), &p)
		return p.Code
	}
	if got := freeze(); got != "forbidden" {
		t.Fatalf("before: %q", got)
	}
	err = env.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Client("zj-hrss")
		if err != nil {
			return audit.Entry{}, err
		}
		c.Actions = append(c.Actions, liuma.ActionFreeze)
		return audit.Entry{At: env.Clock.Now(), Actor: "operator", Event: audit.ChannelRegistered, Outcome: "ok"}, tx.UpdateClient(c)
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := freeze(); got != "refused" {
			t.Errorf("widened: %q, want the card's own refusal", got)
		}
	}
}

// TestAStoppedChannelHearsOnlyThat: whatever a stopped channel sends, the answer
// is that it is stopped, as before the move (401 before the body was read).
func TestAStoppedChannelHearsOnlyThat(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	key := env.NewKey()
	env.AddClient(store.Client{ID: "zj-hrss", Kind: store.ClientChannel, Regions: []liuma.Region{"33"}, Actions: []liuma.Action{liuma.ActionVerify, liuma.ActionLink}}, key)
	door, err := api.New(api.Config{Authority: env.Authority(), Issuer: env.System.Config.Issuer, Now: env.Clock.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	send := func(path, body string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader([]byte(body)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+signedToken(t, key, env.System.Config.Issuer, env.Clock.Now()))
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	send("/v1/challenges", "{}")
	if err := env.System.Admin.StopClient(t.Context(), store.ClientChannel, "zj-hrss"); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"/v1/verifications", `{"nonsense":"x"}`},
		{"/v1/freezes", `{"business_no":"20260101000000000001","subject":{"card":"abcdefghijklmnopqrstuvwxyz234567"}}`},
		{"/v1/freezes", `{"business_no":"20260101000000000001","region":"99","subject":{"card":"abcdefghijklmnopqrstuvwxyz234567"}}`},
	} {
		for range 2 {
			if code, said := send(c[0], c[1]); code != http.StatusUnauthorized {
				t.Errorf("%s %s: %d %s", c[0], c[1], code, said)
			}
		}
	}
}
