package testkit

import (
	"context"
	"errors"
	"sync"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
)

// ErrDied is returned by every call once the process has "died".
var ErrDied = errors.New("testkit: the process died")

// Faults lets a process "die" at a chosen durable step: from then on neither store
// nor keepers answer, until Revive. With the zero value nothing fails. Safe for
// concurrent use.
type Faults struct {
	mu    sync.Mutex
	armed bool // guarded by mu
	left  int  // guarded by mu: steps that still succeed
	after bool // guarded by mu: the fatal step takes effect, its answer is lost
	dead  bool // guarded by mu
}

// DieAt lets n more steps succeed and makes the next one the last. With after, that
// step takes effect and only its answer is lost.
func (f *Faults) DieAt(n int, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.left, f.after, f.dead = true, n, after, false
}

// Revive ends the faults and reports whether the process had died.
func (f *Faults) Revive() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	died := f.dead
	f.armed, f.dead = false, false
	return died
}

func (f *Faults) step(run func() error) error {
	f.mu.Lock()
	if f.dead {
		f.mu.Unlock()
		return ErrDied
	}
	fatal := f.armed && f.left == 0
	if f.armed {
		f.left--
	}
	f.dead = fatal
	after := f.after
	f.mu.Unlock()
	if !fatal {
		return run()
	}
	if after {
		return errors.Join(ErrDied, run())
	}
	return ErrDied
}

// Store puts the faults in front of a store.
func (f *Faults) Store(s store.Store) store.Store { return &faultyStore{Store: s, faults: f} }

// Keeper puts the faults in front of a keeper.
func (f *Faults) Keeper(k keeper.Keeper) keeper.Keeper { return &faultyKeeper{Keeper: k, faults: f} }

type faultyStore struct {
	store.Store
	faults *Faults
}

func (s *faultyStore) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	return s.faults.step(func() error { return s.Store.Update(ctx, f) })
}

type faultyKeeper struct {
	keeper.Keeper
	faults *Faults
}

func (k *faultyKeeper) Attempt(ctx context.Context, q keeper.AttemptRequest) (a keeper.AttemptAnswer, err error) {
	err = k.faults.step(func() (err error) { a, err = k.Keeper.Attempt(ctx, q); return err })
	return a, err
}

func (k *faultyKeeper) Propose(ctx context.Context, q keeper.ProposeRequest) (a keeper.ProposeAnswer, err error) {
	err = k.faults.step(func() (err error) { a, err = k.Keeper.Propose(ctx, q); return err })
	return a, err
}

func (k *faultyKeeper) Commit(ctx context.Context, q keeper.CommitRequest) (a keeper.CommitAnswer, err error) {
	err = k.faults.step(func() (err error) { a, err = k.Keeper.Commit(ctx, q); return err })
	return a, err
}

func (k *faultyKeeper) Retag(ctx context.Context, q keeper.RetagRequest) (a keeper.CommitAnswer, err error) {
	err = k.faults.step(func() (err error) { a, err = k.Keeper.Retag(ctx, q); return err })
	return a, err
}

func (k *faultyKeeper) Retire(ctx context.Context, h keeper.Header, c liuma.CardID) (a keeper.Answer, err error) {
	err = k.faults.step(func() (err error) { a, err = k.Keeper.Retire(ctx, h, c); return err })
	return a, err
}

func (k *faultyKeeper) Settle(ctx context.Context, h keeper.Header, s []ledger.Settlement) (a keeper.Answer, err error) {
	err = k.faults.step(func() (err error) { a, err = k.Keeper.Settle(ctx, h, s); return err })
	return a, err
}

func (k *faultyKeeper) Admit(ctx context.Context, h keeper.Header) error {
	return k.faults.step(func() error { return k.Keeper.Admit(ctx, h) })
}

func (k *faultyKeeper) Status(ctx context.Context, c liuma.CardID) (a keeper.StatusAnswer, err error) {
	return k.Keeper.Status(ctx, c)
}
