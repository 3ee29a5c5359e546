package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// errEnded is returned by a Reader or Tx that is used after its function.
var errEnded = errors.New("store: transaction has ended")

// reader implements store.Reader on a connection with an open transaction.
type reader struct {
	conn   *conn // nil once the transaction has ended
	ctx    context.Context
	broken error // first error of the database itself; the transaction is lost
}

var _ store.Reader = (*reader)(nil)

// each calls visit for every row of a query.
func (r *reader) each(visit func(*row) error, query string, args ...driver.Value) error {
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
func (r *reader) breaks(err error) error {
	if r.broken == nil {
		r.broken = err
	}
	return told(err)
}

// usable refuses a statement after the transaction has ended, or has broken:
// after some errors SQLite has rolled it back by itself, and a statement that
// came after would stand alone, committed at once and without an audit entry.
func (r *reader) usable() error {
	if r.conn == nil {
		return errEnded
	}
	if r.broken != nil {
		return told(r.broken)
	}
	return nil
}

// one reads the single row that a query returns, or ErrNotFound.
func one[T any](r *reader, scan func(*row) T, query string, args ...driver.Value) (T, error) {
	var v T
	found := false
	err := r.each(func(row *row) error {
		v, found = scan(row), true
		return nil
	}, query, args...)
	switch {
	case err != nil:
		var zero T
		return zero, err
	case !found:
		return v, store.ErrNotFound
	}
	return v, nil
}

// list reads all rows that a query returns.
func list[T any](r *reader, scan func(*row) T, query string, args ...driver.Value) ([]T, error) {
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

// count reads one number.
func (r *reader) count(query string, args ...driver.Value) (int64, error) {
	return one(r, (*row).int, query, args...)
}

// atMost binds a limit; SQLite would take a negative one for no limit.
func atMost(limit int) driver.Value { return int64(max(0, limit)) }

// tx implements store.Tx on the writer's connection.
type tx struct {
	reader
	wrote    bool                    // a row was changed
	destroys bool                    // a seal key was deleted
	rose     map[liuma.CardID]uint64 // revisions of the cards that were written
	clock    bool                    // the time was saved
}

var _ store.Tx = (*tx)(nil)

// write runs a statement and returns how many rows it changed. A violated rule
// of the schema undoes the statement alone, so its error is returned and the
// transaction may go on; every other error breaks the transaction.
func (t *tx) write(query string, args ...driver.Value) (int64, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	n, err := t.conn.exec(query, args...)
	switch {
	case err == nil:
		t.wrote = t.wrote || n > 0
		return n, nil
	case isDuplicate(err):
		return 0, store.ErrExists
	case isOrphan(err):
		return 0, store.ErrNotFound
	case isTrigger(err):
		return 0, store.ErrDecided // only requests_decided and digests_append can be fired by a Tx
	}
	return 0, t.breaks(err)
}

func (t *tx) insert(query string, args ...driver.Value) error {
	_, err := t.write(query, args...)
	return err
}

// change runs an UPDATE or DELETE of one row by its key.
func (t *tx) change(query string, args ...driver.Value) error {
	n, err := t.write(query, args...)
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return err
}
