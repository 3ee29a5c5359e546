package postgres

import (
	"context"
	"sync"
)

// locks are locks by name, of this process. The zero value is ready.
type locks struct {
	mu    sync.Mutex
	taken map[string]*lock // guarded by mu
}

type lock struct {
	free  chan struct{} // holds one token while nobody has the lock
	users int           // who has it or waits for it; guarded by locks.mu
}

// lock takes all, in the order given, which is sorted. An error: none is taken.
func (l *locks) lock(ctx context.Context, names []string) error {
	for i, name := range names {
		k := l.use(name)
		select {
		case <-k.free:
		case <-ctx.Done():
			l.leave(name)
			l.unlock(names[:i])
			return ctx.Err()
		}
	}
	return nil
}

// try takes all or none, without waiting.
func (l *locks) try(names []string) bool {
	for i, name := range names {
		k := l.use(name)
		select {
		case <-k.free:
		default:
			l.leave(name)
			l.unlock(names[:i])
			return false
		}
	}
	return true
}

func (l *locks) unlock(names []string) {
	for _, name := range names {
		l.mu.Lock()
		k := l.taken[name]
		l.mu.Unlock()
		k.free <- struct{}{}
		l.leave(name)
	}
}

func (l *locks) use(name string) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.taken[name]
	if k == nil {
		if l.taken == nil {
			l.taken = map[string]*lock{}
		}
		k = &lock{free: make(chan struct{}, 1)}
		k.free <- struct{}{}
		l.taken[name] = k
	}
	k.users++
	return k
}

func (l *locks) leave(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.taken[name]
	if k.users--; k.users == 0 {
		delete(l.taken, name)
	}
}
