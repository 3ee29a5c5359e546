package sqlite_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/vault"
)

func openAt(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{Seal: keys(t, path)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // some tests break it
	return s
}

// keys opens the vault beside a database, or makes it.
func keys(t testing.TB, database string) *vault.Vault {
	t.Helper()
	path := filepath.Join(filepath.Dir(database), "vault.key")
	if err := vault.Create(path); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	v, err := vault.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// open makes a store for the conformance suite.
func open(t testing.TB) (store.Store, func() store.Store) {
	path := filepath.Join(t.TempDir(), "authority.db")
	s := openAt(t, path)
	return s, func() store.Store {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, path)
		return s
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, open) }

// TestConformanceFromMemory has every View use the rows that are kept in memory.
func TestConformanceFromMemory(t *testing.T) { storetest.Run(t, storetest.Expecting(open)) }

// The invariants by name, for docs/INVARIANTS.md.

func TestHandlesThatLeadNowhere(t *testing.T) { storetest.RetainHandles(t, open) }

func TestDeletedRowsLeaveTheMemory(t *testing.T) { storetest.RecentRows(t, open) }

func TestViewsFromMemoryAreWhole(t *testing.T) { storetest.RecentTogether(t, open) }

func TestChangeNeedsAuditEntry(t *testing.T) { storetest.ChangeNeedsAuditEntry(t, open) }

func TestBusinessNumberOnce(t *testing.T) { storetest.BusinessNumberOnce(t, open) }

func TestOneIntentPerCard(t *testing.T) { storetest.OneIntentPerCard(t, open) }
