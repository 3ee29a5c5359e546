package clock

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestSuspendedMachine: the time for which a machine was suspended has passed, within
// bootEvery of its end, though the boot clock is not asked at each reading.
func TestSuspendedMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, suspended, calls := time.Now(), time.Duration(0), 0
		s := newSystem("start", func() (time.Duration, bool) {
			calls++
			return time.Hour + time.Since(began) + suspended, true
		})
		first := s.Read()
		for range 100 {
			s.Read()
		}
		if calls != 1 {
			t.Errorf("a hundred readings at one moment asked the boot clock %d times", calls)
		}
		suspended = 90 * time.Minute
		time.Sleep(bootEvery)
		if got, want := s.Read().Boot-first.Boot, suspended+bootEvery; got != want {
			t.Errorf("%s passed by the boot clock, want %s", got, want)
		}
	})
}

// TestHeldUpReading: a process that is held up while it reads is never ahead of the boot
// clock, and its readings never fall (I-15).
func TestHeldUpReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		boot := func() time.Duration { return time.Hour + time.Since(began) }
		var held time.Duration
		s := newSystem("start", func() (time.Duration, bool) {
			time.Sleep(held)
			said := boot()
			time.Sleep(held)
			return said, true
		})
		var before time.Duration
		for _, held = range []time.Duration{time.Second, 0, time.Minute, 0} {
			time.Sleep(bootEvery)
			got := s.Read().Boot
			if got > boot() || got < before {
				t.Errorf("held up for %s: %s, the boot clock says %s, and %s was read before", held, got, boot(), before)
			}
			before = got
		}
		if got := s.Read().Boot; got != boot() {
			t.Errorf("once it was not held up: %s, the boot clock says %s", got, boot())
		}
	})
}
