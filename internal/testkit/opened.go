package testkit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// storeVariable, set to "postgres", has every world keep its database on a PostgreSQL
// server that the tests start (package pgtest).
const storeVariable = "LIUMA_TEST_STORE"

func onServer() bool { return os.Getenv(storeVariable) == "postgres" }

// NewDatabase is the address of an empty database on the tests' server, with its tables,
// that is dropped when the test ends.
func NewDatabase(t testing.TB) string {
	t.Helper()
	return pgtest.New(t, func(dsn string) error {
		st, err := postgres.Open(context.Background(), postgres.Config{DSN: dsn, Seal: noKeys{}})
		if err != nil {
			return err
		}
		return st.Close()
	})
}

func openStore(t testing.TB, path string, v *vault.Vault) (store.Store, error) {
	t.Helper()
	if onServer() {
		return postgres.Open(context.Background(), postgres.Config{DSN: NewDatabase(t), Seal: v})
	}
	return sqlite.Open(context.Background(), path, sqlite.Config{Seal: v})
}

// FileOnly skips a test that uses the file of the database, if the database is on a
// server.
func FileOnly(t testing.TB) {
	t.Helper()
	if onServer() {
		t.Skip("goes behind the store's back to its file, and the database is on a server")
	}
}

// OpenStore makes a vault and an empty store for packages that need no more, and closes
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
	st, err := openStore(t, filepath.Join(dir, "liuma.db"), v)
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
