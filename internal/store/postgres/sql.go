package postgres

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/vault"
)

// table is a table of sealed rows with its statements, put together once.
type table struct {
	rows.Table
	columns  string // in the order in which scanRow reads them
	get      string
	getAt    string // of a homed table, where the home is known
	insert   string
	update   string // compares and sets
	delete   string // compares
	hold     string // a row stays what it is until the commit
	holdMany string // the same for many rows, wherever they are
	children []*table
	// watched: a row that a transaction read, and did not write, is what it was read as
	// when the transaction commits. Rows that decide about everybody are not: each writer
	// of one compares the shared row, and a reader would hold up all writers.
	watched bool
}

// unwatched are the tables whose rows need no watching, and why.
func unwatched() map[string]string {
	return map[string]string{
		"numbers": "a claim says where a request is, and never changes",
		"holders": "a claim that is gone by is met at the key of the card that it names, or is compared when it is written",
		"claims":  "a claim changes together with its card, whose revision is compared",
		"meters":  "who counts writes the row, and compares it",
		"clock":   "who saves the time writes the row, and compares it",
		"starts":  "who writes an entry of the process writes the row, and compares it",
		"sweeps":  "says only how far a walk came",
		"tallies": "is counted anew, and replaced whole",
	}
}

func newTables() map[string]*table {
	all := map[string]*table{}
	skip := unwatched()
	list := rows.Tables()
	for i := range list {
		t := &table{Table: list[i]}
		_, free := skip[t.Name]
		t.watched = !free && !t.Shared && t.Name != "shared"
		t.statements()
		all[t.Name] = t
	}
	for _, t := range all {
		if t.Parent != "" {
			all[t.Parent].children = append(all[t.Parent].children, t)
		}
	}
	return all
}

// one is a condition on the one row that a statement must have touched: otherwise the
// transaction ends, within the database, and is run again.
const one = " SELECT CASE WHEN count(*) = 1 THEN 1 ELSE liuma_conflict() END FROM w"

func (t *table) statements() {
	var names, set, changed strings.Builder
	for i, c := range t.Columns {
		fmt.Fprintf(&names, "%s, ", c.Name)
		fmt.Fprintf(&set, "%s = $%d, ", c.Name, 7+i)
		fmt.Fprintf(&changed, ", $%d", 6+i)
	}
	t.columns = "key, rev, body, seal_key, seal" + strings.TrimSuffix(", "+names.String(), ", ")
	// Of a homed table each statement about a known row names its home, after all else.
	home := func(n int) string { return "" }
	if t.Homed {
		t.columns += ", home"
		fmt.Fprintf(&changed, ", $%d", 6+len(t.Columns))
		home = func(n int) string { return fmt.Sprintf(" AND home = $%d", n) }
	}
	t.get = "SELECT " + t.columns + " FROM " + t.Name + " WHERE key = $1"
	t.getAt = t.get + home(2)
	t.insert = "INSERT INTO " + t.Name + " (" + t.columns + ") VALUES ($1, $2, $3, $4, $5" + changed.String() + ")"
	t.update = "WITH w AS (UPDATE " + t.Name + " SET " + set.String() + "rev = $2, body = $3, seal_key = $4, seal = $5 WHERE key = $1 AND rev = $6" +
		home(7+len(t.Columns)) + " RETURNING 1)" + one
	t.delete = "WITH w AS (DELETE FROM " + t.Name + " WHERE key = $1 AND rev = $2" + home(3) + " RETURNING 1)" + one
	t.hold = "WITH w AS (SELECT 1 FROM " + t.Name + " WHERE key = $1 AND rev = $2" + home(3) + " FOR SHARE)" + one
	t.holdMany = "WITH w AS (SELECT 1 FROM " + t.Name + " AS t JOIN unnest($1::bytea[], $2::bigint[]) AS r (key, rev) ON t.key = r.key AND t.rev = r.rev ORDER BY t.key FOR SHARE OF t)" +
		" SELECT CASE WHEN count(*) = $3::bigint THEN 1 ELSE liuma_conflict() END FROM w"
}

