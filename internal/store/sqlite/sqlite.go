// Package sqlite keeps the authority's database in one SQLite file. It
// guarantees the promises of package store: an Update is on disk when it
// returns nil, a change and its audit entry are kept together or not at all
// (I-8), a business number and an open intent exist once (I-11, I-7, as keys of
// their tables), and the audit entries of each stream follow one another
// without gaps and never change (by triggers of the schema). One process at a
// time holds the lease on the file. After an I/O error that leaves a commit in
// doubt, or when the file was moved or replaced while open, the store refuses
// everything until it is opened again. Rows that were used last are kept in memory, and
// given out only where the file would give the same (recent.go, R-83). It trusts the file
// system to keep synced data.
//
// Start here: Open, then the writer's loop in writer.go.
package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID stands in the header of every database of this package.
const applicationID = 0x4C69756D // "Lium"

// Errors of Open.
var (
	// ErrInUse means that another process, or another Store, has the lease.
	ErrInUse = sqlitefile.ErrInUse
	// ErrTooNew means that a later release has changed the schema.
	ErrTooNew = sqlitefile.ErrTooNew
	// ErrForeign means that the file is a database of another program.
	ErrForeign = sqlitefile.ErrForeign
	// ErrDamaged means that the structure of the file is not SQLite's.
	ErrDamaged = errors.New("store: the file is damaged")
)

// Config describes a Store. Seal is required; the sizes work well if zero.
type Config struct {
	// Seal seals every row and checks every seal (I-13): the vault.
	Seal rows.Sealer
	// Alarm, if set, hears of every row that was refused, within the transaction
	// that read it: it must return at once and must not call the Store.
	Alarm func(table string, err error)
	// Stands, if set, refuses a card's row that is older than one which was
	// committed; see rows.Codec. It must return at once and must not call the Store.
	Stands func(card liuma.CardID, rev uint64) error
	// Committed, if set, hears of every card whose head rose, and of the revision
	// that its row was read at, in the order of commits, after the commit and
	// before Update returns. It holds up all writes: it must return at once and
	// must not call the Store.
	Committed func(card liuma.CardID, read, head uint64)
	// Head, if set, keeps the version of clients and seal keys outside of the
	// database. It is raised after each commit that changed them, before Update
	// returns, and at Open; a database below it gives out none of them
	// (store.ErrOldDatabase).
	Head rows.SharedHead
	// Batched, if set, hears after each durable commit how many Updates shared it. It must
	// return at once.
	Batched func(updates int)
	// Readers is how many Views run at once; 4 if zero.
	Readers int
	// CacheMiB is the writer's page cache; 16 if zero, which holds the inner pages of a
	// database of millions of cards. SQLite walks the whole cache at each commit that
	// rebalanced a tree, so a larger one costs more than it saves. Each reader has an
	// eighth of it: a write empties a reader's cache, so more would not help.
	CacheMiB int
	// CheckpointPages is how many 4 KiB pages gather in the WAL before they
	// are copied into the database file; 16,384 if zero, which is what the WAL keeps
	// of its file. Pages that an import writes again and again are copied once.
	CheckpointPages int
}

func (c Config) withDefaults() (Config, error) {
	if c.Readers < 0 || c.CacheMiB < 0 || c.CheckpointPages < 0 {
		return c, errors.New("store: config: negative size")
	}
	if c.Readers == 0 {
		c.Readers = 4
	}
	if c.CacheMiB == 0 {
		c.CacheMiB = 16
	}
	if c.CheckpointPages == 0 {
		c.CheckpointPages = 16384
	}
	if c.Committed == nil {
		c.Committed = func(liuma.CardID, uint64, uint64) {}
	}
	return c, nil
}

// Store implements store.Store. Safe for concurrent use.
type Store struct {
	*store.Alone
	file    *sqlitefile.File
	readers *readers
	codec   *rows.Codec
	writer  *writer
	closing chan struct{} // closed by Close

	closeOnce sync.Once
	closeErr  error // set within closeOnce
}

var _ store.Store = (*Store)(nil)

