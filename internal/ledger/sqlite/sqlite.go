// Package sqlite keeps a ledger in one SQLite file. It guarantees what
// ledger.Backend asks for: Apply is atomic, and durable when it returns (WAL
// with synchronous=FULL: one sync a transaction), and one process at a time has
// the file (a lock on a file beside it, which the kernel drops when the process
// ends). It trusts the file system to honour a sync, and whoever can write in
// the directory.
//
// DESIGN section 4, "Ledger" and "Rollback and time", and section 8.
package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID stands in the header of every ledger's file.
const applicationID = 0x4C69754B // "LiuK": of a keeper

// Config tunes a backend. The zero Config is good for up to some million cards.
type Config struct {
	// CachePages is how many pages of 4 KiB the writer keeps in memory.
	// 16384 (64 MiB) when zero.
	CachePages int
	// CheckpointPages is how many pages the write-ahead log grows by before it
	// is copied into the database. Rarer is cheaper, because a page that many
	// batches changed is copied once, and makes the log longer to read after a
	// crash. 16384 (64 MiB) when zero.
	CheckpointPages int
}

func (c Config) withDefaults() (Config, error) {
	if c.CachePages < 0 || c.CheckpointPages < 0 {
		return c, errors.New("ledger file: negative number of pages")
	}
	if c.CachePages == 0 {
		c.CachePages = 16384
	}
	if c.CheckpointPages == 0 {
		c.CheckpointPages = 16384
	}
	return c, nil
}

// Backend implements ledger.Backend.
type Backend struct {
	file    *sqlitefile.File // holds the lease
	writing *sql.DB          // of one connection
	reading *sql.DB          // for Scan, which must not hold up Apply

	mu     sync.Mutex // one user of the writer's connection at a time
	conn   *writer    // mu
	closed bool       // mu
}

var _ ledger.Backend = (*Backend)(nil)

// Open opens or creates the ledger at path and takes its lease; it returns
// ledger.ErrLeased when somebody has it. Files are readable and writable for
// their owner alone.
func Open(ctx context.Context, path string, cfg Config) (_ *Backend, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Backend{}
	b.file, err = sqlitefile.Take(path)
	switch {
	case errors.Is(err, sqlitefile.ErrInUse):
		return nil, ledger.ErrLeased
	case err != nil:
		return nil, fmt.Errorf("ledger file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("ledger migrations: %w", err)
	}
	if err := b.file.Migrate(ctx, sqlitefile.Schema{Application: applicationID, Migrations: dir}); err != nil {
		return nil, fmt.Errorf("ledger migrations: %w", err)
	}
	pages := sqlitefile.Settings{CacheKiB: 4 * cfg.CachePages, CheckpointPages: cfg.CheckpointPages}
	b.writing = sqlitefile.Pool(b.file.Path(), pages, 1)
	if err := makeMeta(ctx, b.writing); err != nil {
		return nil, err
	}
	if b.conn, err = newWriter(ctx, b.writing); err != nil {
		return nil, err
	}
	if err := b.file.Watch(); err != nil {
		return nil, fmt.Errorf("ledger file: %w", err)
	}
	b.reading = sqlitefile.Pool(b.file.Path(), sqlitefile.Settings{ReadOnly: true}, 2)
	return b, nil
}

// makeMeta makes sure that there is a meta row. A new ledger is an incarnation
// of its own.
func makeMeta(ctx context.Context, db *sql.DB) error {
	var incarnation [16]byte
	rand.Read(incarnation[:]) // never fails since Go 1.24
	_, err := db.ExecContext(ctx,
		`INSERT INTO meta (id, incarnation, sequence, clock) VALUES (1, ?, 0, 0) ON CONFLICT DO NOTHING`, incarnation[:])
	if err != nil {
		return fmt.Errorf("ledger meta: %w", err)
	}
	return nil
}

// Close closes the database and gives back the lease.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	var errs []error
	if b.reading != nil {
		errs = append(errs, b.reading.Close())
	}
	if b.conn != nil {
		errs = append(errs, b.conn.close())
	}
	if b.writing != nil {
		errs = append(errs, b.writing.Close())
	}
	// Last, so that nobody opens the file while it is still written to.
	return errors.Join(append(errs, b.file.Release())...)
}

// use lends the writer's connection.
func (b *Backend) use(f func(*writer) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ledger.ErrClosed
	}
	return f(b.conn)
}

// Load implements ledger.Backend. It reads on the writer's connection: that
// one keeps its pages in memory, while a reader's are void after every write.
func (b *Backend) Load(ctx context.Context, cards []liuma.CardID) (rows []ledger.Row, err error) {
	err = b.use(func(w *writer) error {
		rows, err = w.load(ctx, cards)
		return err
	})
	return rows, err
}

// Apply implements ledger.Backend. What was written to a file that is no longer
// in its place would be gone at the next start, and guesses with it.
func (b *Backend) Apply(ctx context.Context, rows []ledger.Row, meta ledger.Meta) error {
	return b.use(func(w *writer) error {
		if err := w.apply(ctx, rows, meta); err != nil {
			return err
		}
		return b.file.Check()
	})
}

// Meta implements ledger.Backend.
func (b *Backend) Meta(ctx context.Context) (meta ledger.Meta, err error) {
	err = b.use(func(w *writer) error {
		meta, err = w.meta(ctx)
		return err
	})
	return meta, err
}

// scanPage is how many rows Scan reads at a time: a long scan must not hold a
// snapshot, or the write-ahead log could not be started over.
const scanPage = 512

// Scan implements ledger.Backend. A row that changes while the scan runs is
// seen as it was or as it is.
func (b *Backend) Scan(ctx context.Context, after liuma.CardID, visit func(ledger.Row) error) error {
	for {
		page, err := b.page(ctx, after)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := visit(r); err != nil {
				return err
			}
		}
		if len(page) < scanPage {
			return nil
		}
		after = page[len(page)-1].Card
	}
}

func (b *Backend) page(ctx context.Context, after liuma.CardID) ([]ledger.Row, error) {
	rows, err := b.reading.QueryContext(ctx,
		`SELECT card, body FROM card WHERE card > ? ORDER BY card LIMIT `+strconv.Itoa(scanPage), after[:])
	if err != nil {
		return nil, fmt.Errorf("scan ledger: %w", err)
	}
	defer rows.Close()
	var page []ledger.Row
	for rows.Next() {
		var card, body sql.RawBytes
		if err := rows.Scan(&card, &body); err != nil {
			return nil, fmt.Errorf("scan ledger: %w", err)
		}
		r, err := ledger.ParseRow(liuma.CardID(card), body)
		if err != nil {
			return nil, err
		}
		page = append(page, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("scan ledger: %w", err)
	}
	return page, nil
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
