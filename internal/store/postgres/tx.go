package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

// place names a row. A row that was looked for in vain in one home may be in another: what
// is known not to be there is remembered with its home, what is there without.
type place struct{ table, key, home string }

// read is a row as the transaction read it.
type read struct {
	row   rows.Row
	found bool
}

// op is what becomes of a row: it is inserted or, in the place of the one with revision
// was, written or deleted.
type op struct {
	t       *table
	row     rows.Row
	fresh   bool
	deleted bool
	was     uint64
	number  int // in which it was written first
	turn    int // in which it goes out
}

// change implements rows.Sink. It reads a snapshot and keeps what is written to itself,
// so that one round trip can write all of it at the end (write.go).
type change struct {
	snapshot
	wide    bool // keys are looked for in all homes before they are inserted
	reads   map[place]read
	ops     map[place]*op
	entries []audit.Recorded
	marks   map[string]int64 // counters of ration marks as they were read
	marked  map[string]int64 // those to raise, with the time of the mark
	absent  []missing        // claims that are not there, and stay so
	claimed []int32          // locks of the claims that are taken
	seen    []map[string]uint64
	direct  bool            // something was written at once
	entry   *audit.Recorded // the one that a commit in doubt is looked up by
	under   []store.Hold    // kept only while they stand
	last    bool            // the innermost is given back by the commit
	was     session         // the connection that the commit was sent on
}

var _ rows.Sink = (*change)(nil)

// Get finds a row as this transaction has changed it, as it has read it, or in the
// database.
func (t *change) Get(table *rows.Table, home, key []byte) (rows.Row, error) {
	if err := t.usable(); err != nil {
		return rows.Row{}, err
	}
	if o := t.ops[placeOf(table.Name, key)]; o != nil {
		if o.deleted || !sameHome(home, o.row.Home) {
			return rows.Row{}, store.ErrNotFound
		}
		return o.row, nil
	}
	if !t.knows(table.Name, home, key) {
		r, err := t.snapshot.Get(table, home, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return r, err
		}
		t.note(table.Name, home, key, read{r, err == nil})
	}
	known := t.reads[placeOf(table.Name, key)]
	if !known.found || !sameHome(home, known.row.Home) {
		return rows.Row{}, store.ErrNotFound
	}
	return known.row, nil
}

func placeOf(table string, key []byte) place { return place{table: table, key: string(key)} }

// sameHome reports whether a row is where it is looked for; nil: anywhere.
func sameHome(home, of []byte) bool { return home == nil || bytes.Equal(home, of) }

// knows reports whether it was read already if there is a row.
func (t *change) knows(table string, home, key []byte) bool {
	if t.reads[placeOf(table, key)].found {
		return true
	}
	_, nowhere := t.reads[placeOf(table, key)]
	_, here := t.reads[place{table, string(key), string(home)}]
	return nowhere || home != nil && here
}

// note remembers what was read in a home, or anywhere.
func (t *change) note(table string, home, key []byte, r read) {
	at := placeOf(table, key)
	if !r.found {
		at.home = string(home)
	}
	t.reads[at] = r
}

// List reads the database, and puts what this transaction has changed over it.
func (t *change) List(table *rows.Table, q rows.Query) ([]rows.Row, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	of := t.s.tables[table.Name]
	ours := t.opsOf(of)
	limit := q.Limit
	if limit >= 0 {
		limit += len(ours)
	}
	text, args := of.list(q, limit)
	queries := []query{}
	var found []rows.Row
	queries = append(queries, query{text, args, func(from pgx.CollectableRow) error {
		w, err := of.scan(from)
		found = append(found, w)
		return err
	}})
	if of.Name == ticksTable && q.Column == "" {
		queries = append(queries, t.counting(q))
	}
	if err := t.ask(queries...); err != nil {
		return nil, err
	}
	if of.Name == cardsTable && len(found) == 0 && len(ours) == 0 && rows.Same(q.From, q.To) {
		t.absent = append(t.absent, missing{of, q.Column, q.From, claimLock(of, q.Column, q.From)})
	}
	for _, w := range found {
		if at := placeOf(of.Name, w.Key); t.ops[at] == nil {
			t.reads[at] = read{w, true}
		}
	}
	return merged(table, q, found, ours), nil
}

// StaysAbsent notes a row that was looked for in vain.
func (t *change) StaysAbsent(table *rows.Table, key []byte) {
	of := t.s.tables[table.Name]
	t.absent = append(t.absent, missing{of, "key", key, claimLock(of, "key", key)})
}

