package registry

import (
	"bytes"
	"testing"
)

// BenchmarkImport imports people, and then the same people again, which compares
// only.
func BenchmarkImport(b *testing.B) {
	const people = 100_000
	var file bytes.Buffer
	must(b, Sample(&file, people, 3))
	h := newHouse(b)
	for name, reset := range map[string]bool{"new": true, "again": false} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if reset {
					b.StopTimer()
					h = newHouse(b)
					b.StartTimer()
				}
				sum, err := h.Import(b.Context(), bytes.NewReader(file.Bytes()), ImportConfig{})
				must(b, err)
				if sum.Kept != people {
					b.Fatalf("%+v", sum)
				}
			}
			b.ReportMetric(float64(people)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
