package world

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
)

// Clock is the clocks of all sides of a world. It stands still or runs with the
// machine's clock, and can be moved in both cases. Safe for concurrent use.
type Clock struct {
	from   time.Time    // where it stands; zero: it runs
	made   time.Time    // when it was made, by the machine's clock
	ahead  atomic.Int64 // of from, or of the machine's clock
	passed atomic.Int64 // time that Advance let pass
	starts atomic.Int64 // of the world's machine
	follow atomic.Pointer[func()]
}

// Still is a clock that moves only when it is moved.
func Still(at time.Time) *Clock { return &Clock{from: at, made: time.Now()} }

// Running is a clock that runs ahead of the machine's, or behind it.
func Running(ahead time.Duration) *Clock {
	c := &Clock{made: time.Now()}
	c.Step(ahead)
	return c
}

// Now is the wall clock.
func (c *Clock) Now() time.Time {
	from := c.from
	if from.IsZero() {
		from = time.Now().Round(0)
	}
	return from.Add(time.Duration(c.ahead.Load()))
}

// Read implements clock.Machine.
func (c *Clock) Read() clock.Reading {
	// The boot clock first: see clock.System.
	boot := time.Duration(c.passed.Load())
	if c.from.IsZero() {
		boot += time.Since(c.made)
	}
	return clock.Reading{Wall: c.Now(), Boot: boot, BootID: "start " + strconv.FormatInt(c.starts.Load(), 10)}
}

// Advance lets time pass, by every clock. A negative d sets the wall clock back,
// since no time passes backwards.
func (c *Clock) Advance(d time.Duration) {
	c.ahead.Add(int64(d))
	c.passed.Add(int64(max(0, d)))
	c.tell()
}

// Step sets the wall clock alone, as an attacker or a bad time server does.
func (c *Clock) Step(d time.Duration) {
	c.ahead.Add(int64(d))
	c.tell()
}

// Follow has f called after each move of the clock, before the call that moves it returns,
// for sides of the world that are other processes. nil: nobody follows any more.
func (c *Clock) Follow(f func()) {
	if f == nil {
		c.follow.Store(nil)
		return
	}
	c.follow.Store(&f)
}

func (c *Clock) tell() {
	if f := c.follow.Load(); f != nil {
		(*f)()
	}
}

// Moved is how far a running clock is ahead of the machine's, and how much time it has let
// pass that did not pass for the machine.
func (c *Clock) Moved() (ahead, passed time.Duration) {
	return time.Duration(c.ahead.Load()), time.Duration(c.passed.Load())
}

// Reboot starts the world's machine anew after it was off for a time. Close the
// world before, and open it afterwards.
func (c *Clock) Reboot(off time.Duration) {
	c.ahead.Add(int64(off))
	c.starts.Add(1)
}

// CatchUp sets a running clock that is behind to the machine's time. It reports
// false, and leaves the clock alone, where the clock is ahead or stands still.
func (c *Clock) CatchUp() bool {
	for {
		ahead := c.ahead.Load()
		if ahead > 0 || !c.from.IsZero() {
			return false
		}
		if c.ahead.CompareAndSwap(ahead, 0) {
			c.passed.Add(-ahead)
			c.tell()
			return true
		}
	}
}
