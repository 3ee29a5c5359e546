package sqlite

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/vault"
)

// errDisk stands in for the error of a broken disk.
var errDisk = errors.New("disk I/O error")

// tapped stands in for a prepared statement: it counts, and fails on demand.
type tapped struct {
	driver.Stmt
	runs int
	fail bool
	late bool // the statement takes effect, and then fails
	// failFrom, if it is not zero, fails from that run on.
	failFrom int
	err      error // what it fails with; default errDisk
}

// fails reports what a run fails with, or nil.
func (s *tapped) fails() error {
	s.runs++
	switch {
	case !s.fail && (s.failFrom == 0 || s.runs < s.failFrom):
		return nil
	case s.err != nil:
		return s.err
	}
	return errDisk
}

func (s *tapped) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	fault := s.fails()
	if fault != nil && !s.late {
		return nil, fault
	}
	res, err := s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	if err == nil && fault != nil {
		return nil, fault
	}
	return res, err
}

func (s *tapped) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if fault := s.fails(); fault != nil {
		return nil, fault
	}
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

// tap replaces one of the writer's statements. The writer must
// be idle; the next Update sees it.
func tap(t *testing.T, s *Store, query string) *tapped {
	t.Helper()
	stmt, err := s.writer.conn.prepare(query)
	if err != nil {
		t.Fatal(err)
	}
	x := &tapped{Stmt: stmt}
	s.writer.conn.stmts[query] = x
	return x
}

// testSealer seals rows under a key that all processes of the tests know.
type testSealer struct{}

func (s testSealer) SealSteady(table string, fields ...[]byte) (vault.RowSeal, error) {
	seal, err := s.SealRow(table, fields...)
	seal.Key = 0
	return seal, err
}

func (testSealer) SealRow(table string, fields ...[]byte) (vault.RowSeal, error) {
	mac := hmac.New(sha256.New, []byte("test"))
	fmt.Fprintf(mac, "%s %q", table, fields)
	return vault.RowSeal{Key: 1, MAC: vault.MAC(mac.Sum(nil))}, nil
}

func (testSealer) SealsWith() uint32 { return 1 }

func (testSealer) RouteOf(string) (vault.Home, bool) { return vault.Home{}, false }

func (testSealer) Reseal(_ vault.Purpose, _, sealed []byte) ([]byte, bool, error) {
	return sealed, false, nil
}

func (s testSealer) CheckRow(seal vault.RowSeal, table string, fields ...[]byte) error {
	if want, _ := s.SealRow(table, fields...); want != seal {
		return vault.ErrRowSeal
	}
	return nil
}

func sealed() Config { return Config{Seal: testSealer{}} }

func openForFaults(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "authority.db")
	s, err := Open(t.Context(), path, sealed())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, path
}

func faultCard(i int) store.Card {
	c := store.Card{Sealed: make([]byte, 500)}
	copy(c.ID[:], fmt.Sprintf("%08d", i))
	copy(c.Holder[:], fmt.Sprintf("%08d", i))
	return c
}

func insertCards(t *testing.T, s *Store, from, to int) error {
	return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		for i := from; i < to; i++ {
			if err := tx.InsertCard(faultCard(i)); err != nil {
				return audit.Entry{}, err
			}
		}
		return audit.Entry{At: time.Now(), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"}, nil
	})
}

func countCards(t *testing.T, s *Store) (n int64, err error) {
	t.Helper()
	err = s.View(t.Context(), func(r store.Reader) error {
		n, err = r.CountCards()
		return err
	})
	return n, err
}

