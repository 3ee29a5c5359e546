package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door/oidc"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

const (
	channelID = "zj-hrss"
	redirect  = "https://app.example/back?from=liuma"
	goodPIN   = "483159"
	wrongPIN  = "948271"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is the whole authority behind a door on the loopback, and a channel
// that is written with go-oidc and x/oauth2.
type world struct {
	*testkit.Env
	t      *testing.T
	server *httptest.Server
	caller authority.Caller
	key    *ecdsa.PrivateKey
	ctx    context.Context // carries the client that reaches the door by its issuer
	door   atomic.Value    // string: where the door listens now
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, testkit.Options{})
}

func newWorldOf(t *testing.T, o testkit.Options) *world {
	t.Helper()
	w := &world{Env: testkit.New(t, o), t: t}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.door.Load().(string))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	w.ctx = goidc.ClientContext(t.Context(), &http.Client{Transport: transport})
	w.key = w.NewKey()
	w.caller = authority.Caller{Client: w.AddClient(store.Client{ID: channelID, Kind: store.ClientChannel,
		Regions: []liuma.Region{""}, Actions: liuma.Actions(), RedirectURIs: []string{redirect}}, w.key)}
	w.serve()
	return w
}

// serve mounts the door of the system as it is open now. Clients reach it under
// the issuer's name; the transport maps that to its port.
func (w *world) serve() {
	w.t.Helper()
	door, err := oidc.New(oidc.Config{Authority: w.Authority(), Tokens: w.System.Vault, Issuer: w.issuer(),
		Now: w.Clock.Now, Logger: slog.New(slog.DiscardHandler)})
	must(w.t, err)
	if w.server != nil {
		w.server.Close()
	}
	w.server = httptest.NewServer(door)
	w.t.Cleanup(w.server.Close)
	w.http().CloseIdleConnections() // those to the server before
	w.door.Store(w.server.Listener.Addr().String())
}

func (w *world) issuer() string { return w.System.Config.Issuer }

func (w *world) http() *http.Client { return w.ctx.Value(oauth2.HTTPClient).(*http.Client) }

// assertion signs a client assertion, as any channel would.
func (w *world) assertion(id string, key *ecdsa.PrivateKey) string {
	w.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	must(w.t, err)
	now := w.Clock.Now()
	token, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: id, Subject: id, Audience: jwt.Audience{w.issuer()}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute))}).Serialize()
	must(w.t, err)
	return token
}

// session holds the values that a channel keeps between push and authorization
// code.
type session struct {
	state, nonce, verifier string
	requestURI             string
	details                map[string]any
}

func (w *world) provider() *goidc.Provider {
	w.t.Helper()
	p, err := goidc.NewProvider(w.ctx, w.issuer())
	must(w.t, err)
	return p
}

func (w *world) config(p *goidc.Provider) *oauth2.Config {
	endpoint := p.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	return &oauth2.Config{ClientID: channelID, RedirectURL: redirect, Scopes: []string{goidc.ScopeOpenID}, Endpoint: endpoint}
}

// push pushes a request with net/http: neither library knows PAR.
func (w *world) push(p *goidc.Provider, details map[string]any) session {
	w.t.Helper()
	var more struct {
		PAR string `json:"pushed_authorization_request_endpoint"`
	}
	must(w.t, p.Claims(&more))
	s := session{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier(), details: details}
	rar, err := json.Marshal([]any{details})
	must(w.t, err)
	form := url.Values{
		"client_id": {channelID}, "response_type": {"code"}, "redirect_uri": {redirect}, "scope": {"openid"},
		"state": {s.state}, "nonce": {s.nonce}, "code_challenge": {oauth2.S256ChallengeFromVerifier(s.verifier)},
		"code_challenge_method": {"S256"}, "authorization_details": {string(rar)},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {w.assertion(channelID, w.key)},
	}
	r, err := w.http().PostForm(more.PAR, form)
	must(w.t, err)
	defer func() { _ = r.Body.Close() }()
	var answer struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int    `json:"expires_in"`
		Error      string `json:"error_description"`
	}
	must(w.t, json.NewDecoder(r.Body).Decode(&answer))
	if r.StatusCode != http.StatusCreated || answer.ExpiresIn != 90 {
		w.t.Fatalf("push: %d %+v", r.StatusCode, answer)
	}
	s.requestURI = answer.RequestURI
	return s
}

