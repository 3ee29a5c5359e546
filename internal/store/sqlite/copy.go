package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

// Copy reads a copy of the database: a backup, or files that a thief took. It
// needs no lease and changes no row. Not safe for concurrent use.
type Copy struct {
	conn  *conn
	codec *rows.Codec
}

// OpenCopy opens the file at path for reading. If path-wal was copied with it,
// its contents are read as well; for that the directory must be writable. Of the
// Config it takes Seal and Alarm.
func OpenCopy(path string, cfg Config) (*Copy, error) {
	codec, err := rows.NewCodec(cfg.Seal, cfg.Alarm, nil)
	if err != nil {
		return nil, fmt.Errorf("open copy: %w", err)
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	c, err := openConn(path, sqlitefile.Settings{ReadOnly: true, CacheKiB: 8 << 10})
	if err != nil {
		return nil, fmt.Errorf("open copy: %w", err)
	}
	id, err := c.number("PRAGMA application_id")
	if err == nil && id != applicationID {
		err = ErrForeign
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open copy: %w", err), c.close())
	}
	return &Copy{conn: c, codec: codec}, nil
}

// View runs f on one snapshot, as store.Store does.
func (c *Copy) View(ctx context.Context, f func(store.Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return view(ctx, c.conn, c.codec, nil, f)
}

// Close closes the copy.
func (c *Copy) Close() error { return c.conn.close() }

// Examine checks the seals of all rows in one snapshot. The copy must be of the
// newest schema.
func (c *Copy) Examine(ctx context.Context) (found []rows.Examined, err error) {
	err = c.View(ctx, func(r store.Reader) error {
		found, err = r.(*rows.Reader).Examine()
		return err
	})
	return found, err
}

// Page lists rows of a table as they are, in the order of the columns of its key, after
// the values of those; nil is the beginning.
func (c *Copy) Page(table string, columns, key []string, after []any, limit int) (page [][]any, err error) {
	text, args := "SELECT "+strings.Join(columns, ", ")+" FROM "+table, []driver.Value{}
	if after != nil {
		text += " WHERE (" + strings.Join(key, ", ") + ") > (?" + strings.Repeat(", ?", len(key)-1) + ")"
		for _, v := range after {
			args = append(args, v)
		}
	}
	args = append(args, int64(limit))
	err = c.conn.query(func(r *row) error {
		values := make([]any, len(r.vals))
		for i, v := range r.vals {
			if b, ok := v.([]byte); ok && b == nil {
				v = []byte{} // empty, not NULL
			}
			values[i] = v
		}
		r.next = len(r.vals)
		page = append(page, values)
		return nil
	}, text+" ORDER BY "+strings.Join(key, ", ")+" LIMIT ?", args...)
	return page, err
}

// CountRows counts the rows of a table.
func (c *Copy) CountRows(table string) (int64, error) {
	return c.conn.number("SELECT count(*) FROM " + table)
}

// Sound has SQLite check the structure of the file, which seals do not cover:
// indexes that lead nowhere, and pages that are damaged.
func (c *Copy) Sound() error {
	var said string
	if err := c.conn.query(func(r *row) error { said = r.text(); return nil }, "PRAGMA quick_check(1)"); err != nil {
		return fmt.Errorf("examine copy: %w", err)
	}
	if said != "ok" {
		return ErrDamaged
	}
	return nil
}

// Schema is the number of the copy's schema. ErrTooNew: a later release wrote it.
func (c *Copy) Schema() (int64, error) {
	n, err := c.conn.number("SELECT max(version_id) FROM goose_db_version WHERE is_applied")
	if err != nil {
		return 0, fmt.Errorf("examine copy: %w", err)
	}
	if n > Newest() {
		return n, fmt.Errorf("%w: schema %d, this program knows %d", ErrTooNew, n, Newest())
	}
	return n, nil
}

// Newest is the schema that Open brings a database up to.
func Newest() (newest int64) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return 0 // the files are part of the program
	}
	for _, f := range files {
		number, _, _ := strings.Cut(f.Name(), "_")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}

// Size is the size of the file and of its log.
func (s *Store) Size() (n int64) {
	for _, name := range []string{s.file.Path(), s.file.Path() + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			n += info.Size()
		}
	}
	return n
}

// Backup writes a consistent copy to a new file, readable by its owner only,
// while the store goes on working: sqlitefile.Snapshot.
func (s *Store) Backup(ctx context.Context, path string) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if err := sqlitefile.Snapshot(ctx, s.file.Path(), path); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}
