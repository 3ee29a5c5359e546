package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Among tries what processes have between them, and no more.
func Among(t *testing.T, open Open) {
	t.Helper()
	t.Run("HeldOnce", func(t *testing.T) { heldOnce(t, open) })
	t.Run("HoldsEnd", func(t *testing.T) { holdsEnd(t, open) })
	t.Run("Duties", func(t *testing.T) { duties(t, open) })
	t.Run("Peers", func(t *testing.T) { peers(t, open) })
}

// long is longer than any test.
const long = time.Hour

func holdKey(i byte) store.HoldKey { return store.HoldKey{'k', i} }

// heldOnce has many ask for the same key at once: one has it at a time.
func heldOnce(t *testing.T, open Open) {
	s, _ := open(t)
	var inside, taken atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := 0; n < 5; {
				h, err := s.Hold(t.Context(), holdKey(1), long)
				if errors.Is(err, store.ErrHeld) {
					time.Sleep(time.Millisecond)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two have the same key")
				}
				inside.Add(-1)
				taken.Add(1)
				n++
				if err := s.Release(t.Context(), h); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := taken.Load(); n != 40 {
		t.Errorf("taken %d times, want 40", n)
	}
}

// holdsEnd: a hold that ran out is taken over, and who had it keeps nothing under it; one
// that was given back is nobody's, and another key is another thing.
func holdsEnd(t *testing.T, open Open) {
	s, _ := open(t)
	first, err := s.Hold(t.Context(), holdKey(1), time.Nanosecond)
	must(t, err)
	must(t, underHold(t, s, first, 1)) // it ran out, and nobody asked for it: it stands
	second := mustHold(t, s, holdKey(1))
	wantErr(t, underHold(t, s, first, 2), store.ErrUnheld)
	must(t, underHold(t, s, second, 3))
	must(t, s.Release(t.Context(), first)) // another's by now: it stays
	_, err = s.Hold(t.Context(), holdKey(1), long)
	wantErr(t, err, store.ErrHeld)
	other := mustHold(t, s, holdKey(2))
	must(t, s.Release(t.Context(), second))
	wantErr(t, underHold(t, s, second, 4), store.ErrUnheld)
	must(t, underHold(t, s, other, 5))
	mustHold(t, s, holdKey(1))
	for i := 1; i <= 5; i++ {
		_, err := get(t, s, getCard(cardID(i)))
		if kept := err == nil; kept != (i == 1 || i == 3 || i == 5) {
			t.Errorf("change %d: kept %v (%v)", i, kept, err)
		}
	}
	must(t, s.Update(store.Under(store.Under(t.Context(), first), store.Hold{}), func(tx store.Tx) (audit.Entry, error) {
		return entry(audit.CardEnrolled), tx.InsertCard(bareCard(6))
	}))
}

func mustHold(t *testing.T, s store.Store, k store.HoldKey) store.Hold {
	t.Helper()
	h, err := s.Hold(t.Context(), k, long)
	must(t, err)
	return h
}

func underHold(t *testing.T, s store.Store, h store.Hold, i int) error {
	t.Helper()
	return s.Update(store.Under(t.Context(), h), func(tx store.Tx) (audit.Entry, error) {
		return entry(audit.CardEnrolled), tx.InsertCard(bareCard(i))
	})
}

// duties: who has one keeps it, and nobody who does not have it can give it back.
func duties(t *testing.T, open Open) {
	s, reopen := open(t)
	for range 2 {
		if got, err := s.TakeDuty(t.Context(), store.DutyDigests, long); err != nil || !got {
			t.Errorf("taken %v, %v", got, err)
		}
	}
	there, err := s.Duties(t.Context())
	must(t, err)
	if len(there) != 1 || there[0].Name != store.DutyDigests || there[0].Process != s.Self().Process || there[0].Since.IsZero() {
		t.Errorf("duties %+v", there)
	}
	s = reopen() // what ended has none
	there, err = s.Duties(t.Context())
	must(t, err)
	if len(there) != 0 {
		t.Errorf("a process that has ended has %+v", there)
	}
	if got, err := s.TakeDuty(t.Context(), store.DutyDigests, long); err != nil || !got {
		t.Errorf("after the end of who had it: taken %v, %v", got, err)
	}
	must(t, s.DropDuty(t.Context(), store.DutyDigests))
	there, err = s.Duties(t.Context())
	must(t, err)
	if len(there) != 0 {
		t.Errorf("it was given back, and there is %+v", there)
	}
}

// peers: a process knows itself, and that an earlier one has ended, whose holds end with
// it.
func peers(t *testing.T, open Open) {
	s, reopen := open(t)
	before := s.Self()
	mustHold(t, s, holdKey(1))
	if before.Process == "" || before.Host == "" || before.PID == 0 || before.Since.IsZero() || s.Ended(before.Process) {
		t.Errorf("itself: %+v, ended %v", before, s.Ended(before.Process))
	}
	s = reopen()
	now := s.Self()
	if now.Process == before.Process || !s.Ended(before.Process) || !s.Ended("nobody's") || s.Ended(now.Process) {
		t.Errorf("after a new start: %+v, and the one before has ended %v", now, s.Ended(before.Process))
	}
	there, err := s.Peers(t.Context())
	must(t, err)
	if len(there) != 1 || there[0].Process != now.Process || there[0].Name != before.Name || there[0].Absent {
		t.Errorf("there are %+v", there)
	}
	mustHold(t, s, holdKey(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Hold(ctx, holdKey(2), long)
	wantErr(t, err, context.Canceled)
}
