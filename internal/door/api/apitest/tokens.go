package apitest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/door"
)

// mint signs a token as the client would, with header members and claims changed as
// given; a nil value removes one.
func (e *Env) mint(t testing.TB, who Client, header, claims map[string]any) string {
	t.Helper()
	now := e.Now()
	h := map[string]any{"alg": "ES256", "typ": door.NativeType, "kid": who.KeyID}
	c := map[string]any{"iss": who.ID, "sub": who.ID, "aud": door.NativeAudience(e.Issuer), "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix()}
	signed := encode(t, change(h, header)) + "." + encode(t, change(c, claims))
	return signed + "." + es256(t, who.Key, signed)
}

func change(m, by map[string]any) map[string]any {
	maps.Copy(m, by)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

func encode(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func es256(t testing.TB, key *ecdsa.PrivateKey, signed string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return base64.RawURLEncoding.EncodeToString(sig)
}

// Tokens tries every kind of bad token, and some that are barely good.
func Tokens(t *testing.T, e *Env) {
	knock := func(t *testing.T, path string, header http.Header) answer {
		t.Helper()
		return e.send(t, request{path: path, header: header, body: []byte("{}")})
	}
	for what, c := range e.badTokens(t) {
		t.Run(what, func(t *testing.T) {
			a := knock(t, "/v1/challenges", http.Header{"Authorization": c.headers})
			a.refused(t, http.StatusUnauthorized, "unauthenticated", c.reason, "")
			if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("WWW-Authenticate: %q", a.header.Get("WWW-Authenticate"))
			}
		})
	}
	now := e.Now()
	for what, claims := range map[string]map[string]any{
		"plain":                     nil,
		"five minutes":              {"exp": now.Add(5 * time.Minute).Unix()},
		"just ended":                {"iat": now.Add(-2 * time.Minute).Unix(), "exp": now.Add(-29 * time.Second).Unix()},
		"a clock that is ahead":     {"iat": now.Add(29 * time.Second).Unix(), "exp": now.Add(time.Minute).Unix()},
		"audience in a list":        {"aud": []string{door.NativeAudience(e.Issuer)}},
		"with jti and not before":   {"jti": "x", "nbf": now.Unix()},
		"with a claim of their own": {"scope": "anything"},
	} {
		t.Run("good: "+what, func(t *testing.T) {
			for range 2 { // the second is answered from the cache
				a := knock(t, "/v1/challenges", http.Header{"Authorization": {"bearer " + e.mint(t, e.A, nil, claims)}})
				if a.status != http.StatusOK {
					t.Errorf("answered %d %s", a.status, a.body)
				}
			}
		})
	}
	t.Run("a cached token ends", func(t *testing.T) {
		h := e.bearer(t, e.A)
		if a := knock(t, "/v1/challenges", h); a.status != http.StatusOK {
			t.Fatalf("answered %d %s", a.status, a.body)
		}
		e.Advance(2*time.Minute + 31*time.Second)
		knock(t, "/v1/challenges", h).refused(t, http.StatusUnauthorized, "unauthenticated", "token_expired", "")
	})
}

type badToken struct {
	headers []string
	reason  string
}

func (e *Env) badTokens(t testing.TB) map[string]badToken {
	now := e.Now()
	out := map[string]badToken{
		"none at all":         {nil, "token_missing"},
		"another scheme":      {[]string{"Basic " + e.mint(t, e.A, nil, nil)}, "token_missing"},
		"two headers":         {[]string{"Bearer " + e.mint(t, e.A, nil, nil), "Bearer " + e.mint(t, e.A, nil, nil)}, "token_form"},
		"not a token":         {[]string{"Bearer abc.def.ghi"}, "token_form"},
		"longer than any":     {[]string{"Bearer " + strings.Repeat("a", 4000)}, "token_form"},
		"alg none":            {[]string{"Bearer " + e.unsigned(t)}, "token_form"},
		"HS256 by public key": {[]string{"Bearer " + e.hs256(t)}, "token_form"},
		"ES384":               {[]string{"Bearer " + e.es384(t)}, "token_form"},
		"tampered claims":     {[]string{"Bearer " + e.tampered(t)}, "token_signature"},
		"another key, A's kid": {[]string{"Bearer " + e.mint(t, Client{e.A.ID, e.A.KeyID, e.B.Key}, nil, nil)},
			"token_signature"},
		"B in A's name":  {[]string{"Bearer " + e.mint(t, Client{e.A.ID, e.B.KeyID, e.B.Key}, nil, nil)}, "token_signature"},
		"unknown client": {[]string{"Bearer " + e.mint(t, Client{"nobody", e.A.KeyID, e.A.Key}, nil, nil)}, "token_signature"},
	}
	add := func(what, reason string, header, claims map[string]any) {
		out[what] = badToken{[]string{"Bearer " + e.mint(t, e.A, header, claims)}, reason}
	}
	add("no kid", "token_form", map[string]any{"kid": nil}, nil)
	add("wrong kid", "token_signature", map[string]any{"kid": "no-such-key"}, nil)
	for what, typ := range map[string]any{"no typ": nil, "an assertion's typ": "JWT", "an assertion's other typ": "client-authentication+jwt",
		"a receipt's typ": "liuma-receipt+jwt", "typ in other letters": "Liuma-Native+jwt", "an empty typ": "", "typ with application": "application/liuma-native+jwt"} {
		add(what, "token_typ", map[string]any{"typ": typ}, nil)
	}
	add("typ is a number", "token_typ", map[string]any{"typ": 1}, nil)
	add("critical extension", "token_signature", map[string]any{"crit": []string{"b64"}, "b64": false}, nil)
	add("no issuer", "token_subject", nil, map[string]any{"iss": nil})
	add("long issuer", "token_subject", nil, map[string]any{"iss": strings.Repeat("a", 65)})
	add("another subject", "token_subject", nil, map[string]any{"sub": e.B.ID})
	add("no audience", "token_audience", nil, map[string]any{"aud": nil})
	add("another audience", "token_audience", nil, map[string]any{"aud": door.NativeAudience(e.Issuer) + "/"})
	add("an assertion's audience", "token_audience", nil, map[string]any{"aud": e.Issuer})
	add("the token endpoint's audience", "token_audience", nil, map[string]any{"aud": e.Issuer + "/token"})
	add("two audiences", "token_audience", nil, map[string]any{"aud": []string{door.NativeAudience(e.Issuer), "https://elsewhere.example"}})
	add("both doors' audiences", "token_audience", nil, map[string]any{"aud": []string{door.NativeAudience(e.Issuer), e.Issuer}})
	add("no exp", "token_lifetime", nil, map[string]any{"exp": nil})
	add("no iat", "token_lifetime", nil, map[string]any{"iat": nil})
	add("too long-lived", "token_lifetime", nil, map[string]any{"exp": now.Unix() + 301})
	add("ends before it begins", "token_lifetime", nil, map[string]any{"exp": now.Unix() - 1})
	add("endless", "token_lifetime", nil, map[string]any{"exp": 1e18})
	add("expired", "token_expired", nil, map[string]any{"iat": now.Unix() - 100, "exp": now.Unix() - 31})
	add("from the future", "token_future", nil, map[string]any{"iat": now.Unix() + 32, "exp": now.Unix() + 60})
	add("not before later", "token_future", nil, map[string]any{"nbf": now.Unix() + 60})
	add("exp as text", "token_form", nil, map[string]any{"exp": "tomorrow"})
	return out
}

func (e *Env) unsigned(t testing.TB) string {
	parts := strings.Split(e.mint(t, e.A, map[string]any{"alg": "none"}, nil), ".")
	return parts[0] + "." + parts[1] + "."
}

// hs256 tries the old trick: the public key as the secret of an HMAC.
func (e *Env) hs256(t testing.TB) string {
	t.Helper()
	public, err := e.A.Key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(e.mint(t, e.A, map[string]any{"alg": "HS256"}, nil), ".")
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(parts[0] + "." + parts[1]))
	return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (e *Env) es384(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(e.mint(t, e.A, map[string]any{"alg": "ES384"}, nil), ".")
	sum := sha512.Sum384([]byte(parts[0] + "." + parts[1]))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 96)
	r.FillBytes(sig[:48])
	s.FillBytes(sig[48:])
	return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// tampered keeps the signature and swaps the claims.
func (e *Env) tampered(t testing.TB) string {
	mine := strings.Split(e.mint(t, e.A, nil, nil), ".")
	later := strings.Split(e.mint(t, e.A, nil, map[string]any{"jti": "other"}), ".")
	return mine[0] + "." + later[1] + "." + mine[2]
}
