package token

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestPINPrintsNothing under any verb, in a log or in JSON.
func TestPINPrintsNothing(t *testing.T) {
	p := NewPIN("271828")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("token", "pin", p, "config", Config{PIN: p})
	j, err := json.Marshal(map[string]any{"pin": p})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(p), fmt.Sprintf("%v %+v %#v %s %q %x %d", p, p, p, p, p, p, p), fmt.Sprintf("%+v", Config{PIN: p}), string(j), log.String()} {
		if strings.Contains(s, "271828") || strings.Contains(s, "323731383238") {
			t.Errorf("it says %q", s)
		}
	}
}

// TestWrappingKeyTravels: the file of a wrapping key says which hash the token can do,
// and anything else is refused.
func TestWrappingKeyTravels(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		k := WrappingKey{Token: "spare", Public: &private.PublicKey, Hash: h}
		b, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseWrappingKey(b)
		if err != nil || got.Token != "spare" || got.Hash != h || !got.Public.Equal(k.Public) || got.Fingerprint() != k.Fingerprint() {
			t.Errorf("%s: %+v, %v", h, got, err)
		}
		sealed, err := got.Encrypt([]byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		opened, err := rsa.DecryptOAEP(h.New(), nil, private, sealed, nil)
		if err != nil || string(opened) != "secret" {
			t.Errorf("%s: %q, %v", h, opened, err)
		}
		text := string(b)
		for name, bad := range map[string]string{
			"another hash": strings.Replace(text, h.String(), "MD5", 1),
			"no hash":      strings.Replace(text, "OAEP: "+h.String()+"\n", "", 1),
			"another kind": strings.ReplaceAll(text, wrappingBlock, "PUBLIC KEY"),
			"two keys":     text + text,
			"empty":        "",
			"half a key":   text[:len(text)/2],
		} {
			if _, err := ParseWrappingKey([]byte(bad)); !errors.Is(err, ErrWrappingKey) {
				t.Errorf("%s, %s: %v", h, name, err)
			}
		}
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err == nil {
		b, err := WrappingKey{Token: "x", Public: &small.PublicKey, Hash: crypto.SHA256}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseWrappingKey(b); !errors.Is(err, ErrWrappingKey) {
			t.Errorf("a key of 1024 bits: %v", err)
		}
	}
	if _, err := (WrappingKey{Public: &private.PublicKey, Hash: crypto.SHA512}).Encrypt(nil); !errors.Is(err, ErrWrappingKey) {
		t.Errorf("another hash: %v", err)
	}
	if _, err := (WrappingKey{}).Encrypt(nil); !errors.Is(err, ErrWrappingKey) {
		t.Errorf("no key: %v", err)
	}
}

// shelf has share keys that are sealed or not.
type shelf struct {
	ShareKeys
	sealed bool
	err    error
}

func (s shelf) Sealed(string) (bool, error) { return s.sealed, s.err }

// TestOpenShareKeyWantsASealedOne: a share key that could still be extracted, or
// of which nobody knows, is not used.
func TestOpenShareKeyWantsASealedOne(t *testing.T) {
	if _, err := OpenShareKey(shelf{sealed: true}, "s"); err != nil {
		t.Error(err)
	}
	if _, err := OpenShareKey(shelf{}, "s"); !errors.Is(err, ErrWeakKey) {
		t.Errorf("an open one: %v", err)
	}
	if _, err := OpenShareKey(shelf{err: ErrAway}, "s"); !errors.Is(err, ErrAway) {
		t.Errorf("a token that is away: %v", err)
	}
}
