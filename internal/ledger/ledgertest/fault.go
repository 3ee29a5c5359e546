package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// ErrInjected is the error that a Fault returns.
var ErrInjected = errors.New("ledgertest: injected fault")

// Fault is a Backend that fails, or waits, at the calls that a test names.
// Calls of Load and Apply are numbered together from 1.
type Fault struct {
	ledger.Backend

	mu      sync.Mutex
	calls   int           // guarded by mu
	applied int           // guarded by mu; Apply calls that the backend made durable
	failAt  int           // guarded by mu; 0: never
	late    bool          // guarded by mu; fail after the call has taken effect, not before
	full    bool          // guarded by mu; Apply finds no room
	gate    chan struct{} // guarded by mu; Apply waits until it is closed
	entered chan struct{} // guarded by mu; closed when an Apply waits at the gate
}

// FailAt makes call number n fail: before the backend is called or, if late,
// after the backend has made the call durable.
func (f *Fault) FailAt(n int, late bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failAt, f.late = n, late
}

// Full says whether every Apply from now on fails because the disk is full.
func (f *Fault) Full(full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

// Hold makes every Apply wait until release is called; entered is closed when
// the first one waits.
func (f *Fault) Hold() (entered <-chan struct{}, release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gate, f.entered = make(chan struct{}), make(chan struct{})
	gate := f.gate
	return f.entered, sync.OnceFunc(func() { close(gate) })
}

// Calls returns the number of calls of Load and Apply, and how many Apply calls
// became durable.
func (f *Fault) Calls() (calls, applied int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls, f.applied
}

// next numbers a call and returns the errors to fail with, before it or after
// it.
func (f *Fault) next() (early, late error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	switch {
	case f.calls != f.failAt:
		return nil, nil
	case f.late:
		return nil, ErrInjected
	}
	return ErrInjected, nil
}

// Load implements ledger.Backend.
func (f *Fault) Load(ctx context.Context, cards []liuma.CardID) ([]ledger.Row, error) {
	early, late := f.next()
	if early != nil {
		return nil, early
	}
	rows, err := f.Backend.Load(ctx, cards)
	if late != nil {
		return nil, late
	}
	return rows, err
}

// Apply implements ledger.Backend.
func (f *Fault) Apply(ctx context.Context, rows []ledger.Row, meta ledger.Meta) error {
	f.wait()
	early, late := f.next()
	if early != nil {
		return early
	}
	f.mu.Lock()
	full := f.full
	f.mu.Unlock()
	if full {
		return fmt.Errorf("%w: %w", ledger.ErrFull, ErrInjected)
	}
	if err := f.Backend.Apply(ctx, rows, meta); err != nil {
		return err
	}
	f.mu.Lock()
	f.applied++
	f.mu.Unlock()
	return late
}

func (f *Fault) wait() {
	f.mu.Lock()
	gate, entered := f.gate, f.entered
	f.entered = nil
	f.mu.Unlock()
	if entered != nil {
		close(entered)
	}
	if gate != nil {
		<-gate
	}
}
