package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

// errStandby says that the server gave up waiting for its standby: the change is on its
// own disk, and a failover may lose it.
var errStandby = errors.New("the server gave up waiting for its standby")

// attempt is one run of an Update's function.
type attempt struct {
	s     *Store
	ctx   context.Context // without the caller's end: what has begun is carried through
	f     func(store.Tx) (audit.Entry, error)
	wide  bool     // an earlier run met a key that is taken in another home
	held  []string // rows that no other Update of this process writes meanwhile
	under []store.Hold
	last  bool // and the innermost is given back with what is written
	again bool // an earlier run was not kept
}

// outcome is how it ended. again: nothing was kept, and it is run again; wait is whether
// the server has to come back first.
type outcome struct {
	err      error
	panicked bool
	value    any // of the panic
	again    bool
	wait     bool
	wide     bool
	want     []string // rows to hold from the beginning of the next attempt
}

// Update implements store.Store. A function whose rows another changed meanwhile runs
// again, from then on holding these rows in this process, so that it waits for the others
// instead of meeting them once more.
func (s *Store) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	under := store.HoldsIn(ctx)
	if s.alone != nil {
		f, under = s.alone.Kept(ctx, f), nil
	}
	var held []string
	wide := false
	for n, until := 0, time.Now().Add(s.cfg.Patience); ; n++ {
		if err := s.locks.lock(ctx, held); err != nil {
			return err // nothing was kept
		}
		a := &attempt{s: s, ctx: context.WithoutCancel(ctx), f: f, held: held, wide: wide, under: under, last: store.IsLast(ctx), again: n > 0}
		out := a.run(ctx)
		s.locks.unlock(a.held)
		switch {
		case out.panicked:
			panic(out.value)
		case !out.again:
			return out.err
		case time.Now().After(until):
			return fmt.Errorf("%w: after %d attempts: %w", store.ErrUnreachable, n+1, out.err)
		}
		wide = wide || out.wide
		held = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(held), out.want...))))
		if out.wait {
			pause(ctx, 100*time.Millisecond)
		} else if n > 2 {
			pause(ctx, time.Duration(rand.IntN(5*min(n, 20)))*time.Millisecond)
		}
		if err := ctx.Err(); err != nil {
			return err // nothing was kept
		}
	}
}

// run runs the function once and commits what it wrote.
func (a *attempt) run(caller context.Context) (out outcome) {
	to := &change{wide: a.wide, snapshot: snapshot{s: a.s, ctx: a.ctx, pool: a.s.writers}, under: a.under, last: a.last,
		reads: map[place]read{}, ops: map[place]*op{}, marks: map[string]int64{}, marked: map[string]int64{}}
	defer to.end()
	var err error
	if to.conn, err = a.s.writers.Acquire(caller); err != nil {
		if caller.Err() != nil {
			return outcome{err: caller.Err()}
		}
		return outcome{err: told(err), again: true, wait: true}
	}
	t := rows.NewTx(a.s.codec, to)
	defer t.End()
	if err := to.expect(store.ExpectedIn(caller), a.again); err != nil {
		return a.broken(to.broken)
	}
	entry, out := protect(a.f, t)
	if to.broken != nil { // the function may have ignored the error
		return a.broken(to.broken)
	}
	if behind := t.Behind(); behind != nil {
		return a.older(to, behind)
	}
	if out.err != nil || out.panicked {
		return out
	}
	err = t.Finish(entry, a.s.process) // which may read a card for the first time
	switch {
	case to.broken != nil:
		return a.broken(to.broken)
	case t.Behind() != nil:
		return a.older(to, t.Behind())
	case err != nil:
		return outcome{err: err}
	case !to.pending():
		return outcome{}
	}
	if out, ok := a.proved(t); !ok {
		return out
	}
	return a.commit(to, t)
}

// proved asks about the cards' rows that are to be replaced (Config.Prove), before they
// are: afterwards nobody could tell a row that was put back from one that another
// authority moved on meanwhile.
func (a *attempt) proved(t *rows.Tx) (outcome, bool) {
	if a.s.cfg.Prove == nil {
		return outcome{}, true
	}
	for _, h := range t.Heads() {
		if h.Read == 0 {
			continue // a new card
		}
		err := a.s.cfg.Prove(a.ctx, h.Card, h.Read, func(ctx context.Context) (uint64, error) { return a.s.stands(ctx, h.Card) })
		switch {
		case err == nil:
		case errors.Is(err, store.ErrConflict):
			return outcome{err: err, again: true}, false
		default:
			return outcome{err: liuma.Fail(liuma.CodeUnavailable, fmt.Errorf("%w: %w", store.ErrBehind, err))}, false
		}
	}
	return outcome{}, true
}