// browse is the browser and its holder: it opens the address that the channel
// redirects to, types PINs until the ceremony is over, and comes back with the
// parameters of the redirect.
func (w *world) browse(authorize string, role liuma.Role, pins ...string) url.Values {
	w.t.Helper()
	u, err := url.Parse(authorize)
	must(w.t, err)
	q := u.Query()
	if u.Scheme+"://"+u.Host+u.Path != w.issuer()+"/authorize" {
		w.t.Fatalf("sent to %s", authorize)
	}
	a, ctx := w.Authority(), w.t.Context()
	p, err := a.LookAt(ctx, q.Get("client_id"), q.Get("request_uri"), ceremony.Hand{})
	must(w.t, err)
	p, err = a.Begin(ctx, p.ID, ceremony.Hand{RequestURI: q.Get("request_uri")})
	must(w.t, err)
	hand := ceremony.Hand{Secret: p.Bound, Consent: p.ConsentHash}
	if p.Step == ceremony.StepConfirm {
		p, err = a.Agree(ctx, p.ID, hand)
		must(w.t, err)
	}
	for _, secret := range pins {
		p = w.GivePIN(p, hand, role, secret)
	}
	way, err := a.WayBack(ctx, p.ID, hand)
	must(w.t, err)
	if !strings.HasPrefix(way.URL, "https://app.example/back?") {
		w.t.Fatalf("sent back to %s", way.URL)
	}
	back, err := url.Parse(way.URL)
	must(w.t, err)
	return back.Query()
}

// authorize is the address that a channel redirects to.
func (w *world) authorize(c *oauth2.Config, s session) string {
	return c.AuthCodeURL(s.state, oauth2.SetAuthURLParam("request_uri", s.requestURI))
}

// exchange redeems an authorization code.
func (w *world) exchange(c *oauth2.Config, code, verifier string) (*oauth2.Token, error) {
	w.t.Helper()
	return c.Exchange(w.ctx, code, oauth2.VerifierOption(verifier),
		oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
		oauth2.SetAuthURLParam("client_assertion", w.assertion(channelID, w.key)))
}

// claims are the claims that a channel reads of a checked ID token.
type claims struct {
	BusinessNo  string   `json:"liuma_business_no"`
	Action      string   `json:"liuma_action"`
	Card        string   `json:"liuma_card"`
	PurposeHash string   `json:"liuma_purpose_hash"`
	ACR         string   `json:"acr"`
	AMR         []string `json:"amr"`
	AuthTime    int64    `json:"auth_time"`
}

// redeem redeems and checks, as a channel should.
func (w *world) redeem(p *goidc.Provider, s session, back url.Values) (*goidc.IDToken, claims) {
	w.t.Helper()
	if back.Get("state") != s.state || back.Get("iss") != w.issuer() || back.Has("error") {
		w.t.Fatalf("back with %v", back)
	}
	token, err := w.exchange(w.config(p), back.Get("code"), s.verifier)
	must(w.t, err)
	raw, _ := token.Extra("id_token").(string)
	id, err := w.verifier(p).Verify(w.ctx, raw)
	must(w.t, err)
	if id.Nonce != s.nonce {
		w.t.Fatalf("nonce %q", id.Nonce)
	}
	must(w.t, id.VerifyAccessToken(token.AccessToken))
	var c claims
	must(w.t, id.Claims(&c))
	return id, c
}

func (w *world) verifier(p *goidc.Provider) *goidc.IDTokenVerifier {
	return p.VerifierContext(w.ctx, &goidc.Config{ClientID: channelID, Now: w.Clock.Now, SupportedSigningAlgs: []string{"ES256"}})
}

func (w *world) enrollDetails(f registry.Facts) map[string]any {
	challenge := w.Challenge(w.caller).Value
	return map[string]any{"type": "liuma_pin", "action": "enroll", "purpose": "申领电子社保卡", "business_no": string(w.BusinessNo()),
		"holder":    map[string]any{"id_number": f.IDNumber, "name": f.Name, "phone": f.Phone},
		"challenge": challenge, "evidence": w.Evidence(f, challenge)}
}

