package sqlite

import (
	"errors"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/sqlitefile/mishap"
	"github.com/liuma-pin/liuma/internal/store"
)

// limitPages has SQLite refuse to let the database grow beyond so many pages,
// as it refuses on a full disk. Zero takes the limit away. The writer must be
// idle.
func limitPages(t *testing.T, s *Store, beyond int64) {
	t.Helper()
	pages, err := s.writer.conn.number("PRAGMA page_count")
	if err != nil {
		t.Fatal(err)
	}
	limit := pages + beyond
	if beyond == 0 {
		limit = 1 << 30
	}
	got, err := s.writer.conn.number("PRAGMA max_page_count = " + strconv.FormatInt(limit, 10))
	if err != nil || got != limit {
		t.Fatalf("max_page_count is %d (%v), want %d", got, err, limit)
	}
}

// fullFor checks that an Update found no room, kept nothing and did not stop
// the store.
func fullFor(t *testing.T, s *Store, what string, err error, cards int64) {
	t.Helper()
	if !errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrFailed) {
		t.Errorf("%s: %v, want %v", what, err, store.ErrFull)
	}
	if n, err := countCards(t, s); n != cards || err != nil {
		t.Errorf("%s: %d cards (%v), want %d", what, n, err, cards)
	}
}

// TestFullDiskKeepsNothing: an Update that finds no room is undone as a whole,
// whatever its closure makes of the error, and the next one that finds room is
// kept. SQLite takes the transaction back by itself when a statement finds no
// room, so what a closure writes after that would stand alone.
func TestFullDiskKeepsNothing(t *testing.T) {
	s, path := openForFaults(t)
	if err := insertCards(t, s, 0, 1); err != nil {
		t.Fatal(err)
	}
	entry := audit.Entry{At: time.Now(), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"}
	for what, f := range map[string]func(store.Tx) (audit.Entry, error){
		"said": func(tx store.Tx) (audit.Entry, error) {
			for i := 10; i < 300; i++ {
				if err := tx.InsertCard(faultCard(i)); err != nil {
					return audit.Entry{}, err
				}
			}
			return entry, nil
		},
		"overlooked": func(tx store.Tx) (audit.Entry, error) {
			for i := 10; i < 300; i++ {
				_ = tx.InsertCard(faultCard(i))
			}
			return entry, tx.InsertEvidence("p", [32]byte{1}, time.Now())
		},
		"joined": func(tx store.Tx) (audit.Entry, error) {
			var errs []error
			for i := 10; i < 300; i++ {
				errs = append(errs, tx.InsertCard(faultCard(i)))
			}
			return entry, errors.Join(append(errs, tx.InsertEvidence("p", [32]byte{2}, time.Now()))...)
		},
	} {
		limitPages(t, s, 2)
		fullFor(t, s, what, s.Update(t.Context(), f), 1)
		checkRecord(t, s, 1)
		limitPages(t, s, 0)
	}
	if err := insertCards(t, s, 10, 300); err != nil {
		t.Errorf("with room again: %v", err)
	}
	checkReopened(t, s, path, 291)
}

// checkReopened opens the store again and counts cards.
func checkReopened(t *testing.T, s *Store, path string, cards int64) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), path, sealed())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if n, err := countCards(t, again); n != cards || err != nil {
		t.Errorf("%d cards after a restart (%v), want %d", n, err, cards)
	}
	var sound string
	err = again.writer.conn.query(func(r *row) error { sound = r.text(); return nil }, "PRAGMA integrity_check")
	if err != nil || sound != "ok" {
		t.Errorf("integrity: %q (%v)", sound, err)
	}
	if err := insertCards(t, again, 5000, 5001); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

// fullError is what SQLite answers when there is no room.
func fullError(t *testing.T) error {
	t.Helper()
	s, _ := openForFaults(t)
	if err := insertCards(t, s, 0, 1); err != nil {
		t.Fatal(err)
	}
	limitPages(t, s, 1)
	err := insertCards(t, s, 10, 300)
	if !sqlitefile.Full(err) {
		t.Fatalf("%v is not of a full disk", err)
	}
	return err
}

// TestFullDiskAtCommit: no room for the commit leaves nothing, and the store
// serves on only when the transaction is gone for certain.
func TestFullDiskAtCommit(t *testing.T) {
	full := fullError(t)
	s, _ := openForFaults(t)
	if err := insertCards(t, s, 0, 1); err != nil {
		t.Fatal(err)
	}
	commit := tap(t, s, "COMMIT")
	commit.fail, commit.err = true, full
	for range 3 {
		fullFor(t, s, "at the commit", insertCards(t, s, 10, 12), 1)
	}
	commit.fail = false
	if err := insertCards(t, s, 20, 21); err != nil {
		t.Errorf("with room again: %v", err)
	}
	checkRecord(t, s, 2)
	commit.fail = true
	tap(t, s, "ROLLBACK").fail = true
	tap(t, s, "BEGIN IMMEDIATE").failFrom = 2
	if err := insertCards(t, s, 30, 31); !errors.Is(err, store.ErrFailed) {
		t.Errorf("with a transaction that does not end: %v, want %v", err, store.ErrFailed)
	}
	if _, err := countCards(t, s); !errors.Is(err, store.ErrFailed) {
		t.Errorf("View after it: %v, want %v", err, store.ErrFailed)
	}
}

// TestFullDisk fills a real disk under the store, over and over.
func TestFullDisk(t *testing.T) {
	disk := mishap.SmallDisk(t, 16)
	path := filepath.Join(disk.Dir, "authority.db")
	s, err := Open(t.Context(), path, sealed())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept, next := int64(0), 0
	insert := func() error {
		err := insertCards(t, s, next, next+5)
		if err == nil {
			kept += 5
		}
		next += 5
		return err
	}
	for range 3 {
		if err := insert(); err != nil {
			t.Fatalf("with room: %v", err)
		}
		disk.Fill()
		for err = nil; err == nil && next < 10000; {
			err = insert() // as long as the log has room of its own
		}
		fullFor(t, s, "full", err, kept)
		fullFor(t, s, "still full", insert(), kept)
		disk.Free()
	}
	if err := insert(); err != nil {
		t.Errorf("with room again: %v", err)
	}
	checkReopened(t, s, path, kept)
}
