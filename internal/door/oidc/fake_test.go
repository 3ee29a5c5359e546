package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

const (
	issuer   = "https://pin.example"
	channel  = "zj-hrss"
	redirect = "https://app.example/back?from=liuma"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clock is a clock that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fakeAuthority keeps the contract that the door relies on, in memory: an
// authorization code is redeemed once, by its client, with its redirect URI and
// PKCE verifier; a jti is accepted once.
type fakeAuthority struct {
	now func() time.Time

	mu      sync.Mutex
	clients map[string]store.Client // guarded by mu, as is all below
	pushed  map[string]push         // by request_uri
	codes   map[string]push
	used    map[string]time.Time // client and jti -> until
	replays int                  // of authorization codes
	refusal error                // of every Push and RedeemCode, if set
	broken  error                // of every Client, if set
	grants  func(*ceremony.Grant)
}

type push struct {
	ceremony.Push
	client string
	at     time.Time
}

func (a *fakeAuthority) Client(_ context.Context, id string) (store.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return store.Client{}, a.broken
	}
	c, ok := a.clients[id]
	if !ok {
		return store.Client{}, liuma.Fail(liuma.CodeUnauthenticated, store.ErrNotFound)
	}
	return c, nil
}

func (a *fakeAuthority) UseAssertion(_ context.Context, c authority.Caller, _ authority.Act, jti string, until time.Time) (*authority.Taken, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := c.Client.ID + "\x00" + jti
	if _, used := a.used[key]; used {
		return nil, liuma.Fail(liuma.CodeUnauthenticated, nil)
	}
	a.used[key] = until
	return nil, nil
}

func (a *fakeAuthority) Push(_ context.Context, c authority.Caller, q ceremony.Push) (ceremony.Pushed, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refusal != nil {
		return ceremony.Pushed{}, a.refusal
	}
	uri := "urn:ietf:params:oauth:request_uri:" + rand.Text()
	a.pushed[uri] = push{Push: q, client: c.Client.ID, at: a.now()}
	return ceremony.Pushed{RequestURI: uri, Expires: a.now().Add(90 * time.Second)}, nil
}

// approve plays the browser and its holder: it opens the page of a pushed
// request, the PIN is right, and an authorization code comes back.
func (a *fakeAuthority) approve(t testing.TB, clientID, requestURI string) string {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.pushed[requestURI]
	if !ok || p.client != clientID {
		t.Fatalf("request_uri %q is not one of %s", requestURI, clientID)
	}
	code := rand.Text()
	p.at = a.now()
	a.codes[code] = p
	return code
}

func (a *fakeAuthority) RedeemCode(_ context.Context, c authority.Caller, code, redirectURI, verifier string) (ceremony.Grant, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refusal != nil {
		return ceremony.Grant{}, a.refusal
	}
	p, ok := a.codes[code]
	sum := sha256.Sum256([]byte(verifier))
	if !ok {
		a.replays++
		return ceremony.Grant{}, liuma.Fail(liuma.CodeCodeInvalid, nil)
	}
	delete(a.codes, code)
	if p.client != c.Client.ID || p.Return.RedirectURI != redirectURI || a.now().Sub(p.at) >= time.Minute ||
		p.Return.CodeChallenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return ceremony.Grant{}, liuma.Fail(liuma.CodeCodeInvalid, nil)
	}
	g := ceremony.Grant{
		Subject: strings.Repeat("s", 32), Card: store.Handle(strings.Repeat("h", 32)), BusinessNo: p.BusinessNo, Action: p.Action,
		PurposeHash: envelope.PurposeHash(p.Purpose), ACR: "urn:liuma:acr:pin", AMR: []string{"pin"}, PINAge: 200, PhoneAge: new(31),
		Nonce: p.Return.Nonce, At: p.at, Expires: a.now().Add(time.Minute),
	}
	if a.grants != nil {
		a.grants(&g)
	}
	return g, nil
}

// env is a door on a fake authority, with a real vault.
type env struct {
	t     testing.TB
	clock *clock
	fake  *fakeAuthority
	vault *vault.Vault
	door  *Door
	key   *ecdsa.PrivateKey // of channel, under kid "k"
	log   *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func jwks(t testing.TB, keys ...*ecdsa.PrivateKey) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for i, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: "kkkkkkkk"[:i+1], Algorithm: "ES256", Use: "sig"})
	}
	raw, err := json.Marshal(set)
	must(t, err)
	return raw
}

func newEnv(t testing.TB) *env {
	t.Helper()
	c := &clock{now: time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC)}
	return newEnvAt(t, issuer, c, c.Now)
}

