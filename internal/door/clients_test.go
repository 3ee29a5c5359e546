package door_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/store"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// keySet is the JWK set of keys with the kids "0", "1", ...
func keySet(t *testing.T, keys ...*ecdsa.PrivateKey) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for i, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &key.PublicKey, KeyID: string(rune('0' + i))})
	}
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// signed is a token with the kid "0" and a typ, both left out if empty.
func signed(t *testing.T, key *ecdsa.PrivateKey, kid, typ string, claims any) string {
	t.Helper()
	o := &jose.SignerOptions{}
	if typ != "" {
		o = o.WithType(jose.ContentType(typ))
	}
	if kid != "" {
		o = o.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestClientsFollowTheRegistration: a key counts for as long as it is
// registered, and not a request longer.
func TestClientsFollowTheRegistration(t *testing.T) {
	first, second := newKey(t), newKey(t)
	client, fault := store.Client{ID: "zj", Keys: keySet(t, first)}, error(nil)
	clients := door.NewClients(func(_ context.Context, id string) (store.Client, error) {
		if id != "zj" {
			return store.Client{}, store.ErrNotFound
		}
		return client, fault
	})
	raw := signed(t, first, "0", "", map[string]any{"iss": "zj"})
	check := func() error {
		var c door.Claims
		token, err := door.ParseToken(raw, &c, "")
		if err != nil || c.Issuer != "zj" || token.KeyID != "0" {
			t.Fatalf("%+v, %v", c, err)
		}
		_, keys, err := clients.Find(t.Context(), c.Issuer)
		if err != nil {
			return err
		}
		if _, only := keys.Only(); only != (len(keys) == 1) {
			t.Errorf("%d keys, only: %t", len(keys), only)
		}
		return token.Verify(keys[token.KeyID], &c)
	}
	if err := check(); err != nil {
		t.Errorf("registered: %v", err)
	}
	client.Keys = keySet(t, first, second)
	if err := check(); err != nil {
		t.Errorf("beside another: %v", err)
	}
	client.Keys = keySet(t, second)
	if err := check(); err == nil {
		t.Error("a key that was replaced counts")
	}
	client.Stopped = true
	if found, _, err := clients.Find(t.Context(), "zj"); err != nil || !found.Stopped {
		t.Errorf("stopped: %+v, %v", found, err)
	}
	client.Keys = []byte("{")
	if err := check(); err == nil || errors.Is(err, door.ErrNoClient) {
		t.Errorf("keys that cannot be read: %v", err)
	}
	client.Keys = keySet(t, first)
	for _, unknown := range []error{store.ErrNotFound, liuma.Fail(liuma.CodeUnauthenticated, nil)} {
		fault = unknown
		if err := check(); !errors.Is(err, door.ErrNoClient) {
			t.Errorf("%v: %v", unknown, err)
		}
	}
	fault = errors.New("the database is away")
	if err := check(); !errors.Is(err, fault) || errors.Is(err, door.ErrNoClient) {
		t.Errorf("trouble: %v", err)
	}
	fault = nil
	if err := check(); err != nil {
		t.Errorf("registered again: %v", err)
	}
}

func TestClientsAreSafeForConcurrentUse(t *testing.T) {
	sets := [][]byte{keySet(t, newKey(t)), keySet(t, newKey(t), newKey(t))}
	var n int
	var mu sync.Mutex
	clients := door.NewClients(func(_ context.Context, id string) (store.Client, error) {
		mu.Lock()
		defer mu.Unlock()
		n++
		return store.Client{ID: id, Keys: sets[n%2]}, nil
	})
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 50 {
				client, keys, err := clients.Find(t.Context(), "zj")
				if _, only := keys.Only(); err != nil || only != (string(client.Keys) == string(sets[0])) {
					t.Errorf("%d keys, %v", len(keys), err)
				}
			}
		})
	}
	running.Wait()
}