func (w *world) verifyDetails(card string) map[string]any {
	return map[string]any{"type": "liuma_pin", "action": "verify", "purpose": "查询社保缴费年限", "business_no": string(w.BusinessNo()),
		"holder": map[string]any{"card": card}}
}

// card enrols a person at the hosted door and returns the card's handle.
func (w *world) card(p *goidc.Provider, f registry.Facts) string {
	w.t.Helper()
	s := w.push(p, w.enrollDetails(f))
	_, c := w.redeem(p, s, w.browse(w.authorize(w.config(p), s), liuma.RoleNew, goodPIN))
	return c.Card
}

func TestGoClient(t *testing.T) {
	w := newWorld(t)
	p := w.provider()
	card := w.card(p, w.People[0])

	s := w.push(p, w.verifyDetails(card))
	back := w.browse(w.authorize(w.config(p), s), liuma.RoleCurrent, wrongPIN, goodPIN)
	w.Clock.Advance(59 * time.Second)
	id, c := w.redeem(p, s, back)
	hash := envelope.PurposeHash("查询社保缴费年限")
	if c.Card != card || id.Subject == card || id.Issuer != w.issuer() || c.BusinessNo != s.details["business_no"] || c.Action != "verify" ||
		c.ACR != "urn:liuma:acr:pin" || len(c.AMR) != 1 || c.AMR[0] != "pin" || c.AuthTime != testkit.Start.Unix() {
		t.Errorf("%+v %+v", id, c)
	}
	if want := base64.RawURLEncoding.EncodeToString(hash[:]); c.PurposeHash != want {
		t.Errorf("purpose hash %s, want %s", c.PurposeHash, want)
	}
	if left := id.Expiry.Sub(w.Clock.Now()); left != time.Minute {
		t.Errorf("the token lives %v", left)
	}
	// The same verdict, by business number, where the answer was lost.
	v, err := w.Authority().Verification(t.Context(), w.caller, liuma.BusinessNo(c.BusinessNo))
	must(t, err)
	if v.Verdict != liuma.Right || string(v.Card) != card || !v.Redeemed {
		t.Errorf("%+v", v)
	}
}

// wantError checks the error that x/oauth2 returns for a refusal.
func wantError(t *testing.T, token *oauth2.Token, err error, name string, code liuma.Code) {
	t.Helper()
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || token != nil || refused.ErrorCode != name {
		t.Fatalf("token %v, %v; want %s", token, err, name)
	}
	var body struct {
		Code liuma.Code `json:"code"`
	}
	must(t, json.Unmarshal(refused.Body, &body))
	if body.Code != code {
		t.Errorf("code %s, want %s", body.Code, code)
	}
}

func TestGoClientIsRefused(t *testing.T) {
	w := newWorld(t)
	p := w.provider()
	c := w.config(p)
	card := w.card(p, w.People[0])
	begin := func() (session, url.Values) {
		s := w.push(p, w.verifyDetails(card))
		return s, w.browse(w.authorize(c, s), liuma.RoleCurrent, goodPIN)
	}

	s, back := begin()
	token, err := w.exchange(c, back.Get("code"), oauth2.GenerateVerifier())
	wantError(t, token, err, "invalid_grant", liuma.CodeCodeInvalid)
	elsewhere := *c
	elsewhere.RedirectURL = "https://app.example/back"
	token, err = w.exchange(&elsewhere, back.Get("code"), s.verifier)
	wantError(t, token, err, "invalid_grant", liuma.CodeCodeInvalid)
	if _, err = w.exchange(c, back.Get("code"), s.verifier); err != nil {
		t.Fatal(err)
	}
	token, err = w.exchange(c, back.Get("code"), s.verifier)
	wantError(t, token, err, "invalid_grant", liuma.CodeCodeInvalid)

	s, back = begin()
	w.Clock.Advance(time.Minute)
	token, err = w.exchange(c, back.Get("code"), s.verifier)
	wantError(t, token, err, "invalid_grant", liuma.CodeCodeInvalid)

	// I-10: frozen between the verdict and the redemption.
	s, back = begin()
	_, err = w.Authority().Freeze(t.Context(), w.caller, authority.Request{BusinessNo: w.BusinessNo(),
		Subject: envelope.Subject{Card: card}, Digest: testkit.Digest("freeze")})
	must(t, err)
	token, err = w.exchange(c, back.Get("code"), s.verifier)
	wantError(t, token, err, "invalid_grant", liuma.CodeReceiptStale)
}

