package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/vault"
)

// errEnded is returned when a connection is used after its transaction.
var errEnded = errors.New("store: transaction has ended")

// snapshot implements rows.Source on a connection with an open transaction.
type snapshot struct {
	conn   *conn // nil once the transaction has ended
	ctx    context.Context
	broken error // first error of the database itself; the transaction is lost
}

var _ rows.Source = (*snapshot)(nil)

// each calls visit for every row of a query.
func (r *snapshot) each(visit func(*row) error, query string, args ...driver.Value) error {
	if err := r.usable(); err != nil {
		return err
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if err := r.conn.query(visit, query, args...); err != nil {
		return r.breaks(err)
	}
	return nil
}

// breaks remembers an error of the database, so that the transaction is not
// committed even if the closure ignores the error.
func (r *snapshot) breaks(err error) error {
	if r.broken == nil {
		r.broken = err
	}
	return told(err)
}

// usable refuses a statement after the transaction has ended, or has broken:
// after some errors SQLite has rolled it back by itself, and a statement that
// came after would stand alone, committed at once and without an audit entry.
func (r *snapshot) usable() error {
	if r.conn == nil {
		return errEnded
	}
	if r.broken != nil {
		return told(r.broken)
	}
	return nil
}

// list reads all rows that a query returns.
func list[T any](r *snapshot, scan func(*row) T, query string, args ...driver.Value) ([]T, error) {
	var vs []T
	err := r.each(func(row *row) error {
		vs = append(vs, scan(row))
		return nil
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return vs, nil
}

// columnsOf are a table's columns in the order in which scanOf reads them.
func columnsOf(t *rows.Table) string {
	var b strings.Builder
	b.WriteString("key, ")
	for _, c := range t.Columns {
		b.WriteString(c.Name + ", ")
	}
	return b.String() + "rev, body, seal_key, seal"
}

// scanOf reads a row. A seal or a key's id of the wrong size is read as none:
// the row is refused by its seal, as any other that was altered.
func scanOf(t *rows.Table) func(*row) rows.Row {
	return func(r *row) (w rows.Row) {
		w.Key = r.bytes()
		for range t.Columns {
			w.Looks = append(w.Looks, r.take())
		}
		w.Rev = uint64(r.int())
		w.Body = r.bytes()
		if id := r.int(); id > 0 && id <= math.MaxUint32 {
			w.Seal.Key = uint32(id)
		}
		if seal := r.bytes(); len(seal) == len(w.Seal.MAC) {
			w.Seal.MAC = vault.MAC(seal)
		}
		return w
	}
}

// valuesOf binds a row in the order of columnsOf.
func valuesOf(w rows.Row) []driver.Value {
	vs := make([]driver.Value, 1, 5+len(w.Looks))
	vs[0] = w.Key
	for _, v := range w.Looks {
		vs = append(vs, v)
	}
	body := w.Body
	if body == nil {
		body = []byte{}
	}
	return append(vs, int64(w.Rev), body, int64(w.Seal.Key), w.Seal.MAC[:])
}

func (r *snapshot) Get(t *rows.Table, _, key []byte) (rows.Row, error) {
	found, err := list(r, scanOf(t), getOf(t), bound(key))
	switch {
	case err != nil:
		return rows.Row{}, err
	case len(found) == 0:
		return rows.Row{}, store.ErrNotFound
	}
	return found[0], nil
}

func getOf(t *rows.Table) string {
	return "SELECT " + columnsOf(t) + " FROM " + t.Name + " WHERE key = ?"
}

func (r *snapshot) List(t *rows.Table, q rows.Query) ([]rows.Row, error) {
	where, args := whereOf(q)
	order, way := "key", ""
	if q.Desc {
		way = " DESC"
	}
	if q.Column != "" {
		order = q.Column + way + ", key"
	}
	limit := int64(q.Limit)
	if limit < 0 {
		limit = -1 // SQLite's word for all
	}
	return list(r, scanOf(t), "SELECT "+columnsOf(t)+" FROM "+t.Name+where+" ORDER BY "+order+way+" LIMIT ?",
		append(args, limit)...)
}

// whereOf is the condition of a query; empty if it selects all.
func whereOf(q rows.Query) (string, []driver.Value) {
	var conditions []string
	var args []driver.Value
	q.Conditions(func(column, operator string, v rows.Value) {
		conditions = append(conditions, column+" "+operator+" ?")
		args = append(args, bound(v))
	})
	if conditions == nil {
		return "", args
	}
	return " WHERE " + strings.Join(conditions, " AND "), args
}

// bound binds an empty key as an empty blob: the driver would take a nil slice
// for NULL.
func bound(v rows.Value) driver.Value {
	if b, ok := v.([]byte); ok && b == nil {
		return []byte{}
	}
	return v
}

func (r *snapshot) Count(t *rows.Table, column string) (n int64, err error) {
	err = r.each(func(row *row) error { n = row.int(); return nil }, "SELECT count("+cmp.Or(column, "*")+") FROM "+t.Name)
	return n, err
}

// StaysAbsent has nothing to do: one transaction writes at a time.
func (r *snapshot) StaysAbsent(*rows.Table, []byte) {}

func (r *snapshot) KeepersSeen() (map[string]uint64, error) {
	seen := map[string]uint64{}
	err := r.each(func(row *row) error {
		keeper := row.text()
		seen[keeper] = uint64(row.int())
		return nil
	}, "SELECT keeper, sequence FROM keepers_seen")
	if err != nil {
		return nil, err
	}
	return seen, nil
}

// change implements rows.Sink on the writer's connection.
type change struct{ snapshot }

var _ rows.Sink = (*change)(nil)

// write runs a statement and returns how many rows it changed. A violated rule
// of the schema undoes the statement alone, so its error is returned and the
// transaction may go on; every other error breaks the transaction.
func (t *change) write(query string, args ...driver.Value) (int64, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	n, err := t.conn.exec(query, args...)
	switch {
	case err == nil:
		return n, nil
	case isDuplicate(err):
		return 0, store.ErrExists
	case isOrphan(err):
		return 0, store.ErrNotFound
	case isTrigger(err):
		return 0, store.ErrDecided // requests_decided, or digests_append
	}
	return 0, t.breaks(err)
}

func (t *change) Insert(table *rows.Table, w rows.Row) error {
	if err := t.usable(); err != nil {
		return err
	}
	vs := valuesOf(w)
	vs[0] = bound(w.Key)
	_, err := t.write(t.conn.insertOf(table), vs...)
	return err
}

// Update compares and sets in one statement. It leaves a look-up out of SET as
// long as it is the same: SQLite would take its index entry out and put it back
// with every attempt.
func (t *change) Update(table *rows.Table, w rows.Row, was uint64) error {
	if w.Rev > math.MaxInt64 || was > math.MaxInt64 {
		return fmt.Errorf("store: rev %d is out of range", w.Rev)
	}
	n, err := t.update(table, w, was, true)
	if err == nil && n == 0 && len(table.Columns) > 0 {
		n, err = t.update(table, w, was, false)
	}
	if err == nil && n == 0 {
		return store.ErrConflict
	}
	return err
}

func (t *change) update(table *rows.Table, w rows.Row, was uint64, sameLooks bool) (int64, error) {
	set, where := "", ""
	var looks []driver.Value
	for i, c := range table.Columns {
		looks = append(looks, w.Looks[i])
		set += c.Name + " = ?, "
		where += " AND " + c.Name + " IS ?"
	}
	args := []driver.Value{int64(w.Rev), bound(w.Body), int64(w.Seal.Key), w.Seal.MAC[:]}
	if sameLooks {
		args = append(append(args, bound(w.Key), int64(was)), looks...)
		set = ""
	} else {
		args = append(append(looks, args...), bound(w.Key), int64(was))
		where = ""
	}
	return t.write("UPDATE "+table.Name+" SET "+set+"rev = ?, body = ?, seal_key = ?, seal = ? WHERE key = ? AND rev = ?"+where, args...)
}

func (t *change) Delete(table *rows.Table, q rows.Query) (int64, error) {
	where, args := whereOf(q)
	if where == "" {
		return 0, errors.New("store: delete without a condition")
	}
	return t.write("DELETE FROM "+table.Name+where, args...)
}

func (t *change) SaveKeepersSeen(seen map[string]uint64) error {
	for keeper, sequence := range seen {
		_, err := t.write(`INSERT INTO keepers_seen (keeper, sequence) VALUES (?, ?)
			ON CONFLICT (keeper) DO UPDATE SET sequence = max(sequence, excluded.sequence)`, keeper, int64(sequence))
		if err != nil {
			return err
		}
	}
	return nil
}
