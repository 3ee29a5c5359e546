package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/store/storetest"
)

func TestSealedRows(t *testing.T) { storetest.SealedRows(t, openSealed) }

func TestQueuesGoOn(t *testing.T) { storetest.QueuesGoOn(t, openSealed) }

func openSealed(t testing.TB) storetest.Sealed {
	var alarms atomic.Int64
	c := postgres.Config{DSN: database(t), Seal: keys(t), Alarm: func(string, error) { alarms.Add(1) }, Readers: 2, Writers: 2}
	s := openAt(t, c)
	thief := newThief(t, c.DSN)
	for _, table := range thief.tables() { // triggers are in nobody's way
		thief.exec("ALTER TABLE " + table + " DISABLE TRIGGER USER")
	}
	return storetest.Sealed{Store: s, Thief: thief, Alarms: func() int { return int(alarms.Load()) }}
}

// thief writes to the database with SQL.
type thief struct {
	t testing.TB
	c *pgx.Conn
}

func newThief(t testing.TB, dsn string) *thief {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return &thief{t, c}
}

func (f *thief) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *thief) exec(query string, args ...any) {
	f.t.Helper()
	_, err := f.c.Exec(f.t.Context(), query, args...)
	f.must(err)
}

func (f *thief) tables() []string {
	f.t.Helper()
	found, err := f.c.Query(f.t.Context(), "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY 1")
	f.must(err)
	all, err := pgx.CollectRows(found, pgx.RowTo[string])
	f.must(err)
	return all
}

