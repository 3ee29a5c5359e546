package sqlite

import (
	"errors"
	"sync"
)

// readers are the connections that Views run on. The one that was used last is used next:
// its statements are prepared, and its cache has what was read lately. A process that
// reads little prepares each statement once and not once for each reader.
type readers struct {
	free chan struct{} // a token for each idle reader; whoever has one calls take
	mu   sync.Mutex
	idle []*conn // guarded by mu
	size int     // how many there are, idle or not; guarded by mu
}

func newReaders(most int) *readers { return &readers{free: make(chan struct{}, most)} }

// take returns an idle reader, to whoever took a token from free.
func (r *readers) take() *conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.idle) - 1
	c := r.idle[last]
	r.idle = r.idle[:last]
	return c
}

// put makes a reader idle.
func (r *readers) put(c *conn) {
	r.mu.Lock()
	r.idle = append(r.idle, c)
	r.mu.Unlock()
	r.free <- struct{}{}
}

// add puts a new reader among them.
func (r *readers) add(c *conn) {
	r.mu.Lock()
	r.size++
	r.mu.Unlock()
	r.put(c)
}

// close waits until all readers are idle, and closes them. No View takes one any more.
func (r *readers) close() error {
	r.mu.Lock()
	n := r.size
	r.size = 0
	r.mu.Unlock()
	var errs []error
	for range n {
		<-r.free
		errs = append(errs, r.take().close())
	}
	return errors.Join(errs...)
}