// A channel gets nothing for the authorization code or request_uri of another
// channel.
func TestGoClientOfAnotherChannel(t *testing.T) {
	w := newWorld(t)
	p := w.provider()
	card := w.card(p, w.People[0])
	s := w.push(p, w.verifyDetails(card))
	back := w.browse(w.authorize(w.config(p), s), liuma.RoleCurrent, goodPIN)

	key := w.NewKey()
	w.AddClient(store.Client{ID: "js-hrss", Kind: store.ClientChannel, Regions: []liuma.Region{""}, Actions: liuma.Actions(), RedirectURIs: []string{redirect}}, key)
	other := w.config(p)
	other.ClientID = "js-hrss"
	token, err := other.Exchange(w.ctx, back.Get("code"), oauth2.VerifierOption(s.verifier),
		oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
		oauth2.SetAuthURLParam("client_assertion", w.assertion("js-hrss", key)))
	wantError(t, token, err, "invalid_grant", liuma.CodeCodeInvalid)

	s = w.push(p, w.verifyDetails(card))
	if _, err := w.Authority().LookAt(t.Context(), "js-hrss", s.requestURI, ceremony.Hand{}); liuma.CodeOf(err) != liuma.CodeRequestURIInvalid {
		t.Errorf("another channel's request_uri: %v", err)
	}
}

func TestGoClientOfALockedCard(t *testing.T) {
	w := newWorld(t)
	p := w.provider()
	card := w.card(p, w.People[0])
	s := w.push(p, w.verifyDetails(card))
	back := w.browse(w.authorize(w.config(p), s), liuma.RoleCurrent, wrongPIN, wrongPIN, wrongPIN, wrongPIN, wrongPIN, wrongPIN)
	if back.Get("error") != "access_denied" || back.Has("code") || back.Get("state") != s.state || back.Get("iss") != w.issuer() {
		t.Errorf("back with %v", back)
	}
}

// The client refuses a token of another issuer, of another channel, or one that
// has expired; also one that this door signed under another issuer's name.
func TestGoClientChecksTheToken(t *testing.T) {
	w, foreign := newWorld(t), newWorld(t)
	p := w.provider()
	redeem := func(w *world) string {
		p := w.provider()
		s := w.push(p, w.enrollDetails(w.People[0]))
		back := w.browse(w.authorize(w.config(p), s), liuma.RoleNew, goodPIN)
		token, err := w.exchange(w.config(p), back.Get("code"), s.verifier)
		must(t, err)
		return token.Extra("id_token").(string)
	}
	raw, other := redeem(w), redeem(foreign)
	if _, err := w.verifier(p).Verify(w.ctx, raw); err != nil {
		t.Fatal(err)
	}
	if _, err := w.verifier(p).Verify(w.ctx, other); err == nil {
		t.Error("a token signed by another authority passes")
	}
	wrong := func(c goidc.Config, issuer string) {
		t.Helper()
		c.Now = w.Clock.Now
		c.SupportedSigningAlgs = []string{"ES256"}
		keys := goidc.NewRemoteKeySet(w.ctx, w.issuer()+"/jwks")
		if _, err := goidc.NewVerifier(issuer, keys, &c).Verify(w.ctx, raw); err == nil {
			t.Errorf("%+v passes", c)
		}
	}
	wrong(goidc.Config{ClientID: "js-hrss"}, w.issuer())
	wrong(goidc.Config{ClientID: channelID}, "https://other.example")
	w.Clock.Advance(time.Minute + time.Second)
	if _, err := w.verifier(p).Verify(w.ctx, raw); err == nil {
		t.Error("a token that is over passes")
	}
	// Discovery under another name is refused before anything is asked.
	if _, err := goidc.NewProvider(w.ctx, "http://127.0.0.1:1"); err == nil {
		t.Error("metadata of another issuer passes")
	}
}

