package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"slices"
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
	broken error   // first error of the database itself; the transaction is lost
	memory *recent // of a View that uses it; nil: none
	from   uint64  // the last commit before the snapshot
	ahead  *kept   // the row of table sought that was read when the snapshot was taken
	sought string
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
		w.Looks = make([]rows.Value, 0, len(t.Columns))
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

// Get gives a row from memory if the View uses it and the row is the same in its snapshot.
func (r *snapshot) Get(t *rows.Table, _, key []byte) (rows.Row, error) {
	if r.memory == nil || t.Recent == 0 {
		return r.read(t, key)
	}
	if err := cmp.Or(r.usable(), r.ctx.Err()); err != nil {
		return rows.Row{}, err
	}
	if r.sought == t.Name && r.ahead.key == string(key) {
		return r.ahead.found()
	}
	if k, ok := r.memory.at(r.from, t.Name, key); ok {
		return k.found()
	}
	row, k, err := r.readToKeep(t, key)
	if k != nil {
		r.memory.offer(r.from, t.Name, k)
	}
	return row, err
}

func (k *kept) found() (rows.Row, error) {
	if k.absent {
		return rows.Row{}, store.ErrNotFound
	}
	return k.row, nil
}

// read reads a row from the file.
func (r *snapshot) read(t *rows.Table, key []byte) (rows.Row, error) {
	if err := r.usable(); err != nil {
		return rows.Row{}, err
	}
	texts := r.conn.of(t)
	found, err := list(r, texts.scan, texts.get, bound(key))
	switch {
	case err != nil:
		return rows.Row{}, err
	case len(found) == 0:
		return rows.Row{}, store.ErrNotFound
	}
	return found[0], nil
}

// readToKeep reads a row from the file, and returns it for the memory too, or that it is
// not there; nil if that could not be read, or the file gave another row.
func (r *snapshot) readToKeep(t *rows.Table, key []byte) (row rows.Row, k *kept, err error) {
	row, err = r.read(t, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		k = keepAbsent(key)
	case err == nil && bytes.Equal(row.Key, key):
		row.Known = &rows.Known{} // its seal is still to be checked
		k = keep(row)
	}
	return row, k, err
}

// remember lets the rest of a View use the memory. It takes the snapshot by reading a row
// that the View looks for anyway.
func (r *snapshot) remember(memory *recent, w rows.Wanted) {
	from := memory.now()
	if _, k, _ := r.readToKeep(w.Table, w.Key); k != nil {
		r.memory, r.from, r.ahead, r.sought = memory, from, k, w.Table.Name
	}
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
type change struct {
	snapshot
	recent  *recent
	pending *pending // what the writer's transaction has changed, this call's and those before it
}

var _ rows.Sink = (*change)(nil)

// Get gives a row as this transaction has changed it, or as the last commit left it.
func (t *change) Get(table *rows.Table, _, key []byte) (rows.Row, error) {
	if table.Recent == 0 {
		return t.read(table, key)
	}
	if err := t.usable(); err != nil {
		return rows.Row{}, err
	}
	if k, ok := t.pending.get(table.Name, key); ok {
		return k.found()
	}
	swept := t.pending.swept[table.Name]
	if !swept {
		if k, ok := t.recent.last(table.Name, key); ok {
			return k.found()
		}
	}
	row, k, err := t.readToKeep(table, key)
	if k != nil && !swept {
		t.recent.learn(table.Name, k)
	}
	return row, err
}

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
	_, err := t.write(t.conn.of(table).insert, vs...)
	if err == nil && table.Recent > 0 {
		t.pending.put(table.Name, keepSealed(w))
	}
	return err
}

// Update compares and sets in one statement. It leaves a look-up out of SET as
// long as it is the same: SQLite would take its index entry out and put it back
// with every attempt. Where the memory shows that it is another one, that is not tried.
func (t *change) Update(table *rows.Table, w rows.Row, was uint64) error {
	if w.Rev > math.MaxInt64 || was > math.MaxInt64 {
		return fmt.Errorf("store: rev %d is out of range", w.Rev)
	}
	var n int64
	var err error
	if !t.looksDiffer(table, w) {
		n, err = t.update(table, w, was, true)
	}
	if err == nil && n == 0 && len(table.Columns) > 0 {
		n, err = t.update(table, w, was, false)
	}
	if err == nil && n == 0 {
		return store.ErrConflict
	}
	if err == nil && table.Recent > 0 {
		t.pending.put(table.Name, keepSealed(w))
	}
	return err
}

// looksDiffer reports whether the row that w takes the place of is in memory, with other
// look-ups. It decides which statement is run, and nothing more.
func (t *change) looksDiffer(table *rows.Table, w rows.Row) bool {
	if table.Recent == 0 || len(table.Columns) == 0 {
		return false
	}
	k, ok := t.pending.get(table.Name, w.Key)
	if !ok {
		k, ok = t.recent.last(table.Name, w.Key)
	}
	return ok && !k.absent && !slices.EqualFunc(k.row.Looks, w.Looks, func(a, b rows.Value) bool {
		return a == nil && b == nil || rows.Same(a, b)
	})
}

func (t *change) update(table *rows.Table, w rows.Row, was uint64, sameLooks bool) (int64, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	texts := t.conn.of(table)
	args := make([]driver.Value, 0, 6+len(w.Looks))
	looks := func() {
		for _, v := range w.Looks {
			args = append(args, v)
		}
	}
	text := texts.update
	if !sameLooks {
		text = texts.updateAll
		looks()
	}
	args = append(args, int64(w.Rev), bound(w.Body), int64(w.Seal.Key), w.Seal.MAC[:], bound(w.Key), int64(was))
	if sameLooks {
		looks()
	}
	return t.write(text, args...)
}

func (t *change) Delete(table *rows.Table, q rows.Query) (int64, error) {
	where, args := whereOf(q)
	if where == "" {
		return 0, errors.New("store: delete without a condition")
	}
	n, err := t.write("DELETE FROM "+table.Name+where, args...)
	if err == nil && table.Recent > 0 {
		if key, ok := q.From.([]byte); ok && q.Column == "" && q.After == nil && rows.Same(q.From, q.To) {
			t.pending.put(table.Name, keepAbsent(key))
		} else {
			t.pending.sweep(table.Name)
		}
	}
	return n, err
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
