package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Vacant refuses a database that does not answer, or that has a record. It changes
// nothing.
func Vacant(ctx context.Context, cfg Config) (err error) {
	c, err := parseDSN(cfg.DSN, cfg.Password)
	if err != nil {
		return err
	}
	limits(c.ConnConfig, "liuma init")
	conn, err := pgx.ConnectConfig(ctx, c.ConnConfig)
	if err != nil {
		return told(err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if err := suits(ctx, conn); err != nil {
		return err
	}
	if there, _, err := carryingIn(ctx, conn); err != nil || there {
		return errors.Join(told(err), ErrNotEmpty)
	}
	var there, written bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('audit') IS NOT NULL").Scan(&there); err != nil || !there {
		return told(err)
	}
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM audit) OR EXISTS (SELECT 1 FROM shared)").Scan(&written); err != nil {
		return told(err)
	}
	if written {
		return ErrNotEmpty
	}
	return nil
}

// breaking are the migrations that programs before them cannot work with; all others only
// add what those do not look at.
func breaking() []int64 { return []int64{2, 5} }

// migrate brings the schema up to date. It refuses a database with tables of another
// program (ErrForeign), and one of a later release, unless that says that this program can
// work with it (ErrTooNew). Where others work with the database, they go on: what the
// schema becomes is theirs, too, or ErrServed. A crash here leaves whole migrations done or
// not done: each is one transaction. The caller has the lock of the schema.
func (m *member) migrate(ctx context.Context, alone bool) (failed error) {
	c := m.dsn.Copy()
	limits(c, "liuma migration")
	db := stdlib.OpenDB(*c)
	defer func() { failed = errors.Join(failed, db.Close()) }()
	var versions, ours, others int // a crash may have left the first alone
	if err := db.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE c.relname = 'goose_db_version'),
		count(*) FILTER (WHERE c.relname IN ('lease', 'authorities')), count(*) FILTER (WHERE c.relname NOT IN ('goose_db_version', 'lease', 'authorities'))
		FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f')`).Scan(&versions, &ours, &others); err != nil {
		return told(err)
	}
	if others > 0 && versions+ours < 2 {
		return ErrForeign
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("store: migrate: %w", err)
	case current > target:
		return m.serves(ctx, current, target)
	case current == target:
		return nil
	}
	if !alone {
		others, err := m.goAlong(ctx, current)
		if err != nil {
			return err
		}
		defer func() { failed = errors.Join(failed, others(ctx)) }()
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	return nil
}

// goAlong refuses migrations that those who work with the database cannot go along with, and
// keeps others out while such migrations run: until the function that it returns is called.
func (m *member) goAlong(ctx context.Context, current int64) (others func(context.Context) error, err error) {
	if !slices.ContainsFunc(breaking(), func(n int64) bool { return n > current }) {
		return func(context.Context) error { return nil }, nil
	}
	// This process's own shared lock does not keep it out.
	got, err := tryLock(ctx, m.conn, false, lockClass, lockDatabase)
	switch {
	case err != nil:
		return nil, err
	case !got:
		return nil, fmt.Errorf("%w (%w)", ErrServed, m.whoElse(ctx))
	}
	return func(ctx context.Context) error {
		_, err := m.conn.Exec(ctx, "SELECT pg_advisory_unlock($1, $2)", int32(lockClass), int32(lockDatabase))
		return told(err)
	}, nil
}

// serves reports whether a schema that a later release made is one that this program can
// work with. The later release says so, of the very schema that is there.
func (m *member) serves(ctx context.Context, current, target int64) error {
	var schema, from int64
	if err := m.conn.QueryRow(ctx, "SELECT schema, serves_from FROM serving").Scan(&schema, &from); err != nil {
		return errors.Join(fmt.Errorf("%w: schema %d, this program knows %d", ErrTooNew, current, target), told(err))
	}
	if schema != current || from > target {
		return fmt.Errorf("%w: schema %d, this program knows %d", ErrTooNew, current, target)
	}
	m.later = true
	return nil
}