func TestTokensOfOtherKindsAreRefused(t *testing.T) {
	key := newKey(t)
	hmac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: make([]byte, 32)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mac, err := jwt.Signed(hmac).Claims(map[string]any{}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	for what, raw := range map[string]string{
		"nothing": "", "HS256": mac, "none": "eyJhbGciOiJub25lIn0.e30.", "claims of the wrong type": signed(t, key, "0", "", map[string]any{"exp": "tomorrow"}),
	} {
		if token, err := door.ParseToken(raw, &door.Claims{}, "", "JWT"); err == nil || token != nil || errors.Is(err, door.ErrTokenType) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestTypOfAToken: a token is read as one of the types that were asked for, and
// as nothing else.
func TestTypOfAToken(t *testing.T) {
	key := newKey(t)
	all := []string{"", "JWT", "client-authentication+jwt", door.NativeType, "liuma-receipt+jwt", "jwt"}
	for _, asked := range [][]string{nil, {door.NativeType}, {""}, {"JWT"}, door.AssertionTypes()} {
		for _, typ := range all {
			var c door.Claims
			token, err := door.ParseToken(signed(t, key, "", typ, map[string]any{"sub": "s"}), &c, asked...)
			if !slices.ContainsFunc(asked, func(a string) bool { return strings.EqualFold(a, typ) }) {
				if !errors.Is(err, door.ErrTokenType) || token != nil {
					t.Errorf("%q asked for as %q: %v, want %v", typ, asked, err, door.ErrTokenType)
				}
				continue
			}
			if err != nil || c.Subject != "s" || token.KeyID != "" {
				t.Errorf("%q asked for as %q: %+v, %v", typ, asked, c, err)
			} else if err := token.Verify(door.Key{}, &c); err == nil {
				t.Error("no key signed it")
			}
		}
	}
	if slices.Contains(door.AssertionTypes(), door.NativeType) {
		t.Error("a bearer token's typ is an assertion's")
	}
	// A typ is a media type: its case does not count, and "application/" may be
	// written out (RFC 7515, 4.1.9); the native door's own has one spelling.
	for typ, want := range map[string]string{
		"Application/JWT": "JWT", "application/client-authentication+jwt": "client-authentication+jwt",
		"Client-Authentication+JWT": "client-authentication+jwt",
	} {
		for _, asked := range all {
			_, err := door.ParseToken(signed(t, key, "", typ, map[string]any{}), &door.Claims{}, asked)
			if good := strings.EqualFold(asked, want); good != (err == nil) {
				t.Errorf("%q asked for as %q: %v", typ, asked, err)
			}
		}
	}
	for _, typ := range []string{"text/jwt", "application/", "application/application/jwt", "application/jwt; x=y", " jwt", "application/liuma-native+jwt", "Liuma-Native+JWT"} {
		if _, err := door.ParseToken(signed(t, key, "", typ, map[string]any{}), &door.Claims{}, all...); err == nil {
			t.Errorf("%q was taken", typ)
		}
	}
}

// TestTimesOfClaims: a token is good to the second, and no number that a
// client can choose turns around.
func TestTimesOfClaims(t *testing.T) {
	at := func(sec int64) *jwt.NumericDate { d := jwt.NumericDate(sec); return &d }
	now := start.Add(999 * time.Millisecond)
	sec := start.Unix()
	for _, c := range []struct {
		claims         door.Claims
		expired, early bool
	}{
		{door.Claims{}, true, false},
		{door.Claims{Expires: at(sec - 29)}, false, false},
		{door.Claims{Expires: at(sec - 30)}, true, false},
		{door.Claims{Expires: at(1 << 62), IssuedAt: at(sec + 30), NotBefore: at(sec + 30)}, false, false},
		{door.Claims{Expires: at(1 << 62), IssuedAt: at(sec + 31)}, false, true},
		{door.Claims{Expires: at(1<<63 - 1), NotBefore: at(1<<63 - 1)}, false, true},
		{door.Claims{Expires: at(-1 << 63), IssuedAt: at(-1 << 63)}, true, false},
	} {
		if c.claims.Expired(now) != c.expired || c.claims.Early(now) != c.early {
			t.Errorf("%+v: expired %t, early %t", c.claims, c.claims.Expired(now), c.claims.Early(now))
		}
	}
}