// TestPragmasOnEveryConnection reads the settings of each connection.
func TestPragmasOnEveryConnection(t *testing.T) {
	s, _ := openForFaults(t)
	check := func(name string, c *conn, want map[string]string) {
		for pragma, value := range want {
			var got driver.Value
			err := c.query(func(r *row) error { got = r.take(); return nil }, "PRAGMA "+pragma)
			if err != nil || fmt.Sprint(got) != value {
				t.Errorf("%s: %s is %v (%v), want %s", name, pragma, got, err, value)
			}
		}
	}
	all := map[string]string{"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "2000", "temp_store": "2"}
	check("writer", s.writer.conn, all)
	check("writer", s.writer.conn, map[string]string{"synchronous": "2", "secure_delete": "1", "query_only": "0"})
	for _, r := range s.readers.idle {
		check("reader", r, all)
		check("reader", r, map[string]string{"query_only": "1"})
		if _, err := r.exec("DELETE FROM cards"); err == nil {
			t.Error("a reader writes")
		}
	}
}

// TestDiskFull runs into a full database: the Update that did not fit is
// refused whole, those that shared its batch are kept, and the store goes on.
func TestDiskFull(t *testing.T) {
	s, _ := openForFaults(t)
	pages, err := s.writer.conn.number("PRAGMA page_count")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.writer.conn.exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages+20)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := insertCards(t, s, 100_000+i, 100_001+i); err != nil {
				t.Errorf("an Update that fits: %v", err)
			}
		})
	}
	wg.Go(func() {
		if err := insertCards(t, s, 0, 5000); err == nil || errors.Is(err, store.ErrFailed) {
			t.Errorf("an Update that does not fit: error %v", err)
		}
	})
	wg.Wait()
	if n, err := countCards(t, s); n != 20 || err != nil {
		t.Errorf("%d cards (%v), want 20", n, err)
	}
	if _, err := s.writer.conn.exec("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	if err := insertCards(t, s, 0, 5000); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestCommitFailureFailsClosed breaks the commit, before and after it reached
// the disk. No Update may be acknowledged, every later call is refused, and
// opening again gives whole transactions.
func TestCommitFailureFailsClosed(t *testing.T) {
	for _, late := range []bool{false, true} {
		s, path := openForFaults(t)
		if err := insertCards(t, s, 0, 1); err != nil {
			t.Fatal(err)
		}
		commit := tap(t, s, "COMMIT")
		commit.fail, commit.late = true, late
		var wg sync.WaitGroup
		for i := 1; i <= 10; i++ {
			wg.Go(func() {
				if err := insertCards(t, s, 2*i, 2*i+2); !errors.Is(err, store.ErrFailed) || !errors.Is(err, errDisk) {
					t.Errorf("Update at the broken commit: %v", err)
				}
			})
		}
		wg.Wait()
		commit.fail = false
		if err := insertCards(t, s, 500, 501); !errors.Is(err, store.ErrFailed) {
			t.Errorf("Update after it: %v", err)
		}
		if _, err := countCards(t, s); !errors.Is(err, store.ErrFailed) {
			t.Errorf("View after it: %v", err)
		}
		if commit.runs != 1 {
			t.Errorf("%d commits, want one", commit.runs)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		checkWhole(t, path, late)
	}
}

// checkWhole opens the database again after TestCommitFailureFailsClosed.
func checkWhole(t *testing.T, path string, late bool) {
	t.Helper()
	s, err := Open(t.Context(), path, sealed())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, err := countCards(t, s)
	if err != nil || (n-1)%2 != 0 || late == (n == 1) {
		t.Errorf("%d cards after opening again (%v, commit took effect: %v)", n, err, late)
	}
	if err := insertCards(t, s, 900, 901); err != nil {
		t.Errorf("opened again: %v", err)
	}
}

// TestOverlookedReadErrorKeepsNothing has a closure ignore an error of reading
// the database: its writes must not be kept.
func TestOverlookedReadErrorKeepsNothing(t *testing.T) {
	s, _ := openForFaults(t)
	read := tap(t, s, s.writer.conn.of(&rows.Tables()[0]).get)
	read.fail = true
	err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		_, _ = tx.Card(liuma.CardID{})
		return audit.Entry{At: time.Now(), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"},
			tx.InsertCard(faultCard(1))
	})
	if !errors.Is(err, errDisk) {
		t.Errorf("error %v, want the disk's", err)
	}
	read.fail = false
	if n, err := countCards(t, s); n != 0 || err != nil {
		t.Errorf("%d cards kept (%v)", n, err)
	}
	if err := insertCards(t, s, 1, 2); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestRollbackFailureFailsClosed leaves a transaction that cannot be ended.
func TestRollbackFailureFailsClosed(t *testing.T) {
	s, _ := openForFaults(t)
	tap(t, s, "ROLLBACK").fail = true
	boom := errors.New("boom")
	err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, errors.Join(tx.InsertCard(faultCard(1)), boom)
	})
	if !errors.Is(err, store.ErrFailed) {
		t.Errorf("error %v, want %v", err, store.ErrFailed)
	}
	if _, err := countCards(t, s); !errors.Is(err, store.ErrFailed) {
		t.Errorf("View after it: %v", err)
	}
}

