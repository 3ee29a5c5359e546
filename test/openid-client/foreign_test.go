package openidclient

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// startWith runs a channel of another library in front of a serving authority, at
// the address that is its issuer's name.
func startWith(t *testing.T, script string, strict bool) *channel {
	t.Helper()
	c := &channel{Env: testkit.New(t, testkit.Options{Listen: true, Clock: testkit.RunningClock(0)}), t: t, running: true}
	key := c.NewKey()
	c.caller = authority.Caller{Client: c.AddClient(store.Client{ID: channelID, Kind: store.ClientChannel,
		Regions: []liuma.Region{""}, Actions: liuma.Actions(), RedirectURIs: []string{redirect}, StrictAudience: strict}, key)}
	c.Serve()
	issuer := c.System.Config.Issuer
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); { // until the listener answers
		if r, err := http.Get(issuer + "/jwks"); err == nil {
			must(t, r.Body.Close())
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.runScript(script, map[string]any{"issuer": issuer, "base": issuer, "clientId": channelID, "redirect": redirect, "key": private(t, key)})
	return c
}

// TestOtherClients: libraries that docs/CLIENTS.md lists push, come back, redeem,
// and ask /userinfo, with the settings that stand there. Those that name the issuer
// alone do so in a channel with a strict audience.
func TestOtherClients(t *testing.T) {
	for script, strict := range map[string]bool{"oauth4webapi.mjs": true, "openid-client-5.mjs": true, "express.mjs": true, "client.mjs": true, "passport.mjs": true} {
		t.Run(strings.TrimSuffix(script, ".mjs"), func(t *testing.T) {
			c := startWith(t, script, strict)
			card := c.card()
			d := c.details("verify", map[string]any{"card": card})
			a := c.redeem(c.browse(c.push(d), liuma.RoleCurrent, wrongPIN, goodPIN))
			claims, _ := a["claims"].(map[string]any)
			if claims["liuma_card"] != card || claims["liuma_business_no"] != d["business_no"] || claims["acr"] != "urn:liuma:acr:pin" {
				t.Fatalf("%v", a)
			}
			if info, asked := a["userinfo"].(map[string]any); asked && (len(info) != 1 || info["sub"] != claims["sub"]) || !asked && script != "client.mjs" {
				t.Errorf("userinfo %v", a["userinfo"])
			}
			bad := c.details("verify", map[string]any{"card": card})
			bad["purpose"] = "两\n行"
			if a := c.ask(map[string]any{"do": "push", "details": bad}); a["url"] != nil || a["error"] == nil {
				t.Errorf("bad details: %v", a)
			}
			if script == "express.mjs" {
				return // its verifier is in its cookie
			}
			back := c.browse(c.push(c.details("verify", map[string]any{"card": card})), liuma.RoleCurrent, goodPIN)
			wrong := map[string]any{"do": "callback", "url": back, "verifier": strings.Repeat("v", 43), "check": map[string]any{"pkceCodeVerifier": strings.Repeat("v", 43)}}
			if a := c.ask(wrong); a["claims"] != nil || a["oauth"] != "invalid_grant" {
				t.Errorf("another verifier: %v", a)
			}
		})
	}
}
