package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
)

func TestToken(t *testing.T) {
	e := newEnv(t)
	code := e.code()
	e.clock.advance(1500 * time.Millisecond)
	w := e.post(TokenPath, e.authed(tokenForm(code)))
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Pragma") != "no-cache" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	m := decode(t, w)
	access, _ := m["access_token"].(string)
	if m["token_type"] != "Bearer" || m["expires_in"] != 60.0 || m["scope"] != "openid" || len(access) < 22 || len(m) != 6 {
		t.Errorf("%v", m)
	}
	details, err := json.Marshal(m["authorization_details"])
	must(t, err)
	if string(details) != `[{"action":"verify","business_no":"ZJ-1","type":"liuma_pin"}]` {
		t.Errorf("details %s", details)
	}
	jws, err := jose.ParseSignedCompact(m["id_token"].(string), []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	payload, err := jws.Verify(e.vault.ReceiptKeys().Keys[0].Key)
	must(t, err)
	var c map[string]any
	must(t, json.Unmarshal(payload, &c))
	sum := sha256.Sum256([]byte(access))
	purpose := envelope.PurposeHash("查询社保缴费年限")
	now := e.clock.Now().Unix()
	for name, want := range map[string]any{
		"iss": issuer, "aud": channel, "sub": strings.Repeat("s", 32), "liuma_card": strings.Repeat("h", 32), "nonce": "n-0S6_WzA2Mj",
		"iat": float64(now - 5), "exp": float64(now + 60), "auth_time": float64(now - 5),
		"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]), "acr": "urn:liuma:acr:pin", "pin_age": float64(200), "phone_age": float64(31),
		"liuma_business_no": "ZJ-1", "liuma_action": "verify", "liuma_purpose_hash": base64.RawURLEncoding.EncodeToString(purpose[:]),
	} {
		if c[name] != want {
			t.Errorf("%s is %v, want %v", name, c[name], want)
		}
	}
	if strings.Contains(string(payload), "查询") || strings.Contains(string(payload), "st-0123456789") {
		t.Error("the token holds more than it should")
	}
}

func TestCodeServesOnce(t *testing.T) {
	e := newEnv(t)
	code := e.code()
	if w := e.post(TokenPath, e.authed(tokenForm(code))); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	wantProblem(t, e.post(TokenPath, e.authed(tokenForm(code))), 400, "invalid_grant", liuma.CodeCodeInvalid, "", "")
	if e.fake.replays != 1 {
		t.Error("the authority did not hear of the replay")
	}
}

func TestTokenRefuses(t *testing.T) {
	set := func(name, value string) func(url.Values) { return func(f url.Values) { f.Set(name, value) } }
	for name, c := range map[string]struct {
		change func(url.Values)
		error  string
		code   liuma.Code
		why    reason
		field  string
	}{
		"no grant type":     {set("grant_type", ""), "invalid_request", liuma.CodeBadRequest, reasonMissing, "grant_type"},
		"client grant":      {set("grant_type", "client_credentials"), "unsupported_grant_type", liuma.CodeBadRequest, reasonGrantType, "grant_type"},
		"password grant":    {set("grant_type", "password"), "unsupported_grant_type", liuma.CodeBadRequest, reasonGrantType, "grant_type"},
		"refresh grant":     {set("grant_type", "refresh_token"), "unsupported_grant_type", liuma.CodeBadRequest, reasonGrantType, "grant_type"},
		"no code":           {set("code", ""), "invalid_request", liuma.CodeBadRequest, reasonMissing, "code"},
		"long code":         {set("code", strings.Repeat("c", codeLongest+1)), "invalid_request", liuma.CodeBadRequest, reasonLong, "code"},
		"no redirect":       {set("redirect_uri", ""), "invalid_request", liuma.CodeBadRequest, reasonMissing, "redirect_uri"},
		"no verifier":       {set("code_verifier", ""), "invalid_grant", liuma.CodeBadRequest, reasonMissing, "code_verifier"},
		"short verifier":    {set("code_verifier", verifier[1:]), "invalid_grant", liuma.CodeBadRequest, reasonShort, "code_verifier"},
		"long verifier":     {set("code_verifier", strings.Repeat("v", verifierLongest+1)), "invalid_grant", liuma.CodeBadRequest, reasonLong, "code_verifier"},
		"verifier of bytes": {set("code_verifier", verifier[1:]+"!"), "invalid_grant", liuma.CodeBadRequest, reasonForm, "code_verifier"},
		"unknown code":      {set("code", "nobodys"), "invalid_grant", liuma.CodeCodeInvalid, "", ""},
		"wrong verifier":    {set("code_verifier", "x"+verifier[1:]), "invalid_grant", liuma.CodeCodeInvalid, "", ""},
		"the challenge":     {set("code_verifier", s256(verifier)), "invalid_grant", liuma.CodeCodeInvalid, "", ""},
		"redirect prefix":   {set("redirect_uri", "https://app.example/back"), "invalid_grant", liuma.CodeCodeInvalid, "", ""},
		"redirect slash":    {set("redirect_uri", "https://app.example/back/?from=liuma"), "invalid_grant", liuma.CodeCodeInvalid, "", ""},
		"redirect case":     {set("redirect_uri", "https://App.example/back?from=liuma"), "invalid_grant", liuma.CodeCodeInvalid, "", ""},
		"redirect port":     {set("redirect_uri", "https://app.example:443/back?from=liuma"), "invalid_grant", liuma.CodeCodeInvalid, "", ""},
		"redirect fragment": {set("redirect_uri", redirect+"#"), "invalid_grant", liuma.CodeCodeInvalid, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			f := tokenForm(e.code())
			c.change(f)
			w := e.post(TokenPath, e.authed(f))
			wantProblem(t, w, 400, c.error, c.code, c.why, c.field)
			if strings.Contains(w.Body.String(), "id_token") {
				t.Error("a token beside the error")
			}
		})
	}
}

