//go:build unix

package registry

import (
	"bytes"
	"syscall"
	"testing"
	"time"
)

// BenchmarkImport imports people, and then the same people again, which compares
// only. It tells the processor time of a row too, which a loaded machine does not
// change.
func BenchmarkImport(b *testing.B) {
	for name, people := range map[string]int{"100k": 100_000, "1M": 1_000_000} {
		var file bytes.Buffer
		must(b, Sample(&file, people, 3))
		for kind, reset := range map[string]bool{"new": true, "again": false} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				h := newHouse(b)
				if !reset {
					_, err := h.Import(b.Context(), bytes.NewReader(file.Bytes()), ImportConfig{})
					must(b, err)
				}
				used := time.Duration(0)
				for b.Loop() {
					if reset {
						b.StopTimer()
						h = newHouse(b)
						b.StartTimer()
					}
					before := processor(b)
					sum, err := h.Import(b.Context(), bytes.NewReader(file.Bytes()), ImportConfig{Alone: true})
					must(b, err)
					used += processor(b) - before
					if sum.Kept != int64(people) {
						b.Fatalf("%+v", sum)
					}
				}
				rows := float64(people) * float64(b.N)
				b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(used.Microseconds())/rows, "cpu-us/row")
			})
		}
	}
}

// processor is the time that this process has used, of all its threads.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
