package holder

import (
	"sync"
	"time"
)

// Anybody can make a key and have it offered as a pad, and each offer is a row and an
// entry of the record. So offers are counted, in memory: of one source, which may be a
// whole agency behind one address in the morning, and of all.
const (
	offersPeriod  = time.Hour
	offersSource  = 120     // of one source within the period
	offersAll     = 2000    // of all of them
	offersSources = 1 << 14 // that are counted at a time
)

// padOffers counts the offers of pads since a time.
type padOffers struct {
	mu      sync.Mutex
	since   time.Time      // guarded by mu: when the period began
	sources map[string]int // guarded by mu
	all     int            // guarded by mu
}

func newOffers() *padOffers { return &padOffers{sources: map[string]int{}} }

// take counts an offer, unless there were enough.
func (o *padOffers) take(source string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if since := now.Sub(o.since); since >= offersPeriod || since < 0 {
		o.since, o.all = now, 0
		clear(o.sources)
	}
	n := o.sources[source]
	if o.all >= offersAll || n >= offersSource || n == 0 && len(o.sources) >= offersSources {
		return false
	}
	o.all++
	o.sources[source] = n + 1
	return true
}
