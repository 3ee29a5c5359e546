// Package clock keeps the two times that an authority and a ledger go by: the
// wall clock (W), which an attacker or a bad time server may move, and a
// high-water time (H), which counts the time that really passed.
//
// It guarantees that H never falls; that it is never ahead of the time that
// passed by the boot clock since it was last known, but for a jump that was
// witnessed or recorded (Accept, Witnessed); that it never passes W; and that
// Check refuses while W is more than 60 seconds behind it. So what is stamped
// and judged in H, use-once marks, rations, locks and waits, holds whatever the
// wall clock does (I-15). It trusts the machine's boot clock and whoever keeps
// its State, which must be durable and sealed.
//
// Start here: Clock.
package clock

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// MaxBehind is how far the wall clock may be behind H, and how far other
// machines' clocks may be from it.
const MaxBehind = 60 * time.Second

// Grace is how long a use-once mark stays after what it marks has ended: longer
// than everything by which two readings of H can differ, a crash among them.
const Grace = 10 * time.Minute

// StartSize is the length of Clock.Start.
const StartSize = 16

var (
	// ErrBehind says that the wall clock was set back, or that H was reached on
	// a clock that was ahead. H waits until the wall clock has come after it.
	ErrBehind = errors.New("clock: the machine's clock is more than 60 s behind the time that was kept")
	// ErrNotAhead is returned for a jump where there is nothing to jump over.
	ErrNotAhead = errors.New("clock: the machine's clock is not ahead of the time that was kept")
)

// Reading is what a machine's clocks say at one moment.
type Reading struct {
	Wall time.Time
	// Boot is the time since the machine was started, suspension included.
	// Nobody can set it.
	Boot time.Duration
	// BootID names the start that Boot counts from. Readings of different starts
	// say nothing about each other.
	BootID string
}

// Machine reads a machine's clocks. It is safe for concurrent use.
type Machine interface {
	Read() Reading
}

// State is H as its owner keeps it across restarts.
type State struct {
	High time.Time
	// At boot time Boot of the start BootID, H was High. H goes on from there by
	// the boot clock, as long as the machine was not started anew.
	Boot   time.Duration
	BootID string
}

// Times are H and W at one moment, in UTC and whole milliseconds.
type Times struct {
	High time.Time
	Wall time.Time
}

// Check returns ErrBehind while nothing may be served.
func (t Times) Check() error {
	if t.High.Sub(t.Wall) > MaxBehind {
		return ErrBehind
	}
	return nil
}

// Latest is the later of the two: nothing is fresh that has ended by either.
// So what is dated before H minus its lifetime does not pass, even while the
// wall clock is a little behind.
func (t Times) Latest() time.Time {
	if t.High.After(t.Wall) {
		return t.High
	}
	return t.Wall
}

// ToWall turns a time in H into what a person's clock will show then. A zero
// time stays zero.
func (t Times) ToWall(high time.Time) time.Time {
	if high.IsZero() {
		return high
	}
	return high.Add(t.Wall.Sub(t.High))
}

// ToHigh is the reverse of ToWall, for times that come from other machines.
func (t Times) ToHigh(wall time.Time) time.Time {
	if wall.IsZero() {
		return wall
	}
	return wall.Add(t.High.Sub(t.Wall))
}

// Lag is how far H is behind W.
func (t Times) Lag() time.Duration { return max(0, t.Wall.Sub(t.High)) }

// MarkUntil is until when, in H, the mark of something that is used once is
// kept, if it stops passing at ends by the wall clock. Where the two clocks
// differ the later end counts: a wall clock that is ahead lets things pass that
// are dated ahead, and they pass again once the true time gets there. The grace
// covers what a crash takes back of H.
func (t Times) MarkUntil(ends time.Time) time.Time {
	until := t.High.Add(max(0, ends.Sub(t.Wall)))
	if ends.After(until) {
		until = ends
	}
	return until.Add(Grace)
}

// Clock tells H and W. It is safe for concurrent use.
type Clock struct {
	machine Machine

	mu   sync.Mutex
	from State     // guarded by mu: the line that H follows
	high time.Time // guarded by mu: the highest H so far
}

// Resume goes on from a kept State. Within one start of the machine no time is
// lost, however long the process was down; after a reboot H goes on from what
// was kept, because nothing but the wall clock says how long the machine was
// off. The zero State belongs to a database or ledger that is new: H begins at
// the wall clock, and Clock.State must be kept before anything is stamped.
func Resume(m Machine, s State) *Clock {
	now := read(m)
	if s.High.IsZero() {
		s = State{High: now.Wall, Boot: now.Boot, BootID: now.BootID}
	}
	s.High = millis(s.High)
	return &Clock{machine: m, from: s, high: s.High}
}

