package sqlitefile_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/fstest"

	"github.com/liuma-pin/liuma/internal/sqlitefile"
)

const application = 7

// schema makes one table.
func schema(application int64) sqlitefile.Schema {
	text := "-- +goose Up\nPRAGMA application_id = " + strconv.FormatInt(application, 10) + ";\nCREATE TABLE t (x INTEGER);\n"
	return sqlitefile.Schema{Application: application, Migrations: fstest.MapFS{"00001_first.sql": {Data: []byte(text)}}}
}

func take(t *testing.T, path string) *sqlitefile.File {
	t.Helper()
	f, err := sqlitefile.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Release() })
	return f
}

func execute(t *testing.T, f *sqlitefile.File, s sqlitefile.Settings, query string) error {
	t.Helper()
	db := sqlitefile.Pool(f.Path(), s, 1)
	_, err := db.ExecContext(t.Context(), query)
	return errors.Join(err, db.Close())
}

// TestLease: one File at a time, and the next after Release. A file that could
// not be opened keeps no lease.
func TestLease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	f := take(t, path)
	for range 2 {
		if _, err := sqlitefile.Take(path); !errors.Is(err, sqlitefile.ErrInUse) {
			t.Errorf("a second Take: %v, want %v", err, sqlitefile.ErrInUse)
		}
	}
	if err := f.Release(); err != nil {
		t.Fatal(err)
	}
	take(t, path)
	dir := t.TempDir() // no file can be made of it
	for range 2 {
		if _, err := sqlitefile.Take(dir); err == nil || errors.Is(err, sqlitefile.ErrInUse) {
			t.Errorf("Take of a directory: %v", err)
		}
	}
	if _, err := sqlitefile.Take(filepath.Join(dir, "missing", "x.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Take in no directory: %v", err)
	}
}

// TestFilesAreForTheirOwner: also where the files had wider modes before, and
// with a name that could break a data source name.
func TestFilesAreForTheirOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a file?of=#1%41.db")
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := take(t, path)
	if err := f.Migrate(t.Context(), schema(application)); err != nil {
		t.Fatal(err)
	}
	db := sqlitefile.Pool(f.Path(), sqlitefile.Settings{}, 1)
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 4 {
		t.Fatalf("files %v (%v), want database, log, shared memory and lock", files, err)
	}
	for _, file := range files {
		if info, err := file.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v (%v)", file.Name(), info.Mode(), err)
		}
	}
}

// TestMigrateRefuses: a file that is no database, one of another program and
// one of a later release are refused and not changed.
func TestMigrateRefuses(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	text := bytes.Repeat([]byte("not a database. "), 1000)
	if err := os.WriteFile(garbage, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := take(t, garbage).Migrate(t.Context(), schema(application)); err == nil {
		t.Error("garbage was migrated")
	}
	if now, err := os.ReadFile(garbage); err != nil || !bytes.Equal(now, text) {
		t.Errorf("garbage was changed (%v)", err)
	}

	others := take(t, filepath.Join(dir, "others"))
	if err := others.Migrate(t.Context(), schema(application+1)); err != nil {
		t.Fatal(err)
	}
	unnamed := take(t, filepath.Join(dir, "unnamed"))
	if err := execute(t, unnamed, sqlitefile.Settings{}, "CREATE TABLE other (x)"); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*sqlitefile.File{others, unnamed} {
		if err := f.Migrate(t.Context(), schema(application)); !errors.Is(err, sqlitefile.ErrForeign) {
			t.Errorf("%s: %v, want %v", f.Path(), err, sqlitefile.ErrForeign)
		}
	}

	later := take(t, filepath.Join(dir, "later"))
	if err := later.Migrate(t.Context(), schema(application)); err != nil {
		t.Fatal(err)
	}
	if err := later.Migrate(t.Context(), schema(application)); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := execute(t, later, sqlitefile.Settings{}, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := later.Migrate(t.Context(), schema(application)); !errors.Is(err, sqlitefile.ErrTooNew) {
		t.Errorf("a later schema: %v, want %v", err, sqlitefile.ErrTooNew)
	}
}

// TestSettings reads the settings of connections.
func TestSettings(t *testing.T) {
	f := take(t, filepath.Join(t.TempDir(), "x.db"))
	if err := f.Migrate(t.Context(), schema(application)); err != nil {
		t.Fatal(err)
	}
	writes := sqlitefile.Settings{CacheKiB: 300, CheckpointPages: 77}
	reads := sqlitefile.Settings{ReadOnly: true, CacheKiB: 300}
	all := map[string]string{"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "2000", "temp_store": "2", "cache_size": "-300"}
	checkSettings(t, f, writes, all)
	checkSettings(t, f, writes, map[string]string{"synchronous": "2", "secure_delete": "1", "query_only": "0", "wal_autocheckpoint": "77"})
	checkSettings(t, f, reads, all)
	checkSettings(t, f, reads, map[string]string{"query_only": "1"})
	if err := execute(t, f, reads, "INSERT INTO t VALUES (1)"); err == nil {
		t.Error("a connection for reading writes")
	}
}

func checkSettings(t *testing.T, f *sqlitefile.File, s sqlitefile.Settings, want map[string]string) {
	t.Helper()
	// Another connection keeps the log open, as the writer does.
	writer, db := sqlitefile.Pool(f.Path(), sqlitefile.Settings{}, 1), sqlitefile.Pool(f.Path(), s, 1)
	defer writer.Close()
	defer db.Close()
	if err := writer.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for pragma, value := range want {
		var got string
		err := db.QueryRowContext(context.WithoutCancel(t.Context()), "PRAGMA "+pragma).Scan(&got)
		if err != nil || got != value {
			t.Errorf("%s is %q (%v), want %q", pragma, got, err, value)
		}
	}
}

// TestCheck removes or replaces a file under an open connection.
func TestCheck(t *testing.T) {
	for name, move := range map[string]func(path string) error{
		"removed":       os.Remove,
		"log removed":   func(path string) error { return os.Remove(path + "-wal") },
		"index removed": func(path string) error { return os.Remove(path + "-shm") },
		"lock removed":  func(path string) error { return os.Remove(path + ".lock") },
		"lock replaced": func(path string) error {
			return errors.Join(os.Remove(path+".lock"), os.WriteFile(path+".lock", nil, 0o600))
		},
		"replaced": func(path string) error {
			data, err := os.ReadFile(path)
			return errors.Join(err, os.Remove(path), os.WriteFile(path, data, 0o600))
		},
	} {
		f := take(t, filepath.Join(t.TempDir(), "x.db"))
		c, err := sqlitefile.Connect(f.Path(), sqlitefile.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Check(); !errors.Is(err, sqlitefile.ErrMoved) {
			t.Errorf("Check before Watch: %v, want %v", err, sqlitefile.ErrMoved)
		}
		if err := f.Watch(); err != nil {
			t.Fatalf("the log is not there after Connect: %v", err)
		}
		if err := f.Check(); err != nil {
			t.Errorf("nothing moved: %v", err)
		}
		if err := move(f.Path()); err != nil {
			t.Fatal(err)
		}
		if err := f.Check(); !errors.Is(err, sqlitefile.ErrMoved) {
			t.Errorf("%s: %v, want %v", name, err, sqlitefile.ErrMoved)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
