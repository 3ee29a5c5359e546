// Package openidclient shows that client libraries that nobody here wrote work with
// the hosted door: discovery, pushed requests, private_key_jwt, PKCE, iss, the ID
// token and /userinfo. Most is tried with openid-client, which most channels written
// in JavaScript use; TestOtherClients tries the others of docs/CLIENTS.md.
// client.mjs is the channel; this test is the browser and the holder, in front
// of a whole authority. It needs Node 20 and npm, and fails without them.
// docs/HOSTED.md is the protocol.
//
// Start here: TestOpenIDClient, then client.mjs.
package openidclient

import (
	"bufio"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door/oidc"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/test/npm"
)

const (
	channelID = "zj-hrss"
	redirect  = "https://app.example/back" // openid-client drops the query of a redirect URI
	goodPIN   = "483159"
	wrongPIN  = "948271"
)

// TestMain prepares the client. It never skips tests: without Node and npm it
// fails and says so.
func TestMain(m *testing.M) {
	if err := npm.Install("."); err != nil {
		fmt.Fprintln(os.Stderr, "test/openid-client: these tests need Node 20 or newer and npm:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// channel is a running client.mjs and the authority that it talks to.
type channel struct {
	*testkit.Env
	t      *testing.T
	caller authority.Caller
	in     io.Writer
	out    *bufio.Reader
	// running: the clock is the machine's, and needs no winding.
	running bool
}

func start(t *testing.T) *channel {
	t.Helper()
	return startOf(t, testkit.Options{})
}

func startOf(t *testing.T, o testkit.Options) *channel {
	t.Helper()
	c := &channel{Env: testkit.New(t, o), t: t}
	if o.Clock == nil {
		c.wind()
	}
	key := c.NewKey()
	c.caller = authority.Caller{Client: c.AddClient(store.Client{ID: channelID, Kind: store.ClientChannel,
		Regions: []liuma.Region{""}, Actions: liuma.Actions(), RedirectURIs: []string{redirect}}, key)}
	issuer := c.System.Config.Issuer
	door, err := oidc.New(oidc.Config{Authority: c.Authority(), Tokens: c.System.Vault, Issuer: issuer, Now: c.Clock.Now, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	server := httptest.NewServer(door)
	t.Cleanup(server.Close)
	c.run(map[string]any{"issuer": issuer, "base": server.URL, "clientId": channelID, "redirect": redirect, "key": private(t, key)})
	return c
}

// wind sets the authority's clock to Node's time.
func (c *channel) wind() { c.Clock.Advance(time.Since(c.Clock.Now())) }

func private(t *testing.T, key *ecdsa.PrivateKey) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "k", Algorithm: "ES256", Use: "sig"})
	must(t, err)
	return raw
}

func (c *channel) run(settings map[string]any) { c.t.Helper(); c.runScript("client.mjs", settings) }

// runScript starts a channel that is written with one library.
func (c *channel) runScript(script string, settings map[string]any) {
	c.t.Helper()
	raw, err := json.Marshal(settings)
	must(c.t, err)
	cmd := exec.Command("node", script)
	cmd.Env = append(os.Environ(), "CHANNEL="+string(raw))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(c.t, err)
	out, err := cmd.StdoutPipe()
	must(c.t, err)
	must(c.t, cmd.Start())
	c.in, c.out = in, bufio.NewReader(out)
	c.t.Cleanup(func() {
		must(c.t, in.Close())
		must(c.t, cmd.Wait()) // it ends when its input ends
	})
}

// ask sends one request to client.mjs.
func (c *channel) ask(request map[string]any) map[string]any {
	c.t.Helper()
	if !c.running {
		c.wind()
	}
	raw, err := json.Marshal(request)
	must(c.t, err)
	_, err = c.in.Write(append(raw, '\n'))
	must(c.t, err)
	line, err := c.out.ReadBytes('\n')
	must(c.t, err)
	var answer map[string]any
	must(c.t, json.Unmarshal(line, &answer))
	return answer
}

// push makes the channel push a request, and returns the address for the
// browser.
func (c *channel) push(details map[string]any) string {
	c.t.Helper()
	a := c.ask(map[string]any{"do": "push", "details": details})
	address, ok := a["url"].(string)
	if !ok {
		c.t.Fatalf("push: %v", a)
	}
	return address
}

// browse opens an address as a browser, types PINs, and returns the address
// that the browser is sent back to.
func (c *channel) browse(address string, role liuma.Role, pins ...string) string {
	c.t.Helper()
	u, err := url.Parse(address)
	must(c.t, err)
	q := u.Query()
	if !strings.HasPrefix(address, c.System.Config.Issuer+"/authorize?") || len(q) != 2 {
		c.t.Fatalf("sent to %s", address)
	}
	p, hand := c.begin(address, ceremony.Hand{})
	for _, secret := range pins {
		p = c.GivePIN(p, hand, role, secret)
	}
	way, err := c.Authority().WayBack(c.t.Context(), p.ID, hand)
	must(c.t, err)
	return way.URL
}

// redeem makes the channel redeem the code in the address that the browser came
// back to.
func (c *channel) redeem(address string) map[string]any {
	c.t.Helper()
	return c.ask(map[string]any{"do": "callback", "url": address})
}

func (c *channel) details(action string, holder map[string]any) map[string]any {
	return map[string]any{"type": "liuma_pin", "action": action, "purpose": "查询社保缴费年限", "business_no": string(c.BusinessNo()), "holder": holder}
}

// card enrols a person and returns the card's handle.
func (c *channel) card() string {
	c.t.Helper()
	f := c.People[0]
	d := c.details("enroll", map[string]any{"id_number": f.IDNumber, "name": f.Name, "phone": f.Phone})
	challenge := c.Challenge(c.caller).Value
	d["challenge"], d["evidence"] = challenge, c.Evidence(f, challenge)
	a := c.redeem(c.browse(c.push(d), liuma.RoleNew, goodPIN))
	claims, ok := a["claims"].(map[string]any)
	if !ok {
		c.t.Fatalf("enroll: %v", a)
	}
	return claims["liuma_card"].(string)
}

func TestOpenIDClient(t *testing.T) {
	c := start(t)
	if m := c.ask(map[string]any{"do": "metadata"}); m["par"] != c.System.Config.Issuer+"/par" || m["pkce"] != true {
		t.Errorf("metadata %v", m)
	}
	card := c.card()
	d := c.details("verify", map[string]any{"card": card})
	a := c.redeem(c.browse(c.push(d), liuma.RoleCurrent, wrongPIN, goodPIN))
	claims, ok := a["claims"].(map[string]any)
	if !ok {
		t.Fatalf("%v", a)
	}
	if claims["liuma_card"] != card || claims["iss"] != c.System.Config.Issuer || claims["aud"] != channelID || claims["acr"] != "urn:liuma:acr:pin" ||
		claims["liuma_business_no"] != d["business_no"] || claims["liuma_action"] != "verify" || claims["exp"].(float64)-claims["iat"].(float64) > 65 {
		t.Errorf("claims %v", claims)
	}
	if a["type"] != "bearer" || a["details"].([]any)[0].(map[string]any)["type"] != "liuma_pin" {
		t.Errorf("%v", a)
	}
}

// The client's reaction to refusals, and the answers that it refuses itself.
func TestOpenIDClientIsRefused(t *testing.T) {
	c := start(t)
	card := c.card()
	verify := func() map[string]any { return c.details("verify", map[string]any{"card": card}) }
	want := func(name string, a map[string]any, member, value string) {
		t.Helper()
		if a["claims"] != nil || a["url"] != nil || a["error"] == "" || a[member] != value {
			t.Errorf("%s: %v, want %s %s", name, a, member, value)
		}
	}
	bad := verify()
	bad["purpose"] = "两\n行"
	want("bad details", c.ask(map[string]any{"do": "push", "details": bad}), "oauth", "invalid_authorization_details")
	want("redirect", c.ask(map[string]any{"do": "push", "details": verify(), "change": map[string]any{"redirect_uri": "https://app.example/back/"}}), "oauth", "invalid_request")

	back := c.browse(c.push(verify()), liuma.RoleCurrent, goodPIN)
	want("mixed-up issuer", c.redeem(strings.Replace(back, url.QueryEscape(c.System.Config.Issuer), "https%3A%2F%2Fevil.example", 1)), "code", "OAUTH_INVALID_RESPONSE")
	without, err := url.Parse(back)
	must(t, err)
	q := without.Query()
	q.Del("iss")
	without.RawQuery = q.Encode()
	want("no issuer", c.redeem(without.String()), "code", "OAUTH_INVALID_RESPONSE")
	want("state", c.ask(map[string]any{"do": "callback", "url": back, "check": map[string]any{"expectedState": "another-state"}}), "code", "OAUTH_INVALID_RESPONSE")
	want("verifier", c.ask(map[string]any{"do": "callback", "url": back, "check": map[string]any{"pkceCodeVerifier": strings.Repeat("v", 43)}}), "oauth", "invalid_grant")
	if a := c.redeem(back); a["claims"] == nil {
		t.Fatalf("the code that the others differ from: %v", a)
	}
	want("replayed", c.redeem(back), "oauth", "invalid_grant")

	back = c.browse(c.push(verify()), liuma.RoleCurrent, goodPIN)
	want("nonce", c.ask(map[string]any{"do": "callback", "url": back, "check": map[string]any{"expectedNonce": "another-nonce"}}), "code", "OAUTH_JWT_CLAIM_COMPARISON_FAILED")

	back = c.browse(c.push(verify()), liuma.RoleCurrent, goodPIN)
	_, err = c.Authority().Freeze(t.Context(), c.caller, authority.Request{BusinessNo: c.BusinessNo(),
		Subject: envelope.Subject{Card: card}, Digest: testkit.Digest("freeze")})
	must(t, err)
	want("frozen meanwhile", c.redeem(back), "oauth", "invalid_grant")
}

// TestOpenIDClientOfRecovery: a channel that never sees a PIN lets its holder
// set a new one in place of a forgotten one: pushed, sent back for evidence,
// pushed again with it, redeemed.
func TestOpenIDClientOfRecovery(t *testing.T) {
	// Longer ago than the time in which a new phone cannot be used to reset.
	c := startOf(t, testkit.Options{Phones: true, Clock: testkit.RunningClock(-80 * time.Hour)})
	who := c.People[0]
	card := string(c.EnrollPhone(c.caller, who, goodPIN))
	c.Clock.CatchUp()

	// An enrollment without evidence is refused at the push, with a challenge.
	other := c.People[1]
	a := c.ask(map[string]any{"do": "push", "details": c.details("enroll", map[string]any{"id_number": other.IDNumber, "name": other.Name, "phone": other.Phone})})
	if challenge, _ := a["challenge"].(string); a["oauth"] != "invalid_authorization_details" || a["liuma"] != "evidence_required" || challenge == "" {
		t.Errorf("enroll without evidence: %v", a)
	}

	d := c.details("reset", map[string]any{"card": card})
	p, hand := c.begin(c.push(d), ceremony.Hand{})
	p = c.codeNow(p, hand, who.Phone)
	way, err := c.Authority().WayBack(t.Context(), p.ID, hand)
	must(t, err)
	a = c.redeem(way.URL)
	challenge, _ := a["challenge"].(string)
	if a["oauth"] != "evidence_required" || challenge == "" || a["claims"] != nil {
		t.Fatalf("sent back for evidence: %v", a)
	}
	d["challenge"], d["evidence"] = challenge, c.Evidence(who, challenge)
	p, hand = c.begin(c.push(d), hand)
	if p = c.GivePIN(p, hand, liuma.RoleNew, "815206"); p.Step != ceremony.StepDone {
		t.Fatalf("%+v", p)
	}
	way, err = c.Authority().WayBack(t.Context(), p.ID, hand)
	must(t, err)
	a = c.redeem(way.URL)
	claims, ok := a["claims"].(map[string]any)
	if !ok || claims["liuma_card"] != card || claims["liuma_action"] != "reset" || claims["acr"] != "urn:liuma:acr:pin-evidence" || claims["liuma_business_no"] != d["business_no"] {
		t.Errorf("%v", a)
	}

	// The other two recovery actions open as well.
	for action, step := range map[string]ceremony.Step{"rebind": ceremony.StepPIN, "unfreeze": ceremony.StepRefused} {
		if p, _ := c.begin(c.push(c.details(action, map[string]any{"card": card})), ceremony.Hand{}); p.Step != step {
			t.Errorf("%s opens at %s, want %s", action, p.Step, step)
		}
	}
}

// begin opens an address in a browser that may have begun it before, up to the
// first step that needs the holder.
func (c *channel) begin(address string, in ceremony.Hand) (ceremony.Page, ceremony.Hand) {
	c.t.Helper()
	u, err := url.Parse(address)
	must(c.t, err)
	q, ctx := u.Query(), c.t.Context()
	p, err := c.Authority().LookAt(ctx, q.Get("client_id"), q.Get("request_uri"), ceremony.Hand{})
	must(c.t, err)
	p, err = c.Authority().Begin(ctx, p.ID, ceremony.Hand{Secret: in.Secret, RequestURI: q.Get("request_uri")})
	must(c.t, err)
	hand := ceremony.Hand{Secret: p.Bound, Consent: p.ConsentHash}
	if p.Step == ceremony.StepConfirm {
		p, err = c.Authority().Agree(ctx, p.ID, hand)
		must(c.t, err)
	}
	return p, hand
}

// codeNow has a one-time code sent and enters it, by Node's clock.
func (c *channel) codeNow(p ceremony.Page, hand ceremony.Hand, phone string) ceremony.Page {
	c.t.Helper()
	p, err := c.Authority().SendCode(c.t.Context(), p.ID, hand, liuma.ByText)
	must(c.t, err)
	p, err = c.Authority().GiveCode(c.t.Context(), p.ID, hand, c.LastCode(phone))
	must(c.t, err)
	return p
}
