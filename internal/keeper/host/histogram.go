package host

import (
	"strconv"
	"sync"
	"time"
)

// histogram counts values by the smallest bound that they do not exceed. It is safe for
// concurrent use.
type histogram struct {
	bounds []float64 // rising

	mu  sync.Mutex
	n   []uint64 // guarded by mu: by bound; the last counts values above all bounds
	sum float64  // guarded by mu
}

func newHistogram(bounds ...float64) *histogram {
	return &histogram{bounds: bounds, n: make([]uint64, len(bounds)+1)}
}

// durations has bounds for times, in seconds.
func durations() *histogram {
	return newHistogram(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
}

// sizes has bounds for numbers of guesses that share a write.
func sizes() *histogram { return newHistogram(1, 2, 4, 8, 16, 32, 64, 128, 256) }

func (h *histogram) add(v float64) {
	at := 0
	for at < len(h.bounds) && v > h.bounds[at] {
		at++
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n[at]++
	h.sum += v
}

// since adds the time since a moment.
func (h *histogram) since(began time.Time) { h.add(time.Since(began).Seconds()) }

// histogram writes a histogram; label is empty, or a name and a value.
func (e *exposition) histogram(name string, h *histogram, label ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	total := uint64(0)
	for i, n := range h.n {
		total += n
		le := "+Inf"
		if i < len(h.bounds) {
			le = strconv.FormatFloat(h.bounds[i], 'g', -1, 64)
		}
		e.value(name+"_bucket", total, append(label[:len(label):len(label)], "le", le)...)
	}
	e.value(name+"_sum", h.sum, label...)
	e.value(name+"_count", total, label...)
}
