package sqlite

import (
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
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
	migrateTo(t, filepath.Join(dir, "authority.db"), "00001_first.sql")
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

// migrateTo makes the database of an earlier release, whose last migration was last, or
// brings it to that.
func migrateTo(t *testing.T, path, last string) {
	t.Helper()
	all, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	upTo := fstest.MapFS{}
	for _, m := range all {
		if m.Name() > last {
			break
		}
		text, err := fs.ReadFile(migrations, "migrations/"+m.Name())
		if err != nil {
			t.Fatal(err)
		}
		upTo[m.Name()] = &fstest.MapFile{Data: text}
	}
	file, err := sqlitefile.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Migrate(t.Context(), sqlitefile.Schema{Application: applicationID, Migrations: upTo}), file.Release()); err != nil {
		t.Fatal(err)
	}
}

// TestRequestsKeepTheirGuards: the check of a request's phase was written anew. Rows and
// what the table refuses are as before.
func TestRequestsKeepTheirGuards(t *testing.T) {
	path := filepath.Join(t.TempDir(), "authority.db")
	migrateTo(t, path, "00025_holders.sql")
	open := func() *sql.DB {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open()
	if _, err := db.ExecContext(t.Context(), `INSERT INTO requests (key, phase, rev, body, seal_key, seal) VALUES (x'01', 1, 7, x'0203', 4, x'05')`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	migrateTo(t, path, "00026_phases.sql")
	db = open()
	defer db.Close()
	var row string
	if err := db.QueryRowContext(t.Context(), `SELECT hex(key) || ' ' || phase || ' ' || rev || ' ' || hex(body) || ' ' || seal_key || ' ' || hex(seal) FROM requests`).Scan(&row); err != nil {
		t.Fatal(err)
	}
	if row != "01 1 7 0203 4 05" {
		t.Errorf("the row is %q, want it as it was", row)
	}
	var text, whole string
	if err := db.QueryRowContext(t.Context(), `SELECT sql, (SELECT integrity_check FROM pragma_integrity_check) FROM sqlite_schema WHERE name = 'requests'`).Scan(&text, &whole); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "CHECK (phase BETWEEN 0 AND 2)") {
		t.Errorf("the table is %s, want a range for the phase", text)
	}
	if whole != "ok" {
		t.Errorf("the file's check says %q", whole)
	}
	for what, c := range map[string]struct{ statement, refusal string }{
		"a request is decided again":   {`UPDATE requests SET body = x'06', rev = 8`, "a decided request does not change"},
		"a phase after the last one":   {`INSERT INTO requests (key, phase, rev, body, seal_key, seal) VALUES (x'02', 3, 1, x'', 1, x'')`, "CHECK"},
		"a phase before the first":     {`INSERT INTO requests (key, phase, rev, body, seal_key, seal) VALUES (x'02', -1, 1, x'', 1, x'')`, "CHECK"},
		"a business number used twice": {`INSERT INTO requests (key, phase, rev, body, seal_key, seal) VALUES (x'01', 0, 1, x'', 1, x'')`, "UNIQUE"},
	} {
		if _, err := db.ExecContext(t.Context(), c.statement); err == nil || !strings.Contains(err.Error(), c.refusal) {
			t.Errorf("%s: %v, want an error with %q", what, err, c.refusal)
		}
	}
}
