package testkit

import (
	"context"
	"sync"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Trips are calls to a store, each of which may be a network round trip.
type Trips struct{ Views, Updates int }

// Counts counts the round trips to a store by step. The step of a call is in
// its context: Step puts it there. Background work has no step and is counted
// under "". The zero value is ready. Safe for concurrent use.
type Counts struct {
	mu    sync.Mutex
	steps map[string]Trips // guarded by mu
}

// stepKey is the context key of the step's name in these counts.
type stepKey struct{ counts *Counts }

// Step is a context whose round trips are counted under a name. It is for a
// call to the authority, or for a handler that puts it into its requests.
func (c *Counts) Step(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, stepKey{c}, name)
}

// Of returns the round trips of a step since the last Reset.
func (c *Counts) Of(name string) Trips {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.steps[name]
}

// Total returns the round trips of all named steps since the last Reset.
func (c *Counts) Total() (all Trips) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, t := range c.steps {
		if name != "" {
			all.Views, all.Updates = all.Views+t.Views, all.Updates+t.Updates
		}
	}
	return all
}

// Reset begins again at zero.
func (c *Counts) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.steps)
}

func (c *Counts) add(ctx context.Context, t Trips) {
	name, _ := ctx.Value(stepKey{c}).(string)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.steps == nil {
		c.steps = map[string]Trips{}
	}
	was := c.steps[name]
	c.steps[name] = Trips{was.Views + t.Views, was.Updates + t.Updates}
}

// Store puts the counter in front of a store.
func (c *Counts) Store(s store.Store) store.Store { return &countedStore{Store: s, counts: c} }

type countedStore struct {
	store.Store
	counts *Counts
}

func (s *countedStore) View(ctx context.Context, f func(store.Reader) error) error {
	s.counts.add(ctx, Trips{Views: 1})
	return s.Store.View(ctx, f)
}

func (s *countedStore) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	s.counts.add(ctx, Trips{Updates: 1})
	return s.Store.Update(ctx, f)
}