// holdWriter keeps the writer in the middle of an Update until release is
// called. release first waits until behind Updates are queued, and at the end
// until all have returned.
func holdWriter(t *testing.T, s *Store, behind int) (queue func(func() error), release func()) {
	t.Helper()
	inside, free := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	queue = func(f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	queue(func() error {
		return s.Update(t.Context(), func(store.Tx) (audit.Entry, error) {
			close(inside)
			<-free
			return audit.Entry{At: time.Now(), Actor: "system", Event: audit.KeeperAlarm, Outcome: "ok"}, nil
		})
	})
	<-inside
	return queue, func() {
		waitQueued(s, behind)
		close(free)
		wg.Wait()
	}
}

func waitQueued(s *Store, n int) {
	for queued := 0; queued < n; runtime.Gosched() {
		s.writer.mu.Lock()
		queued = len(s.writer.queue)
		s.writer.mu.Unlock()
	}
}

// TestUpdatesShareCommit queues Updates behind one that is running and counts
// commits.
func TestUpdatesShareCommit(t *testing.T) {
	const n = 100
	s, _ := openForFaults(t)
	commit := tap(t, s, "COMMIT")
	queue, release := holdWriter(t, s, n)
	for i := range n {
		queue(func() error { return insertCards(t, s, i, i+1) })
	}
	release()
	if commit.runs != 2 {
		t.Errorf("%d commits for 1 and then %d Updates, want 2", commit.runs, n)
	}
}

// TestCloseFinishesQueued closes the store while Updates wait: they were taken
// in, so they are kept and acknowledged.
func TestCloseFinishesQueued(t *testing.T) {
	const n = 10
	s, path := openForFaults(t)
	queue, release := holdWriter(t, s, n)
	for i := range n {
		queue(func() error { return insertCards(t, s, i, i+1) })
	}
	waitQueued(s, n)
	queue(s.Close)
	for closed := false; !closed; runtime.Gosched() {
		s.writer.mu.Lock()
		closed = s.writer.closed
		s.writer.mu.Unlock()
	}
	release()
	again, err := Open(t.Context(), path, sealed())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if cards, err := countCards(t, again); cards != n || err != nil {
		t.Errorf("%d cards (%v), want %d", cards, err, n)
	}
}

// TestGoexitFailsClosed ends the writer's goroutine from a closure, as a test's
// FailNow would: no caller waits for ever.
func TestGoexitFailsClosed(t *testing.T) {
	s, _ := openForFaults(t)
	err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		if err := tx.InsertCard(faultCard(1)); err != nil {
			return audit.Entry{}, err
		}
		runtime.Goexit()
		return audit.Entry{}, nil
	})
	if !errors.Is(err, store.ErrFailed) {
		t.Errorf("error %v, want %v", err, store.ErrFailed)
	}
	if err := insertCards(t, s, 2, 3); !errors.Is(err, store.ErrFailed) {
		t.Errorf("Update after it: %v", err)
	}
}

// TestUnreadableRow damages rows behind the store's back: they are refused,
// never half read, and no value stands in the error's text. Package storetest
// has the same for every column of every table.
func TestUnreadableRow(t *testing.T) {
	s, _ := openForFaults(t)
	for i, damage := range []string{
		"holder = x'01'", "rev = -1", "body = x''", "body = x'FF5A5A5A'", "seal = x'5A'", "seal_key = -1", "seal_key = 4294967297",
	} {
		if err := insertCards(t, s, i, i+1); err != nil {
			t.Fatal(err)
		}
		id := faultCard(i).ID
		if _, err := s.writer.conn.exec("UPDATE cards SET "+damage+" WHERE key = ?", id[:]); err != nil {
			t.Fatal(err)
		}
		err := s.View(t.Context(), func(r store.Reader) error {
			_, err := r.Card(id)
			return err
		})
		if !errors.Is(err, store.ErrSeal) || strings.Contains(err.Error(), "Z") {
			t.Errorf("%s: error %v", damage, err)
		}
	}
}

// moveStart writes the head of a process start's stream.
const moveStart = "UPDATE starts SET rev = ?, body = ?, seal_key = ?, seal = ? WHERE key = ? AND rev = ? AND +start IS ?"

// TestEntryFailureKeepsNothing has the disk fail under the entry of a change,
// and under the head of its stream: neither the change nor the other of the two
// is kept, and the next entry takes the number (I-8).
func TestEntryFailureKeepsNothing(t *testing.T) {
	s, _ := openForFaults(t)
	if err := insertCards(t, s, 0, 1); err != nil {
		t.Fatal(err)
	}
	if err := insertCards(t, s, 1, 2); err != nil {
		t.Fatal(err)
	}
	kept := int64(2)
	for name, query := range map[string]string{
		"entry": insertEntry,
		"head":  moveStart,
	} {
		fault := tap(t, s, query)
		fault.fail = true
		if err := insertCards(t, s, 10, 12); !errors.Is(err, errDisk) {
			t.Errorf("%s: error %v, want the disk's", name, err)
		}
		fault.fail = false
		checkRecord(t, s, kept)
		if err := insertCards(t, s, 100+int(kept), 101+int(kept)); err != nil {
			t.Errorf("%s: after it: %v", name, err)
		}
		kept++
		checkRecord(t, s, kept)
	}
}

