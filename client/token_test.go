package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/client"
)

// TestTokensOfEachDoor: a bearer token is for the native door and is given again
// until it is about to end; an assertion is for the hosted door, and each is another.
func TestTokensOfEachDoor(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 29, 10, 0, 0, 400e6, time.UTC)
	c, err := client.New(client.Config{
		BaseURL: "https://api.example.cn", Issuer: "https://pin.example.cn", ID: "zj", KeyID: "k-1", Key: key, Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	type claims struct {
		Iss, Sub, Aud, Jti string
		Iat, Exp           int64
	}
	read := func(token string, ends time.Time, err error) (typ string, got claims) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := jws.Verify(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(payload, &got); err != nil {
			t.Fatal(err)
		}
		if got.Iss != "zj" || got.Sub != "zj" || got.Exp != ends.Unix() || jws.Signatures[0].Protected.KeyID != "k-1" {
			t.Errorf("%+v, said to end %s", got, ends)
		}
		typ, _ = jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string)
		return typ, got
	}
	first, ends, err := c.Token()
	if typ, got := read(first, ends, err); typ != "liuma-native+jwt" || got.Aud != "https://pin.example.cn/v1" || got.Exp-got.Iat != 240 {
		t.Errorf("token %s %+v", typ, got)
	}
	if again, _, _ := c.Token(); again != first {
		t.Error("another token at once")
	}
	at = at.Add(200 * time.Second)
	later, ends, err := c.Token()
	if _, got := read(later, ends, err); later == first || got.Iat != at.Unix() {
		t.Errorf("a token that is about to end is given out: %+v", got)
	}
	one, ends, err := c.Assertion()
	typ, a := read(one, ends, err)
	if typ != "JWT" || a.Aud != "https://pin.example.cn" || a.Exp-a.Iat != 60 {
		t.Errorf("assertion %s %+v", typ, a)
	}
	if _, b := read(c.Assertion()); b.Jti == a.Jti || len(b.Jti) < 16 {
		t.Errorf("assertions %q and %q", a.Jti, b.Jti)
	}
}
