// Package postgres keeps the authority's database in PostgreSQL. It guarantees the
// promises of package store: an Update is durable when it returns nil, a change and its
// audit entry are kept together or not at all (I-8), a business number and an open intent
// exist once (I-11, I-7, as keys of their tables), and the audit entries of each stream
// follow one another without gaps and never change (by triggers of the schema).
//
// An Update reads one snapshot, keeps what it writes to itself, and writes it in one
// round trip that ends with the commit: under READ COMMITTED, each row by comparing the
// revision that was read. Whatever is not what was read ends the transaction within the
// database, and its function runs again. What of that a caller may rely on stands at
// store.Store.
//
// Doubt belongs to one transaction: where the answer to a commit is lost, or the server
// gave up waiting for its standby, the transaction's entry is looked up on another
// connection, and only where that gives no answer either the caller gets
// store.ErrUndecided. The store serves on.
//
// Processes of authorities with a name each work with the database beside one another
// (member.go): a second process of the same name is refused, and one that another has
// ended keeps nothing. A process without a name has the database to itself. It trusts the
// server to keep what it acknowledges.
//
// Start here: Open, then Update in update.go, then tx.go and write.go.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

// Errors of Open.
var (
	// ErrInUse means that others work with the database who must not at the same time. Its
	// text names them.
	ErrInUse = errors.New("store: another process works with the database")
	// ErrSameName means that another process of the same authority works with it.
	ErrSameName = fmt.Errorf("%w under the same name (on a copy of a data directory, delete authority.id)", ErrInUse)
	// ErrServed means that the schema is to be changed in a way that authorities which
	// work with the database cannot go along with. Its text names them, and says what to do.
	ErrServed = fmt.Errorf("%w, of an earlier release that uses what this one takes away (nothing was changed)", ErrInUse)
	// ErrTooNew means that a later release has changed the schema.
	ErrTooNew = errors.New("store: the database is of a later release")
	// ErrNotEmpty means that the database has a record already.
	ErrNotEmpty = errors.New("store: the database is not empty; choose a new one")
	// ErrForeign means that there are tables of another program.
	ErrForeign = errors.New("store: the database holds tables of another program")
	// ErrEncoding means that the database does not keep text as UTF-8.
	ErrEncoding = errors.New("store: the database's encoding is not UTF8; make it anew with ENCODING 'UTF8'")
	// ErrPooler means that a pooler stands in between, which lends connections.
	ErrPooler = errors.New("store: a pooler stands between; connect to the server itself")
	// ErrAltered means that triggers, rules or row policies are not those of this program.
	ErrAltered = errors.New("store: somebody changed what the database does by itself")
	// ErrUnfinished means that an SQLite file is being carried into the database.
	ErrUnfinished = errors.New("store: 'liuma migrate-store' has not finished with this database; run it again")
)

// Config describes a Store. DSN and Seal are required; the rest works well if zero.
type Config struct {
	// DSN is the address, postgres://USER@HOST/DATABASE, without a password. Several hosts
	// may be named (target_session_attrs=read-write finds the one that takes writes).
	DSN string
	// Password, if set, is the role's. Without it pgx asks the environment and PGPASSFILE.
	Password []byte
	// Seal seals every row and checks every seal (I-13): the vault.
	Seal rows.Sealer
	// Alarm, Stands, Committed and Head are as in package sqlite. Committed hears of one
	// card's commits in their order; those of different cards come in any order, at once.
	Alarm     func(table string, err error)
	Stands    func(card liuma.CardID, rev uint64) error
	Committed func(card liuma.CardID, read, head uint64)
	Head      rows.SharedHead
	// Before, if set, is called once the process has joined, before it reads anything that a
	// root key seals; an error keeps the database closed.
	Before func(context.Context, store.Store) error
	// Wrote, if set, is the revision at which this process knows a card's row to stand, 0
	// if it does not. A snapshot may be from before that, and then another is read; only a
	// row that is really below it is given to Stands.
	Wrote func(card liuma.CardID) uint64
	// Readers and Writers are how many Views and Updates run at once; 8 each if zero.
	Readers, Writers int
	// Timeout is how long an answer of the server may take; 15 s if zero.
	Timeout time.Duration
	// Patience is how long a transaction of which nothing was kept is tried again where
	// the server does not answer, or another is always first; 10 s if zero.
	Patience time.Duration
	// Doubt is how long a commit whose answer was lost is looked up; 30 s if zero.
	Doubt time.Duration
	// Name is the authority's own among those on the database. Empty: the process has the
	// database to itself, and nobody else can work with it meanwhile.
	Name string
	// Release is that of the program, which others are told.
	Release string
	// Prove, if set, is asked before a transaction that read a card's row at a revision
	// replaces it, for a row that another process may have written last. now reads where
	// the row stands; an error of store.ErrConflict has the transaction run again.
	Prove func(ctx context.Context, card liuma.CardID, read uint64, now func(context.Context) (uint64, error)) error
	// Ended, if set, hears of other authorities that are gone and that this process ended.
	Ended func(store.Peer)
	// Lost, if set, is called once where another process has ended this one, or has taken
	// over: nothing is kept any more, and only another Open changes that.
	Lost func()
	// Every is how often the process says that it is there, and looks who is; 2 s if zero.
	// Absence is how long another is without a connection before it has ended; 8 s if zero.
	Every, Absence time.Duration

	migrations fs.FS // those of this program, if nil; tests play later releases
}

