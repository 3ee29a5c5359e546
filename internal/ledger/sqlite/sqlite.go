// Package sqlite keeps a ledger in one SQLite file. It keeps the promises of
// ledger.Backend: Apply is atomic, and durable when it returns (WAL with
// synchronous=FULL: one sync for each transaction); and one process at a time
// has the file (package sqlitefile). It trusts the file system to honour a
// sync, and everyone who can write in the directory.
//
// Start here: Open, then the writer in writer.go.
package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// Config tunes a backend. The zero Config is good for up to a few million
// cards.
type Config struct {
	// CachePages is how many pages of 4 KiB the writer keeps in memory.
	// 16384 (64 MiB) when zero.
	CachePages int
	// CheckpointPages is how many pages the write-ahead log grows by before it is
	// copied into the database. A higher number costs less, because a page that
	// many batches changed is copied once, but a crash leaves a longer log to
	// read. 16384 (64 MiB) when zero.
	CheckpointPages int
	// Make says what Open does if there is no ledger; by default it makes one.
	Make Make
}

// Make says what Open does if there is no ledger, or only a file that a crash
// left before the ledger was complete.
type Make int

// The ways to open a ledger.
const (
	MakeNew      Make = iota // make one
	MakeNone                 // return ledger.ErrMissing: a keeper that has served must have a ledger
	MakeRepaired             // make one that serves nobody until its repair has ended
)

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
	writing *sql.DB          // one connection
	reading *sql.DB          // for Scan, which must not hold up Apply

	mu     sync.Mutex // one user of the writer's connection at a time
	conn   *writer    // guarded by mu
	closed bool       // guarded by mu
}

var _ ledger.Backend = (*Backend)(nil)

// Open opens or creates the ledger at path and takes its lease; it returns
// ledger.ErrLeased when another process has it. Only the owner can read and
// write the files.
func Open(ctx context.Context, path string, cfg Config) (_ *Backend, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.Make == MakeNone {
		// Checked before the lease is taken, because that would create a file.
		if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			return nil, fmt.Errorf("%w: no %s", ledger.ErrMissing, filepath.Base(path))
		}
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
	if err := makeMeta(ctx, b.writing, cfg.Make); err != nil {
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

// makeMeta makes sure that there is a meta row. A new ledger gets its own
// incarnation and, if it is made for a repair, is marked as being repaired from
// the start. A crash before that leaves tables without a meta row, which do not
// count as a ledger.
func makeMeta(ctx context.Context, db *sql.DB, how Make) error {
	if how == MakeNone {
		var n int
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM meta`).Scan(&n); err != nil {
			return fmt.Errorf("ledger meta: %w", err)
		}
		if n == 0 {
			return fmt.Errorf("%w: it is empty", ledger.ErrMissing)
		}
		return nil
	}
	var incarnation [16]byte
	rand.Read(incarnation[:]) // never fails since Go 1.24
	_, err := db.ExecContext(ctx,
		`INSERT INTO meta (id, incarnation, sequence, clock, boot, boot_id, repairing) VALUES (1, ?, 0, 0, 0, '', ?) ON CONFLICT DO NOTHING`,
		incarnation[:], how == MakeRepaired)
	if err != nil {
		return fmt.Errorf("ledger meta: %w", err)
	}
	return nil
}

// Examine looks at the whole file and returns an error if it is damaged. It
// takes as long as reading the file does.
func (b *Backend) Examine(ctx context.Context) error {
	var found string
	if err := b.reading.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&found); err != nil {
		return fmt.Errorf("examine ledger: %w", err)
	}
	if found != "ok" {
		return fmt.Errorf("examine ledger: %s", found)
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
	// Last, so that no other process opens the file while it is still written to.
	return errors.Join(append(errs, b.file.Release())...)
}

// use runs a function with the writer's connection.
func (b *Backend) use(f func(*writer) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ledger.ErrClosed
	}
	return f(b.conn)
}

// Load implements ledger.Backend. It reads on the writer's connection, which
// keeps its pages in memory; a reader loses its pages at every write.
func (b *Backend) Load(ctx context.Context, cards []liuma.CardID) (rows []ledger.Row, err error) {
	err = b.use(func(w *writer) error {
		rows, err = w.load(ctx, cards)
		return err
	})
	return rows, err
}

// Apply implements ledger.Backend. It checks that the file is still in its
// place: if the file was moved away, its new guesses would be missing at the
// next start.
func (b *Backend) Apply(ctx context.Context, rows []ledger.Row, meta ledger.Meta) error {
	return b.use(func(w *writer) error {
		if err := w.apply(ctx, rows, meta); err != nil {
			return err
		}
		return b.file.Check()
	})
}

// Tagged implements ledger.Backend. It reads on the writer's connection.
func (b *Backend) Tagged(ctx context.Context, tag ledger.Tag) (cards []liuma.CardID, err error) {
	err = b.use(func(w *writer) error {
		cards, err = w.tagged(ctx, tag)
		return err
	})
	return cards, err
}

// Meta implements ledger.Backend.
func (b *Backend) Meta(ctx context.Context) (meta ledger.Meta, err error) {
	err = b.use(func(w *writer) error {
		meta, err = w.meta(ctx)
		return err
	})
	return meta, err
}

// scanPage is how many rows Scan reads at a time. A long scan must not hold one
// snapshot, because the write-ahead log could not be reset meanwhile.
const scanPage = 512

// Scan implements ledger.Backend. A row that changes during the scan is
// returned as it was before or after the change.
func (b *Backend) Scan(ctx context.Context, after liuma.CardID, visit func(ledger.Row) error) error {
	return scan(ctx, b.reading, after, visit)
}

func scan(ctx context.Context, db *sql.DB, after liuma.CardID, visit func(ledger.Row) error) error {
	for {
		page, err := pageOf(ctx, db, after)
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

func pageOf(ctx context.Context, db *sql.DB, after liuma.CardID) ([]ledger.Row, error) {
	rows, err := db.QueryContext(ctx,
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