// Read tells both times.
func (c *Clock) Read() Times {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readLocked()
}

func (c *Clock) readLocked() Times { return c.atLocked(read(c.machine)) }

// atLocked is both times at one reading.
func (c *Clock) atLocked(now Reading) Times {
	if now.BootID != c.from.BootID || now.BootID == "" || now.Boot < c.from.Boot {
		// Another start, or a snapshot of this machine that was put back: the two
		// readings cannot be compared, so no time has passed for certain.
		c.from = State{High: c.high, Boot: now.Boot, BootID: now.BootID}
	}
	next := millis(c.from.High.Add(now.Boot - c.from.Boot))
	if next.After(now.Wall) {
		next = now.Wall
	}
	if next.After(c.high) {
		c.high = next
	}
	return Times{High: c.high, Wall: now.Wall}
}

// Now is H.
func (c *Clock) Now() time.Time { return c.Read().High }

// Wall is W.
func (c *Clock) Wall() time.Time { return c.Read().Wall }

// Latest is the later of the two; see Times.Latest.
func (c *Clock) Latest() time.Time { return c.Read().Latest() }

// Boot is the machine's boot clock, unrounded, to measure how long something
// takes.
func (c *Clock) Boot() time.Duration { return c.machine.Read().Boot }

// Check returns ErrBehind while nothing may be served.
func (c *Clock) Check() error { return c.Read().Check() }

// Start tells this start of the machine from every other one and from other
// machines, containers of one machine included, and says nothing else about it.
// Zero where the machine does not know.
func (c *Clock) Start() (id [StartSize]byte) {
	if boot := c.machine.Read().BootID; boot != "" {
		sum := sha256.Sum256([]byte("liuma/1/machine-start\x00" + boot))
		copy(id[:], sum[:])
	}
	return id
}

// State is what the owner keeps. The line that H follows is kept, not the moment
// of the call, so nothing is lost between two calls while the machine stays up.
// A crash and a reboot take H back to the last kept State: what was stamped
// since then lies ahead of H by at most the time between two saves, so locks
// and waits get longer by it, and marks, which have their Grace, are not lost.
func (c *Clock) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readLocked()
	return State{High: c.high, Boot: c.from.Boot + c.high.Sub(c.from.High), BootID: c.from.BootID}
}

// Accept is H moved up to W, for an owner that has recorded who wants it and
// why. The owner keeps the State and then calls Adopt; until then nothing has
// changed. H never falls: while W is behind it there is ErrNotAhead or
// ErrBehind.
func (c *Clock) Accept() (State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jumpLocked(read(c.machine))
}

// jumpLocked is H moved up to the wall clock of one reading.
func (c *Clock) jumpLocked(now Reading) (State, error) {
	t := c.atLocked(now)
	if err := t.Check(); err != nil {
		return State{}, err
	}
	if !t.Wall.After(t.High) {
		return State{}, ErrNotAhead
	}
	return State{High: now.Wall, Boot: now.Boot, BootID: now.BootID}, nil
}

// Witnessed is Accept without a person: it is allowed only if the clocks of at
// least q keepers on other machines are within a minute of W. Clocks of this
// machine, an embedded keeper's among them, are not passed: they prove nothing. The
// W that was compared is the one that is taken, whatever the clock does meanwhile.
func (c *Clock) Witnessed(others []time.Time, q int) (State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, agree := read(c.machine), 0
	for _, o := range others {
		if o.Sub(now.Wall).Abs() <= MaxBehind {
			agree++
		}
	}
	if q < 1 || agree < q {
		return State{}, ErrNotAhead
	}
	return c.jumpLocked(now)
}

// Adopt goes on from a State that Accept or Witnessed made, once it is kept. A
// State that is below H changes nothing.
func (c *Clock) Adopt(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.High.After(c.readLocked().High) {
		c.from, c.high = s, s.High
	}
}

// Raise goes on from an H that another process kept in the same database, where it is
// later than this one's: there is one H a database, and it never falls. Beyond W, Check
// tells as ever.
func (c *Clock) Raise(high time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := read(c.machine)
	if high = millis(high); high.After(c.atLocked(now).High) {
		c.from, c.high = State{High: high, Boot: now.Boot, BootID: now.BootID}, high
	}
}

// read strips the reading of what time.Time carries beside the time of day: its
// own boot clock, which would hide a step of the wall clock.
func read(m Machine) Reading {
	r := m.Read()
	r.Wall = millis(r.Wall)
	return r
}

func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
