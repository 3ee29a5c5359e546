package bench

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

// columnsOf are the columns of a table that rows define, and the key.
func columnsOf(table string) ([]string, error) {
	for _, t := range rows.Tables() {
		if t.Name != table {
			continue
		}
		out := []string{"key"}
		for _, c := range t.Columns {
			out = append(out, c.Name)
		}
		return append(out, "rev", "body", "seal_key", "seal"), nil
	}
	return nil, fmt.Errorf("bench: there is no table %s", table)
}

func valuesOf(into []any, r rows.Row) []any {
	into = append(into, r.Key)
	for _, v := range r.Looks {
		into = append(into, any(v))
	}
	return append(into, int64(r.Rev), r.Body, int64(r.Seal.Key), r.Seal.MAC[:])
}

// file writes rows into the SQLite file of a database that nobody has open, through a
// connection with the settings of the store's own: one sync a transaction.
type file struct {
	lease *sqlitefile.File
	conn  driver.Conn
	stmts map[string]driver.Stmt
}

// together is how many rows one statement inserts.
const together = 50

func openFile(path string) (_ *file, err error) {
	f := &file{stmts: map[string]driver.Stmt{}}
	if f.lease, err = sqlitefile.Take(path); err != nil {
		return nil, err
	}
	f.conn, err = sqlitefile.Connect(f.lease.Path(), sqlitefile.Settings{CacheKiB: 32 << 10, CheckpointPages: 16384})
	if err != nil {
		return nil, errors.Join(err, f.lease.Release())
	}
	return f, nil
}

func (f *file) close(context.Context) error {
	var errs []error
	for _, s := range f.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, f.conn.Close(), f.lease.Release())...)
}

func (f *file) exec(query string, args ...any) error {
	s, ok := f.stmts[query]
	if !ok {
		var err error
		if s, err = f.conn.Prepare(query); err != nil {
			return err
		}
		f.stmts[query] = s
	}
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	_, err := s.(driver.StmtExecContext).ExecContext(context.Background(), named)
	return err
}

// write implements target. A crash before COMMIT leaves none of the rows, after it all.
func (f *file) write(_ context.Context, table string, part []rows.Row) error {
	columns, err := columnsOf(table)
	if err != nil {
		return err
	}
	if err := f.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	one := "(?" + strings.Repeat(",?", len(columns)-1) + ")"
	args := make([]any, 0, together*len(columns))
	for some := range slices.Chunk(part, together) {
		args = args[:0]
		for _, r := range some {
			args = valuesOf(args, r)
		}
		text := "INSERT INTO " + table + " (" + strings.Join(columns, ",") + ") VALUES " + one + strings.Repeat(","+one, len(some)-1)
		if err := f.exec(text, args...); err != nil {
			return errors.Join(fmt.Errorf("bench: write %s: %w", table, err), f.exec("ROLLBACK"))
		}
	}
	return f.exec("COMMIT")
}

func (f *file) last(_ context.Context, table string) (key []byte, err error) {
	s, err := f.conn.Prepare("SELECT key FROM " + table + " ORDER BY key DESC LIMIT 1")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	found, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	value := make([]driver.Value, 1)
	switch err := found.Next(value); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	b, ok := value[0].([]byte)
	if !ok {
		return nil, fmt.Errorf("bench: a key of %s is no bytes", table)
	}
	return bytes.Clone(b), nil
}

// copied writes rows into a PostgreSQL server, by COPY.
type copied struct{ conn *pgx.Conn }

func openCopied(ctx context.Context, dsn string) (copied, error) {
	conn, err := pgx.Connect(ctx, dsn)
	return copied{conn}, err
}

func (c copied) close(ctx context.Context) error { return c.conn.Close(ctx) }

// write implements target: COPY is one statement, and a transaction by itself.
func (c copied) write(ctx context.Context, table string, part []rows.Row) error {
	columns, err := columnsOf(table)
	if err != nil {
		return err
	}
	_, err = c.conn.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(len(part), func(i int) ([]any, error) {
		return valuesOf(make([]any, 0, len(columns)), part[i]), nil
	}))
	if err != nil {
		return fmt.Errorf("bench: copy %s: %w", table, err)
	}
	return nil
}

func (c copied) last(ctx context.Context, table string) (key []byte, err error) {
	err = c.conn.QueryRow(ctx, "SELECT key FROM "+table+" ORDER BY key DESC LIMIT 1").Scan(&key)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return key, err
}
