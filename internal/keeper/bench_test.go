package keeper

import (
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/split"
)

// BenchmarkQuorumAttempt measures a right attempt from blinding to settlement,
// on real ledgers, one at a time and many cards in parallel.
func BenchmarkQuorumAttempt(b *testing.B) {
	for _, shape := range shapes()[:2] {
		h := newHarness(b, shape)
		q := h.quorum()
		targets := make([]Target, 256)
		for i := range targets {
			targets[i] = set(b, q, liuma.NewCardID(), 1, good)
		}
		// If the disk stalls for longer than a call may take, attempts stay
		// without a verdict; they are reported. Any other verdict than right is
		// a failure.
		var without atomic.Int64
		attempt := func(b *testing.B, i int) {
			out, err := q.Attempt(b.Context(), targets[i%len(targets)], Guess{}, []byte(good))
			switch {
			case err == nil && out.Verdict == liuma.Unavailable:
				without.Add(1)
			case err != nil || out.Verdict != liuma.Right:
				b.Errorf("%+v, %v", out, err)
			}
		}
		b.Run(shape.String()+"/one", func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				attempt(b, i)
				i++
			}
			b.ReportMetric(float64(without.Swap(0)), "unavailable")
		})
		b.Run(shape.String()+"/64 beside one another", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(32) // times two cores
			var next atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					attempt(b, int(next.Add(1)))
				}
			})
			b.ReportMetric(float64(without.Swap(0)), "unavailable")
		})
	}
}

// BenchmarkSignatures counts how many signatures a right verdict takes, beside the
// spends that they cover: with a signature a spend, as settlements once were, the
// two numbers would be the same.
func BenchmarkSignatures(b *testing.B) {
	for _, shape := range shapes() {
		b.Run(shape.String(), func(b *testing.B) {
			h := newHarness(b, shape)
			target := set(b, h.quorum(), liuma.NewCardID(), 1, good)
			var proofs heard
			q := h.quorum(proofs.listen)
			for b.Loop() {
				want(b, attemptPIN(b, q, target, good), liuma.Right)
			}
			b.StopTimer()
			h.settledAll(target.Card)
			covered := 0
			for _, s := range proofs.all() {
				covered += len(s.Spends)
			}
			b.ReportMetric(float64(len(proofs.all()))/float64(b.N), "signatures/op")
			b.ReportMetric(float64(covered)/float64(b.N), "spends/op")
		})
	}
}

// BenchmarkNodeAttempt measures the work of one keeper: count, then evaluate.
func BenchmarkNodeAttempt(b *testing.B) {
	h := newHarness(b, split.Shape{T: 1, N: 1})
	q := h.quorum()
	var targets []Target
	for range 1 + b.N/6 {
		targets = append(targets, set(b, q, liuma.NewCardID(), 1, good))
	}
	b.ResetTimer()
	for i := range b.N {
		a, err := h.nodes[0].Attempt(b.Context(), h.request(targets[i/6]))
		if err != nil || a.Refusal != nil {
			b.Fatalf("%+v, %v", a, err)
		}
	}
}
