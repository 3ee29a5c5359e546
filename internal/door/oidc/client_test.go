package oidc

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/store"
)

// withAssertion is a good push under another assertion.
func withAssertion(token string) url.Values {
	f := pushForm()
	f.Set("client_assertion_type", assertionType)
	f.Set("client_assertion", token)
	return f
}

func TestAssertionsAreAccepted(t *testing.T) {
	for name, change := range map[string]func(e *env, c map[string]any){
		"as usual":             func(*env, map[string]any) {},
		"aud token endpoint":   func(_ *env, c map[string]any) { c["aud"] = issuer + "/token" },
		"aud PAR endpoint":     func(_ *env, c map[string]any) { c["aud"] = issuer + "/par" },
		"aud list":             func(_ *env, c map[string]any) { c["aud"] = []string{issuer} },
		"no iat":               func(_ *env, c map[string]any) { delete(c, "iat") },
		"nbf":                  func(e *env, c map[string]any) { c["nbf"] = e.clock.Now().Unix() },
		"five minutes":         func(e *env, c map[string]any) { c["exp"] = e.clock.Now().Unix() + 300 },
		"clock ahead":          func(e *env, c map[string]any) { c["iat"], c["exp"] = e.clock.Now().Unix()+30, e.clock.Now().Unix()+330 },
		"clock behind":         func(e *env, c map[string]any) { c["exp"] = e.clock.Now().Unix() - 29 },
		"shortest jti":         func(_ *env, c map[string]any) { c["jti"] = strings.Repeat("j", 16) },
		"longest jti":          func(_ *env, c map[string]any) { c["jti"] = strings.Repeat("j", 64) },
		"more than is read":    func(_ *env, c map[string]any) { c["scope"] = "openid" },
		"issued some time ago": func(e *env, c map[string]any) { c["iat"] = e.clock.Now().Unix() - 3600 },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			c := e.claims()
			change(e, c)
			token := sign(t, jose.ES256, e.key, c)
			w := e.post(PARPath, withAssertion(token))
			if w.Code != http.StatusCreated {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			// It must not come again for as long as it could be accepted.
			until := e.fake.used[channel+"\x00"+c["jti"].(string)]
			e.clock.advance(until.Sub(e.clock.Now()))
			wantProblem(t, e.post(PARPath, withAssertion(token)), 401, "invalid_client", liuma.CodeUnauthenticated, reasonAssertionExpired, "client_assertion")
		})
	}
}

func TestAssertionClaimsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(e *env, c map[string]any)
		why    reason
	}{
		"no iss":             {func(_ *env, c map[string]any) { delete(c, "iss") }, reasonAssertionSubject},
		"no sub":             {func(_ *env, c map[string]any) { delete(c, "sub") }, reasonAssertionSubject},
		"iss is not sub":     {func(_ *env, c map[string]any) { c["sub"] = "js-hrss" }, reasonAssertionSubject},
		"iss is no channel":  {func(_ *env, c map[string]any) { c["iss"], c["sub"] = "Z J", "Z J" }, reasonAssertionSubject},
		"unknown client":     {func(_ *env, c map[string]any) { c["iss"], c["sub"] = "nobody", "nobody" }, reasonClientID},
		"no aud":             {func(_ *env, c map[string]any) { delete(c, "aud") }, reasonAssertionAudience},
		"aud of another":     {func(_ *env, c map[string]any) { c["aud"] = "https://other.example" }, reasonAssertionAudience},
		"aud with slash":     {func(_ *env, c map[string]any) { c["aud"] = issuer + "/" }, reasonAssertionAudience},
		"aud native door":    {func(_ *env, c map[string]any) { c["aud"] = door.NativeAudience(issuer) }, reasonAssertionAudience},
		"aud both doors":     {func(_ *env, c map[string]any) { c["aud"] = []string{issuer, door.NativeAudience(issuer)} }, reasonAssertionAudience},
		"aud authorize":      {func(_ *env, c map[string]any) { c["aud"] = issuer + "/authorize" }, reasonAssertionAudience},
		"aud and another":    {func(_ *env, c map[string]any) { c["aud"] = []string{issuer, "https://other.example"} }, reasonAssertionAudience},
		"aud twice":          {func(_ *env, c map[string]any) { c["aud"] = []string{issuer, issuer + "/par"} }, reasonAssertionAudience},
		"no jti":             {func(_ *env, c map[string]any) { delete(c, "jti") }, reasonAssertionID},
		"short jti":          {func(_ *env, c map[string]any) { c["jti"] = strings.Repeat("j", 15) }, reasonAssertionID},
		"long jti":           {func(_ *env, c map[string]any) { c["jti"] = strings.Repeat("j", 65) }, reasonAssertionID},
		"jti of other bytes": {func(_ *env, c map[string]any) { c["jti"] = strings.Repeat("j", 16) + "\x00" }, reasonAssertionID},
		"no exp":             {func(_ *env, c map[string]any) { delete(c, "exp") }, reasonAssertionLifetime},
		"exp too far":        {func(e *env, c map[string]any) { c["exp"] = e.clock.Now().Unix() + 3631 }, reasonAssertionLifetime},
		"exp in a century":   {func(_ *env, c map[string]any) { c["exp"] = int64(1) << 60 }, reasonAssertionLifetime},
		"expired":            {func(e *env, c map[string]any) { c["exp"] = e.clock.Now().Unix() - 30 }, reasonAssertionExpired},
		"expired long ago":   {func(_ *env, c map[string]any) { c["exp"] = 1 }, reasonAssertionExpired},
		"exp below zero":     {func(_ *env, c map[string]any) { c["exp"] = -(int64(1) << 60) }, reasonAssertionExpired},
		"iat in the future":  {func(e *env, c map[string]any) { c["iat"] = e.clock.Now().Unix() + 31 }, reasonAssertionFuture},
		"nbf in the future":  {func(e *env, c map[string]any) { c["nbf"] = e.clock.Now().Unix() + 31 }, reasonAssertionFuture},
		"exp is text":        {func(_ *env, c map[string]any) { c["exp"] = "soon" }, reasonAssertionForm},
		"sub is a list":      {func(_ *env, c map[string]any) { c["sub"] = []string{channel} }, reasonAssertionForm},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			claims := e.claims()
			c.change(e, claims)
			field := "client_assertion"
			if c.why == reasonClientID {
				field = "client_id"
			}
			w := e.post(PARPath, withAssertion(sign(t, jose.ES256, e.key, claims)))
			wantProblem(t, w, 401, "invalid_client", liuma.CodeUnauthenticated, c.why, field)
			if len(e.fake.used) != 0 || len(e.fake.pushed) != 0 {
				t.Error("something was done for it all the same")
			}
		})
	}
}