// stands is the revision at which a card's row stands now.
func (s *Store) stands(ctx context.Context, card liuma.CardID) (uint64, error) {
	var now int64
	err := s.writers.QueryRow(ctx, "SELECT rev FROM cards WHERE key = $1", card[:]).Scan(&now)
	return uint64(now), err
}

// broken is the outcome of a transaction that the database ended before its commit was
// sent: nothing was kept.
func (a *attempt) broken(err error) outcome {
	known := told(err)
	switch {
	case errors.Is(known, store.ErrFailed):
		a.s.failed.Store(true)
		return outcome{err: known}
	case conflicts(err):
		return outcome{err: known, again: true, wide: taken(err)}
	case !refused(err):
		return outcome{err: known, again: true, wait: true}
	}
	return outcome{err: known}
}

// older is the outcome where a card's row was read below what this process wrote. If it
// is above that by now, the snapshot was from before that write, and the function runs
// again. A row that was put back is not, since who refused it has seen the later write
// committed: it is refused for good, with an alarm.
func (a *attempt) older(t *change, of *rows.Head) outcome {
	t.end()
	now, err := a.s.stands(a.ctx, of.Card)
	switch {
	case lostConnection(err):
		return outcome{err: told(err), again: true, wait: true}
	case err == nil && now > of.Read:
		return outcome{err: store.ErrConflict, again: true}
	}
	err = errOlder
	if a.s.cfg.Stands != nil {
		err = cmp.Or(a.s.cfg.Stands(of.Card, of.Read), err)
	}
	return outcome{err: liuma.Fail(liuma.CodeUnavailable, fmt.Errorf("%w: %w", store.ErrBehind, err))}
}

// commit commits what was written, while it holds the rows that it replaces.
func (a *attempt) commit(to *change, t *rows.Tx) outcome {
	want := to.locks()
	missing := slices.DeleteFunc(slices.Clone(want), func(k string) bool { return slices.Contains(a.held, k) })
	if !a.s.locks.try(missing) {
		return outcome{err: store.ErrConflict, again: true, want: want}
	}
	a.held = append(slices.Clone(a.held), missing...)
	fate, err := to.commit()
	if fate == doubtful {
		if to.conn != nil && errors.Is(err, errStandby) {
			to.conn.Release()
			to.conn = nil
		} else {
			to.drop()
		}
		fate, err = a.s.resolve(a.ctx, to, err)
	}
	switch fate {
	case done:
		if h := to.gives(); !h.IsZero() {
			h.Give()
		}
		a.s.tell(t)
		return outcome{}
	case doubtful:
		return outcome{err: fmt.Errorf("%w: %w", store.ErrUndecided, err)}
	}
	out := a.broken(err)
	out.want = want
	return out
}

// tell tells of a commit, before its caller hears of it.
func (s *Store) tell(t *rows.Tx) {
	for _, h := range t.Heads() {
		s.cfg.Committed(h.Card, h.Read, h.Rev)
	}
	n := t.Raised()
	if s.cfg.Head == nil || n == 0 {
		return
	}
	s.raising.Lock()
	defer s.raising.Unlock()
	// After the commit: the other way round a crash in between would leave a database that
	// is refused. If it fails, what was committed stands; an alarm tells, and the next
	// change, or the next start, tries again.
	if err := s.cfg.Head.Raise(n); err != nil && time.Now().After(s.retry) {
		s.retry = time.Now().Add(10 * time.Second)
		s.codec.Alarm("shared", fmt.Errorf("store: raise the head: %w", err))
	}
}

// protect keeps a panic until the transaction has ended; Update raises it again.
func protect(f func(store.Tx) (audit.Entry, error), t store.Tx) (e audit.Entry, out outcome) {
	returned := false
	defer func() {
		if !returned {
			out.value = recover()
			out.panicked = true
		}
	}()
	e, out.err = f(t)
	returned = true
	return e, out
}
