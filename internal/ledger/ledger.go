package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/clock"
)

// maxSkew is how far the ledger's wall clock may differ from the sender's.
const maxSkew = clock.MaxBehind

// keepEvery is how often the ledger's time is saved while no request saves it.
// Otherwise, after a reboot, locks would start again from the last request.
const keepEvery = time.Minute

// Config holds the parts of a Ledger. Keeper, Backend and Limits are required.
type Config struct {
	// Keeper is the name of the keeper that this ledger belongs to, at most
	// MaxKeeperName bytes. A settlement that does not contain it is refused.
	Keeper string
	// Owner identifies the keeper that this ledger belongs to. A ledger with
	// another owner is refused (ErrOwner). A ledger without an owner gets this
	// one with its next write. Zero: nothing is compared.
	Owner [32]byte
	// Backend holds the rows. Open takes it over and Close closes it; if Open
	// fails, the caller closes it.
	Backend Backend
	// Limits are the ledger's own; requests can only tighten them.
	Limits Limits
	// Machine has the clocks that the ledger uses; nil: this machine's.
	Machine clock.Machine
	// Logger gets the errors that stop the ledger, and nothing about cards. May
	// be nil.
	Logger *slog.Logger
	// SettleWait is how long settlements wait for a request to share a write
	// with. 5 ms when zero.
	SettleWait time.Duration
	// MaxBatch is how many requests share a write at most. 256 when zero.
	MaxBatch int
	// CacheRows is how many rows are kept in memory, about 700 bytes each, so
	// that a settlement finds the row of its spend without a read. 8192 when
	// zero.
	CacheRows int
	// Wrote, if set, is called after each durable write with the number of guesses
	// that the write counted. It must return at once.
	Wrote func(spends int)
}

func (c Config) validate() (Config, error) {
	if c.Keeper == "" || len(c.Keeper) > MaxKeeperName || c.Backend == nil {
		return c, errors.New("ledger: want the keeper's name, not too long, and a backend")
	}
	if err := c.Limits.Validate(); err != nil {
		return c, fmt.Errorf("ledger: %w", err)
	}
	if c.SettleWait < 0 || c.MaxBatch < 0 || c.CacheRows < 0 {
		return c, errors.New("ledger: negative wait, batch or cache")
	}
	if c.Machine == nil {
		c.Machine = clock.System()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.SettleWait == 0 {
		c.SettleWait = 5 * time.Millisecond
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = 256
	}
	if c.CacheRows == 0 {
		c.CacheRows = 8192
	}
	return c, nil
}

// Ledger counts guesses. Its methods may be called from any goroutine. One
// writer goroutine applies the requests in the order in which they came, and
// makes many of them durable with one write before it answers any.
//
// A method whose ctx ends before the answer returns ctx's error. Its request
// may have been counted all the same. After a Spend or Propose nothing can then
// be evaluated for it, so only a guess or a version is lost.
type Ledger struct {
	cfg      Config
	cache    *cache
	clock    *clock.Clock
	wake     chan struct{} // capacity 1: signals that the queue or closing has changed
	finished chan struct{} // closed when the writer is done
	close    func() error  // runs once: drains, then closes the backend

	mu      sync.Mutex
	queue   []*op // guarded by mu; in the order in which they came
	asks    int   // guarded by mu; the ops in queue that are not patient
	closing bool  // guarded by mu
	stopped error // guarded by mu; ErrPoisoned, ErrRolledBack or ErrRepairing, with the cause
	full    bool  // guarded by mu; the last write found the disk full
	meta    Meta  // guarded by mu; as last written to disk
}

// Open starts a ledger on a backend.
func Open(ctx context.Context, cfg Config) (*Ledger, error) {
	cfg, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	meta, err := cfg.Backend.Meta(ctx)
	if err != nil {
		return nil, fmt.Errorf("ledger: read meta: %w", err)
	}
	if meta.Incarnation == [16]byte{} {
		return nil, errors.New("ledger: backend without an incarnation")
	}
	if cfg.Owner != [32]byte{} {
		if meta.Owner != [32]byte{} && meta.Owner != cfg.Owner {
			return nil, ErrOwner
		}
		meta.Owner = cfg.Owner
	}
	l := &Ledger{
		cfg:      cfg,
		cache:    newCache(cfg.CacheRows),
		clock:    clock.Resume(cfg.Machine, meta.High),
		wake:     make(chan struct{}, 1),
		finished: make(chan struct{}),
		meta:     meta,
	}
	if meta.Repairing { // a crash cut the repair off: rows may be missing (I-2)
		l.stopped = ErrRepairing
	}
	l.close = sync.OnceValue(l.drain)
	go l.write()
	go l.keep()
	return l, nil
}

// Close refuses new requests, answers the requests in the queue, and closes the
// backend, which gives back its lease.
func (l *Ledger) Close() error { return l.close() }

func (l *Ledger) drain() error {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	l.nudge()
	<-l.finished
	if err := l.cfg.Backend.Close(); err != nil {
		return fmt.Errorf("ledger: close backend: %w", err)
	}
	return nil
}

// Meta returns the ledger's state as last written to disk. Refusals and
// settlements are answered with it; other answers carry the sequence of their
// own write.
func (l *Ledger) Meta() Meta {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.meta
}

// Poisoned returns why the ledger stopped serving: ErrPoisoned, ErrRolledBack
// or ErrRepairing, with the cause. It returns nil while the ledger serves.
func (l *Ledger) Poisoned() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped
}

