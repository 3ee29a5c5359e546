package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/ledger/ledgertest"
	"github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/sqlitefile/mishap"
)

// file is a ledgertest.Place: one database file in a directory of its own.
type file struct{ path string }

func newFile(t testing.TB) ledgertest.Place {
	// The name has characters that could break a data source name.
	return file{filepath.Join(t.TempDir(), "a ledger?of=#1%41.db")}
}

func (f file) Open(ctx context.Context) (ledger.Backend, error) {
	b, err := sqlite.Open(ctx, f.path, sqlite.Config{CachePages: 500, CheckpointPages: 100})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Crashed copies the database and its write-ahead log, and not the index of
// the log, which a crash may leave in any state.
func (f file) Crashed(t testing.TB) ledgertest.Place {
	t.Helper()
	copied := file{filepath.Join(t.TempDir(), "crashed.db")}
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(f.path + suffix)
		if errors.Is(err, fs.ErrNotExist) && suffix != "" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied.path+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return copied
}

// TestConformance runs the whole suite on files.
func TestConformance(t *testing.T) { ledgertest.Run(t, newFile) }

// The invariants by name, on the real ledger, for docs/INVARIANTS.md.

func TestSpentOnlyAfterDurable(t *testing.T) {
	ledgertest.SpentOnlyAfterDurable(t, newFile)
	ledgertest.FaultsNeverFreeAGuess(t, newFile)
}

func TestSettlementClearsNothingLater(t *testing.T) {
	ledgertest.OnlyProofsSettle(t, newFile)
	ledgertest.ProofsOfManyKeepers(t, newFile)
	ledgertest.SettlementClearsNothingLater(t, newFile)
}

func TestProposeOncePerVersion(t *testing.T) { ledgertest.ProposeOncePerVersion(t, newFile) }

func TestCommitIsWholeAndOnce(t *testing.T) { ledgertest.CommitIsWholeAndOnce(t, newFile) }

func TestReplacesIsCompared(t *testing.T) { ledgertest.ReplacesIsCompared(t, newFile) }

func TestHeadsOnlyRise(t *testing.T) { ledgertest.HeadsOnlyRise(t, newFile) }

func TestOneCardATag(t *testing.T) { ledgertest.OneCardATag(t, newFile) }

func TestThousandParallelGuesses(t *testing.T) { ledgertest.ThousandParallelGuesses(t, newFile) }

func TestSixtyHostileDays(t *testing.T) { ledgertest.SixtyHostileDays(t, newFile) }

// TestTornWriteIsNotSeen cuts the write-ahead log at many places inside the
// last transaction: the whole batch is gone, and the earlier ones stay.
func TestTornWriteIsNotSeen(t *testing.T) {
	ctx := t.Context()
	f := file{filepath.Join(t.TempDir(), "ledger.db")}
	b, err := f.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	rows := make([]ledger.Row, 300)
	for i := range rows {
		rows[i] = ledger.Row{Card: liuma.NewCardID(), Mark: 1}
	}
	first := ledger.Meta{Incarnation: [16]byte{1}, Sequence: 1}
	if err := b.Apply(ctx, rows, first); err != nil {
		t.Fatal(err)
	}
	before := walSize(t, f)
	for i := range rows {
		rows[i].Mark = 2
	}
	second := ledger.Meta{Incarnation: [16]byte{1}, Sequence: 2}
	if err := b.Apply(ctx, rows, second); err != nil {
		t.Fatal(err)
	}
	after := walSize(t, f)
	if after <= before {
		t.Fatalf("log of %d bytes, was %d: nothing to cut", after, before)
	}
	for cut := before; cut <= after; cut += max((after-before)/9, 1) {
		torn := f.Crashed(t).(file)
		if err := os.Truncate(torn.path+"-wal", cut); err != nil {
			t.Fatal(err)
		}
		want, mark := first, liuma.Version(1)
		if cut == after {
			want, mark = second, 2
		}
		checkWhole(t, torn, want, mark, rows)
	}
	checkWhole(t, f.Crashed(t).(file), second, 2, rows)
}

func walSize(t *testing.T, f file) int64 {
	t.Helper()
	info, err := os.Stat(f.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func checkWhole(t *testing.T, f file, want ledger.Meta, mark liuma.Version, rows []ledger.Row) {
	t.Helper()
	b, err := f.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if meta, err := b.Meta(t.Context()); err != nil || meta != want {
		t.Fatalf("meta %+v, want %+v: %v", meta, want, err)
	}
	n := 0
	err = b.Scan(t.Context(), liuma.CardID{}, func(r ledger.Row) error {
		if n++; r.Mark != mark {
			t.Fatalf("mark %d, want %d", r.Mark, mark)
		}
		return nil
	})
	if err != nil || n != len(rows) {
		t.Fatalf("%d rows of %d: %v", n, len(rows), err)
	}
}

// TestFilesAreForTheirOwner: also where the files had wider modes before.
func TestFilesAreForTheirOwner(t *testing.T) {
	f := file{filepath.Join(t.TempDir(), "ledger.db")}
	for range 2 {
		b, err := f.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Apply(t.Context(), []ledger.Row{{Card: liuma.CardID{1}}}, ledger.Meta{Incarnation: [16]byte{1}}); err != nil {
			t.Fatal(err)
		}
		for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
			info, err := os.Stat(f.path + suffix)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%q: %v, %v", suffix, info.Mode(), err)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(f.path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamagedRowPoisons: a row that does not parse stops the ledger; it is not
// read as a card without guesses.
func TestDamagedRowPoisons(t *testing.T) {
	f := file{filepath.Join(t.TempDir(), "ledger.db")}
	b, err := f.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	card := liuma.NewCardID()
	if err := b.Apply(t.Context(), []ledger.Row{{Card: card, Mark: 3}}, ledger.Meta{Incarnation: [16]byte{1}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", f.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `UPDATE card SET body = x'0100'`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err = f.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock := ledgertest.NewClock()
	l, err := ledger.Open(t.Context(), ledger.Config{Keeper: "k1", Backend: b, Limits: ledger.NationalLimits(), Machine: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 2 {
		_, err := l.Propose(t.Context(), ledger.ProposeRequest{Card: card, Version: 4, Tag: ledger.Tag{1}, Sender: clock.Now()})
		if !errors.Is(err, ledger.ErrPoisoned) {
			t.Errorf("a damaged row gave %v", err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "text.db"), []byte("not a database, whatever its name says"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"no directory": filepath.Join(dir, "none", "x.db"), "no database": filepath.Join(dir, "text.db")} {
		for range 2 { // the second time shows that the lease was given back
			_, err := sqlite.Open(t.Context(), path, sqlite.Config{})
			if err == nil || errors.Is(err, ledger.ErrLeased) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := sqlite.Open(t.Context(), filepath.Join(dir, "x.db"), sqlite.Config{CachePages: -1}); err == nil {
		t.Error("a negative cache was taken")
	}
}

// TestMovedFilePoisons removes or replaces a file under an open ledger: SQLite
// would go on writing to files that nobody finds again, and every guess in them
// would be free. No guess is granted after it, nor when the files are back,
// until the ledger is opened again.
func TestMovedFilePoisons(t *testing.T) {
	for name, move := range mishap.Moves() {
		t.Run(name, func(t *testing.T) {
			f := file{filepath.Join(t.TempDir(), "keeper", "ledger.db")}
			if err := os.Mkdir(filepath.Dir(f.path), 0o700); err != nil {
				t.Fatal(err)
			}
			card, clock := liuma.NewCardID(), ledgertest.NewClock()
			l := openWith(t, f, clock, card)
			spend := func() (*ledger.Spent, error) {
				return l.Spend(t.Context(), ledger.SpendRequest{Card: card, Version: 1, Sender: clock.Now()})
			}
			if _, err := spend(); err != nil {
				t.Fatal(err)
			}
			putBack, err := move(f.path)
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if s, err := spend(); s != nil || !errors.Is(err, ledger.ErrPoisoned) {
					t.Errorf("a guess was granted, or %v", err)
				}
			}
			if err := l.Poisoned(); !errors.Is(err, sqlitefile.ErrMoved) {
				t.Errorf("poisoned by %v, want %v", err, sqlitefile.ErrMoved)
			}
			if err := putBack(); err != nil {
				t.Fatal(err)
			}
			if s, err := spend(); s != nil || !errors.Is(err, ledger.ErrPoisoned) {
				t.Errorf("with the file back, before a restart: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Logf("close: %v", err)
			}
			l = openWith(t, f, clock)
			defer l.Close()
			if _, err := spend(); err != nil {
				t.Errorf("after a restart: %v", err)
			}
		})
	}
}

// openWith opens a ledger on a file, with version 1 of the cards put into it.
func openWith(t *testing.T, f file, clock *ledgertest.Clock, cards ...liuma.CardID) *ledger.Ledger {
	t.Helper()
	b, err := f.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	meta, err := b.Meta(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, card := range cards {
		row := ledger.Row{Card: card, Version: 1, KeySet: 1, Verifier: liuma.Verifier{1}, Mark: 1, Tag: ledger.Tag(append(card[:], card[:]...))}
		if err := b.Apply(t.Context(), []ledger.Row{row}, meta); err != nil {
			t.Fatal(err)
		}
	}
	l, err := ledger.Open(t.Context(), ledger.Config{Keeper: "k1", Backend: b, Limits: ledger.NationalLimits(), Machine: clock})
	if err != nil {
		t.Fatal(err)
	}
	return l
}