// expect reads the rows that a function is likely to read. What is expected to be new is
// taken for absent: the database refuses a second one, and the function runs again.
func (t *change) expect(e store.Expected, again bool) error {
	if !e.New || again {
		return t.prefetch(t.s.codec.Wanted(e))
	}
	for _, w := range t.s.codec.Fresh(e) {
		t.note(w.Table.Name, w.Home, w.Key, read{})
	}
	return nil
}

// prefetch reads rows by their keys, all in the round trip that begins the snapshot.
func (t *change) prefetch(wanted []rows.Wanted) error {
	if len(wanted) == 0 {
		return nil
	}
	var queries []query
	for _, w := range wanted {
		of := t.s.tables[w.Table.Name]
		t.note(of.Name, w.Home, w.Key, read{})
		text, args := of.find(w.Home, w.Key)
		queries = append(queries, query{text, args, func(from pgx.CollectableRow) error {
			r, err := of.scan(from)
			t.reads[placeOf(of.Name, w.Key)] = read{r, true}
			return err
		}})
	}
	return t.ask(queries...)
}

func (t *change) opsOf(of *table) (ours []*op) {
	for _, o := range t.ops {
		if o.t == of {
			ours = append(ours, o)
		}
	}
	return ours
}

// merged are the rows of the database with those of the transaction, in the order of a
// query.
func merged(t *rows.Table, q rows.Query, found []rows.Row, ours []*op) []rows.Row {
	if len(ours) == 0 {
		return found
	}
	found = slices.DeleteFunc(found, func(r rows.Row) bool {
		return slices.ContainsFunc(ours, func(o *op) bool { return bytes.Equal(o.row.Key, r.Key) })
	})
	for _, o := range ours {
		if !o.deleted && q.Selects(t, o.row) {
			found = append(found, o.row)
		}
	}
	slices.SortFunc(found, func(a, b rows.Row) int {
		if q.Before(t, a, b) {
			return -1
		}
		return 1
	})
	if q.Limit >= 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	return found
}

// Count counts what was written too.
func (t *change) Count(table *rows.Table, column string) (int64, error) {
	if err := t.now(); err != nil {
		return 0, err
	}
	return t.snapshot.Count(table, column)
}

// Insert looks whether the key or a unique value is taken, in one round trip. Of two that
// look at once the database takes one, and the other runs again.
func (t *change) Insert(table *rows.Table, r rows.Row) error {
	if err := t.usable(); err != nil {
		return err
	}
	of := t.s.tables[table.Name]
	if of.Name == ticksTable { // a mark's key is random at its end
		return t.insertMark(of, r)
	}
	if err := t.look(of, r, nil); err != nil {
		return err
	}
	if of.Parent != "" {
		if _, err := t.Get(&t.s.tables[of.Parent].Table, r.Home, r.Key); err != nil {
			return err
		}
	}
	at := placeOf(of.Name, r.Key)
	if o := t.ops[at]; o != nil && !o.deleted || o == nil && t.reads[at].found {
		return store.ErrExists
	} else if o != nil {
		*o = op{t: of, row: r, was: o.was}
		return nil
	}
	t.ops[at] = &op{t: of, row: r, fresh: true}
	t.claim(of, r)
	return nil
}

// look reads the row with the key of r, and those with its unique values, unless they are
// those of old. It returns store.ErrExists where such a value is another row's.
func (t *change) look(of *table, r rows.Row, old []rows.Value) error {
	var queries []query
	var found []rows.Row
	keep := func(from pgx.CollectableRow) error {
		w, err := of.scan(from)
		found = append(found, w)
		return err
	}
	at := placeOf(of.Name, r.Key)
	home := r.Home
	if t.wide {
		home = nil
	}
	known := t.knows(of.Name, home, r.Key)
	if !known && t.ops[at] == nil {
		text, args := of.find(home, r.Key)
		queries = append(queries, query{text, args, keep})
	}
	for i, c := range of.Columns {
		if !c.Unique || of.Name == cardsTable || r.Looks[i] == nil || old != nil && rows.Same(old[i], r.Looks[i]) {
			continue
		}
		for _, o := range t.opsOf(of) {
			if !o.deleted && !bytes.Equal(o.row.Key, r.Key) && rows.Same(o.row.Looks[i], r.Looks[i]) {
				return store.ErrExists
			}
		}
		text, args := of.list(rows.Query{Home: r.Home, Column: c.Name, From: r.Looks[i], To: r.Looks[i]}, 1)
		queries = append(queries, query{text, args, keep})
	}
	if len(queries) == 0 {
		return nil
	}
	if err := t.ask(queries...); err != nil {
		return err
	}
	if !known {
		t.note(of.Name, home, r.Key, read{})
	}
	for _, w := range found {
		there := placeOf(of.Name, w.Key)
		if t.ops[there] == nil {
			t.reads[there] = read{w, true}
		}
	}
	for _, w := range found { // another row of the same value, which this transaction leaves as it is
		if there := placeOf(of.Name, w.Key); there != at && t.ops[there] == nil {
			return store.ErrExists
		}
	}
	return nil
}

