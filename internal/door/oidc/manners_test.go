package oidc

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// What clients that nobody here wrote stumble over.

func TestALongStateComesThrough(t *testing.T) {
	e := newEnv(t)
	f, state := pushForm(), strings.Repeat("s", 2048)
	f.Set("state", state)
	if p := e.fake.pushed[e.push(f)]; p.Return.State != state {
		t.Errorf("a state of %d characters", len(p.Return.State))
	}
}

func TestWhoMayCallIsSaidWithEvery401(t *testing.T) {
	e := newEnv(t)
	for path, want := range map[string]string{
		PARPath:      `private_key_jwt realm="` + issuer + `", error="invalid_client"`,
		TokenPath:    `private_key_jwt realm="` + issuer + `", error="invalid_client"`,
		UserInfoPath: `Bearer realm="` + issuer + `"`,
	} {
		w := e.post(path, pushForm())
		if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != want {
			t.Errorf("%s: %d %q", path, w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}
	if w := e.post(PARPath, e.authed(pushForm())); w.Header().Get("WWW-Authenticate") != "" {
		t.Error("beside an answer")
	}
}

func TestPathsThatProgramsLookFor(t *testing.T) {
	e := newEnv(t)
	mux := http.NewServeMux() // with pages beside it, as it is served
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	e.door.Routes(mux)
	for _, path := range []string{"/revoke", "/introspect", "/register", "/device_authorization", "/end_session", "/logout", "/oauth/token", "/oauth2/v1/token",
		"/connect/token", "/protocol/openid-connect/token", "/token/", "/par/x", "/userinfo/x", "/jwks/x", "/schemas/other.json", "/authorize/resume",
		"/.well-known/oauth-protected-resource", "/.well-known/openid-configuration/x", "/.well-known/webfinger", "/.well-known/anything", "/as/par", "/checksession", "/jwks.json", "/certs"} {
		for _, method := range []string{"GET", "POST"} {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code == http.StatusTeapot {
				t.Errorf("%s %s: a page", method, path)
				continue
			}
			wantProblem(t, w, http.StatusNotFound, "invalid_request", liuma.CodeNotFound, reasonPath, "")
		}
	}
	a, b := e.get("GET", DiscoveryPath), e.get("GET", "/.well-known/oauth-authorization-server")
	if b.Code != http.StatusOK || a.Body.String() != b.Body.String() {
		t.Errorf("RFC 8414: %d %s", b.Code, b.Body)
	}
}

// TestAStrictLibraryWhoseClockIsBehind: nothing in a token is from the future of
// a clock that is five seconds behind, and it ends when it did.
func TestAStrictLibraryWhoseClockIsBehind(t *testing.T) {
	e := newEnv(t)
	m := decode(t, e.post(TokenPath, e.authed(tokenForm(e.code()))))
	token, err := jwt.ParseSigned(m["id_token"].(string), []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	var c map[string]any
	must(t, token.UnsafeClaimsWithoutVerification(&c))
	behind, now := float64(e.clock.Now().Unix()-5), float64(e.clock.Now().Unix())
	if c["iat"].(float64) > behind || c["auth_time"].(float64) > c["iat"].(float64) || c["nbf"] != nil {
		t.Errorf("from the future: %v", c)
	}
	if c["exp"].(float64) != now+60 {
		t.Errorf("ends at %v, now is %v", c["exp"], now)
	}
}

func TestAnAssertionLivesAnHour(t *testing.T) {
	e := newEnv(t)
	claims := e.claims()
	claims["exp"] = e.clock.Now().Unix() + 3600
	f := withAssertion(sign(t, jose.ES256, e.key, claims))
	if w := e.post(PARPath, f); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	until := e.fake.used[channel+"\x00"+claims["jti"].(string)]
	if until.Unix() < claims["exp"].(int64)+30 {
		t.Errorf("its jti is kept until %v", until)
	}
	e.clock.advance(59*time.Minute + 59*time.Second)
	wantProblem(t, e.post(PARPath, f), 401, "invalid_client", liuma.CodeUnauthenticated, reasonAssertionUsed, "client_assertion")
}

func TestAStrictChannelNamesTheIssuerAlone(t *testing.T) {
	e := newEnv(t)
	ask := func(aud any) *httptest.ResponseRecorder {
		claims := e.claims()
		claims["aud"] = aud
		return e.post(PARPath, withAssertion(sign(t, jose.ES256, e.key, claims)))
	}
	for _, aud := range []any{issuer, issuer + "/token", issuer + "/par", []string{issuer + "/par"}} {
		if w := ask(aud); w.Code != http.StatusCreated {
			t.Errorf("by default %v: %d %s", aud, w.Code, w.Body)
		}
	}
	e.change(func(c *store.Client) { c.StrictAudience = true })
	for _, aud := range []any{issuer + "/token", issuer + "/par", []string{issuer + "/par"}} {
		wantProblem(t, ask(aud), 401, "invalid_client", liuma.CodeUnauthenticated, reasonAssertionStrict, "client_assertion")
	}
	if w := ask(issuer); w.Code != http.StatusCreated {
		t.Errorf("the issuer: %d %s", w.Code, w.Body)
	}
}

// change changes the registration of the channel.
func (e *env) change(f func(*store.Client)) {
	e.fake.mu.Lock()
	defer e.fake.mu.Unlock()
	c := e.fake.clients[channel]
	f(&c)
	e.fake.clients[channel] = c
}