// raw assembles a JWS from a header of the test's choice.
func raw(t *testing.T, header map[string]any, claims map[string]any, signature string) string {
	t.Helper()
	h, err := json.Marshal(header)
	must(t, err)
	c, err := json.Marshal(claims)
	must(t, err)
	b64 := base64.RawURLEncoding
	return b64.EncodeToString(h) + "." + b64.EncodeToString(c) + "." + signature
}

func TestAssertionSignaturesAreRefused(t *testing.T) {
	e := newEnv(t)
	other := newKey(t)
	public, err := e.key.PublicKey.Bytes()
	must(t, err)
	good := sign(t, jose.ES256, e.key, e.claims())
	parts := strings.Split(good, ".")
	embedded, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: other}, &jose.SignerOptions{EmbedJWK: true})
	must(t, err)
	withKey, err := jwt.Signed(embedded).Claims(e.claims()).Serialize()
	must(t, err)
	typed, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: e.key, KeyID: "k"}}, (&jose.SignerOptions{}).WithType("liuma-receipt+jwt"))
	must(t, err)
	receipt, err := jwt.Signed(typed).Claims(e.claims()).Serialize()
	must(t, err)
	unknown, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: e.key, KeyID: "k2"}}, nil)
	must(t, err)
	otherKid, err := jwt.Signed(unknown).Claims(e.claims()).Serialize()
	must(t, err)
	twice := strings.Replace(string(mustDecode(t, parts[1])), `"iss":`, `"iss":"js-hrss","iss":`, 1)
	for name, c := range map[string]struct {
		token string
		why   reason
	}{
		"alg none":            {raw(t, map[string]any{"alg": "none"}, e.claims(), ""), reasonAssertionForm},
		"alg None with kid":   {raw(t, map[string]any{"alg": "None", "kid": "k"}, e.claims(), ""), reasonAssertionForm},
		"alg none, old sig":   {raw(t, map[string]any{"alg": "none", "kid": "k"}, e.claims(), parts[2]), reasonAssertionForm},
		"HS256 by public key": {sign(t, jose.HS256, public, e.claims()), reasonAssertionForm},
		"ES256 as HS256":      {raw(t, map[string]any{"alg": "HS256", "kid": "k"}, e.claims(), parts[2]), reasonAssertionForm},
		"no signature":        {parts[0] + "." + parts[1] + ".", reasonAssertionSignature},
		"signature of others": {raw(t, map[string]any{"alg": "ES256", "kid": "k"}, e.claims(), parts[2]), reasonAssertionSignature},
		"signature cut":       {good[:len(good)-2], reasonAssertionSignature},
		"another key":         {sign(t, jose.ES256, other, e.claims()), reasonAssertionSignature},
		"key of its own":      {withKey, reasonAssertionSignature},
		"unknown kid":         {otherKid, reasonAssertionSignature},
		"another type":        {receipt, reasonAssertionType},
		"the native door's":   {raw(t, map[string]any{"alg": "ES256", "kid": "k", "typ": door.NativeType}, e.claims(), parts[2]), reasonAssertionType},
		"typ is a number":     {raw(t, map[string]any{"alg": "ES256", "kid": "k", "typ": 1}, e.claims(), parts[2]), reasonAssertionType},
		"claims twice":        {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(twice)) + "." + parts[2], reasonAssertionForm},
		"two parts":           {parts[0] + "." + parts[1], reasonAssertionForm},
		"five parts":          {good + ".a.b", reasonAssertionForm},
		"text":                {"hello", reasonAssertionForm},
		"JSON":                {`{"payload":"","signatures":[]}`, reasonAssertionForm},
		"oversized":           {good + strings.Repeat("A", assertionLongest), reasonAssertionForm},
		"critical extension":  {raw(t, map[string]any{"alg": "ES256", "kid": "k", "crit": []string{"b64"}, "b64": false}, e.claims(), parts[2]), reasonAssertionForm},
	} {
		t.Run(name, func(t *testing.T) {
			for path, f := range map[string]url.Values{PARPath: pushForm(), TokenPath: tokenForm("c")} {
				f.Set("client_assertion_type", assertionType)
				f.Set("client_assertion", c.token)
				w := e.post(path, f)
				m := decode(t, w)
				// go-jose may refuse a malformed token at the parser or at the
				// signature; to the channel both are a refusal.
				if m["reason"] != string(c.why) && m["reason"] != string(reasonAssertionSignature) {
					t.Errorf("%s: reason %v, want %s", path, m["reason"], c.why)
				}
				wantProblem(t, w, 401, "invalid_client", liuma.CodeUnauthenticated, reason(m["reason"].(string)), "client_assertion")
			}
		})
	}
	if len(e.fake.used) != 0 {
		t.Error("a refused assertion was used up")
	}
}