func (c Config) withDefaults() (Config, error) {
	if c.Readers < 0 || c.Writers < 0 || c.Timeout < 0 || c.Patience < 0 || c.Doubt < 0 || c.Every < 0 || c.Absence < 0 {
		return c, errors.New("store: config: negative size")
	}
	for _, n := range []*int{&c.Readers, &c.Writers} {
		if *n == 0 {
			*n = 8
		}
	}
	for _, d := range []struct {
		d       *time.Duration
		usually time.Duration
	}{{&c.Timeout, 15 * time.Second}, {&c.Patience, 10 * time.Second}, {&c.Doubt, 30 * time.Second}, {&c.Every, 2 * time.Second}, {&c.Absence, 8 * time.Second}} {
		if *d.d == 0 {
			*d.d = d.usually
		}
	}
	if c.Committed == nil {
		c.Committed = func(liuma.CardID, uint64, uint64) {}
	}
	if c.migrations == nil {
		var err error
		if c.migrations, err = fs.Sub(migrations, "migrations"); err != nil {
			return c, err
		}
	}
	if c.Ended == nil {
		c.Ended = func(store.Peer) {}
	}
	if c.Lost == nil {
		c.Lost = func() {}
	}
	return c, nil
}

// Store implements store.Store. Safe for concurrent use.
type Store struct {
	store.Among
	alone    *store.Alone // behind Among where the process has the database to itself; or nil
	cfg      Config
	dsn      *pgxpool.Config
	codec    *rows.Codec
	process  audit.ProcessID // this process start, whose stream has the entries without a card
	tables   map[string]*table
	order    []*table // in which they are written
	sessions sessions
	member   *member
	readers  *pgxpool.Pool
	writers  *pgxpool.Pool
	locks    locks

	mu       sync.Mutex
	closed   bool           // guarded by mu
	running  sync.WaitGroup // Views and Updates; none is added once closed is set
	failed   atomic.Bool    // another process has taken over
	watching bool           // the member's locks are watched; set by Open

	raising sync.Mutex
	retry   time.Time // when to try a raise of the head that failed again; by raising

	closeOnce sync.Once
	closeErr  error // set within closeOnce
}

var _ store.Store = (*Store)(nil)

// Open joins those who work with the database, or takes it for this process alone, brings
// its schema up to date, or makes it, and opens it.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	return open(ctx, cfg, false)
}