// Open opens the database at path, or makes one, and brings its schema up to
// date. The file and its companions (path-wal, path-shm, path.lock) are
// readable by their owner only.
func Open(ctx context.Context, path string, cfg Config) (_ *Store, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	codec, err := rows.NewCodec(cfg.Seal, cfg.Alarm, cfg.Head)
	if err != nil {
		return nil, err
	}
	codec.Stands = cfg.Stands
	s := &Store{codec: codec, readers: newReaders(cfg.Readers), closing: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open store: %w", err), s.release())
		}
	}()
	if s.file, err = sqlitefile.Take(path); err != nil {
		return nil, err
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := s.file.Migrate(ctx, sqlitefile.Schema{Application: applicationID, Migrations: dir}); err != nil {
		return nil, err
	}
	w, err := openConn(s.file.Path(), sqlitefile.Settings{CacheKiB: cfg.CacheMiB << 10, CheckpointPages: cfg.CheckpointPages})
	if err != nil {
		return nil, err
	}
	if err := s.file.Watch(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	s.writer = newWriter(w, s.file, codec, cfg.Committed, cfg.Head)
	s.writer.batched = cfg.Batched
	s.Alone = store.NewAlone(s.writer.process.String())
	for range cfg.Readers {
		r, err := openConn(s.file.Path(), sqlitefile.Settings{ReadOnly: true, CacheKiB: max(1, cfg.CacheMiB/8) << 10})
		if err != nil {
			return nil, err
		}
		s.readers.add(r)
	}
	if err := s.raiseHead(ctx); err != nil {
		return nil, err
	}
	go s.writer.loop()
	s.writer.looping = true
	return s, nil
}

// raiseHead raises the head to what is in the database, before anybody reads: a
// crash between a commit and its raise left it lower.
func (s *Store) raiseHead(ctx context.Context) error {
	if s.writer.head == nil {
		return nil
	}
	return s.View(ctx, func(r store.Reader) error {
		n, err := r.Shared()
		if err != nil {
			return err
		}
		return s.writer.head.Raise(n)
	})
}

// View implements store.Store. It waits for one of the readers, never for a
// write.
func (s *Store) View(ctx context.Context, f func(store.Reader) error) (err error) {
	if err := s.usable(ctx); err != nil {
		return err
	}
	select {
	case <-s.readers.free:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return store.ErrClosed
	}
	c := s.readers.take()
	defer s.readers.put(c)
	return view(ctx, c, s.codec, s.writer.recent, f)
}

// view runs f on a snapshot of c. It uses memory, which may be nil, where it is expected to
// look for a business number: that is a request, which reads what the ones before it left.
// All others read the file.
func view(ctx context.Context, c *conn, codec *rows.Codec, memory *recent, f func(store.Reader) error) (err error) {
	if _, err := c.exec("BEGIN"); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	from := &snapshot{conn: c, ctx: ctx}
	r := rows.NewReader(codec, from)
	defer func() {
		r.End() // the Reader is invalid after f
		from.conn = nil
		if _, e := c.exec("ROLLBACK"); e != nil && err == nil {
			err = fmt.Errorf("store: %w", e)
		}
	}()
	if sought, ok := codec.Sought(store.ExpectedIn(ctx)); ok && memory != nil {
		from.remember(memory, sought)
	}
	return f(r)
}

func (s *Store) usable(ctx context.Context) error {
	select {
	case <-s.closing:
		return store.ErrClosed
	default:
	}
	if err := s.writer.failure(); err != nil {
		return err
	}
	return ctx.Err()
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	return s.writer.update(ctx, s.Kept(ctx, f))
}

// Spreads implements store.Store: all rows lie together.
func (s *Store) Spreads() bool { return s.codec.Spreads() }

// Draft makes a person's row ready. It touches no connection.
func (s *Store) Draft(p store.Person) (store.Draft, error) { return s.codec.Draft(p) }

// Close waits for running Updates and Views, and gives the lease back. Later
// calls return the result of the first.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.closeErr = s.release()
	})
	return s.closeErr
}

// release undoes what Open has done so far. The writer goes last: the last
// connection to close copies the WAL into the database file.
func (s *Store) release() error {
	var errs []error
	if s.writer != nil {
		s.writer.stop()
	}
	errs = append(errs, s.readers.close())
	if s.writer != nil {
		errs = append(errs, s.writer.conn.close())
	}
	if s.file != nil {
		errs = append(errs, s.file.Release())
	}
	return errors.Join(errs...)
}
