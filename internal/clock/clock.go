// Package clock keeps the two times that an authority and a ledger use: the wall clock
// (W), which an attacker or a bad time server may move, and a high-water time (H),
// which counts the time that really passed.
//
// It guarantees that H never falls; that H moves ahead by no more than the time that
// passed on the boot clock since H was last known, except for a jump that was witnessed
// or recorded (Accept, Witnessed); that H never passes W; and that Check refuses while
// W is more than 60 seconds behind H. So use-once marks, rations, locks and waits,
// which are stamped and measured in H, hold whatever the wall clock does (I-15). It
// trusts the machine's boot clock and the owner that stores its State, which must be
// durable and sealed.
//
// Start here: Clock.
package clock

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// MaxBehind is how far the wall clock may be behind H, and how far it may differ from
// other machines' clocks.
const MaxBehind = 60 * time.Second

// Grace is how long a use-once mark is kept after the marked value has ended: longer
// than any difference between two readings of H, even across a crash.
const Grace = 10 * time.Minute

// StartSize is the length of Clock.Start.
const StartSize = 16

var (
	// ErrBehind means that the wall clock was set back, or that H was reached while the
	// clock was ahead. H waits until the wall clock has passed it.
	ErrBehind = errors.New("clock: the machine's clock is more than 60 s behind the time that was kept")
	// ErrNotAhead is returned for a jump if W is not ahead of H.
	ErrNotAhead = errors.New("clock: the machine's clock is not ahead of the time that was kept")
)

// Reading is one reading of a machine's clocks.
type Reading struct {
	Wall time.Time
	// Boot is the time since the machine was started, including suspensions. Nobody can
	// set it.
	Boot time.Duration
	// BootID names the start from which Boot counts. Readings with different BootIDs
	// cannot be compared.
	BootID string
}

// Machine reads a machine's clocks. It is safe for concurrent use.
type Machine interface {
	Read() Reading
}

// State is H in the form that its owner stores across restarts.
type State struct {
	High time.Time
	// At boot time Boot of the start BootID, H was High. H continues from there by the
	// boot clock, until the machine is started again.
	Boot   time.Duration
	BootID string
}

// Times are H and W at one moment, in UTC and whole milliseconds.
type Times struct {
	High time.Time
	Wall time.Time
}

// Check returns ErrBehind while requests must not be served.
func (t Times) Check() error {
	if t.High.Sub(t.Wall) > MaxBehind {
		return ErrBehind
	}
	return nil
}

// Latest returns the later of the two: a value that has ended by either clock is not
// fresh. So a value dated before H minus its lifetime is refused even while the wall
// clock is a little behind.
func (t Times) Latest() time.Time {
	if t.High.After(t.Wall) {
		return t.High
	}
	return t.Wall
}

// ToWall converts a time in H to the time that a person's clock will show then. A zero
// time stays zero.
func (t Times) ToWall(high time.Time) time.Time {
	if high.IsZero() {
		return high
	}
	return high.Add(t.Wall.Sub(t.High))
}

// ToHigh is the reverse of ToWall, for times from other machines.
func (t Times) ToHigh(wall time.Time) time.Time {
	if wall.IsZero() {
		return wall
	}
	return wall.Add(t.High.Sub(t.Wall))
}

// Lag returns how far H is behind W.
func (t Times) Lag() time.Duration { return max(0, t.Wall.Sub(t.High)) }

// MarkUntil returns how long, in H, the mark of a use-once value must be kept if the
// value ends at ends by the wall clock. If the two clocks differ, the later end counts:
// a wall clock that is ahead accepts values that are dated ahead, and they would be
// accepted again when the true time gets there. The grace covers the time that a crash
// may take back from H.
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

