package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/diskfile"
)

// Snapshot writes the state of the database at from, at one moment, to a new
// file that only its owner can read. Another process may write meanwhile: it
// does not have to wait, but its log grows until the snapshot is done. Snapshot
// ends early when ctx does. It removes a file that it could not complete. A
// crash leaves a partial file, which SQLite's own check refuses, and which no
// later Snapshot replaces.
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
	// The connection is not marked read-only, because SQLite then refuses
	// VACUUM INTO; but VACUUM INTO changes nothing in the database that it
	// reads.
	db := Pool(from, Settings{CacheKiB: 8 << 10}, 1)
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	return errors.Join(f.Sync(), diskfile.SyncDir(filepath.Dir(to)))
}
