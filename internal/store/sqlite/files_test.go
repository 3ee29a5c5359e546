package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/sqlitefile/mishap"
	"github.com/liuma-pin/liuma/internal/store"
)

// occurrences counts needle in the database and its companions.
func occurrences(t *testing.T, path string, needle []byte) (n int) {
	t.Helper()
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) < 3 {
		t.Fatalf("files %v (%v)", names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(data, needle)
	}
	return n
}

func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "authority.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil { // looser than it may be
		t.Fatal(err)
	}
	s, err := Open(t.Context(), path, sealed())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := insertCards(t, s, 0, 10); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "backup.db")); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 5 {
		t.Fatalf("files %v (%v), want the database, its WAL, shared memory and lock, and the backup", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v (%v)", f.Name(), info.Mode(), err)
		}
	}
}

func TestLease(t *testing.T) {
	s, path := openForFaults(t)
	if _, err := Open(t.Context(), path, sealed()); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open: %v, want %v", err, ErrInUse)
	}
	if err := insertCards(t, s, 0, 1); err != nil {
		t.Errorf("the first is disturbed: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), path, sealed())
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// TestOpenRefuses opens files that are not the authority's database. No lease
// may stay behind.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("not a database. "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign")
	raw(t, foreign, "CREATE TABLE other (x)")
	newer := filepath.Join(dir, "newer")
	s, err := Open(t.Context(), newer, sealed())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	for path, want := range map[string]error{
		garbage:                             nil,
		foreign:                             ErrForeign,
		newer:                               ErrTooNew,
		dir:                                 nil,
		filepath.Join(dir, "missing", "db"): os.ErrNotExist,
	} {
		for range 2 {
			s, err := Open(t.Context(), path, sealed())
			if err == nil {
				t.Errorf("%s was opened", filepath.Base(path))
				_ = s.Close()
			} else if want != nil && !errors.Is(err, want) || errors.Is(err, ErrInUse) {
				t.Errorf("%s: %v, want %v", filepath.Base(path), err, want)
			}
		}
	}
	if _, err := Open(t.Context(), filepath.Join(dir, "x"), Config{Seal: testSealer{}, Readers: -1}); err == nil {
		t.Error("a negative number of readers was taken")
	}
	if data, err := os.ReadFile(garbage); err != nil || !bytes.HasPrefix(data, []byte("not a database.")) {
		t.Error("the file that was refused was changed")
	}
}

// raw runs one statement on a file without the store.
func raw(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMovedFileFailsClosed removes or replaces a file under the open store:
// SQLite goes on writing to files that nobody will find again. The store serves
// nobody after it, nor when the files are back, until it is opened again.
func TestMovedFileFailsClosed(t *testing.T) {
	for name, move := range mishap.Moves() {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data", "authority.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), path, sealed())
			if err != nil {
				t.Fatal(err)
			}
			if err := insertCards(t, s, 0, 1); err != nil {
				t.Fatal(err)
			}
			putBack, err := move(path)
			if err != nil {
				t.Fatal(err)
			}
			refuses := func(when string) {
				t.Helper()
				if err := insertCards(t, s, 1, 2); !errors.Is(err, store.ErrFailed) || !errors.Is(err, sqlitefile.ErrMoved) {
					t.Errorf("%s: Update: %v, want %v", when, err, store.ErrFailed)
				}
				if _, err := countCards(t, s); !errors.Is(err, store.ErrFailed) {
					t.Errorf("%s: View: %v, want %v", when, err, store.ErrFailed)
				}
			}
			refuses("moved")
			if err := putBack(); err != nil {
				t.Fatal(err)
			}
			refuses("back")
			if err := s.Close(); err != nil {
				t.Logf("close: %v", err)
			}
			if s, err = Open(t.Context(), path, sealed()); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := insertCards(t, s, 2, 3); err != nil {
				t.Errorf("after a restart: %v", err)
			}
		})
	}
}

// TestCopies reads a backup, and files taken while the store is at work.
func TestCopies(t *testing.T) {
	s, path := openForFaults(t)
	if err := insertCards(t, s, 0, 300); err != nil {
		t.Fatal(err)
	}
	backup := path + ".backup"
	if err := s.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), backup); !errors.Is(err, os.ErrExist) {
		t.Errorf("a backup over another: %v", err)
	}
	stolen := filepath.Join(t.TempDir(), "stolen.db")
	copyFile(t, path, stolen, -1)
	copyFile(t, path+"-wal", stolen+"-wal", -1)
	for _, name := range []string{backup, stolen, path} {
		c, err := OpenCopy(name, sealed())
		if err != nil {
			t.Fatal(err)
		}
		cards := int64(0)
		err = c.View(t.Context(), func(r store.Reader) error {
			if cards, err = r.CountCards(); err != nil {
				return err
			}
			_, err := r.Card(faultCard(299).ID)
			return err
		})
		if err != nil || cards != 300 {
			t.Errorf("%d cards in %s (%v)", cards, filepath.Base(name), err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := insertCards(t, s, 300, 301); err != nil {
		t.Errorf("the store after it was copied: %v", err)
	}
	if _, err := OpenCopy(path+".missing", sealed()); err == nil {
		t.Error("a missing copy was opened")
	}
	raw(t, path+".foreign", "CREATE TABLE other (x)")
	if _, err := OpenCopy(path+".foreign", sealed()); !errors.Is(err, ErrForeign) {
		t.Errorf("a foreign copy: %v", err)
	}
}

// copyFile copies the first n bytes, or all.
func copyFile(t *testing.T, from, to string, n int64) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if n >= 0 {
		data = data[:n]
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