// Resume continues from a stored State. While the machine is not restarted no time is
// lost, however long the process was down. After a reboot H continues from the stored
// value, because only the wall clock says how long the machine was off. The zero State
// is for a new database or ledger: H begins at the wall clock, and Clock.State must be
// stored before anything is stamped.
func Resume(m Machine, s State) *Clock {
	now := read(m)
	if s.High.IsZero() {
		s = State{High: now.Wall, Boot: now.Boot, BootID: now.BootID}
	}
	s.High = millis(s.High)
	return &Clock{machine: m, from: s, high: s.High}
}

// Read returns both times.
func (c *Clock) Read() Times {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readLocked()
}

func (c *Clock) readLocked() Times { return c.atLocked(read(c.machine)) }

// atLocked returns both times for one reading.
func (c *Clock) atLocked(now Reading) Times {
	if now.BootID != c.from.BootID || now.BootID == "" || now.Boot < c.from.Boot {
		// The machine was restarted, or an old snapshot of it was put back: the two
		// readings cannot be compared, so it is not certain that any time has passed.
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

// Now returns H.
func (c *Clock) Now() time.Time { return c.Read().High }

// Wall returns W.
func (c *Clock) Wall() time.Time { return c.Read().Wall }

// Latest returns the later of the two; see Times.Latest.
func (c *Clock) Latest() time.Time { return c.Read().Latest() }

// Boot returns the machine's boot clock, unrounded, for measuring how long something
// takes.
func (c *Clock) Boot() time.Duration { return c.machine.Read().Boot }

// Check returns ErrBehind while requests must not be served.
func (c *Clock) Check() error { return c.Read().Check() }

// Start returns a value that identifies this start of the machine; other starts and
// other machines have other values. Containers of one machine have the same value. It
// reveals nothing else. It is zero if the machine does not know.
func (c *Clock) Start() (id [StartSize]byte) {
	if boot := c.machine.Read().BootID; boot != "" {
		sum := sha256.Sum256([]byte("liuma/1/machine-start\x00" + boot))
		copy(id[:], sum[:])
	}
	return id
}

// State returns the State for the owner to store. It describes the line that H follows,
// not the moment of the call, so nothing is lost between two calls while the machine
// stays up. A crash with a reboot takes H back to the last stored State. Values stamped
// after that are then ahead of H by at most the time between two saves: locks and waits
// become longer by that time, and marks, which have their Grace, are not lost.
func (c *Clock) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readLocked()
	return State{High: c.high, Boot: c.from.Boot + c.high.Sub(c.from.High), BootID: c.from.BootID}
}

// Accept returns a State with H moved up to W, for an owner that has recorded who wants
// this and why. The owner stores the State and then calls Adopt; until then nothing has
// changed. H never falls: if W is behind H, the error is ErrNotAhead or ErrBehind.
func (c *Clock) Accept() (State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jumpLocked(read(c.machine))
}

// jumpLocked returns a State with H moved up to the wall clock of one reading.
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

// Witnessed is like Accept, but needs no person: it is allowed only if the clocks of at
// least q keepers on other machines are within a minute of W. The caller does not pass
// clocks of this machine, such as an embedded keeper's, because they prove nothing. The
// W that was compared is also the W that is used, whatever the clock does meanwhile.
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

// Adopt continues from a State that Accept or Witnessed made, once that is stored. A
// State below H changes nothing.
func (c *Clock) Adopt(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.High.After(c.readLocked().High) {
		c.from, c.high = s, s.High
	}
}

// Raise continues from an H that another process stored in the same database, if that
// is later than this one's: a database has one H, which never falls. If H is then
// beyond W, Check reports it as usual.
func (c *Clock) Raise(high time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := read(c.machine)
	if high = millis(high); high.After(c.atLocked(now).High) {
		c.from, c.high = State{High: high, Boot: now.Boot, BootID: now.BootID}, high
	}
}

// read removes the monotonic clock reading that time.Time carries, because it would
// hide a step of the wall clock.
func read(m Machine) Reading {
	r := m.Read()
	r.Wall = millis(r.Wall)
	return r
}

func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
