package demo

import (
	"sync/atomic"
	"time"
)

// headStart is how far behind the world's time a play begins: more than all
// that its scenes let pass.
const headStart = 4 * 24 * time.Hour

// clock is the time of the play, for everybody in it. It begins behind the
// world's, so that scenes can let a minute or three days pass at once, and it
// never goes back. When the play is over it is the world's, until somebody at
// the window lets more of it pass.
type clock struct{ ahead atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ahead.Store(-int64(headStart))
	return c
}

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// pass lets time go by.
func (c *clock) pass(d time.Duration) {
	if d > 0 {
		c.ahead.Add(int64(d))
	}
}

// catchUp makes it the world's. It reports false where the play has overtaken
// the world, whose time it then cannot have any more.
func (c *clock) catchUp() bool {
	for {
		ahead := c.ahead.Load()
		if ahead > 0 {
			return false
		}
		if c.ahead.CompareAndSwap(ahead, 0) {
			return true
		}
	}
}

// inChina is a time as the texts and pages of the play show it, wherever it is
// played.
func inChina(t time.Time) time.Time { return t.In(time.FixedZone("China", 8*60*60)) }
