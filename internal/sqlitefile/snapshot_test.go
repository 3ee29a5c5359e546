package sqlitefile_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/sqlitefile"
)

// TestSnapshot: a snapshot holds what was committed, beside an open writer, is
// its owner's alone, and replaces nothing.
func TestSnapshot(t *testing.T) {
	f := take(t, filepath.Join(t.TempDir(), "x.db"))
	if err := f.Migrate(t.Context(), schema(application)); err != nil {
		t.Fatal(err)
	}
	db := sqlitefile.Pool(f.Path(), sqlitefile.Settings{}, 2)
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (2)"); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := sqlitefile.Snapshot(t.Context(), f.Path(), to); err != nil {
		t.Fatalf("beside a writer: %v", err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
	taken := sqlitefile.Pool(to, sqlitefile.Settings{ReadOnly: true}, 1)
	defer taken.Close()
	var rows int
	if err := taken.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows (%v), want the one that was committed", rows, err)
	}
	if err := sqlitefile.Snapshot(t.Context(), f.Path(), to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	if err := sqlitefile.Snapshot(t.Context(), filepath.Join(t.TempDir(), "none.db"), to+"2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no database: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sqlitefile.Snapshot(gone, f.Path(), to+"3"); err == nil {
		t.Error("went on although it was called off")
	}
	for _, name := range []string{to + "2", to + "3"} {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left (%v)", name, err)
		}
	}
}