// checkRecord checks that there are n cards and one whole stream of n entries.
func checkRecord(t *testing.T, s *Store, n int64) {
	t.Helper()
	if cards, err := countCards(t, s); cards != n || err != nil {
		t.Errorf("%d cards (%v), want %d", cards, err, n)
	}
	err := s.View(t.Context(), func(r store.Reader) error {
		log, err := storetest.Record(r)
		if int64(len(log)) != n || n > 0 && log[n-1].Number != uint64(n) {
			t.Errorf("%d entries, want %d", len(log), n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestAppendOnly tries to change the record with SQL (I-8): entries and heads,
// in the middle, at the end and before the beginning.
func TestAppendOnly(t *testing.T) {
	s, _ := openForFaults(t)
	for i := range 3 {
		if err := insertCards(t, s, i, i+1); err != nil {
			t.Fatal(err)
		}
	}
	id := s.writer.process
	head := "(SELECT hash FROM audit WHERE number = 3)"
	mine := fmt.Sprintf("x'%x'", id[:])
	entry := func(verb, stream, number, previous string) string {
		return verb + " INTO audit (" + entryColumns + ", hash) VALUES (2, " + stream + ", " + number +
			", x'000102030405060708090A0B0C0D0E0F', " + previous + ", NULL, 0, 1, 'a', 'b', '', 'c', '', zeroblob(32))"
	}
	start := func(verb, stream, rev, start string) string {
		return verb + " INTO starts (key, start, rev, body, seal_key, seal) VALUES (" + stream + ", " + start + ", " + rev +
			", x'00', 1, zeroblob(32))"
	}
	other := "x'000102030405060708090A0B0C0D0E0F'"
	for _, sql := range []string{
		"UPDATE audit SET outcome = 'ok'",
		"UPDATE audit SET number = 9 WHERE number = 3",
		"DELETE FROM audit",
		"DELETE FROM audit WHERE number = 3",
		entry("INSERT", mine, "5", head),
		entry("INSERT", mine, "3", head),
		entry("INSERT OR REPLACE", mine, "3", head),
		entry("INSERT", mine, "0", head),
		entry("INSERT", mine, "4", "NULL"),
		entry("INSERT", mine, "4", "x'00'"),
		entry("INSERT", other, "2", "NULL"),
		"DELETE FROM starts",
		"UPDATE starts SET rev = 2",
		"UPDATE starts SET rev = 4",
		"UPDATE starts SET body = x'00'",
		"UPDATE starts SET start = 9",
		start("INSERT", other, "1", "2"),
		start("INSERT OR REPLACE", mine, "2", "1"),
		start("INSERT OR REPLACE", mine, "1", "1"),
	} {
		if _, err := s.writer.conn.exec(sql); !isTrigger(err) {
			t.Errorf("%s: error %v, want a trigger's", sql, err)
		}
	}
	if err := insertCards(t, s, 5, 6); err != nil {
		t.Error(err)
	}
	checkRecord(t, s, 4)
}

// TestNothingHoldsDestroyedSealKey searches the files, while the store is
// open, for a seal key that was deleted.
func TestNothingHoldsDestroyedSealKey(t *testing.T) {
	s, path := openForFaults(t)
	secret := []byte("0123456789-the-sealed-private-key-9876543210")
	do := func(f func(store.Tx) error) {
		t.Helper()
		err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			return audit.Entry{At: time.Now(), Actor: "system", Event: audit.SealKeyMade, Outcome: "ok"}, f(tx)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		do(func(tx store.Tx) error {
			k := store.SealKey{ID: fmt.Sprint("k", i), Sealed: append([]byte{byte(i)}, secret...)}
			return errors.Join(tx.InsertSealKey(k), tx.InsertEvidence("p", vault.Index{byte(i)}, time.Now()))
		})
	}
	if n := occurrences(t, path, secret); n == 0 {
		t.Fatal("the search finds nothing while the keys are there")
	}
	for i := range 20 {
		do(func(tx store.Tx) error { return tx.DeleteSealKey(fmt.Sprint("k", i)) })
	}
	if n := occurrences(t, path, secret); n != 0 {
		t.Errorf("destroyed keys stand in the files %d times", n)
	}
}
