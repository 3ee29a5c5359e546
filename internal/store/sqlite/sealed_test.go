package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/store/storetest"
)

func TestSealedRows(t *testing.T) { storetest.SealedRows(t, openSealed) }

func TestQueuesGoOn(t *testing.T) { storetest.QueuesGoOn(t, openSealed) }

func openSealed(t testing.TB) storetest.Sealed {
	path := filepath.Join(t.TempDir(), "authority.db")
	var alarms atomic.Int64
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{Seal: keys(t, path), Alarm: func(string, error) { alarms.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = db.Close(), s.Close() })
	thief := &thief{t, db}
	for _, name := range thief.names("trigger") { // they are in nobody's way
		thief.exec("DROP TRIGGER " + name)
	}
	return storetest.Sealed{Store: s, Thief: thief, Alarms: func() int { return int(alarms.Load()) }}
}

// thief writes to the file with SQL.
type thief struct {
	t  testing.TB
	db *sql.DB
}

func (f *thief) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *thief) exec(query string, args ...any) {
	f.t.Helper()
	_, err := f.db.ExecContext(f.t.Context(), query, args...)
	f.must(err)
}

func (f *thief) names(kind string) (all []string) {
	f.t.Helper()
	found, err := f.db.QueryContext(f.t.Context(), "SELECT name FROM sqlite_schema WHERE type = ? AND name NOT LIKE 'sqlite_%'", kind)
	f.must(err)
	defer found.Close()
	for found.Next() {
		var name string
		f.must(found.Scan(&name))
		all = append(all, name)
	}
	f.must(found.Err())
	return all
}

func (f *thief) Rows(table string) (all []map[string]any) {
	f.t.Helper()
	found, err := f.db.QueryContext(f.t.Context(), "SELECT * FROM "+table+" ORDER BY 1")
	f.must(err)
	defer found.Close()
	columns, err := found.Columns()
	f.must(err)
	for found.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		f.must(found.Scan(into...))
		row := map[string]any{}
		for i, c := range columns {
			row[c] = values[i]
		}
		all = append(all, row)
	}
	f.must(found.Err())
	return all
}

func (f *thief) Put(table string, row map[string]any) {
	f.t.Helper()
	var columns []string
	var values []any
	for c, v := range row {
		columns, values = append(columns, c), append(values, v)
	}
	f.exec("INSERT OR REPLACE INTO "+table+" ("+strings.Join(columns, ", ")+") VALUES (?"+strings.Repeat(", ?", len(values)-1)+")", values...)
}

func (f *thief) Delete(table string, key []byte) {
	f.t.Helper()
	f.exec("DELETE FROM "+table+" WHERE key = ?", key)
}

// TestTablesAreTheSchema: every table of the file is sealed or on the list of
// those that need not be, and has the columns that the codec seals.
func TestTablesAreTheSchema(t *testing.T) {
	f := openSealed(t).Thief.(*thief)
	want := map[string]string{}
	for _, table := range rows.Tables() {
		columns := "key,"
		for _, c := range table.Columns {
			columns += c.Name + ","
		}
		want[table.Name] = columns + "rev,body,seal_key,seal"
	}
	for _, name := range f.names("table") {
		if why := rows.Exempt()[name]; why != "" {
			continue
		}
		var columns string
		f.must(f.db.QueryRowContext(t.Context(), "SELECT group_concat(name) FROM pragma_table_info(?)", name).Scan(&columns))
		if want[name] != columns {
			t.Errorf("table %s has columns %s, sealed are %q", name, columns, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("tables that are not there: %v", want)
	}
}
