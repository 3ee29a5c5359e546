package postgres_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/vault"
)

// keys makes a vault of the test's.
func keys(t testing.TB) *vault.Vault {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.key")
	if err := vault.Create(path); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// database is a new one with its tables.
func database(t testing.TB) string {
	t.Helper()
	return pgtest.New(t, func(dsn string) error {
		s, err := postgres.Open(context.Background(), postgres.Config{DSN: dsn, Seal: keys(t)})
		if err != nil {
			return err
		}
		return s.Close()
	})
}

func openAt(t testing.TB, c postgres.Config) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // some tests break it
	return s
}

// open makes a store for the conformance suite.
func open(t testing.TB) (store.Store, func() store.Store) {
	return openAs(t, "one")
}

// openAs makes one for an authority with a name, or one alone.
func openAs(t testing.TB, name string) (store.Store, func() store.Store) {
	c := postgres.Config{DSN: database(t), Seal: keys(t), Name: name}
	s := openAt(t, c)
	return s, func() store.Store {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, c)
		return s
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, open) }

// TestConformanceAlone: a process that has the database to itself keeps in memory what it
// would have between itself and others.
func TestConformanceAlone(t *testing.T) {
	storetest.Among(t, func(t testing.TB) (store.Store, func() store.Store) { return openAs(t, "") })
}

// The invariants by name, for docs/INVARIANTS.md.

func TestSkew(t *testing.T) { storetest.Skew(t, open) }

func TestChangeNeedsAuditEntry(t *testing.T) { storetest.ChangeNeedsAuditEntry(t, open) }

func TestBusinessNumberOnce(t *testing.T) { storetest.BusinessNumberOnce(t, open) }

func TestOneIntentPerCard(t *testing.T) { storetest.OneIntentPerCard(t, open) }

func TestDSN(t *testing.T) {
	for dsn, want := range map[string]error{
		"postgres://liuma@127.0.0.1/liuma":                        nil,
		"postgres://liuma@localhost/liuma?sslmode=disable":        nil,
		"postgres://liuma@db1/liuma?sslmode=verify-full":          nil,
		"postgres://liuma@db1,db2:5433/liuma?sslmode=verify-full": nil,
		"postgres://liuma@db1/liuma":                              postgres.ErrNotPrivate, // pgx prefers TLS, and takes what it gets
		"postgres://liuma@db1/liuma?sslmode=disable":              postgres.ErrNotPrivate,
		"postgres://liuma@db1/liuma?sslmode=require":              postgres.ErrNotPrivate,
		"postgres://liuma@db1/liuma?sslmode=verify-ca":            postgres.ErrNotPrivate,
		"postgres://liuma@127.0.0.1,db2/liuma":                    postgres.ErrNotPrivate,
		"postgres://liuma@/liuma?host=/run/postgresql":            nil,
		"postgres://liuma:secret@db1/liuma":                       postgres.ErrPassword,
		"postgres://liuma:secret@db1,db2/liuma":                   postgres.ErrPassword,
		"postgres://liuma@db1/liuma?password=secret":              postgres.ErrPassword,
		"postgres://db1:port/liuma":                               postgres.ErrDSN,
		"liuma.db":                                                postgres.ErrDSN,
	} {
		if err := postgres.CheckDSN(dsn); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", dsn, err, want)
		}
	}
}

func TestClaimedNumbers(t *testing.T) { storetest.ClaimedNumbers(t, open) }

func TestTriesAfterTheirCeremony(t *testing.T) { storetest.TriesAfterTheirCeremony(t, open) }

func TestBurntEvidence(t *testing.T) { storetest.BurntEvidence(t, open) }

func TestClaimedHolders(t *testing.T) { storetest.ClaimedHolders(t, open) }