func newEnvAt(t testing.TB, issuer string, c *clock, now func() time.Time) *env {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.key")
	must(t, vault.Create(path))
	v, err := vault.Open(path)
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	e := &env{t: t, clock: c, vault: v, key: newKey(t), log: &lockedBuffer{}}
	e.fake = &fakeAuthority{now: now, clients: map[string]store.Client{}, pushed: map[string]push{},
		codes: map[string]push{}, used: map[string]time.Time{}}
	e.register(channel, e.key, redirect)
	e.door, err = New(Config{Authority: e.fake, Tokens: v, Issuer: issuer, Now: now,
		Logger: slog.New(slog.NewTextHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	must(t, err)
	return e
}

func (e *env) register(id string, key *ecdsa.PrivateKey, redirects ...string) {
	e.t.Helper()
	e.fake.mu.Lock()
	defer e.fake.mu.Unlock()
	e.fake.clients[id] = store.Client{ID: id, Kind: store.ClientChannel, Keys: jwks(e.t, key),
		Regions: []liuma.Region{""}, Actions: liuma.Actions(), RedirectURIs: redirects}
}

// claims are the claims of a valid assertion of the channel.
func (e *env) claims() map[string]any {
	now := e.clock.Now().Unix()
	return map[string]any{"iss": channel, "sub": channel, "aud": issuer, "jti": rand.Text(), "iat": now, "exp": now + 60}
}

// sign signs an assertion with a key under kid "k".
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, (&jose.SignerOptions{}).WithType("JWT"))
	must(t, err)
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	must(t, err)
	return token
}

// authed adds client authentication to parameters.
func (e *env) authed(f url.Values) url.Values {
	e.t.Helper()
	f.Set("client_assertion_type", assertionType)
	f.Set("client_assertion", sign(e.t, jose.ES256, e.key, e.claims()))
	return f
}

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

const goodDetails = `[{"type":"liuma_pin","action":"verify","holder":{"card":"k3v9m2x7q4w8t6y1p5z0n8b3c7d2f6g4"},` +
	`"region":"3305","purpose":"查询社保缴费年限","business_no":"ZJ-1"}]`

// pushForm is a good authorization request, without client authentication.
func pushForm() url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {channel}, "redirect_uri": {redirect}, "scope": {"openid"},
		"state": {"st-0123456789"}, "nonce": {"n-0S6_WzA2Mj"}, "code_challenge": {s256(verifier)},
		"code_challenge_method": {"S256"}, "authorization_details": {goodDetails},
	}
}

func tokenForm(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
}

// post sends a form as a channel's server would.
func (e *env) post(path string, f url.Values) *httptest.ResponseRecorder {
	return e.send(path, f.Encode())
}

func (e *env) send(path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	e.door.ServeHTTP(w, r)
	return w
}

// push pushes a request and returns its request_uri.
func (e *env) push(f url.Values) string {
	e.t.Helper()
	w := e.post(PARPath, e.authed(f))
	if w.Code != http.StatusCreated {
		e.t.Fatalf("push: %d %s", w.Code, w.Body)
	}
	return decode(e.t, w)["request_uri"].(string)
}

// code pushes a request, lets its holder approve, and returns the authorization
// code.
func (e *env) code() string {
	e.t.Helper()
	return e.fake.approve(e.t, channel, e.push(pushForm()))
}

func decode(t testing.TB, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var m map[string]any
	must(t, json.Unmarshal(w.Body.Bytes(), &m))
	return m
}

// wantProblem checks an OAuth error, and that it is one in every respect.
func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, name string, code liuma.Code, why reason, field string) map[string]any {
	t.Helper()
	m := decode(t, w)
	text := func(name string) string { s, _ := m[name].(string); return s }
	if w.Code != status || text("error") != name || text("code") != string(code) || text("reason") != string(why) || text("field") != field {
		t.Errorf("%d %s, want %d %s %s %s %s", w.Code, strings.TrimSpace(w.Body.String()), status, name, code, why, field)
	}
	if text("error_description") == "" || text("next_step") == "" || !strings.HasPrefix(text("error_description"), field) {
		t.Errorf("nothing to go on: %s", w.Body)
	}
	if strings.ContainsFunc(text("error_description"), func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' || c == '?' }) {
		t.Errorf("error_description %q", text("error_description"))
	}
	h := w.Header()
	if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", h)
	}
	return m
}

func readAll(t testing.TB, r io.ReadCloser) string {
	t.Helper()
	b, err := io.ReadAll(r)
	must(t, err)
	must(t, r.Close())
	return string(b)
}
