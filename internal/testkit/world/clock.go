package world

import (
	"sync/atomic"
	"time"
)

// Clock is the time of all sides of a world. It stands still or runs with the
// machine's clock, and can be moved in both cases. Safe for concurrent use.
type Clock struct {
	from  time.Time    // where it stands; zero: it runs
	ahead atomic.Int64 // of from, or of the machine's clock
}

// Still is a clock that moves only when it is moved.
func Still(at time.Time) *Clock { return &Clock{from: at} }

// Running is a clock that runs ahead of the machine's, or behind it.
func Running(ahead time.Duration) *Clock {
	c := &Clock{}
	c.Advance(ahead)
	return c
}

// Now tells the time.
func (c *Clock) Now() time.Time {
	from := c.from
	if from.IsZero() {
		from = time.Now()
	}
	return from.Add(time.Duration(c.ahead.Load()))
}

// Advance moves the clock, also backwards.
func (c *Clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// CatchUp sets a running clock that is behind to the machine's time. It reports
// false, and leaves the clock alone, where the clock is ahead or stands still.
func (c *Clock) CatchUp() bool {
	for {
		ahead := c.ahead.Load()
		if ahead > 0 || !c.from.IsZero() {
			return false
		}
		if c.ahead.CompareAndSwap(ahead, 0) {
			return true
		}
	}
}
