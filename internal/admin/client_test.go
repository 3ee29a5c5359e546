package admin_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/store"
)

func pair(t *testing.T) admin.KeyPair {
	t.Helper()
	p, err := admin.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func channel(t *testing.T, id string) admin.Client {
	t.Helper()
	return admin.Client{
		ID: id, Kind: store.ClientChannel, Name: liuma.Text{ZH: "甲", EN: "A"}, Key: pair(t).Public,
		Regions: []liuma.Region{"33"}, Actions: []liuma.Action{liuma.ActionVerify},
	}
}

// A door gets a client's registered keys, or an error.
func TestPublicKeys(t *testing.T) {
	a := admintest.New(t, admintest.Options{}).Admin
	p, second := channel(t, "zj"), pair(t)
	if err := errors.Join(a.AddClient(t.Context(), p), a.AddClientKey(t.Context(), store.ClientChannel, "zj", second.Public)); err != nil {
		t.Fatal(err)
	}
	list, err := a.Clients(t.Context(), store.ClientChannel)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := evidence.PublicKeys(list[0])
	if err != nil || len(keys) != 2 || !second.Private.PublicKey.Equal(keys[second.Public.KeyID]) || keys[p.Key.KeyID] == nil {
		t.Errorf("%v, %v", keys, err)
	}
	for _, raw := range []string{"", "{", `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA","kid":"k"}]}`} {
		if keys, err := evidence.PublicKeys(store.Client{ID: "zj", Keys: []byte(raw)}); err == nil || keys != nil {
			t.Errorf("%s: %v", raw, keys)
		}
	}
}

// A key is read in every usual form, and its kid is the thumbprint unless the
// client named it.
func TestParseKey(t *testing.T) {
	p := pair(t)
	jwk, err := p.PublicJWK()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&p.Private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for name, raw := range map[string][]byte{"JWK": jwk, "PEM": block, "PEM with blanks": append([]byte("\n  \n"), block...)} {
		got, err := admin.ParseKey(raw)
		if err != nil || got.KeyID != p.Public.KeyID || !p.Private.PublicKey.Equal(got.Key) || got.Algorithm != "ES256" {
			t.Errorf("%s: kid %q, %v", name, got.KeyID, err)
		}
	}
	named, err := json.Marshal(jose.JSONWebKey{Key: &p.Private.PublicKey, KeyID: "2026-a"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := admin.ParseKey(named); err != nil || got.KeyID != "2026-a" {
		t.Errorf("named key: %q, %v", got.KeyID, err)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	p := pair(t)
	private, err := p.PrivatePEM()
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&other.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	own, err := x509.MarshalPKIXPublicKey(&p.Private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	one := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: own})
	for name, raw := range map[string][]byte{
		"nothing":          nil,
		"garbage":          []byte("hello"),
		"private PEM":      private,
		"private JWK":      asJSON(t, jose.JSONWebKey{Key: p.Private}),
		"P-384 PEM":        pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		"P-384 JWK":        asJSON(t, jose.JSONWebKey{Key: &other.PublicKey}),
		"symmetric JWK":    asJSON(t, jose.JSONWebKey{Key: []byte("secret")}),
		"two keys":         append(append([]byte(nil), one...), one...),
		"damaged PEM":      pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: own[:40]}),
		"kid with a blank": asJSON(t, jose.JSONWebKey{Key: &p.Private.PublicKey, KeyID: "a b"}),
		"endless kid":      asJSON(t, jose.JSONWebKey{Key: &p.Private.PublicKey, KeyID: strings.Repeat("k", 65)}),
		"not on the curve": []byte(`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`),
	} {
		if _, err := admin.ParseKey(raw); !errors.Is(err, admin.ErrKey) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func asJSON(t *testing.T, k jose.JSONWebKey) []byte {
	t.Helper()
	raw, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The private key that is handed out belongs to the public one.
func TestPair(t *testing.T) {
	p := pair(t)
	raw, err := p.PrivatePEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil || !p.Private.Equal(key) {
		t.Errorf("private half: %v", err)
	}
	jwk, err := p.PublicJWK()
	if err != nil || strings.Contains(string(jwk), `"d"`) {
		t.Errorf("public half %s, %v", jwk, err)
	}
}

// TestParseKeyPair: the private keys that keygen and OpenSSL write are read, under
// their own kid or the thumbprint; anything else is refused, and not quoted.
func TestParseKeyPair(t *testing.T) {
	pair, err := admin.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := pair.PrivatePEM()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(pair.Private)
	if err != nil {
		t.Fatal(err)
	}
	sec1 := append([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
	for what, raw := range map[string][]byte{"PKCS #8": pkcs8, "OpenSSL's": sec1} {
		got, err := admin.ParseKeyPair(raw, "")
		if err != nil || !got.Private.Equal(pair.Private) || got.Public.KeyID != pair.Public.KeyID || !got.Public.IsPublic() {
			t.Errorf("%s: %+v, %v", what, got.Public, err)
		}
		if got, err := admin.ParseKeyPair(raw, "k-1"); err != nil || got.Public.KeyID != "k-1" {
			t.Errorf("%s with a kid: %q, %v", what, got.Public.KeyID, err)
		}
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicJWK()
	if err != nil {
		t.Fatal(err)
	}
	for what, raw := range map[string][]byte{
		"nothing": nil, "a public key": public, "garbage": []byte("hello"),
		"another curve": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: p384}),
		"a damaged one": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der[:40]}),
	} {
		if _, err := admin.ParseKeyPair(raw, ""); !errors.Is(err, admin.ErrPrivateKey) && !errors.Is(err, admin.ErrKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := admin.ParseKeyPair(pkcs8, "two words"); !errors.Is(err, admin.ErrKey) {
		t.Errorf("a kid with a space: %v", err)
	}
}
