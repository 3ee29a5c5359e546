package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/diskfile"
)

// Snapshot writes the state of the database at from, as of one moment, to a new
// file, readable by its owner only. Another process may be writing meanwhile: it
// is not held up, but its log grows until the snapshot is done. It ends early
// when ctx does. What it could not complete it removes; a crash leaves a partial
// file, which SQLite's own check refuses, and which no later Snapshot replaces.
func Snapshot(ctx context.Context, from, to string) (err error) {
	if _, err := os.Stat(from); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	to, err = filepath.Abs(to)
	if err != nil {
		return err
	}
	if from, err = filepath.Abs(from); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(fmt.Errorf("snapshot: %w", err), os.Remove(to))
		}
	}()
	// Read only in effect: VACUUM INTO changes nothing in the database that it
	// reads, but SQLite refuses it to a connection that is read-only by name.
	db := Pool(from, Settings{CacheKiB: 8 << 10}, 1)
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	return errors.Join(f.Sync(), diskfile.SyncDir(filepath.Dir(to)))
}