// values binds a row in the order of columns.
func (t *table) values(r rows.Row) []any {
	vs := make([]any, 0, 5+len(r.Looks))
	vs = append(vs, some(r.Key), int64(r.Rev), some(r.Body), int64(r.Seal.Key), r.Seal.MAC[:])
	for _, v := range r.Looks {
		vs = append(vs, v)
	}
	return t.at(r.Home, vs...)
}

// at adds the home of a row to what a statement binds.
func (t *table) at(home []byte, vs ...any) []any {
	if t.Homed {
		vs = append(vs, some(home))
	}
	return vs
}

// updated binds a row and the revision that it replaces.
func (t *table) updated(r rows.Row, was uint64) []any {
	vs := t.values(r)
	return append(append(append(make([]any, 0, len(vs)+1), vs[:5]...), int64(was)), vs[5:]...)
}

// some binds an empty key or body as such: nil would be NULL.
func some(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// scan reads a row. A seal or a key's id of the wrong size is read as none: the row is
// refused by its seal, as any other that was altered.
func (t *table) scan(from pgx.CollectableRow) (r rows.Row, err error) {
	var rev, key int64
	var seal []byte
	into := []any{&r.Key, &rev, &r.Body, &key, &seal}
	numbers, bytes := make([]*int64, len(t.Columns)), make([][]byte, len(t.Columns))
	for i, c := range t.Columns {
		if c.Number {
			into = append(into, &numbers[i])
		} else {
			into = append(into, &bytes[i])
		}
	}
	if t.Homed {
		into = append(into, &r.Home)
	}
	if err := from.Scan(into...); err != nil {
		return r, err
	}
	r.Rev = uint64(rev)
	if key > 0 && key <= math.MaxUint32 {
		r.Seal.Key = uint32(key)
	}
	if len(seal) == len(r.Seal.MAC) {
		r.Seal.MAC = vault.MAC(seal)
	}
	for i, c := range t.Columns {
		switch {
		case c.Number && numbers[i] != nil:
			r.Looks = append(r.Looks, *numbers[i])
		case !c.Number && bytes[i] != nil:
			r.Looks = append(r.Looks, bytes[i])
		default:
			r.Looks = append(r.Looks, nil)
		}
	}
	return r, nil
}

// find is the statement that reads a row, with its arguments. Without the home of a row
// in a homed table it goes to every machine.
func (t *table) find(home, key []byte) (string, []any) {
	if t.Homed && home != nil {
		return t.getAt, []any{some(key), home}
	}
	return t.get, []any{some(key)}
}

// list is the statement of a query with its arguments.
func (t *table) list(q rows.Query, limit int) (string, []any) {
	where, args := whereOf(q)
	order, way := "key", ""
	if q.Desc {
		way = " DESC"
	}
	if q.Column != "" {
		order = q.Column + way + ", key"
	}
	text := "SELECT " + t.columns + " FROM " + t.Name + where + " ORDER BY " + order + way
	if limit >= 0 {
		args = append(args, int64(limit))
		text += fmt.Sprintf(" LIMIT $%d", len(args))
	}
	return text, args
}

// errAll is returned for a deletion without a condition.
var errAll = errors.New("store: delete without a condition")

// whereOf is the condition of a query; empty if it selects all.
func whereOf(q rows.Query) (string, []any) {
	var conditions []string
	var args []any
	q.Conditions(func(column, operator string, v rows.Value) {
		if b, ok := v.([]byte); ok {
			v = some(b)
		}
		args = append(args, v)
		conditions = append(conditions, fmt.Sprintf("%s %s $%d", column, operator, len(args)))
	})
	if q.Home != nil {
		args = append(args, q.Home)
		conditions = append(conditions, fmt.Sprintf("home = $%d", len(args)))
	}
	if conditions == nil {
		return "", args
	}
	return " WHERE " + strings.Join(conditions, " AND "), args
}
