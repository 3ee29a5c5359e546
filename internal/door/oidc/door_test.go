package oidc

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

func (e *env) get(method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	e.door.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestDiscovery(t *testing.T) {
	e := newEnv(t)
	w := e.get(http.MethodGet, "/.well-known/openid-configuration")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	want := map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token",
		"pushed_authorization_request_endpoint": issuer + "/par", "userinfo_endpoint": issuer + "/userinfo", "jwks_uri": issuer + "/jwks",
		"require_pushed_authorization_requests": true, "scopes_supported": []any{"openid"},
		"response_types_supported": []any{"code"}, "response_modes_supported": []any{"query"},
		"grant_types_supported":   []any{"authorization_code"},
		"acr_values_supported":    []any{"urn:liuma:acr:pin", "urn:liuma:acr:pin-evidence", "urn:liuma:acr:evidence"},
		"subject_types_supported": []any{"pairwise"}, "id_token_signing_alg_values_supported": []any{"ES256"},
		"token_endpoint_auth_methods_supported":            []any{"private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []any{"ES256"},
		"code_challenge_methods_supported":                 []any{"S256"},
		"authorization_details_types_supported":            []any{"liuma_pin"},
		"claim_types_supported":                            []any{"normal"},
		"claims_supported": []any{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash",
			"liuma_card", "liuma_business_no", "liuma_action", "liuma_purpose_hash", "pin_age", "phone_age"},
		"ui_locales_supported": []any{"zh-CN", "en"}, "claims_parameter_supported": false,
		"request_parameter_supported": false, "request_uri_parameter_supported": false,
		"require_request_uri_registration":               false,
		"authorization_response_iss_parameter_supported": true,
	}
	if got := decode(t, w); !reflect.DeepEqual(got, want) {
		t.Errorf("metadata\n%v, want\n%v", got, want)
	}
}

func TestKeys(t *testing.T) {
	e := newEnv(t)
	a, b := e.get(http.MethodGet, "/jwks"), e.get(http.MethodGet, "/.well-known/jwks.json")
	if a.Code != http.StatusOK || a.Body.String() != b.Body.String() || a.Header().Get("Content-Type") != "application/jwk-set+json" {
		t.Errorf("%d %v %s, %s", a.Code, a.Header(), a.Body, b.Body)
	}
	want, err := json.Marshal(e.vault.ReceiptKeys())
	must(t, err)
	if a.Body.String() != string(want) {
		t.Errorf("published %s, want %s", a.Body, want)
	}
	raw := decode(t, a)["keys"].([]any)[0].(map[string]any)
	if raw["alg"] != "ES256" || raw["use"] != "sig" || raw["kid"] == "" || raw["d"] != nil {
		t.Errorf("key %v", raw)
	}
}

func TestSchemaIsPublished(t *testing.T) {
	w := newEnv(t).get(http.MethodGet, "/schemas/liuma_pin.json")
	file, err := os.ReadFile("../../../docs/liuma_pin.schema.json")
	must(t, err)
	if w.Code != http.StatusOK || w.Body.String() != string(file) {
		t.Error("docs/liuma_pin.schema.json is not what is served: copy internal/door/oidc/liuma_pin.schema.json over it")
	}
}

func TestHeaders(t *testing.T) {
	e := newEnv(t)
	for path, want := range map[string]string{
		DiscoveryPath: "public, max-age=300", KeysPath: "public, max-age=300", SchemaPath: "public, max-age=300",
		"/authorize": "no-store", "/": "no-store", "/par": "no-store", "/token": "no-store",
	} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Origin", "https://evil.example")
		w := httptest.NewRecorder()
		e.door.ServeHTTP(w, r)
		h := w.Header()
		if h.Get("Cache-Control") != want || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Request-Id") == "" {
			t.Errorf("%s: %v", path, h)
		}
		for name := range h {
			if strings.HasPrefix(name, "Access-Control") {
				t.Errorf("%s: %s", path, name)
			}
		}
	}
}

func TestMethods(t *testing.T) {
	e := newEnv(t)
	for _, path := range []string{"/par", "/token"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"} {
			w := e.get(method, path)
			wantProblem(t, w, http.StatusMethodNotAllowed, "invalid_request", liuma.CodeBadRequest, reasonMethod, "")
			if w.Header().Get("Allow") != "POST" {
				t.Errorf("Allow %q", w.Header().Get("Allow"))
			}
		}
	}
	for _, path := range []string{DiscoveryPath, KeysPath, "/.well-known/jwks.json", SchemaPath} {
		if w := e.get("HEAD", path); w.Code != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, w.Code)
		}
		w := e.get("POST", path)
		wantProblem(t, w, http.StatusMethodNotAllowed, "invalid_request", liuma.CodeBadRequest, reasonMethod, "")
		if w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("Allow %q", w.Header().Get("Allow"))
		}
	}
	for _, path := range []string{"/", "/par/", "/PAR", "/authorize", "//par", "/x/../par", "/token/x"} {
		wantProblem(t, e.get("POST", path), http.StatusNotFound, "invalid_request", liuma.CodeNotFound, reasonPath, "")
	}
}

