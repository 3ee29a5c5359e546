package vault

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
)

type sealedPIN struct {
	key      SealedKey
	envelope envelope.Envelope
}

// sealOne makes a seal key, puts a secret into an envelope and opens it once,
// so that the key is in the cache.
func sealOne(t testing.TB, v *Vault, secret string) (envelope.Binding, sealedPIN) {
	t.Helper()
	k, err := v.NewSealKey()
	must(t, err)
	b := envelope.Binding{
		Channel: "zj-hrss", Action: liuma.ActionVerify, Role: liuma.RoleCurrent,
		Subject: envelope.Subject{Card: "mzxw6ytboi2dknrxgezdgnbvgy3tqojq"}, BusinessNo: "b-1",
		PurposeHash: envelope.PurposeHash("p"), SealKeyID: k.ID, Challenge: "c",
	}
	e, err := envelope.Seal(k.Public, b, []byte(secret))
	must(t, err)
	p, err := v.OpenPIN(k, b, e, true)
	must(t, err)
	p.Wipe()
	return b, sealedPIN{key: k, envelope: e}
}

func TestSealKeyShape(t *testing.T) {
	v := newTestVault(t)
	k, err := v.NewSealKey()
	must(t, err)
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(k.ID) || len(k.Public) != envelope.PublicSize || len(k.Wraps) != 1 || len(k.Sealed) > 0 {
		t.Errorf("%+v", k)
	}
	scalar, err := v.private(k)
	must(t, err)
	key, err := envelope.ParsePrivate(scalar)
	must(t, err)
	if !bytes.Equal(key.PublicKey().Bytes(), k.Public) {
		t.Error("the wrapped key is not the other half of the public one")
	}
	if bytes.Contains(k.Wraps[0].Given, scalar) {
		t.Error("the private key lies open")
	}
}

func TestOpenPIN(t *testing.T) {
	v := newTestVault(t)
	for _, c := range []struct {
		secret     string
		passphrase bool
		code       liuma.Code
	}{
		{"739146", false, ""},
		{"739146", true, ""},
		{"correct horse 电池", true, ""},
		{"correct horse 电池", false, liuma.CodePINFormat},
		{"12345", false, liuma.CodePINFormat},
		{"1234567", false, liuma.CodePINFormat},
		{"７３９１４６", false, liuma.CodePINFormat},
	} {
		k, err := v.NewSealKey()
		must(t, err)
		b := envelope.Binding{Channel: "zj-hrss", Role: liuma.RoleNew, SealKeyID: k.ID}
		e, err := envelope.Seal(k.Public, b, []byte(c.secret))
		must(t, err)
		for range 2 { // the second time from the cache
			p, err := v.OpenPIN(k, b, e, c.passphrase)
			if c.code != "" {
				wantCode(t, err, c.code)
				continue
			}
			must(t, err)
			must(t, p.Use(func(got []byte) error {
				if string(got) != c.secret {
					return fmt.Errorf("got another PIN for %q", c.secret)
				}
				return nil
			}))
			p.Wipe()
		}
	}
}

func TestOpenPINRefuses(t *testing.T) {
	v := newTestVault(t)
	b, s := sealOne(t, v, "739146")

	other := b
	other.Role = liuma.RoleNew
	_, err := v.OpenPIN(s.key, other, s.envelope, false)
	wantCode(t, err, liuma.CodeEnvelopeInvalid)

	another := s.key
	another.ID = "another"
	_, err = v.OpenPIN(another, b, s.envelope, false)
	wantCode(t, err, liuma.CodeEnvelopeInvalid)

	renamed := s.envelope
	renamed.SealKeyID = "another"
	_, err = v.OpenPIN(s.key, b, renamed, false)
	wantCode(t, err, liuma.CodeEnvelopeInvalid)

	// Another seal key's envelope, relabelled.
	_, o := sealOne(t, v, "295037")
	o.envelope.SealKeyID = s.key.ID
	_, err = v.OpenPIN(s.key, b, o.envelope, false)
	wantCode(t, err, liuma.CodeEnvelopeInvalid)
}

// TestReleasedSealKeys: the row of a release before day keys opens for its id alone, and
// what does not is the authority's fault, not the sender's.
func TestReleasedSealKeys(t *testing.T) {
	v := newTestVault(t)
	released := func() (k SealedKey) {
		t.Helper()
		private, public, err := envelope.GenerateKey()
		must(t, err)
		k = SealedKey{ID: "AAAAAAAAAAAAAAAAAAAAAA", Public: public}
		k.Sealed, err = v.Seal(SealKey, []byte(k.ID), private)
		must(t, err)
		return k
	}
	k := released()
	b := envelope.Binding{Channel: "zj-hrss", Role: liuma.RoleCurrent, SealKeyID: k.ID}
	e, err := envelope.Seal(k.Public, b, []byte("739146"))
	must(t, err)
	p, err := v.OpenPIN(k, b, e, false)
	must(t, err)
	p.Wipe()
	must(t, v.DestroySealKey(k.ID))
	k.Sealed[50] ^= 1
	if _, err = v.OpenPIN(k, b, e, false); !errors.Is(err, ErrUnseal) || liuma.CodeOf(err) != liuma.CodeInternal {
		t.Errorf("error %v, want %v and no code", err, ErrUnseal)
	}
}

func TestSealKeyCacheIsBounded(t *testing.T) {
	v := newTestVault(t)
	first, _ := sealOne(t, v, "739146")
	for range maxCachedSealKeys + 3 {
		sealOne(t, v, "739146")
	}
	if n := len(v.pins.keys); n != maxCachedSealKeys || len(v.pins.order) != n {
		t.Errorf("%d keys, %d in order; want %d", n, len(v.pins.order), maxCachedSealKeys)
	}
	if _, ok := v.pins.get(first.SealKeyID); ok {
		t.Error("the oldest key is still there")
	}
}

func TestOpenPINConcurrently(t *testing.T) {
	v := newTestVault(t)
	b, s := sealOne(t, v, "739146")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				p, err := v.OpenPIN(s.key, b, s.envelope, false)
				if err != nil {
					t.Error(err)
					return
				}
				p.Wipe()
				if i == 0 {
					v.KeepSealKeys(func(string) bool { return false })
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkOpenPIN(b *testing.B) {
	v := newTestVault(b)
	binding, s := sealOne(b, v, "739146")
	for b.Loop() {
		p, err := v.OpenPIN(s.key, binding, s.envelope, false)
		must(b, err)
		p.Wipe()
	}
}

// TestKeepSealKeysForgetsTheOthers: also a key that another authority destroyed leaves the
// memory.
func TestKeepSealKeysForgetsTheOthers(t *testing.T) {
	v := newTestVault(t)
	kept, _ := sealOne(t, v, "739146")
	gone, _ := sealOne(t, v, "739146")
	v.KeepSealKeys(func(id string) bool { return id == kept.SealKeyID })
	if _, known := v.pins.get(kept.SealKeyID); !known {
		t.Error("the key that is kept is not known any more")
	}
	if _, known := v.pins.get(gone.SealKeyID); known {
		t.Error("the key that is gone is in memory")
	}
}