// columns are a table's, in their order, with the bytea ones marked.
func (f *thief) columns(table string) (names []string, bytes map[string]bool) {
	f.t.Helper()
	found, err := f.c.Query(f.t.Context(), `SELECT attname::text, atttypid = 'bytea'::regtype FROM pg_attribute
		WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, table)
	f.must(err)
	bytes = map[string]bool{}
	for found.Next() {
		var name string
		var is bool
		f.must(found.Scan(&name, &is))
		names, bytes[name] = append(names, name), is
	}
	f.must(found.Err())
	return names, bytes
}

func (f *thief) Rows(table string) []map[string]any {
	f.t.Helper()
	found, err := f.c.Query(f.t.Context(), "SELECT * FROM "+table+" ORDER BY 1")
	f.must(err)
	all, err := pgx.CollectRows(found, pgx.RowToMap)
	f.must(err)
	return all
}

// Put replaces whatever is in the row's way, as SQLite does by one statement.
func (f *thief) Put(table string, row map[string]any) {
	f.t.Helper()
	all, bytes := f.columns(table)
	var names, places []string
	var values []any
	for _, c := range all {
		v := row[c]
		if n, isNumber := v.(int64); isNumber && bytes[c] {
			v = []byte{byte(n)}
		}
		names, values = append(names, c), append(values, v)
		places = append(places, fmt.Sprintf("$%d", len(values)))
	}
	f.exec("DELETE FROM "+table+" WHERE key = $1", row["key"])
	for i := range rows.Tables() {
		t := rows.Tables()[i]
		for _, c := range t.Columns {
			if at := slices.Index(names, c.Name); t.Name == table && c.Unique && values[at] != nil {
				f.exec("DELETE FROM "+table+" WHERE "+c.Name+" = $1", values[at])
			}
		}
	}
	f.exec("INSERT INTO "+table+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(places, ", ")+")", values...)
}

func (f *thief) Delete(table string, key []byte) {
	f.t.Helper()
	f.exec("DELETE FROM "+table+" WHERE key = $1", key)
}

// TestTablesAreTheSchema: every table of the database is sealed, or on a list of those
// that need not be, and has the columns that the codec seals.
func TestTablesAreTheSchema(t *testing.T) {
	f := newThief(t, database(t))
	exempt := rows.Exempt()
	exempt["authorities"] = "who works with the database; a false row only denies"
	exempt["holds"] = "who works on what right now; without one two guesses run at once, and keepers count both"
	exempt["duties"] = "who does what is done once for all; twice does no harm"
	exempt["serving"] = "which programs can work with the schema; a false row only denies, or lets one start that its release would not"
	exempt["rations"] = "orders who counts ration marks; the marks are sealed"
	want := map[string][]string{}
	for _, table := range rows.Tables() {
		columns := []string{"key"}
		for _, c := range table.Columns {
			columns = append(columns, c.Name)
		}
		want[table.Name] = append(columns, "rev", "body", "seal_key", "seal")
		if table.Homed { // which is under no seal: rows.Row says why
			want[table.Name] = append(want[table.Name], "home")
		}
	}
	for _, name := range f.tables() {
		if exempt[name] != "" {
			continue
		}
		if columns, _ := f.columns(name); !slices.Equal(columns, want[name]) {
			t.Errorf("table %s has columns %s, sealed are %s", name, columns, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("tables that are not there: %v", want)
	}
}

// TestRowPutBack: a card's row that a thief puts back below what this process wrote is
// refused for good, and one that a snapshot only saw too early is read anew.
func TestRowPutBack(t *testing.T) {
	card := liuma.CardID{1}
	var newest, stands atomic.Int64
	behind := errors.New("put back")
	c := postgres.Config{DSN: database(t), Seal: keys(t), Wrote: func(liuma.CardID) uint64 { return uint64(newest.Load()) },
		Stands:    func(liuma.CardID, uint64) error { stands.Add(1); return behind },
		Committed: func(_ liuma.CardID, read, head uint64) { newest.Store(int64(head)) }}
	s := openAt(t, c)
	add(t, s, card)
	f := newThief(t, c.DSN)
	old := f.Rows("cards")[0]
	for range 3 {
		if err := raise(s, card); err != nil {
			t.Fatal(err)
		}
	}
	newest.Add(1) // as if the next commit had been told of, and the snapshot were from before it
	if err := raise(s, card); !errors.Is(err, store.ErrBehind) {
		t.Errorf("a row that never came up: %v", err)
	}
	newest.Add(-1)
	f.Put("cards", old)
	if err := raise(s, card); !errors.Is(err, store.ErrBehind) || !errors.Is(err, behind) || stands.Load() != 2 {
		t.Errorf("a row that was put back: %v, told %d times", err, stands.Load())
	}
}

// TestManyRaiseOneCard: heads are told in the order of commits, each once, and no snapshot
// is taken for a row that was put back.
func TestManyRaiseOneCard(t *testing.T) {
	card := liuma.CardID{1}
	var newest atomic.Int64
	c := postgres.Config{DSN: database(t), Seal: keys(t), Wrote: func(liuma.CardID) uint64 { return uint64(newest.Load()) },
		Stands: func(_ liuma.CardID, rev uint64) error {
			t.Errorf("a row at %d is called put back", rev)
			return store.ErrBehind
		},
		Committed: func(_ liuma.CardID, read, head uint64) {
			if was := newest.Swap(int64(head)); uint64(was) != read {
				t.Errorf("told of %d after %d, read at %d", head, was, read)
			}
		}}
	s := openAt(t, c)
	add(t, s, card)
	done := make(chan error)
	for i := range 8 {
		go func() {
			var err error
			for range 15 {
				if i%2 == 0 {
					err = errors.Join(err, raise(s, card))
				} else { // the card is read only for its entry
					err = errors.Join(err, told(s, card))
				}
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := reserved(t, s, card); n != 60 {
		t.Errorf("%d changes, want 60", n)
	}
}

// told writes an entry about a card, and nothing else.
func told(s store.Store, card liuma.CardID) error {
	return s.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		if _, err := tx.Shared(); err != nil { // the snapshot begins here
			return audit.Entry{}, err
		}
		return audit.Entry{At: time.Unix(1_790_000_000, 0), Actor: "system", Event: audit.AttemptUndecided, Outcome: "ok", Card: card}, nil
	})
}
