package authority

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// slotKey names a thing that only one request at a time may work on: a card, or a holder's
// index when there may be no card yet.
type slotKey [32]byte

func cardSlot(id liuma.CardID) slotKey {
	var k slotKey
	copy(k[:], "card")
	copy(k[16:], id[:])
	return k
}

// holdFor is the longest time for which a card is kept from the other authorities. It is
// longer than the work under a hold: attemptTime for the keepers, and two transactions.
const holdFor = 20 * time.Second

// HoldCard waits until no other request works on a card, at this authority or another on the
// same database, at most busyWait. It returns the context for the work under the hold, and
// the function that lets the next request in. CodeBusy: it waited too long, and nothing was
// counted.
//
// Writes with that context are kept only while the card is held (store.ErrUnheld): a process
// that was suspended for longer than holdFor, while another took over, decides nothing.
// After a crash others get the card as soon as the process is known to have ended, or after
// holdFor.
func (a *Authority) HoldCard(ctx context.Context, id liuma.CardID) (_ context.Context, release func(), err error) {
	return a.hold(ctx, cardSlot(id))
}

// HoldHolder is HoldCard for a holder who may have no card yet.
func (a *Authority) HoldHolder(ctx context.Context, holder vault.Index) (_ context.Context, release func(), err error) {
	return a.hold(ctx, slotKey(holder))
}

// hold takes a key first in this process, then among all processes that share the database,
// so that only one of this process's requests at a time asks the database.
func (a *Authority) hold(ctx context.Context, k slotKey) (_ context.Context, release func(), err error) {
	until := time.Now().Add(busyWait)
	leave, err := a.slots.take(ctx, k, busyWait)
	if err != nil {
		return ctx, nil, err
	}
	h, err := a.holdAmong(ctx, store.HoldKey(k), until)
	if err != nil {
		leave()
		return ctx, nil, err
	}
	giveBack := func(ctx context.Context) {
		defer leave()
		if h.Given() {
			return // the hold ended with the last write under it
		}
		if err := a.store.Release(ctx, h); err != nil && !errors.Is(err, store.ErrClosed) {
			a.log.WarnContext(ctx, "a card's hold was not given back; it ends by itself", "err", err)
		}
	}
	ctx = store.Under(ctx, h)
	if h.Here {
		return ctx, func() { giveBack(context.WithoutCancel(ctx)) }, nil
	}
	return ctx, func() {
		if h.Given() {
			leave()
			return
		}
		// The answer does not wait for this write; the next request in this process does. If
		// it fails, the hold ends by itself.
		go func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), busyWait)
			defer cancel()
			giveBack(ctx)
		}()
	}, nil
}

// holdAmong asks for a key again and again until a given time, and at least once.
func (a *Authority) holdAmong(ctx context.Context, k store.HoldKey, until time.Time) (store.Hold, error) {
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		h, err := a.store.Hold(ctx, k, holdFor)
		switch {
		case err == nil:
			return h, nil
		case ctx.Err() != nil, errors.Is(err, store.ErrHeld) && !time.Now().Before(until):
			return store.Hold{}, liuma.Fail(liuma.CodeBusy, err)
		case !errors.Is(err, store.ErrHeld):
			return store.Hold{}, liuma.Outward(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// slots holds one token per key in use in this process. A key that no request holds or waits
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

// take waits for the key, at most d, and returns the function that gives it back.
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
