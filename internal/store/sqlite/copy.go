package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	return view(ctx, c.conn, c.codec, f)
}

// Close closes the copy.
func (c *Copy) Close() error { return c.conn.close() }

// Backup writes a consistent copy to a new file, readable by its owner only,
// while the store goes on working. A crash here leaves a partial file, which
// the next Backup to the same path refuses to overwrite.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	if err := s.usable(ctx); err != nil {
		return err
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(fmt.Errorf("backup: %w", err), os.Remove(path))
		}
	}()
	c, err := openConn(s.file.Path(), sqlitefile.Settings{CacheKiB: 8 << 10})
	if err != nil {
		return err
	}
	_, err = c.exec("VACUUM INTO ?", path)
	if err = errors.Join(err, c.close()); err != nil {
		return err
	}
	return errors.Join(f.Sync(), sqlitefile.SyncDir(filepath.Dir(path)))
}
