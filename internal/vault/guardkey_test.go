package vault_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/vault"
)

// TestGuardKeys: each epoch of each span has its own key, the same in every
// authority that has the key file, and in no other.
func TestGuardKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.key")
	open := func(path string) *vault.Vault {
		v, err := vault.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if err := vault.Create(path); err != nil {
		t.Fatal(err)
	}
	a, b := open(path), open(path)
	other := filepath.Join(t.TempDir(), "vault.key")
	if err := vault.Create(other); err != nil {
		t.Fatal(err)
	}
	key := func(v *vault.Vault, span string, epoch int64) [32]byte {
		k, err := v.GuardKey(span, epoch)
		if err != nil || k == ([32]byte{}) {
			t.Fatalf("%x, %v", k, err)
		}
		return k
	}
	here := key(a, "short", 7)
	if here != key(b, "short", 7) {
		t.Error("another authority with the key file has another key")
	}
	for name, k := range map[string][32]byte{"epoch": key(a, "short", 8), "span": key(a, "long", 7), "vault": key(open(other), "short", 7)} {
		if k == here {
			t.Errorf("another %s has the same key", name)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.GuardKey("short", 7); !errors.Is(err, vault.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
