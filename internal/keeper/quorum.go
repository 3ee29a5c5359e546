package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// QuorumConfig holds the parts of a quorum client. All members are required except
// Seen, Alarm, Row, Timing and MaxPending.
type QuorumConfig struct {
	// Keepers are all n, in the order of their member numbers: Keepers[0] is
	// member 1 of every key set.
	Keepers []Keeper
	Shape   split.Shape
	KeySet  uint32 // the key set that new versions are made with; 0: see SetKeySet
	Now     func() time.Time
	Random  io.Reader     // for blinding: crypto/rand.Reader outside of tests
	Seen    map[ID]uint64 // highest sequences, as returned by Quorum.Seen of an earlier process
	// Alarm is called for each keeper that misbehaves, while an attempt runs, so it
	// must not block. Alarms are logged as well.
	Alarm func(Alarm)
	// Row, if set, reads the present revision of a card's row. It is set for a database
	// that other authorities write to as well: a later row that keepers have seen may
	// be theirs.
	Row    func(ctx context.Context, card liuma.CardID) (uint64, error)
	Logger *slog.Logger
	Timing Timing // zero members take the defaults
	// MaxPending bounds, for each keeper, the number of cards with waiting settlements
	// and the number of cards with waiting heads; 10,000 if zero. Beyond it settlements
	// are dropped, which only leaves guesses counted, and heads are dropped, which the
	// card's next attempt carries.
	MaxPending int
}

// Timing is how long the quorum waits; zero members take the defaults below.
type Timing struct {
	Wrong     time.Duration // 500 ms: after that, t agreeing answers are enough for the verdict wrong
	Propose   time.Duration // 1 s: for all n to evaluate a proposal
	Straggler time.Duration // 100 ms: after q acknowledgements of a commit, for the rest
	Call      time.Duration // 5 s: for one call; a keeper that takes longer gave no answer
	Proof     time.Duration // 1 s: how long the keepers' answer about a card's row holds for work under one hold, if other authorities share the database
	Resend    time.Duration // 1 s: before a settlement is sent again; doubles up to a minute
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	set(&t.Wrong, 500*time.Millisecond)
	set(&t.Propose, time.Second)
	set(&t.Straggler, 100*time.Millisecond)
	set(&t.Call, 5*time.Second)
	set(&t.Proof, time.Second)
	set(&t.Resend, time.Second)
	return t
}

const (
	defaultMaxPending = 10_000
	// maxCalls bounds the calls under way to one keeper of several, so that calls to a
	// keeper that hangs do not fill the memory. Beyond it the keeper is not called and
	// counts as giving no answer.
	maxCalls  = 2_000
	maxResend = time.Minute
)

// Quorum asks all n keepers and believes none of them alone. It is safe for use by many
// goroutines; the caller makes sure that each card has at most one attempt under way.
type Quorum struct {
	shape      split.Shape
	keySet     atomic.Uint32 // 0: not known
	members    []*member
	now        func() time.Time
	random     io.Reader
	alarm      func(Alarm)
	row        func(context.Context, liuma.CardID) (uint64, error) // nil: no other authority writes rows
	log        *slog.Logger
	timing     Timing
	maxPending int

	rowMu    sync.Mutex
	lineages map[liuma.CardID]*lineage // guarded by rowMu
	unproved map[liuma.CardID]bool     // guarded by rowMu: rows to prove in the background
	doubt    chan struct{}             // capacity 1: signals that unproved has rows

	base context.Context // for calls that outlive the request that made them
	stop context.CancelFunc
	mu   sync.Mutex
	shut bool           // guarded by mu
	jobs sync.WaitGroup // added to under mu, and only while not shut
}

// member is one keeper as the quorum sees it.
type member struct {
	Keeper
	id      ID
	number  int
	subsets []split.Subset
	wake    chan struct{} // capacity 1: signals that settlements wait
	rose    chan struct{} // capacity 1: signals that heads wait
	calls   atomic.Int32  // under way

	mu      sync.Mutex
	seen    uint64                               // guarded by mu: the highest sequence received from this keeper
	pending map[liuma.CardID][]ledger.Settlement // guarded by mu: not acknowledged
	heads   map[liuma.CardID]uint64              // guarded by mu: raised, and not sent yet
	trouble trouble                              // guarded by mu: why it does not serve
	late    int                                  // guarded by mu: slow answers in a row
	slow    time.Time                            // guarded by mu: when the first slow answer came, by the quorum's clock
	gaveUp  time.Time                            // guarded by mu: when it was last reported that settlements are dropped
	// How many later rows the keeper claimed to have seen, within the minute that began
	// at behindAt (by this machine's monotonic clock).
	behind   int       // guarded by mu
	behindAt time.Time // guarded by mu
	// When the keeper's answer differed from the others': the first time by the quorum's
	// clock, and the last time by this machine's monotonic clock.
	differs, differed time.Time // guarded by mu
}

