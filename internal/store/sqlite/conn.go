package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

// conn is one SQLite connection with its prepared statements. It sits on the
// driver itself, not on database/sql: connections here are never shared,
// replaced or returned to a pool in the middle of a transaction, and each
// statement is prepared once. Used by one goroutine at a time.
type conn struct {
	raw   driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue // reused by bind
	// texts are the statements that name a table, by its name: they would be put together
	// for each row.
	texts map[string]*texts
}

// texts are the statements of one table, and how its rows are read.
type texts struct {
	get, insert string
	// update leaves the look-ups as they are, and changes nothing where they are not as in
	// the row; updateAll sets them.
	update, updateAll string
	scan              func(*row) rows.Row
}

func openConn(path string, s sqlitefile.Settings) (*conn, error) {
	raw, err := sqlitefile.Connect(path, s)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw, stmts: map[string]driver.Stmt{}, texts: map[string]*texts{}}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	clear(c.stmts)
	return errors.Join(append(errs, c.raw.Close())...)
}

func (c *conn) prepare(query string) (driver.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.raw.Prepare(query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s
	return s, nil
}

// of returns the statements of a table.
func (c *conn) of(t *rows.Table) *texts {
	if known, ok := c.texts[t.Name]; ok {
		return known
	}
	set, where := "", ""
	for _, column := range t.Columns {
		set += column.Name + " = ?, "
		where += " AND +" + column.Name + " IS ?" // +: else SQLite would go by the look-up's index
	}
	const sealed, found = "rev = ?, body = ?, seal_key = ?, seal = ?", " WHERE key = ? AND rev = ?"
	made := &texts{
		get:       "SELECT " + columnsOf(t) + " FROM " + t.Name + " WHERE key = ?",
		insert:    "INSERT INTO " + t.Name + " (" + columnsOf(t) + ") VALUES (?" + strings.Repeat(", ?", len(t.Columns)+4) + ")",
		update:    "UPDATE " + t.Name + " SET " + sealed + found + where,
		updateAll: "UPDATE " + t.Name + " SET " + set + sealed + found,
		scan:      scanOf(t),
	}
	c.texts[t.Name] = made
	return made
}

// version changes with each commit to the file: of this connection at once, of another one
// when the next transaction begins. A checkpoint may change it too.
func (c *conn) version() (uint32, error) {
	return c.raw.(sqlite.FileControl).FileControlDataVersion("main")
}

func (c *conn) bind(args []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

// exec runs a statement and returns how many rows it changed. No context is
// passed down: the driver would start a goroutine for each, and a statement
// interrupted halfway would take its whole batch with it.
func (c *conn) exec(query string, args ...driver.Value) (int64, error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	res, err := s.(driver.StmtExecContext).ExecContext(context.Background(), c.bind(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query calls visit for every row. visit must not use the connection.
func (c *conn) query(visit func(*row) error, query string, args ...driver.Value) (err error) {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), c.bind(args))
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	r := row{vals: make([]driver.Value, len(rows.Columns()))}
	for {
		switch err := rows.Next(r.vals); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		r.next = 0
		if err := visit(&r); err != nil {
			return err
		}
		if err := r.end(); err != nil {
			return err
		}
	}
}

// number reads the single integer that a query returns.
func (c *conn) number(query string, args ...driver.Value) (n int64, err error) {
	err = c.query(func(r *row) error { n = r.int(); return nil }, query, args...)
	return n, err
}

// isConstraint reports a violated rule of the schema.
func isConstraint(err error, codes ...int) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	for _, c := range codes {
		if e.Code() == c {
			return true
		}
	}
	return false
}

func isDuplicate(err error) bool {
	return isConstraint(err, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE,
		sqlite3.SQLITE_CONSTRAINT_ROWID)
}

func isOrphan(err error) bool { return isConstraint(err, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY) }

func isTrigger(err error) bool { return isConstraint(err, sqlite3.SQLITE_CONSTRAINT_TRIGGER) }

// row returns the columns of one row in order. A value of the wrong type is an
// error of the database, kept until end.
type row struct {
	vals []driver.Value
	next int
	err  error
}

func (r *row) take() driver.Value {
	if r.next >= len(r.vals) {
		r.fail("has too few columns")
		return nil
	}
	v := r.vals[r.next]
	r.next++
	return v
}

func (r *row) fail(what string) {
	if r.err == nil {
		// The value is not shown: it may be personal.
		r.err = errors.New("sqlite: column " + strconv.Itoa(r.next) + " " + what)
	}
}

func (r *row) end() error {
	if r.err == nil && r.next != len(r.vals) {
		r.fail("is not the last one")
	}
	return r.err
}

func (r *row) int() int64 {
	switch v := r.take().(type) {
	case int64:
		return v
	}
	r.fail("is not an integer")
	return 0
}

func (r *row) bool() bool { return r.int() != 0 }

func (r *row) text() string {
	switch v := r.take().(type) {
	case string:
		return v
	}
	r.fail("is not text")
	return ""
}

// bytes returns nil for NULL. The caller may keep the slice, because the driver
// copies.
func (r *row) bytes() []byte {
	switch v := r.take().(type) {
	case nil:
		return nil
	case []byte:
		return v
	}
	r.fail("is not a blob")
	return nil
}

// fixed fills dst; NULL leaves it zero.
func (r *row) fixed(dst []byte) {
	b := r.bytes()
	if b == nil {
		return
	}
	if copy(dst, b) != len(b) || len(b) != len(dst) {
		r.fail("has the wrong length")
	}
}

func (r *row) time() time.Time {
	switch v := r.take().(type) {
	case nil:
		return time.Time{}
	case int64:
		return time.UnixMilli(v).UTC()
	}
	r.fail("is not a time")
	return time.Time{}
}

func fixed(b []byte) driver.Value {
	for _, c := range b {
		if c != 0 {
			return b
		}
	}
	return nil
}
