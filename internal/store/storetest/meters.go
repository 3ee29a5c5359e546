package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// counted counts events in an Update without an entry.
func counted(t testing.TB, s store.Store, kind string, key int, at time.Time, n uint64) {
	t.Helper()
	must(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, tx.Meter(kind, index("k", key), at, n)
	}))
}

func metered(t testing.TB, s store.Store, kind string, key int, since time.Time) uint64 {
	t.Helper()
	return mustGet(t, s, func(r store.Reader) (uint64, error) { return r.Metered(kind, index("k", key), since) })
}

// meters: what was counted is counted by kind and key, and is there again after
// the store was opened anew.
func meters(t *testing.T, open Open) {
	s, reopen := open(t)
	want := func(kind string, key int, n uint64) {
		t.Helper()
		if got := metered(t, s, kind, key, at(-3600)); got != n {
			t.Errorf("%s %d: %d events, want %d", kind, key, got, n)
		}
	}
	want("a", 1, 0)
	counted(t, s, "a", 1, at(0), 0) // none
	want("a", 1, 0)
	counted(t, s, "a", 1, at(0), 3)
	counted(t, s, "a", 1, at(1), 2)
	counted(t, s, "a", 2, at(0), 7)
	counted(t, s, "b", 1, at(0), 11)
	s = reopen()
	want("a", 1, 5)
	want("a", 2, 7)
	want("b", 1, 11)
	want("b", 2, 0)
	want("", 1, 0)
	counted(t, s, "b", 1, at(0), math.MaxUint64-5) // it stops at the top and does not begin anew
	want("b", 1, math.MaxUint64)
	if all := entries(t, s); len(all) != 0 {
		t.Errorf("%d entries about counting, want none", len(all))
	}
	const many = 100
	together(t, many, func(int) error {
		return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			return audit.Entry{}, tx.Meter("c", index("k", 1), at(9), 1)
		})
	})
	want("c", 1, many)
	wantErr(t, update(t, s, func(tx store.Tx) error {
		must(t, tx.Meter("c", index("k", 1), at(9), 1))
		return store.ErrConflict
	}), store.ErrConflict)
	want("c", 1, many) // the count goes with its transaction
}

// meterEdges: a count is never too low. An event counts until the minute in
// which it came is over, and where the last event is more than two hours later,
// the hour.
func meterEdges(t *testing.T, open Open) {
	s, _ := open(t)
	minute := at(0).Truncate(time.Minute)
	hour := minute.Truncate(time.Hour)
	first := hour.Add(10*time.Minute + 59*time.Second)
	counted(t, s, "m", 1, first, 1)
	want := func(name string, since time.Time, n uint64) {
		t.Helper()
		if got := metered(t, s, "m", 1, since); got != n {
			t.Errorf("%s: %d events, want %d", name, got, n)
		}
	}
	want("before it", first.Add(-time.Millisecond), 1)
	want("in its minute", hour.Add(11*time.Minute-time.Millisecond), 1)
	want("when its minute is over", hour.Add(11*time.Minute), 0)

	next := first.Add(26 * time.Hour)
	counted(t, s, "m", 1, next, 1)
	want("a day before the next", next.Add(-24*time.Hour), 1)
	want("in the first one's hour", hour.Add(time.Hour-time.Millisecond), 2)
	want("when that hour is over", hour.Add(time.Hour), 1)
	want("two hours before the next, by the minute", next.Add(-store.MeterMinutes), 1)

	late := next.Add(50 * time.Hour)
	counted(t, s, "m", 1, late, 1)
	want("two days before, what is older is forgotten", late.Add(-store.MeterKept), 1)
	want("long before, too", first.Add(-time.Hour), 1)
}

// meterClock: a time that was metered is not left behind (I-15).
func meterClock(t *testing.T, open Open) {
	s, reopen := open(t)
	counted(t, s, "m", 1, at(3600*30), 2)
	counted(t, s, "m", 1, at(0), 3) // the clock was set back by thirty hours
	s = reopen()
	for _, since := range []int{-3600, 0, 3600 * 29} {
		if got := metered(t, s, "m", 1, at(since)); got != 5 {
			t.Errorf("since %v: %d events, want 5", at(since), got)
		}
	}
	counted(t, s, "m", 1, time.Time{}, 1) // no time is not an earlier one either
	if got := metered(t, s, "m", 1, at(3600*29)); got != 6 {
		t.Errorf("%d events, want 6", got)
	}
}

// meterPrune: a meter goes when its last event is old, not before.
func meterPrune(t *testing.T, open Open) {
	s, _ := open(t)
	for key := 1; key <= 2; key++ {
		counted(t, s, "m", key, at(3600*10*key), 1)
	}
	prune := func(before time.Time) (n int64) {
		t.Helper()
		must(t, s.Update(t.Context(), func(tx store.Tx) (_ audit.Entry, err error) {
			n, err = tx.PruneMeters(before)
			return audit.Entry{}, err
		}))
		return n
	}
	if n := prune(at(3600 * 10)); n != 0 {
		t.Errorf("%d meters went whose last event is not before", n)
	}
	if n := prune(at(3600 * 11)); n != 1 {
		t.Errorf("%d meters went, want the old one", n)
	}
	if n := metered(t, s, "m", 1, at(0)); n != 0 {
		t.Errorf("%d events of what was forgotten", n)
	}
	if n := metered(t, s, "m", 2, at(0)); n != 1 {
		t.Errorf("%d events of the other, want 1", n)
	}
}