func TestCodeLivesAMinute(t *testing.T) {
	e := newEnv(t)
	code := e.code()
	e.clock.advance(time.Minute)
	wantProblem(t, e.post(TokenPath, e.authed(tokenForm(code))), 400, "invalid_grant", liuma.CodeCodeInvalid, "", "")
}

// A channel cannot redeem another channel's authorization code or open its
// pushed request.
func TestCodeOfAnotherChannel(t *testing.T) {
	e := newEnv(t)
	code := e.code()
	other := newKey(t)
	e.register("js-hrss", other, redirect)
	claims := e.claims()
	claims["iss"], claims["sub"] = "js-hrss", "js-hrss"
	f := tokenForm(code)
	f.Set("client_assertion_type", assertionType)
	f.Set("client_assertion", sign(t, jose.ES256, other, claims))
	wantProblem(t, e.post(TokenPath, f), 400, "invalid_grant", liuma.CodeCodeInvalid, "", "")

	uri := e.push(pushForm())
	if got := e.fake.pushed[uri].client; got != channel {
		t.Errorf("the authority was told that %q pushed", got)
	}
}

// If the card changed between verdict and redemption, the authority refuses
// (I-10), and the door signs nothing.
func TestNothingIsSignedForWhatChanged(t *testing.T) {
	for _, code := range []liuma.Code{liuma.CodeReceiptStale, liuma.CodeFrozen, liuma.CodeCancelled, liuma.CodeLocked} {
		e := newEnv(t)
		f := tokenForm(e.code())
		e.fake.refusal = liuma.Fail(code, nil)
		wantProblem(t, e.post(TokenPath, e.authed(f)), 400, "invalid_grant", code, "", "")
	}
}

func TestGrantsThatMakeNoToken(t *testing.T) {
	for name, change := range map[string]func(*ceremony.Grant){
		"no subject": func(g *ceremony.Grant) { g.Subject = "" },
		"no card":    func(g *ceremony.Grant) { g.Card = "" },
		"no nonce":   func(g *ceremony.Grant) { g.Nonce = "" },
		"no acr":     func(g *ceremony.Grant) { g.ACR = "" },
		"no amr":     func(g *ceremony.Grant) { g.AMR = nil },
		"no time":    func(g *ceremony.Grant) { g.At = time.Time{} },
		"no purpose": func(g *ceremony.Grant) { g.PurposeHash = [32]byte{} },
		"over":       func(g *ceremony.Grant) { g.Expires = g.At },
		"no end":     func(g *ceremony.Grant) { g.Expires = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.fake.grants = change
			wantProblem(t, e.post(TokenPath, e.authed(tokenForm(e.code()))), 500, "server_error", liuma.CodeInternal, "", "")
		})
	}
}

func TestTokenAfterTheClockWasSetBack(t *testing.T) {
	e := newEnv(t)
	code := e.code()
	e.clock.advance(-20 * time.Second)
	e.fake.grants = func(g *ceremony.Grant) { g.Expires = g.At.Add(time.Minute) }
	w := e.post(TokenPath, e.authed(tokenForm(code)))
	if w.Code != http.StatusOK || decode(t, w)["expires_in"] != 60.0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAccessTokensDiffer(t *testing.T) {
	e := newEnv(t)
	seen := map[any]bool{}
	for range 5 {
		m := decode(t, e.post(TokenPath, e.authed(tokenForm(e.code()))))
		if m["access_token"] == nil || seen[m["access_token"]] || m["access_token"] == m["id_token"] {
			t.Errorf("access token %v", m["access_token"])
		}
		seen[m["access_token"]] = true
	}
}