// NewQuorum checks the configuration and starts the resending of settlements.
// It does not call the keepers.
func NewQuorum(c QuorumConfig) (*Quorum, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	q := &Quorum{
		shape: c.Shape, now: c.Now, random: c.Random,
		alarm: c.Alarm, row: c.Row, log: c.Logger, timing: c.Timing.withDefaults(), maxPending: c.MaxPending,
		lineages: map[liuma.CardID]*lineage{}, unproved: map[liuma.CardID]bool{}, doubt: make(chan struct{}, 1),
	}
	q.keySet.Store(c.KeySet)
	if q.maxPending == 0 {
		q.maxPending = defaultMaxPending
	}
	q.base, q.stop = context.WithCancel(context.Background())
	for i, k := range c.Keepers {
		m := &member{
			Keeper: k, id: k.ID(), number: i + 1, subsets: c.Shape.SubsetsOf(i + 1),
			wake: make(chan struct{}, 1), rose: make(chan struct{}, 1), seen: c.Seen[k.ID()],
			pending: map[liuma.CardID][]ledger.Settlement{},
			heads:   map[liuma.CardID]uint64{},
		}
		q.members = append(q.members, m)
		q.background(func() { q.resend(m) })
		q.background(func() { q.sendHeads(m) })
	}
	q.background(q.proveRows)
	return q, nil
}

func (c QuorumConfig) validate() error {
	if err := c.Shape.Validate(); err != nil {
		return err
	}
	if len(c.Keepers) != c.Shape.N {
		return fmt.Errorf("keeper: %d keepers for a quorum of %s", len(c.Keepers), c.Shape)
	}
	if c.Now == nil || c.Random == nil || c.Logger == nil {
		return errors.New("keeper: a quorum needs a clock, a random source and a logger")
	}
	if c.MaxPending < 0 {
		return errors.New("keeper: a quorum needs no negative bound")
	}
	ids := map[ID]bool{}
	for _, k := range c.Keepers {
		if k == nil || k.ID() == "" || len(k.ID()) > ledger.MaxKeeperName || ids[k.ID()] {
			return errors.New("keeper: every keeper of a quorum needs an id of its own, not too long")
		}
		ids[k.ID()] = true
	}
	return nil
}

// KeySet returns the key set that new versions are made with. It is 0 while too few
// keepers on other machines have reported their key sets.
func (q *Quorum) KeySet() uint32 { return q.keySet.Load() }

// SetKeySet makes new versions use another key set. Versions that were reserved before
// stay with their key set.
func (q *Quorum) SetKeySet(id uint32) { q.keySet.Store(id) }

// Seen returns the highest sequence received from each keeper. Save it and pass it to
// the next quorum: then it notices a keeper that was rolled back in between.
func (q *Quorum) Seen() map[ID]uint64 {
	out := make(map[ID]uint64, len(q.members))
	for _, m := range q.members {
		out[m.id] = m.lastSeen()
	}
	return out
}

// Ready returns nil if at least t keepers would serve an attempt. It makes the checks
// that every request passes before the keeper looks at its card (clock, rollback, room
// on the disk).
func (q *Quorum) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, q.timing.Call)
	defer cancel()
	replies := make(chan error, len(q.members))
	for _, m := range q.members {
		if !q.background(func() {
			replies <- q.admit(ctx, m)
		}) {
			return ErrClosed
		}
	}
	up, why := 0, error(nil)
	for range q.members {
		select {
		case err := <-replies:
			if err == nil {
				up++
			} else {
				why = err
			}
		case <-ctx.Done():
			return fmt.Errorf("%w: %d of %d: %w", ErrNoQuorum, up, q.shape.N, ctx.Err())
		}
		if up >= q.shape.T {
			return nil
		}
	}
	return fmt.Errorf("%w: %d of %d: %w", ErrNoQuorum, up, q.shape.N, why)
}

