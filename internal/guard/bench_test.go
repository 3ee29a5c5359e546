package guard

import (
	"testing"

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
			for b.Loop() {
				q := guess(n)
				q.Lane = bench.lane
				w.try(b, pins[n%len(pins)], q, bench.verdict)
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

// BenchmarkMemory reports what a guard holds after guesses of every kind, and a
// sum of another.
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
