package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

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

// migrate brings the schema up to date. It refuses a database with tables of another
// program (ErrForeign), and one of a later release (ErrTooNew). The caller holds the
// lease's lock. A crash here leaves whole migrations done or not done: each is one
// transaction.
func migrate(ctx context.Context, dsn *pgx.ConnConfig) (err error) {
	c := dsn.Copy()
	limits(c, "liuma migration")
	db := stdlib.OpenDB(*c)
	defer func() { err = errors.Join(err, db.Close()) }()
	var versions, leases, others int // a crash may have left the first alone
	if err := db.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE c.relname = 'goose_db_version'),
		count(*) FILTER (WHERE c.relname = 'lease'), count(*) FILTER (WHERE c.relname NOT IN ('goose_db_version', 'lease'))
		FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f')`).Scan(&versions, &leases, &others); err != nil {
		return told(err)
	}
	if others > 0 && versions+leases < 2 {
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
	if err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	if current > target {
		return fmt.Errorf("%w: schema %d, this program knows %d", ErrTooNew, current, target)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	return nil
}
