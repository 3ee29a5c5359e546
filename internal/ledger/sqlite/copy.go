package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
)

// ErrForeign means that a file is a database, but no ledger.
var ErrForeign = errors.New("ledger file: a database of something else")

// Copy reads a ledger that another process may be working with, or a backup of
// one. It needs no lease and changes no row.
type Copy struct{ db *sql.DB }

// OpenCopy opens the ledger at path for reading.
func OpenCopy(ctx context.Context, path string) (*Copy, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger file: %w", err)
	}
	c := &Copy{sqlitefile.Pool(path, sqlitefile.Settings{ReadOnly: true, CacheKiB: 8 << 10}, 1)}
	var id int64
	err = c.db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id)
	if err == nil && id != applicationID {
		err = ErrForeign
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ledger file: %w", err), c.Close())
	}
	return c, nil
}

// Sequence returns how many batches that changed a row the ledger has written.
func (c *Copy) Sequence(ctx context.Context) (n uint64, err error) {
	if err := c.db.QueryRowContext(ctx, "SELECT sequence FROM meta").Scan(&n); err != nil {
		return 0, fmt.Errorf("ledger file: %w", err)
	}
	return n, nil
}

// Scan visits every row in the order of cards.
func (c *Copy) Scan(ctx context.Context, visit func(ledger.Row) error) error {
	return scan(ctx, c.db, liuma.CardID{}, visit)
}

// Close closes the copy.
func (c *Copy) Close() error { return c.db.Close() }