func mustDecode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	must(t, err)
	return b
}

func TestAssertionServesOnce(t *testing.T) {
	e := newEnv(t)
	f := e.authed(pushForm())
	if w := e.post(PARPath, f); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	wantProblem(t, e.post(PARPath, f), 401, "invalid_client", liuma.CodeUnauthenticated, reasonAssertionUsed, "client_assertion")
	// Nor at the other endpoint.
	f2 := tokenForm("c")
	f2.Set("client_assertion_type", assertionType)
	f2.Set("client_assertion", f.Get("client_assertion"))
	wantProblem(t, e.post(TokenPath, f2), 401, "invalid_client", liuma.CodeUnauthenticated, reasonAssertionUsed, "client_assertion")
	// A new assertion under the old jti is the old one.
	c := e.claims()
	c["jti"] = "0123456789abcdef"
	e.post(PARPath, withAssertion(sign(t, jose.ES256, e.key, c)))
	c["exp"] = c["exp"].(int64) + 1
	wantProblem(t, e.post(PARPath, withAssertion(sign(t, jose.ES256, e.key, c))), 401, "invalid_client", liuma.CodeUnauthenticated, reasonAssertionUsed, "client_assertion")
}

func TestOtherWaysToAuthenticate(t *testing.T) {
	e := newEnv(t)
	for name, c := range map[string]struct {
		change func(url.Values, http.Header)
		why    reason
		field  string
	}{
		"nothing":      {func(f url.Values, _ http.Header) { f.Del("client_assertion"); f.Del("client_assertion_type") }, reasonAssertionMissing, "client_assertion"},
		"no type":      {func(f url.Values, _ http.Header) { f.Del("client_assertion_type") }, reasonAssertionMissing, "client_assertion"},
		"no assertion": {func(f url.Values, _ http.Header) { f.Del("client_assertion") }, reasonAssertionMissing, "client_assertion"},
		"SAML": {func(f url.Values, _ http.Header) {
			f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")
		}, reasonAuthMethod, "client_assertion_type"},
		"secret as well":  {func(f url.Values, _ http.Header) { f.Set("client_secret", "s") }, reasonAuthMethod, ""},
		"basic as well":   {func(_ url.Values, h http.Header) { h.Set("Authorization", "Basic eDp5") }, reasonAuthMethod, ""},
		"bearer as well":  {func(_ url.Values, h http.Header) { h.Set("Authorization", "Bearer x") }, reasonAuthMethod, ""},
		"another's id":    {func(f url.Values, _ http.Header) { f.Set("client_id", "js-hrss") }, reasonClientID, "client_id"},
		"id in otherwise": {func(f url.Values, _ http.Header) { f.Set("client_id", strings.ToUpper(channel)) }, reasonClientID, "client_id"},
	} {
		t.Run(name, func(t *testing.T) {
			f, h := e.authed(pushForm()), http.Header{}
			c.change(f, h)
			r := httptest.NewRequest(http.MethodPost, PARPath, strings.NewReader(f.Encode()))
			maps.Copy(r.Header, h)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			e.door.ServeHTTP(w, r)
			wantProblem(t, w, 401, "invalid_client", liuma.CodeUnauthenticated, c.why, c.field)
		})
	}
	if len(e.fake.used) != 0 {
		t.Error("an assertion was used up")
	}
}

