package authority

import (
	"context"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

// slotKey names a thing that one request at a time may work on: a card, or a
// holder's index when there may be no card yet.
type slotKey [32]byte

func cardSlot(id liuma.CardID) slotKey {
	var k slotKey
	copy(k[:], "card")
	copy(k[16:], id[:])
	return k
}

// HoldCard waits until no other request works on a card, at most busyWait, and
// returns the function that lets the next request in. CodeBusy: it waited too
// long, and nothing was counted.
func (a *Authority) HoldCard(ctx context.Context, id liuma.CardID) (release func(), err error) {
	return a.slots.take(ctx, cardSlot(id), busyWait)
}

// HoldHolder is HoldCard for a holder who may have no card yet.
func (a *Authority) HoldHolder(ctx context.Context, holder vault.Index) (release func(), err error) {
	return a.slots.take(ctx, slotKey(holder), busyWait)
}

// slots holds one token per key in use. A key that no request holds or waits
// for takes no memory.
type slots struct {
	mu   sync.Mutex
	held map[slotKey]*slot // guarded by mu
}

type slot struct {
	token chan struct{}
	users int // guarded by slots.mu: holder and waiters
}

func newSlots() *slots { return &slots{held: map[slotKey]*slot{}} }

// take waits for the key, at most d, and returns the function that gives it
// back. It counts nothing.
func (s *slots) take(ctx context.Context, k slotKey, d time.Duration) (release func(), err error) {
	s.mu.Lock()
	e := s.held[k]
	if e == nil {
		e = &slot{token: make(chan struct{}, 1)}
		s.held[k] = e
	}
	e.users++
	s.mu.Unlock()

	select {
	case e.token <- struct{}{}: // the common case needs no timer
		return func() { <-e.token; s.leave(k, e) }, nil
	default:
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case e.token <- struct{}{}:
		return func() { <-e.token; s.leave(k, e) }, nil
	case <-t.C:
		err = liuma.Fail(liuma.CodeBusy, nil)
	case <-ctx.Done():
		err = liuma.Fail(liuma.CodeBusy, ctx.Err())
	}
	s.leave(k, e)
	return nil, err
}

func (s *slots) leave(k slotKey, e *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.users--; e.users == 0 {
		delete(s.held, k)
	}
}
