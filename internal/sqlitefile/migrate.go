package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// Schema describes the tables that a package keeps in its file.
type Schema struct {
	// Application is in the header of each of the package's files; the first migration
	// writes it (PRAGMA application_id).
	Application int64
	Migrations  fs.FS // in goose's format, at the root
}

// Migrate brings the schema up to date. It refuses a database of another program
// (ErrForeign), and one of a later release (ErrTooNew). It runs before any other
// connection is opened. A crash here leaves each migration done or not done: each is
// one transaction.
func (f *File) Migrate(ctx context.Context, s Schema) (err error) {
	db := Pool(f.path, Settings{CacheKiB: 8 << 10}, 1)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := s.checkOwner(ctx, db); err != nil {
		return err
	}
	if done, err := s.applied(ctx, db); err != nil || done {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, s.Migrations, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("%w: schema %d, this program knows %d", ErrTooNew, current, target)
	}
	_, err = p.Up(ctx)
	return err
}

// applied reports whether the file has exactly the program's migrations. This is so at
// nearly every start, and then goose, which reads a lot, need not be called.
func (s Schema) applied(ctx context.Context, db *sql.DB) (_ bool, err error) {
	want, err := s.versions()
	if err != nil {
		return false, err
	}
	var there int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = ?", goose.DefaultTablename).Scan(&there); err != nil || there == 0 {
		return false, err
	}
	rows, err := db.QueryContext(ctx, "SELECT version_id, is_applied FROM "+goose.DefaultTablename)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var version int64
		var is bool
		if err := rows.Scan(&version, &is); err != nil {
			return false, err
		}
		if version == 0 { // goose's own row
			continue
		}
		if !is || !want[version] {
			return false, nil
		}
		delete(want, version)
	}
	return len(want) == 0, rows.Err()
}

// versions returns the versions of the migrations that the program knows.
func (s Schema) versions() (map[int64]bool, error) {
	names, err := fs.Glob(s.Migrations, "*.sql")
	if err != nil {
		return nil, err
	}
	known := make(map[int64]bool, len(names))
	for _, name := range names {
		n, err := goose.NumericComponent(name)
		if err != nil {
			return nil, err
		}
		known[n] = true
	}
	return known, nil
}

// checkOwner refuses a database of another program.
func (s Schema) checkOwner(ctx context.Context, db *sql.DB) error {
	var id, tables int64
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'").Scan(&tables); err != nil {
		return err
	}
	if id != s.Application && (id != 0 || tables > 0) {
		return ErrForeign
	}
	return nil
}
