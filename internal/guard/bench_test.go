package guard

import (
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// BenchmarkGuess is what a guess costs, to be read beside BenchmarkCheck of
// package split, the cryptography of the same guess.
func BenchmarkGuess(b *testing.B) {
	for _, bench := range []struct {
		name    string
		lane    ledger.Lane
		verdict liuma.Verdict
	}{{"stranger-wrong", ledger.Stranger, liuma.Wrong}, {"stranger-right", ledger.Stranger, liuma.Right}, {"known", ledger.Known, liuma.Right}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			w, n, r := newWorld(b), 0, random(1)
			pins := settable(b, r, 1000)
			guesses := make([]target, 1<<12)
			for i := range guesses {
				guesses[i] = guess(i)
				guesses[i].Lane = bench.lane
			}
			for b.Loop() {
				w.try(b, pins[n%len(pins)], guesses[n%len(guesses)], bench.verdict)
				n++
			}
		})
	}
}

// BenchmarkRefused is a guess that is refused: a flood of them costs no more.
func BenchmarkRefused(b *testing.B) {
	b.ReportAllocs()
	w, p := newWorld(b), value(b, "620594")
	for n := range 100 {
		w.try(b, p, guess(n), liuma.Wrong)
	}
	for b.Loop() {
		if w.try(b, p, guess(1), liuma.Wrong) == nil {
			b.Fatal("not refused")
		}
	}
}

// BenchmarkEpoch is the making of a new long epoch, twice a day.
func BenchmarkEpoch(b *testing.B) {
	for b.Loop() {
		newEpoch(1, longWidth, Key{1})
	}
}

// BenchmarkSum makes a whole sum of a busy quarter of an hour, and says how long it
// is.
func BenchmarkSum(b *testing.B) {
	w := newWorld(b)
	for n, p := range settable(b, random(1), 20_000) {
		w.try(b, p, guess(n), liuma.Wrong)
	}
	b.ReportAllocs()
	for b.Loop() {
		s, err := w.Sum(true)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(s)), "bytes")
	}
}

// BenchmarkMemory says what a guard holds at most: alone, and with as many
// authorities beside it as it listens to.
func BenchmarkMemory(b *testing.B) {
	held := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	for b.Loop() {
		before := held()
		w := newWorld(b)
		for range 4 {
			for n := range 2000 {
				q := guess(n)
				q.Channel = liuma.ChannelID(time.Duration(n).String())
				w.try(b, value(b, digits(n)), q, liuma.Wrong)
			}
			if _, err := w.Sum(true); err != nil {
				b.Fatal(err)
			}
			w.wait(12 * time.Hour)
		}
		w.try(b, value(b, "620594"), guess(1), liuma.Wrong)
		b.ReportMetric(held()-before, "MiB-alone")
		for i := range maxOrigins {
			for n := w.short.now - 1; n <= w.short.now+1; n++ {
				sum := encodeSum(Origin{byte(i + 1)}, []part{{span: 1, length: w.short.seconds(), number: n, total: 9, cells: []cell{{1, math.MaxUint16}}}})
				if err := w.Merge(sum); err != nil {
					b.Fatal(err)
				}
			}
			for n := w.long.now - 1; n <= w.long.now+1; n++ {
				sum := encodeSum(Origin{byte(i + 1)}, []part{{span: 2, length: w.long.seconds(), number: n, total: 9, cells: []cell{{1, math.MaxUint16}}}})
				if err := w.Merge(sum); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(held()-before, "MiB-with-all-others")
		runtime.KeepAlive(w)
	}
}
