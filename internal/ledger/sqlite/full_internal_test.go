package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/ledger/ledgertest"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/sqlitefile/mishap"
)

func openBackend(t *testing.T, path string) *Backend {
	t.Helper()
	b, err := Open(t.Context(), path, Config{CachePages: 500})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// limitPages has SQLite refuse to let the database grow beyond so many pages,
// as it refuses on a full disk. Zero takes the limit away.
func limitPages(t *testing.T, b *Backend, beyond int) {
	t.Helper()
	var pages, limit int
	err := b.conn.conn.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages)
	if beyond == 0 {
		pages, beyond = 1<<30, 0
	}
	if err == nil {
		err = b.conn.conn.QueryRowContext(t.Context(), "PRAGMA max_page_count = "+strconv.Itoa(pages+beyond)).Scan(&limit)
	}
	if err != nil || limit != pages+beyond {
		t.Fatalf("at most %d pages (%v), want %d", limit, err, pages+beyond)
	}
}

func rowsOf(cards []liuma.CardID) []ledger.Row {
	rows := make([]ledger.Row, len(cards))
	for i, card := range cards {
		rows[i] = ledger.Row{Card: card, Version: 1, KeySet: 1, Verifier: liuma.Verifier{1}, Mark: 1, Tag: ledger.Tag(append(card[:], card[:]...))}
	}
	return rows
}

func newCards(n int) []liuma.CardID {
	cards := make([]liuma.CardID, n)
	for i := range cards {
		cards[i] = liuma.NewCardID()
	}
	return cards
}

// checkNothingKept checks that meta is as it was and no card has a row.
func checkNothingKept(t *testing.T, b *Backend, meta ledger.Meta, cards []liuma.CardID) {
	t.Helper()
	if now, err := b.Meta(t.Context()); err != nil || now != meta {
		t.Errorf("meta %+v (%v), want %+v", now, err, meta)
	}
	rows, err := b.Load(t.Context(), cards)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		if row != (ledger.Row{Card: cards[i]}) {
			t.Fatalf("a row was kept: %+v", row)
		}
	}
}

