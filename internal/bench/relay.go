package bench

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// relay passes connections on to a PostgreSQL server, and counts in what passes: each
// ReadyForQuery ends a round trip, each Execute or Query is a statement.
type relay struct {
	ln                net.Listener
	to                string
	trips, statements atomic.Int64

	mu   sync.Mutex
	open []net.Conn // guarded by mu
	wg   sync.WaitGroup
}

func newRelay(to, at string) (*relay, error) {
	ln, err := net.Listen("unix", at)
	if err != nil {
		return nil, err
	}
	r := &relay{ln: ln, to: to}
	r.wg.Go(r.accept)
	return r, nil
}

func (r *relay) accept() {
	for {
		from, err := r.ln.Accept()
		if err != nil {
			return // closed
		}
		to, err := net.Dial("unix", r.to)
		if err != nil {
			_ = from.Close() // whoever dialled sees it
			continue
		}
		r.mu.Lock()
		r.open = append(r.open, from, to)
		r.mu.Unlock()
		r.wg.Go(func() { r.pass(to, from, false) })
		r.wg.Go(func() { r.pass(from, to, true) })
	}
}

// pass copies messages: a letter, four bytes of length, and what they cover. Only the
// first one of a client has no letter.
func (r *relay) pass(to io.WriteCloser, from io.ReadCloser, answers bool) {
	defer to.Close()
	defer from.Close()
	head := make([]byte, 5)
	first := !answers
	for {
		h := head
		if first {
			h = head[1:]
		}
		if _, err := io.ReadFull(from, h); err != nil {
			return // the connection ended
		}
		switch {
		case answers && h[0] == 'Z':
			r.trips.Add(1)
		case !answers && !first && (h[0] == 'E' || h[0] == 'Q'):
			r.statements.Add(1)
		}
		first = false
		if _, err := to.Write(h); err != nil {
			return
		}
		if _, err := io.CopyN(to, from, int64(binary.BigEndian.Uint32(head[1:]))-4); err != nil {
			return
		}
	}
}

func (r *relay) reset() {
	r.trips.Store(0)
	r.statements.Store(0)
}

func (r *relay) read() (trips, statements int64) { return r.trips.Load(), r.statements.Load() }

func (r *relay) close() error {
	err := r.ln.Close()
	r.mu.Lock()
	for _, c := range r.open {
		if e := c.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	r.mu.Unlock()
	r.wg.Wait()
	return err
}
