package bench

import (
	"testing"
)

// BenchmarkFill writes the rows of 100,000 cards, database and ledger.
func BenchmarkFill(b *testing.B) {
	for b.Loop() {
		c := Config{Binary: "none", Dir: b.TempDir(), Cards: 100_000, For: 1e9, asked: 1}
		if err := c.validate(); err != nil {
			b.Fatal(err)
		}
		f, err := fill(b.Context(), c, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(f.filling.PerSecond, "cards/s")
		b.ReportMetric(1e9/f.filling.PerCPU, "cpu-ns/card")
		b.ReportMetric(f.filling.RSS, "MiB")
	}
}
