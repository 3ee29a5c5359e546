package door

import (
	"context"
	"sync"
	"time"
)

const (
	// readyEvery is the least time between two checks whether verdicts can be given.
	// Each check writes to the store and asks every keeper, and anybody may ask for
	// one, uncounted.
	readyEvery = 100 * time.Millisecond
	readyTakes = 10 * time.Second // at most
)

// Readiness answers all who ask at the same time by one check, which begins after
// they asked, so nobody gets an old answer. The zero value is ready to use.
type Readiness struct {
	mu   sync.Mutex
	next *look // guarded by mu: has not begun

	looking sync.Mutex // held by the look that is under way; taken before mu
	last    time.Time  // guarded by looking: when the last one began
}

// look is one check. err is written before done is closed.
type look struct {
	done chan struct{}
	err  error
}

// Ask waits for the next check.
func (r *Readiness) Ask(ctx context.Context, ready func(context.Context) error) error {
	r.mu.Lock()
	l := r.next
	if l == nil {
		l = &look{done: make(chan struct{})}
		r.next = l
		go r.look(context.WithoutCancel(ctx), l, ready)
	}
	r.mu.Unlock()
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Readiness) look(ctx context.Context, l *look, ready func(context.Context) error) {
	defer close(l.done)
	r.looking.Lock()
	defer r.looking.Unlock()
	time.Sleep(readyEvery - time.Since(r.last))
	r.last = time.Now()
	r.mu.Lock()
	r.next = nil // later callers wait for the next one
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, readyTakes)
	defer cancel()
	l.err = ready(ctx)
}