// Update compares with what was read, and has the database compare again.
func (t *change) Update(table *rows.Table, r rows.Row, was uint64) error {
	if r.Rev > math.MaxInt64 || was > math.MaxInt64 {
		return fmt.Errorf("store: rev %d is out of range", r.Rev)
	}
	of := t.s.tables[table.Name]
	there, err := t.Get(table, nil, r.Key)
	if errors.Is(err, store.ErrNotFound) || err == nil && there.Rev != was {
		return store.ErrConflict
	}
	if err != nil {
		return err
	}
	r.Home = there.Home // a row stays where it is
	if err := t.look(of, r, there.Looks); err != nil {
		return err
	}
	at := placeOf(of.Name, r.Key)
	if o := t.ops[at]; o != nil {
		o.row = r
	} else {
		t.ops[at] = &op{t: of, row: r, was: was, number: len(t.ops)}
	}
	t.claim(of, r)
	return nil
}

// Delete deletes one row with all else at the end, and many at once.
func (t *change) Delete(table *rows.Table, q rows.Query) (int64, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	of := t.s.tables[table.Name]
	if q.Column == "" && rows.Same(q.From, q.To) {
		return t.deleteOne(of, q.Home, q.From.([]byte))
	}
	where, args := whereOf(q)
	if where == "" {
		return 0, errAll
	}
	if err := t.now(); err != nil {
		return 0, err
	}
	n, err := t.exec("DELETE FROM "+of.Name+where, args...)
	if err == nil && of.Name == ticksTable && q.Column == "at" {
		_, err = t.exec("DELETE FROM rations"+where, args...)
	}
	t.forget(of)
	return n, err
}

func (t *change) deleteOne(of *table, home, key []byte) (int64, error) {
	there, err := t.Get(&of.Table, home, key)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	at := placeOf(of.Name, key)
	switch o := t.ops[at]; {
	case o != nil && o.fresh:
		delete(t.ops, at)
	case o != nil:
		o.deleted = true
	default:
		t.ops[at] = &op{t: of, row: there, deleted: true, was: there.Rev}
	}
	for _, child := range of.children { // the database deletes it with its parent
		below := placeOf(child.Name, key)
		delete(t.ops, below)
		t.reads[below] = read{}
	}
	return 1, nil
}

// forget drops what was read of a table that was changed at once.
func (t *change) forget(of *table) {
	for at := range t.reads {
		if at.table == of.Name || slices.ContainsFunc(of.children, func(c *table) bool { return c.Name == at.table }) {
			delete(t.reads, at)
		}
	}
}

func (t *change) AppendEntry(r audit.Recorded) error {
	if err := t.usable(); err != nil {
		return err
	}
	t.entries, t.entry = append(t.entries, r), &r
	return nil
}

func (t *change) SaveKeepersSeen(seen map[string]uint64) error {
	if err := t.usable(); err != nil {
		return err
	}
	t.seen = append(t.seen, seen)
	return nil
}

func (t *change) KeepersSeen() (map[string]uint64, error) {
	seen, err := t.snapshot.KeepersSeen()
	for _, ours := range t.seen {
		for keeper, n := range ours {
			seen[keeper] = max(seen[keeper], n)
		}
	}
	return seen, err
}

// exec runs a statement at once. An error ends the transaction.
func (t *change) exec(text string, args ...any) (int64, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(t.ctx, 10*t.s.cfg.Timeout) // many rows at once
	defer cancel()
	var tag pgconn.CommandTag
	tag, err := t.conn.Exec(ctx, text, args...)
	if err != nil {
		return 0, t.breaks(err)
	}
	return tag.RowsAffected(), nil
}

// text of a place, for the locks of this process.
func (p place) String() string { return strings.Join([]string{p.table, p.key}, "/") }