func TestClients(t *testing.T) {
	e := newEnv(t)
	edit := func(change func(*store.Client)) {
		e.fake.mu.Lock()
		defer e.fake.mu.Unlock()
		c := e.fake.clients[channel]
		change(&c)
		e.fake.clients[channel] = c
	}
	edit(func(c *store.Client) { c.Stopped = true })
	doc := wantProblem(t, e.post(PARPath, e.authed(pushForm())), 401, "invalid_client", liuma.CodeUnauthenticated, reasonClientStopped, "")
	if next, _ := doc["next_step_en"].(string); !strings.Contains(next, "ask the operator") {
		t.Errorf("next step %q", next)
	}
	for _, kind := range []store.ClientKind{store.ClientRegistry, store.ClientProvider, store.ClientHotline} {
		edit(func(c *store.Client) { c.Stopped, c.Kind = false, kind })
		wantProblem(t, e.post(PARPath, e.authed(pushForm())), 400, "unauthorized_client", liuma.CodeForbidden, "", "")
		wantProblem(t, e.post(TokenPath, e.authed(tokenForm("c"))), 400, "unauthorized_client", liuma.CodeForbidden, "", "")
	}

	// A replaced key is out at once; of two keys a kid chooses.
	second := newKey(t)
	edit(func(c *store.Client) { c.Kind, c.Keys = store.ClientChannel, jwks(t, second) })
	wantProblem(t, e.post(PARPath, e.authed(pushForm())), 401, "invalid_client", liuma.CodeUnauthenticated, reasonAssertionSignature, "client_assertion")
	edit(func(c *store.Client) { c.Keys = jwks(t, second, e.key) })
	wantProblem(t, e.post(PARPath, e.authed(pushForm())), 401, "invalid_client", liuma.CodeUnauthenticated, reasonAssertionSignature, "client_assertion")
	noKid, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: e.key}, nil)
	must(t, err)
	token, err := jwt.Signed(noKid).Claims(e.claims()).Serialize()
	must(t, err)
	wantProblem(t, e.post(PARPath, withAssertion(token)), 401, "invalid_client", liuma.CodeUnauthenticated, reasonAssertionSignature, "client_assertion")
	edit(func(c *store.Client) { c.Keys = jwks(t, e.key) })
	if w := e.post(PARPath, withAssertion(token)); w.Code != http.StatusCreated {
		t.Errorf("no kid, one key: %d %s", w.Code, w.Body)
	}

	// A faulty registration admits no request, and is an internal error.
	for _, keys := range []string{"", "{", `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA","kid":"k"}]}`, strings.Replace(string(jwks(t, e.key, e.key)), `"kk"`, `"k"`, 1), strings.Replace(string(jwks(t, e.key)), `"k"`, `""`, 1)} {
		edit(func(c *store.Client) { c.Keys = []byte(keys) })
		wantProblem(t, e.post(PARPath, e.authed(pushForm())), 500, "server_error", liuma.CodeInternal, "", "")
	}

	e.fake.broken = errors.New("the database is away")
	wantProblem(t, e.post(PARPath, e.authed(pushForm())), 500, "server_error", liuma.CodeInternal, "", "")
	e.fake.broken = store.ErrNotFound
	wantProblem(t, e.post(PARPath, e.authed(pushForm())), 401, "invalid_client", liuma.CodeUnauthenticated, reasonAssertionSignature, "client_assertion")
}

func FuzzAssertion(f *testing.F) {
	e := newEnv(f)
	f.Add(sign(f, jose.ES256, e.key, e.claims()))
	f.Add(sign(f, jose.HS256, make([]byte, 32), e.claims()))
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"a","sub":"a"}`)) + ".")
	f.Add("..")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		parsed, a, err := parseAssertion(token)
		if err != nil {
			if liuma.CodeOf(err) != liuma.CodeUnauthenticated || parsed != nil {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if _, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256}); err != nil || a.Issuer == "" || a.Issuer != a.Subject {
			t.Errorf("accepted %+v", a)
		}
		if until, err := e.door.gate.proper(a, false); err == nil {
			now := e.clock.Now()
			if !until.After(now) || until.Sub(now) > assertionLifetime+2*door.TokenLeeway+time.Second {
				t.Errorf("good until %v", until)
			}
		}
	})
}
