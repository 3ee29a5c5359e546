package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/store/storetest"
)

func openAt(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // some tests break it
	return s
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

// The invariants by name, for docs/INVARIANTS.md.

func TestChangeNeedsAuditEntry(t *testing.T) { storetest.ChangeNeedsAuditEntry(t, open) }

func TestBusinessNumberOnce(t *testing.T) { storetest.BusinessNumberOnce(t, open) }

func TestOneIntentPerCard(t *testing.T) { storetest.OneIntentPerCard(t, open) }