func TestMountsBesidePages(t *testing.T) {
	e := newEnv(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	e.door.Routes(mux)
	server := httptest.NewServer(mux)
	defer server.Close()
	for path, want := range map[string]int{"/authorize": 200, "/jwks": 200, "/par": 405, "/else": http.StatusTeapot} {
		r, err := http.Get(server.URL + path)
		must(t, err)
		if readAll(t, r.Body); r.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	e := newEnv(t)
	good := Config{Authority: e.fake, Tokens: e.vault, Issuer: issuer, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"authority": func(c *Config) { c.Authority = nil }, "signer": func(c *Config) { c.Tokens = nil },
		"issuer": func(c *Config) { c.Issuer = "" }, "clock": func(c *Config) { c.Now = nil },
		"logger": func(c *Config) { c.Logger = nil },
	} {
		c := good
		change(&c)
		if d, err := New(c); err == nil || d != nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestCheckIssuer(t *testing.T) {
	for _, s := range []string{"https://pin.example.cn", "https://pin.example.cn:8443", "http://127.0.0.1:8600", "http://localhost", "http://[::1]:9"} {
		if err := CheckIssuer(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"", "pin.example.cn", "https://", "https://pin.example.cn/", "https://pin.example.cn/x", "https://pin.example.cn?a", "https://pin.example.cn#a",
		"https://u@pin.example.cn", "http://pin.example.cn", "http://10.0.0.1", "ftp://127.0.0.1", "HTTPS://pin.example.cn", "http://127.0.0.1.example", "https:pin.example.cn", "https://pin example"} {
		if CheckIssuer(s) == nil {
			t.Errorf("%q accepted", s)
		}
	}
}

func TestCheckRedirectURI(t *testing.T) {
	for _, s := range []string{redirect, "https://app.example", "https://app.example:8443/a/b?c=d", "http://127.0.0.1:7000/back", "http://localhost/back"} {
		if err := CheckRedirectURI(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"", "/back", "app.example/back", "http://app.example/back", "https://app.example/back#", "https://app.example/back#x",
		"https://u:p@app.example/", "https://app.example/a b", "https://app.example/回", "https://app.example/?code=1", "https://app.example/?x=1&state=2",
		"https://app.example/?iss=a", "https://app.example/?error=a", "https://app.example/?a=%zz", "javascript:alert(1)", "myapp://back", "https:///back",
		"https://app.example/" + strings.Repeat("a", maxRedirectURI)} {
		if CheckRedirectURI(s) == nil {
			t.Errorf("%q accepted", s)
		}
	}
}

// brokenTokens panics, or signs nothing.
type brokenTokens struct{ panics bool }

func (b brokenTokens) SignIDToken(vault.IDToken) (string, error) {
	if b.panics {
		panic("secret words")
	}
	return "", errors.New("no signature today")
}

func (brokenTokens) Ready() error { return nil }

func (brokenTokens) ReceiptKeys() jose.JSONWebKeySet { return jose.JSONWebKeySet{} }

// awayTokens cannot sign for now.
type awayTokens struct{ Tokens }

func (brokenTokens) NewAccess(vault.Access) (string, error) { return "access", nil }

func (brokenTokens) ReadAccess(string) (vault.Access, error) { return vault.Access{}, vault.ErrAccess }

func (awayTokens) Ready() error {
	return liuma.Fail(liuma.CodeUnavailable, errors.New("the token is away"))
}

// TestACodeIsNotUsedUnsigned: while ID tokens cannot be signed the channel is
// told so, and its code is as good as before once they can.
func TestACodeIsNotUsedUnsigned(t *testing.T) {
	e := newEnv(t)
	code, signs := e.code(), e.door.tokens
	e.door.tokens = awayTokens{signs}
	w := e.post(TokenPath, e.authed(tokenForm(code)))
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "away") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	e.door.tokens = signs
	if w := e.post(TokenPath, e.authed(tokenForm(code))); w.Code != http.StatusOK {
		t.Errorf("once it is back: %d %s", w.Code, w.Body)
	}
}

func TestNothingEscapes(t *testing.T) {
	for _, panics := range []bool{false, true} {
		e := newEnv(t)
		code := e.code()
		e.door.tokens = brokenTokens{panics}
		w := e.post(TokenPath, e.authed(tokenForm(code)))
		wantProblem(t, w, http.StatusInternalServerError, "server_error", liuma.CodeInternal, "", "")
		if strings.Contains(w.Body.String(), "signature today") || strings.Contains(e.log.String(), "secret words") {
			t.Errorf("%s\n%s", w.Body, e.log)
		}
	}
}
