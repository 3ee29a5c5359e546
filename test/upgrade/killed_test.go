package upgrade

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	sqlite "modernc.org/sqlite"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
)

// Variables of the process that is killed.
const (
	childFile       = "LIUMA_TEST_UPGRADE_FILE"
	childMigrations = "LIUMA_TEST_UPGRADE_MIGRATIONS"
	childLast       = "LIUMA_TEST_UPGRADE_LAST"
)

// rooms are the files of a data directory that migrations change.
func rooms() map[string]string {
	return map[string]string{
		"liuma.db":             "../../internal/store/sqlite/migrations",
		"keepers/k1/ledger.db": "../../internal/ledger/sqlite/migrations",
		"keepers/k2/ledger.db": "../../internal/ledger/sqlite/migrations",
		"keepers/k3/ledger.db": "../../internal/ledger/sqlite/migrations",
	}
}

// migrationsOf are the names of a room's migrations that the release did not have.
func migrationsOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range all[1:] { // it had the first
		names = append(names, e.Name())
	}
	return names
}

// TestKilledAtEachMigration: a process that dies in the middle of a migration leaves the
// ones before it done and that one not, and the next start goes on.
func TestKilledAtEachMigration(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes")
	}
	dir := filepath.Join(t.TempDir(), "data")
	want := unpack(t, dir)
	for file, from := range rooms() {
		names := migrationsOf(t, from)
		for i, name := range names {
			killed(t, filepath.Join(dir, file), from, name)
			if got, before := schemaOf(t, filepath.Join(dir, file)), numberOf(append([]string{"00001"}, names...)[i]); got != before {
				t.Errorf("%s, killed in %s: schema %d, want %d", file, name, got, before)
			}
		}
	}
	h := open(t, dir, want)
	h.stands()
	h.holders()
}

// killed has a process die within a migration.
func killed(t *testing.T, file, from, name string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestUpgradeChild$")
	cmd.Env = append(os.Environ(), childFile+"="+file, childMigrations+"="+from, childLast+"="+name)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	ended, ok := errors.AsType[*exec.ExitError](err)
	if !ok || !ended.Sys().(syscall.WaitStatus).Signaled() {
		t.Fatalf("%s, %s: was not killed: %v\n%s", file, name, err, &said)
	}
}

// TestUpgradeChild is the process that TestKilledAtEachMigration kills: within its last
// migration, after all that the migration does and before it is committed.
func TestUpgradeChild(t *testing.T) {
	file := os.Getenv(childFile)
	if file == "" {
		t.Skip("for TestKilledAtEachMigration")
	}
	must(t, sqlite.RegisterScalarFunction("killed", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}))
	some := fstest.MapFS{}
	all, err := fs.Glob(os.DirFS(os.Getenv(childMigrations)), "*.sql")
	must(t, err)
	for _, name := range all {
		text, err := os.ReadFile(filepath.Join(os.Getenv(childMigrations), name))
		must(t, err)
		if name == os.Getenv(childLast) {
			up, down, found := strings.Cut(string(text), "-- +goose Down")
			text = []byte(up + "\nSELECT killed();\n")
			if found {
				text = append(text, "-- +goose Down"+down...)
			}
		}
		some[name] = &fstest.MapFile{Data: text}
		if name == os.Getenv(childLast) {
			break
		}
	}
	f, err := sqlitefile.Take(file)
	must(t, err)
	must(t, f.Migrate(t.Context(), sqlitefile.Schema{Application: pragma(t, file, "application_id"), Migrations: some}))
	t.Fatal("lived")
}

func pragma(t *testing.T, file, name string) (n int64) {
	t.Helper()
	number(t, file, "PRAGMA "+name, &n)
	return n
}

func schemaOf(t *testing.T, file string) (n int64) {
	t.Helper()
	number(t, file, "SELECT max(version_id) FROM goose_db_version WHERE is_applied", &n)
	return n
}

func number(t *testing.T, file, query string, n *int64) {
	t.Helper()
	db := sqlitefile.Pool(file, sqlitefile.Settings{}, 1)
	must(t, errors.Join(db.QueryRowContext(t.Context(), query).Scan(n), db.Close()))
}

func numberOf(name string) (n int64) {
	for _, c := range name[:5] {
		n = 10*n + int64(c-'0')
	}
	return n
}

// TestLaterReleaseIsRefused: going back means restoring the backup; a program of before
// changes nothing in what a later one wrote, neither the database nor a ledger.
func TestLaterReleaseIsRefused(t *testing.T) {
	for _, file := range []string{"liuma.db", "keepers/k2/ledger.db"} {
		dir := filepath.Join(t.TempDir(), "data")
		want := unpack(t, dir)
		open(t, dir, want).Close()
		db := sqlitefile.Pool(filepath.Join(dir, file), sqlitefile.Settings{}, 1)
		later(t, db)
		must(t, db.Close())
		c, err := config.Load(dir)
		must(t, err)
		s, err := server.Open(t.Context(), c, server.Options{})
		if !errors.Is(err, sqlitefile.ErrTooNew) {
			t.Errorf("%s of a later release: %v", file, err)
		}
		if err == nil {
			must(t, s.Close())
		}
	}
}

// later does what a release with one more migration would.
func later(t *testing.T, db *sql.DB) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	must(t, err)
}