// Row returns the durable row of a card. For a card that was never seen it
// returns a row with only Card set.
func (l *Ledger) Row(ctx context.Context, card liuma.CardID) (Row, error) {
	l.mu.Lock()
	closing, stopped := l.closing, l.stopped
	l.mu.Unlock()
	if closing {
		return Row{}, ErrClosed
	}
	if stopped != nil {
		return Row{}, stopped
	}
	return l.row(ctx, card)
}

func (l *Ledger) row(ctx context.Context, card liuma.CardID) (Row, error) {
	if r := l.cache.get(card); r != nil {
		return *r, nil
	}
	rows, err := load(ctx, l.cfg.Backend, []liuma.CardID{card})
	if err == nil {
		return rows[0], nil
	}
	if ctx.Err() != nil {
		return Row{}, ctx.Err()
	}
	l.mu.Lock()
	closing := l.closing
	l.mu.Unlock()
	if closing {
		return Row{}, ErrClosed
	}
	// Nothing was written, but counts in a row that cannot be read cannot be
	// trusted either.
	return Row{}, l.poison(err)
}

// load calls Backend.Load and checks the order of the rows.
func load(ctx context.Context, b Backend, cards []liuma.CardID) ([]Row, error) {
	rows, err := b.Load(ctx, cards)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if len(rows) != len(cards) {
		return nil, fmt.Errorf("load: %d rows for %d cards", len(rows), len(cards))
	}
	for i := range rows {
		if rows[i].Card != cards[i] {
			return nil, errors.New("load: row of another card")
		}
	}
	return rows, nil
}

// poison stops the ledger until it is opened again: the state on disk is
// unknown, and a guess that may not be counted must not be answered (I-1).
func (l *Ledger) poison(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !errors.Is(l.stopped, ErrPoisoned) {
		l.stopped = fmt.Errorf("%w: %w", ErrPoisoned, cause)
		l.cfg.Logger.Error("ledger poisoned", "keeper", l.cfg.Keeper, "sequence", l.meta.Sequence, "cause", cause)
	}
	return l.stopped
}

// roomWait is how long proofs wait on a full disk before the next try, unless a
// request comes.
const roomWait = time.Second

// stop handles a failed write. If the disk is full, the ledger goes on: nothing
// was counted, every waiting caller is refused, and only proofs, for which no
// caller waits, stay queued in their order for the next write. Any other error
// poisons the ledger.
func (l *Ledger) stop(cause error, ops []*op) error {
	if !errors.Is(cause, ErrFull) {
		return l.poison(cause)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var proofs []*op
	for _, o := range ops {
		if o.done == nil {
			proofs = append(proofs, o)
		}
	}
	for _, o := range l.queue {
		if o.done == nil {
			proofs = append(proofs, o)
		} else {
			o.done <- outcome{meta: l.meta, err: cause}
		}
	}
	if l.closing {
		proofs = nil // losing a proof only leaves a guess counted
	}
	l.queue, l.asks = proofs, 0
	if !l.full { // logged once, not for every request
		l.full = true
		l.cfg.Logger.Error("ledger has no room on its disk", "keeper", l.cfg.Keeper, "sequence", l.meta.Sequence, "cause", cause)
	}
	return cause
}

// header comes with every request.
type header struct {
	sender time.Time
	seen   uint64
}

// admit checks a header and returns the clock readings by which the request is
// decided.
func (l *Ledger) admit(h header) (clock.Times, error) {
	now := l.clock.Read()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closing:
		return now, ErrClosed
	case l.stopped != nil:
		return now, l.stopped
	case h.seen > l.meta.Sequence:
		// The sender received an answer that is not on this disk, so the disk
		// holds an older copy. Guesses counted since then are missing, so every
		// request is refused until the keeper is repaired.
		l.stopped = fmt.Errorf("%w: at %d, answered %d", ErrRolledBack, l.meta.Sequence, h.seen)
		l.cfg.Logger.Error("ledger rolled back", "keeper", l.cfg.Keeper, "sequence", l.meta.Sequence, "seen", h.seen)
		return now, l.stopped
	case now.Wall.Sub(h.sender).Abs() > maxSkew || now.Check() != nil:
		return now, ErrClock
	}
	return now, nil
}

// ask queues an op, waits, and returns the meta that made it durable, or the
// refusal. If ctx ends first, work may still run later, so the caller must not
// read the values that work sets.
func (l *Ledger) ask(ctx context.Context, o *op) (Meta, error) {
	if err := ctx.Err(); err != nil {
		return Meta{}, err
	}
	o.done = make(chan outcome, 1)
	if err := l.enqueue(o); err != nil {
		return Meta{}, err
	}
	select {
	case out := <-o.done:
		return out.meta, out.err
	case <-ctx.Done():
		return Meta{}, ctx.Err()
	}
}

func (l *Ledger) enqueue(o *op) error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return ErrClosed
	}
	l.queue = append(l.queue, o)
	if !o.patient {
		l.asks++
	}
	// The writer is woken only for the first op that is not patient, for the
	// first settlement in an empty queue, and for a full batch.
	tell := len(l.queue) == 1 || !o.patient && l.asks == 1 || len(l.queue) == l.cfg.MaxBatch
	l.mu.Unlock()
	if tell {
		l.nudge()
	}
	return nil
}

func (l *Ledger) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
