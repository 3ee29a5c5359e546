package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// Schema describes the tables that a room keeps in its file.
type Schema struct {
	// Application stands in the header of every file of the room; the first
	// migration writes it (PRAGMA application_id).
	Application int64
	Migrations  fs.FS // in goose's format, at the root
}

// Migrate brings the schema up to date. It refuses a database of another
// program (ErrForeign), and one of a later release (ErrTooNew). It runs before
// any other connection is opened. A crash here leaves whole migrations done or
// not done: each is one transaction.
func (f *File) Migrate(ctx context.Context, s Schema) (err error) {
	db := Pool(f.path, Settings{CacheKiB: 8 << 10}, 1)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := s.checkOwner(ctx, db); err != nil {
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