// TestApplyWithoutRoom: a batch that finds no room is gone as a whole, and the
// same batch is taken when there is room.
func TestApplyWithoutRoom(t *testing.T) {
	b := openBackend(t, filepath.Join(t.TempDir(), "ledger.db"))
	meta, err := b.Meta(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next, cards := meta, newCards(300)
	next.Sequence++
	limitPages(t, b, 2)
	for range 3 {
		if err := b.Apply(t.Context(), rowsOf(cards), next); !errors.Is(err, ledger.ErrFull) {
			t.Errorf("without room: %v, want %v", err, ledger.ErrFull)
		}
		checkNothingKept(t, b, meta, cards)
	}
	limitPages(t, b, 0)
	if err := b.Apply(t.Context(), rowsOf(cards), next); err != nil {
		t.Errorf("with room: %v", err)
	}
	if now, err := b.Meta(t.Context()); err != nil || now != next {
		t.Errorf("meta %+v (%v), want %+v", now, err, next)
	}
}

// faulty is a driver's statement that answers with an error, after it took
// effect if late. Its *sql.Stmt is made by faultyStmt.
type faulty struct {
	b    *Backend
	text string
	late bool
	err  error
}

func (f faulty) Close() error  { return nil }
func (f faulty) NumInput() int { return 0 }

func (f faulty) Exec([]driver.Value) (driver.Result, error) {
	if f.late {
		if _, err := f.b.conn.conn.ExecContext(context.Background(), f.text); err != nil {
			return nil, err
		}
	}
	return nil, f.err
}

func (f faulty) Query([]driver.Value) (driver.Rows, error) { return nil, f.err }

// faulty is its own connector, driver and connection, for one statement.
func (f faulty) Connect(context.Context) (driver.Conn, error) { return f, nil }
func (f faulty) Driver() driver.Driver                        { return f }
func (f faulty) Open(string) (driver.Conn, error)             { return f, nil }
func (f faulty) Prepare(string) (driver.Stmt, error)          { return f, nil }
func (f faulty) Begin() (driver.Tx, error)                    { return nil, f.err }

func faultyStmt(t *testing.T, f faulty) *sql.Stmt {
	t.Helper()
	db := sql.OpenDB(f)
	t.Cleanup(func() { _ = db.Close() })
	stmt, err := db.PrepareContext(t.Context(), f.text)
	if err != nil {
		t.Fatal(err)
	}
	return stmt
}

// TestTimeWithoutRoomForTheCommit: a batch that saves the time alone has the sequence of the
// one before, and is told apart all the same, kept or gone.
func TestTimeWithoutRoomForTheCommit(t *testing.T) {
	small := openBackend(t, filepath.Join(t.TempDir(), "small.db"))
	limitPages(t, small, 1)
	meta, err := small.Meta(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	full := small.Apply(t.Context(), rowsOf(newCards(300)), meta)
	for _, late := range []bool{false, true} {
		b := openBackend(t, filepath.Join(t.TempDir(), "ledger.db"))
		meta, err := b.Meta(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		next := meta
		next.High = clock.State{High: time.Date(2026, 11, 30, 6, 40, 0, 0, time.UTC), Boot: time.Minute, BootID: "a"}
		b.conn.commit = faultyStmt(t, faulty{b: b, text: "COMMIT", late: late, err: full})
		if err := b.Apply(t.Context(), nil, next); errors.Is(err, ledger.ErrFull) == late {
			t.Errorf("kept %t: %v", late, err)
		}
	}
}

// TestApplyWithoutRoomForTheCommit: only a full disk, and only a batch that is
// gone for certain, lets the ledger go on.
func TestApplyWithoutRoomForTheCommit(t *testing.T) {
	small := openBackend(t, filepath.Join(t.TempDir(), "small.db"))
	limitPages(t, small, 1)
	meta, err := small.Meta(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	full := small.Apply(t.Context(), rowsOf(newCards(300)), meta)
	if !sqlitefile.Full(full) {
		t.Fatalf("%v is not of a full disk", full)
	}
	disk := errors.New("disk I/O error")
	for what, c := range map[string]struct {
		commit, rollback error
		late             bool // the commit took effect all the same
		goesOn           bool
	}{
		"no room":                        {commit: full, goesOn: true},
		"no room, and no roll-back":      {commit: full, rollback: disk},
		"no room, but it was kept":       {commit: full, late: true},
		"another error":                  {commit: disk},
		"another error, and it was kept": {commit: disk, late: true},
	} {
		t.Run(what, func(t *testing.T) {
			b := openBackend(t, filepath.Join(t.TempDir(), "ledger.db"))
			meta, err := b.Meta(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			next, cards := meta, newCards(3)
			next.Sequence++
			b.conn.commit = faultyStmt(t, faulty{b: b, text: "COMMIT", late: c.late, err: c.commit})
			if c.rollback != nil {
				b.conn.rollback = faultyStmt(t, faulty{b: b, text: "ROLLBACK", err: c.rollback})
			}
			err = b.Apply(t.Context(), rowsOf(cards), next)
			if err == nil || errors.Is(err, ledger.ErrFull) != c.goesOn {
				t.Errorf("%v; goes on: %t", err, c.goesOn)
			}
			if c.goesOn {
				checkNothingKept(t, b, meta, cards)
			}
		})
	}
}

// TestFullDisk fills a real disk under a ledger, over and over: what finds no
// room is refused and counts nothing, and with room the same ledger goes on,
// with the next number of every card.
func TestFullDisk(t *testing.T) {
	disk := mishap.SmallDisk(t, 16)
	path := filepath.Join(disk.Dir, "ledger.db")
	b, clock, cards := openBackend(t, path), ledgertest.NewClock(), newCards(600)
	meta, err := b.Meta(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(t.Context(), rowsOf(cards), meta); err != nil {
		t.Fatal(err)
	}
	l := openLedger(t, b, clock)
	granted, next := map[liuma.CardID]uint64{}, 0
	spend := func() error {
		card := cards[next%len(cards)]
		next++
		s, err := l.Spend(t.Context(), ledger.SpendRequest{Card: card, Version: 1, Sender: clock.Now()})
		if (s == nil) == (err == nil) {
			t.Fatalf("a grant with %v", err)
		}
		if err == nil {
			granted[card]++
			if s.S() != granted[card] {
				t.Fatalf("guess %d of a card that was granted %d", s.S(), granted[card])
			}
		}
		return err
	}
	for range 3 {
		if err := spend(); err != nil {
			t.Fatalf("with room: %v", err)
		}
		disk.Fill()
		for err = nil; err == nil && next < 2000; {
			err = spend() // as long as the log has room of its own
		}
		for range 3 {
			if !errors.Is(err, ledger.ErrFull) || l.Poisoned() != nil {
				t.Fatalf("full: %v (stopped: %v), want %v", err, l.Poisoned(), ledger.ErrFull)
			}
			err = spend()
		}
		disk.Free()
	}
	if err := spend(); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLedger(t, openBackend(t, path), clock)
	for _, card := range cards {
		row, err := l.Row(t.Context(), card)
		if err != nil || row.Tally.Spent != granted[card] {
			t.Fatalf("%d guesses on disk (%v), %d granted", row.Tally.Spent, err, granted[card])
		}
	}
}

func openLedger(t *testing.T, b *Backend, clock *ledgertest.Clock) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{Keeper: "k1", Backend: b, Limits: ledger.NationalLimits(), Machine: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
