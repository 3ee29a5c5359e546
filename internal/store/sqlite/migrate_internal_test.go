package sqlite

import (
	"io/fs"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TestDatabaseOf010IsMigrated opens a database that 0.1.0 made: what came after
// it is there.
func TestDatabaseOf010IsMigrated(t *testing.T) {
	dir := t.TempDir()
	first, err := fs.ReadFile(migrations, "migrations/00001_first.sql")
	if err != nil {
		t.Fatal(err)
	}
	file, err := sqlitefile.Take(filepath.Join(dir, "authority.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Migrate(t.Context(), sqlitefile.Schema{Application: applicationID,
		Migrations: fstest.MapFS{"00001_first.sql": {Data: first}}}); err != nil {
		t.Fatal(err)
	}
	if err := file.Release(); err != nil {
		t.Fatal(err)
	}
	if err := vault.Create(filepath.Join(dir, "vault.key")); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(filepath.Join(dir, "vault.key"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	s, err := Open(t.Context(), filepath.Join(dir, "authority.db"), Config{Seal: v})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Unix(1_790_000_000, 0)
	if err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, tx.Meter("m", vault.Index{1}, now, 2)
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.View(t.Context(), func(r store.Reader) error {
		n, err := r.Metered("m", vault.Index{1}, now.Add(-time.Hour))
		if n != 2 {
			t.Errorf("%d events, want 2", n)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