// Close stops the resending, waits for calls under way and sends the keepers the last
// heads. Settlements that were not acknowledged are lost, which only leaves those
// guesses counted. The keepers are not closed.
func (q *Quorum) Close() error {
	q.mu.Lock()
	q.shut = true
	q.mu.Unlock()
	q.stop()
	q.jobs.Wait()
	q.lastHeads()
	return nil
}

// background runs f unless the quorum is closed.
func (q *Quorum) background(f func()) bool {
	if !q.hold() {
		return false
	}
	go func() {
		defer q.jobs.Done()
		f()
	}()
	return true
}

// hold makes Close wait until jobs.Done; it returns false if Close was already called.
func (q *Quorum) hold() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shut {
		return false
	}
	q.jobs.Add(1)
	return true
}

func (q *Quorum) raise(m *member, card liuma.CardID, fault Fault) {
	q.log.Warn("keeper alarm", "keeper", string(m.id), "what", string(fault))
	if fault == Disagrees {
		m.differing(q.now())
	}
	if q.alarm != nil {
		q.alarm(Alarm{Keeper: m.id, Card: card, Fault: fault})
	}
}

// errBelowSeen is an answer below the sequence that the request named. A correct keeper
// that was rolled back refuses such a request. This keeper did not even compare, so its
// answer is not used.
var errBelowSeen = errors.New("keeper: answered below a sequence that it once answered")

// errHangs: the keeper is not called, because too many calls to it hang.
var errHangs = errors.New("keeper: too many calls under way")

const (
	// mostCounted is a sequence that no keeper reaches by counting: one write each
	// microsecond for nine years.
	mostCounted = 1 << 48
	// mostSkipped is how far one answer may be above mostCounted, or above the last
	// sequence received from the keeper. Such a step is possible after a repair that took
	// over a sequence that a keeper had made up.
	mostSkipped = 1 << 24
)

// errMadeUp is an answer with a sequence that no keeper reaches by counting. If it were
// believed, a keeper that replaces this one would look like an older copy of it for ever,
// and no repair could raise its sequence so far.
var errMadeUp = fmt.Errorf("%w: a sequence that no keeper counts to", errForm)

// header makes the header of a request to m.
func (q *Quorum) header(m *member) Header { return Header{Now: q.now(), Seen: m.lastSeen()} }

func (m *member) lastSeen() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen
}

// heard records an answer's sequence, or refuses the answer.
func (m *member) heard(sent Header, a Answer) error {
	if a.Sequence < sent.Seen {
		return errBelowSeen
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.Sequence > max(m.seen, mostCounted)+mostSkipped {
		return errMadeUp
	}
	m.seen = max(m.seen, a.Sequence)
	m.well()
	return nil
}

// reply is the result of one call to one keeper.
type reply[T any] struct {
	from   *member
	answer T
	err    error
}

// ask calls all keepers in parallel, and returns a channel that gets one reply from
// each keeper and never blocks the sender. A single keeper is called in the caller's
// own goroutine.
//
// The calls go on if the caller's request is cancelled, because cancelling does not
// undo a write that a keeper has begun; they end after timing.Call.
func ask[T any](ctx context.Context, q *Quorum, call func(context.Context, *member) (T, error)) (<-chan reply[T], error) {
	replies := make(chan reply[T], len(q.members))
	if len(q.members) == 1 {
		if !q.hold() {
			return nil, ErrClosed
		}
		defer q.jobs.Done()
		a, err := call(ctx, q.members[0])
		replies <- reply[T]{q.members[0], a, err}
		return replies, nil
	}
	request := liuma.RequestOf(ctx)
	for i, m := range q.members {
		started := q.background(func() {
			defer m.calls.Add(-1)
			if m.calls.Add(1) > maxCalls {
				replies <- reply[T]{from: m, err: errHangs}
				return
			}
			ctx, cancel := context.WithTimeout(liuma.WithRequest(q.base, request), q.timing.Call)
			defer cancel()
			a, err := call(ctx, m)
			replies <- reply[T]{m, a, err}
		})
		if !started && i == 0 {
			return nil, ErrClosed
		}
		if !started { // closed meanwhile: the other keepers give no answer
			replies <- reply[T]{from: m, err: ErrClosed}
		}
	}
	return replies, nil
}
