// Package homes watches that acts keep to one home: that each statement which they send to
// PostgreSQL names where its rows lie (rows.Layouts) with a value, and that each
// transaction which writes does so in one place. It guarantees that whoever adds a query
// across cards to such an act is told which statement of which act it is. It knows
// statements only as package postgres writes them, and refuses what it does not
// understand. Only tests use it.
//
// Start here: Watch.Act, then Watch.Faults.
package homes

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

// Exception lets an act touch a table elsewhere than in its transaction's home, or without
// naming where. Why says what makes that safe, or what is still to be done.
type Exception struct{ Act, Table, Why string }

// Watch hears the statements of acts. Safe for concurrent use.
type Watch struct {
	layouts    map[string]rows.Layout
	exceptions []Exception

	mu     sync.Mutex
	used   map[int]bool         // guarded by mu: exceptions that were
	open   map[any]*transaction // guarded by mu, by connection
	faults []string             // guarded by mu
	heard  map[string]int       // guarded by mu: statements of each act
}

// transaction is one that is open on a connection.
type transaction struct {
	act     string
	writes  bool
	touches []touch
}

// touch is one of a table in a place.
type touch struct{ table, place, text string }

// New watches by layouts.
func New(layouts map[string]rows.Layout, exceptions ...Exception) *Watch {
	return &Watch{layouts: layouts, exceptions: exceptions, used: map[int]bool{}, open: map[any]*transaction{}, heard: map[string]int{}}
}

// Act is a context whose statements belong to an act.
func (w *Watch) Act(ctx context.Context, name string) context.Context {
	return postgres.Traced(ctx, func(s postgres.Statement) { w.Hear(name, s) })
}

// Heard is how many statements an act has sent.
func (w *Watch) Heard(act string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard[act]
}

// Faults are a sentence for each statement that does not keep to its home, and for each
// exception that was not needed.
func (w *Watch) Faults() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for connection := range w.open {
		w.ended(connection)
	}
	out := slices.Clone(w.faults)
	for i, e := range w.exceptions {
		if !w.used[i] {
			out = append(out, fmt.Sprintf("act %q keeps to its home with table %s: take the exception off the list", e.Act, e.Table))
		}
	}
	return slices.Compact(out)
}

// Hear judges one statement of an act.
func (w *Watch) Hear(act string, s postgres.Statement) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard[act]++
	text := strings.Join(strings.Fields(s.Text), " ")
	switch {
	case strings.HasPrefix(text, "BEGIN"):
		w.ended(s.Connection)
		w.open[s.Connection] = &transaction{act: act, writes: !strings.Contains(text, "READ ONLY")}
		return
	case text == "COMMIT" || text == "ROLLBACK":
		w.ended(s.Connection)
		delete(w.open, s.Connection)
		return
	}
	t := w.open[s.Connection]
	if t == nil {
		t = &transaction{act: act} // a statement by itself reads
	}
	for _, table := range tablesIn(text) {
		w.judge(t, table, text, s.Args)
	}
}

func (w *Watch) judge(t *transaction, table, text string, args []any) {
	l, known := w.layouts[table]
	if !known {
		w.faults = append(w.faults, fmt.Sprintf("act %q: table %s has no layout (rows.Layouts): %s", t.act, table, text))
		return
	}
	if l.Column == "" {
		if writes(text, table) && !w.excused(t.act, table) {
			w.faults = append(w.faults, fmt.Sprintf("act %q writes table %s, which lies on every machine: %s", t.act, table, text))
		}
		return
	}
	value, named := valueOf(text, l.Column, args)
	if !named {
		if !w.excused(t.act, table) {
			w.faults = append(w.faults, fmt.Sprintf("act %q asks all machines: a statement on %s does not name its %s: %s", t.act, table, l.Column, text))
		}
		return
	}
	if !t.writes {
		return // each look-up is of one machine, and a look-up that is old is found out when its row is written
	}
	t.touches = append(t.touches, touch{table, cmp.Or(l.Group, "table "+table) + " " + value, text})
}

// ended judges a transaction that writes by all that it touched: its home is that of the
// first statement that no exception is about.
func (w *Watch) ended(connection any) {
	t := w.open[connection]
	if t == nil || len(t.touches) == 0 {
		return
	}
	main := t.touches[0]
	for _, x := range t.touches {
		if w.exception(t.act, x.table) < 0 {
			main = x
			break
		}
	}
	for _, x := range t.touches {
		if x.place != main.place && !w.excused(t.act, x.table) {
			w.faults = append(w.faults, fmt.Sprintf("act %q writes in two places with one transaction: %s; and beside it: %s", t.act, x.text, main.text))
			break
		}
	}
	t.touches = nil
}

// excused marks an exception as used.
func (w *Watch) excused(act, table string) bool {
	i := w.exception(act, table)
	if i >= 0 {
		w.used[i] = true
	}
	return i >= 0
}

// exception is the number of the one about an act and a table; negative: there is none.
func (w *Watch) exception(act, table string) int {
	return slices.IndexFunc(w.exceptions, func(e Exception) bool { return e.Act == act && e.Table == table })
}

var (
	tableWord = regexp.MustCompile(`(?i)\b(?:FROM|INTO|UPDATE|JOIN)\s+([a-z_]+)`)
	inserts   = regexp.MustCompile(`(?i)\bINSERT INTO ([a-z_]+) \(([^)]*)\) VALUES \(([^)]*)\)`)
)

// tablesIn are the tables of a statement, without names that it gives itself and without
// functions.
func tablesIn(text string) (out []string) {
	for _, m := range tableWord.FindAllStringSubmatch(text, -1) {
		if name := m[1]; name != "w" && name != "unnest" && name != "pg_stat_activity" && !strings.EqualFold(name, "set") && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func writes(text, table string) bool {
	return strings.Contains(text, "INSERT INTO "+table+" ") || strings.Contains(text, "UPDATE "+table+" ") || strings.Contains(text, "DELETE FROM "+table+" ")
}

// valueOf is the value that a statement gives a column, by comparing or inserting it.
func valueOf(text, column string, args []any) (string, bool) {
	place := ""
	if m := inserts.FindStringSubmatch(text); m != nil {
		columns, places := strings.Split(m[2], ", "), strings.Split(m[3], ", ")
		if i := slices.Index(columns, column); i >= 0 && i < len(places) {
			place = strings.TrimPrefix(places[i], "$")
		}
	} else if m := regexp.MustCompile(`\b` + column + ` = \$(\d+)`).FindStringSubmatch(text); m != nil && !strings.Contains(text, " OR ") {
		place = m[1]
	}
	n, err := strconv.Atoi(place)
	if err != nil || n < 1 || n > len(args) {
		return "", false
	}
	return fmt.Sprintf("%x", args[n-1]), true
}