// open opens the database as it is served, or to carry rows into it.
func open(ctx context.Context, cfg Config, carry bool) (_ *Store, err error) {
	if cfg, err = cfg.withDefaults(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, process: audit.NewProcessID(), tables: newTables()}
	s.order, s.sessions.known = ordered(s.tables), map[*pgconn.PgConn]*session{}
	if s.codec, err = rows.NewCodec(cfg.Seal, cfg.Alarm, cfg.Head); err != nil {
		return nil, err
	}
	s.codec.Stands, s.codec.Process, s.codec.Authority = s.newest, s.process, cfg.Name
	s.Among = among{s}
	if cfg.Name == "" {
		s.alone = store.NewAlone(s.process.String())
		s.Among = s.alone
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open store: %w", err), s.release())
		}
	}()
	if s.dsn, err = parseDSN(cfg.DSN, cfg.Password); err != nil {
		return nil, err
	}
	if s.member, err = connectMember(ctx, cfg, s.dsn.ConnConfig, s.process.String()); err != nil {
		return nil, err
	}
	if err := s.member.join(ctx, 3*time.Second, func() error {
		if carry {
			return nil
		}
		return errors.Join(carried(ctx, s.member.conn), untouched(ctx, s.member.conn, s.member.later))
	}); err != nil {
		return nil, err
	}
	if s.readers, err = s.pool(ctx, cfg.Readers); err != nil {
		return nil, told(err)
	}
	if s.writers, err = s.pool(ctx, cfg.Writers); err != nil {
		return nil, told(err)
	}
	if !carry && cfg.Before != nil {
		if err := cfg.Before(ctx, s); err != nil {
			return nil, err
		}
	}
	if !carry {
		if err := s.raiseHead(ctx); err != nil {
			return nil, err
		}
	}
	s.watching = true
	go s.member.watch(func() { s.failed.Store(true); cfg.Lost() }, s.follow, cfg.Ended)
	return s, nil
}

// follow raises the head to what other authorities brought the database to. Until then this
// one would take a database that was put back to where its own file stands: no later than
// after Config.Every.
func (s *Store) follow(ctx context.Context) {
	if err := s.raiseHead(ctx); err != nil && !errors.Is(err, store.ErrClosed) && !errors.Is(err, store.ErrUnreachable) && ctx.Err() == nil {
		s.codec.Alarm("shared", fmt.Errorf("store: raise the head: %w", err))
	}
}

// raiseHead raises the head to what is in the database. At the start it comes before
// anybody reads: a crash between a commit and its raise left it lower.
func (s *Store) raiseHead(ctx context.Context) error {
	if s.cfg.Head == nil {
		return nil
	}
	return s.View(ctx, func(r store.Reader) error {
		n, err := r.Shared()
		if err != nil {
			return err
		}
		return s.cfg.Head.Raise(n)
	})
}

// enter lets a View or an Update begin; leave ends it.
func (s *Store) enter(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return store.ErrClosed
	case s.failed.Load():
		return fmt.Errorf("%w: another process has taken over", store.ErrFailed)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	s.running.Add(1)
	return nil
}

func (s *Store) leave() { s.running.Done() }

// View implements store.Store. It never waits for a write.
func (s *Store) View(ctx context.Context, f func(store.Reader) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	from := &snapshot{s: s, ctx: ctx, pool: s.readers, ahead: s.codec.Wanted(store.ExpectedIn(ctx))}
	r := rows.NewReader(s.codec, from)
	defer func() {
		r.End() // the Reader is invalid after f
		from.end()
	}()
	return f(r)
}

// Size is the size of the database on the server.
func (s *Store) Size(ctx context.Context) (n int64, err error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	err = s.readers.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&n)
	return n, told(err)
}

// errOlder says that a row is older than what this process wrote.
var errOlder = errors.New("store: older than what this process wrote")

// newest refuses a card's row that was read from before a commit of this process.
func (s *Store) newest(card liuma.CardID, rev uint64) error {
	if s.cfg.Wrote != nil && rev < s.cfg.Wrote(card) {
		return errOlder
	}
	return nil
}

// Spreads implements store.Store.
func (s *Store) Spreads() bool { return s.codec.Spreads() }

// Draft makes a person's row ready. It touches no connection.
func (s *Store) Draft(p store.Person) (store.Draft, error) { return s.codec.Draft(p) }

// Close waits for running Updates and Views, and gives the locks back. Later calls return
// the result of the first.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.running.Wait()
		s.closeErr = s.release()
	})
	return s.closeErr
}

// release undoes what Open has done so far. The locks go last.
func (s *Store) release() error {
	for _, p := range []*pgxpool.Pool{s.readers, s.writers} {
		if p != nil {
			p.Close()
		}
	}
	if s.member == nil {
		return nil
	}
	return s.member.leave(s.watching)
}
