package testkit

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// OpenStore makes a vault and an empty store for rooms that need no more, and closes
// both when the test ends.
func OpenStore(t testing.TB) (store.Store, *vault.Vault) {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "vault.key")
	if err := vault.Create(key); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(context.Background(), filepath.Join(dir, "liuma.db"), sqlite.Config{Seal: v})
	if err != nil {
		t.Fatal(errors.Join(err, v.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(st.Close(), v.Close()); err != nil {
			t.Error(err)
		}
	})
	return st, v
}
