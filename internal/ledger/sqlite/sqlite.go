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
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

//go:embed migrations/*.sql
var migrations embed.FS

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
	lock    *os.File // holds the lease
	writing *sql.DB  // of one connection
	reading *sql.DB  // for Scan, which must not hold up Apply

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
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("ledger file: %w", err)
	}
	b := &Backend{}
	if b.lock, err = lease(path + ".lock"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	// A crash here leaves an empty file, which the next Open fills.
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	if b.writing, err = open(path, cfg, false); err != nil {
		return nil, err
	}
	b.writing.SetMaxOpenConns(1)
	if err := migrate(ctx, b.writing); err != nil {
		return nil, err
	}
	if b.conn, err = newWriter(ctx, b.writing); err != nil {
		return nil, err
	}
	if b.reading, err = open(path, cfg, true); err != nil {
		return nil, err
	}
	b.reading.SetMaxOpenConns(2)
	return b, nil
}

// prepareFile makes the file, and its entry in the directory, durable with
// narrow permissions before the database puts anything in it.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("ledger file: %w", err)
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("ledger file: %w", err)
	}
	for _, beside := range []string{path + "-wal", path + "-shm"} {
		if err := os.Chmod(beside, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("ledger file: %w", err)
		}
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("ledger file: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("ledger file: sync directory: %w", err)
	}
	return nil
}

// open opens connections that all carry the same settings.
func open(path string, cfg Config, readOnly bool) (*sql.DB, error) {
	q := url.Values{"_txlock": {"immediate"}}
	for _, pragma := range []string{
		"busy_timeout(5000)",
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(1)",
		"wal_autocheckpoint(" + strconv.Itoa(cfg.CheckpointPages) + ")",
	} {
		q.Add("_pragma", pragma)
	}
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Add("_pragma", "cache_size("+strconv.Itoa(cfg.CachePages)+")")
	}
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}
	connector, err := sqlite.NewConnector(name.String())
	if err != nil {
		return nil, fmt.Errorf("ledger file: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// migrate brings the schema up to date and makes sure that there is a meta row.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("ledger migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("ledger migrations: %w", err)
	}
	// A crash in here leaves whole migrations; the next Open goes on.
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("ledger migrations: %w", err)
	}
	var incarnation [16]byte
	rand.Read(incarnation[:]) // never fails since Go 1.24
	_, err = db.ExecContext(ctx,
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
	return errors.Join(append(errs, b.lock.Close())...)
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

// Apply implements ledger.Backend.
func (b *Backend) Apply(ctx context.Context, rows []ledger.Row, meta ledger.Meta) error {
	return b.use(func(w *writer) error { return w.apply(ctx, rows, meta) })
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