// A receipt of the native door, signed with the same key for the same channel,
// is not an ID token: it has no nonce of a session.
func TestReceiptIsNoIDToken(t *testing.T) {
	w := newWorld(t)
	card := w.Enroll(w.caller, w.People[0], goodPIN)
	v := w.Verify(w.caller, card, goodPIN)
	if v.Receipt == "" {
		t.Fatalf("%+v", v)
	}
	id, err := w.verifier(w.provider()).Verify(w.ctx, v.Receipt)
	if err == nil && (id.Nonce != "" || id.AccessTokenHash != "" || id.VerifyAccessToken("x") == nil) {
		t.Errorf("a receipt reads as an ID token: %+v", id)
	}
	// And an ID token is not a receipt.
	p := w.provider()
	s := w.push(p, w.verifyDetails(string(card)))
	back := w.browse(w.authorize(w.config(p), s), liuma.RoleCurrent, goodPIN)
	token, err := w.exchange(w.config(p), back.Get("code"), s.verifier)
	must(t, err)
	raw := token.Extra("id_token").(string)
	if _, err := vault.ParseReceipt(raw, w.System.Vault.ReceiptKeys(), w.issuer(), channelID, w.Clock.Now()); liuma.CodeOf(err) != liuma.CodeReceiptInvalid {
		t.Errorf("an ID token reads as a receipt: %v", err)
	}
	if _, err := w.Authority().Redeem(t.Context(), w.caller, raw); liuma.CodeOf(err) != liuma.CodeReceiptInvalid {
		t.Errorf("an ID token is redeemed as a receipt: %v", err)
	}
}

// TestGoClientOverARotation: a channel that fetched the keys before a rotation
// goes on checking while they change. Signatures of the old key still verify,
// the new kid makes the client fetch again, and once the old key is dropped,
// only a client that cached it accepts its signatures.
func TestGoClientOverARotation(t *testing.T) {
	w := newWorld(t)
	p := w.provider()
	card := w.card(p, w.People[0])
	token := func() string {
		s := w.push(p, w.verifyDetails(card))
		back := w.browse(w.authorize(w.config(p), s), liuma.RoleCurrent, goodPIN)
		token, err := w.exchange(w.config(p), back.Get("code"), s.verifier)
		must(t, err)
		return token.Extra("id_token").(string)
	}
	restart := func(change func(path string) error) {
		w.Close()
		must(t, change(w.Dir+"/vault.key"))
		w.Open()
		w.serve()
	}
	check := w.verifier(p) // one, with the keys that it fetched, all the way
	old := token()
	if _, err := check.Verify(w.ctx, old); err != nil {
		t.Fatal(err)
	}
	var fresh vault.SigningKey
	restart(func(path string) (err error) { fresh, err = vault.At(path).RotateSigningKey(w.Clock.Now()); return err })
	w.Clock.Advance(vault.PublishedFor - time.Second)
	before := old
	if old = token(); kidOf(t, old) != kidOf(t, before) {
		t.Error("the new key signed before clients could have it")
	}
	w.Clock.Advance(time.Second)
	renewed := token()
	if kidOf(t, renewed) != fresh.ID || kidOf(t, old) == fresh.ID {
		t.Errorf("signed with %s, then %s, rotated to %s", kidOf(t, old), kidOf(t, renewed), fresh.ID)
	}
	var all sync.WaitGroup
	for range 8 {
		for _, raw := range []string{old, renewed} {
			all.Go(func() {
				if _, err := check.Verify(w.ctx, raw); err != nil {
					t.Errorf("signed with %s: %v", kidOf(t, raw), err)
				}
			})
		}
	}
	all.Wait()
	restart(func(path string) error { return vault.At(path).DropSigningKey(kidOf(t, old)) })
	late := w.verifier(w.provider())
	if _, err := late.Verify(w.ctx, old); err == nil {
		t.Error("a client that fetched the keys afterwards takes what the dropped key signed")
	}
	if _, err := late.Verify(w.ctx, renewed); err != nil {
		t.Error(err)
	}
}

func kidOf(t *testing.T, raw string) string {
	t.Helper()
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	return jws.Signatures[0].Protected.KeyID
}
