package clock

import (
	"errors"
	"testing"
	"time"
)

// fake is a machine whose clocks a test moves.
type fake struct{ Reading }

func (f *fake) Read() Reading { return f.Reading }

// pass lets time pass by both clocks, step moves the wall clock alone.
func (f *fake) pass(d time.Duration) { f.Wall, f.Boot = f.Wall.Add(d), f.Boot+d }
func (f *fake) step(d time.Duration) { f.Wall = f.Wall.Add(d) }

func (f *fake) reboot(off time.Duration) {
	f.Wall, f.Boot, f.BootID = f.Wall.Add(off), time.Second, f.BootID+"+"
}

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func machine() *fake { return &fake{Reading{Wall: start, Boot: time.Hour, BootID: "one"}} }

func want(t *testing.T, c *Clock, high time.Duration) {
	t.Helper()
	if got := c.Now().Sub(start); got != high {
		t.Errorf("H is %v after the start, want %v", got, high)
	}
}

func TestHighFollowsTheBootClock(t *testing.T) {
	m := machine()
	c := Resume(m, State{})
	want(t, c, 0)
	m.pass(time.Hour)
	want(t, c, time.Hour)
	m.step(31 * 24 * time.Hour) // ahead: H goes on as if nothing had happened
	m.pass(13 * time.Second)
	want(t, c, time.Hour+13*time.Second)
	m.step(-31 * 24 * time.Hour)
	want(t, c, time.Hour+13*time.Second)
	m.pass(time.Minute)
	want(t, c, time.Hour+73*time.Second)
}

func TestHighNeverPassesTheWall(t *testing.T) {
	m := machine()
	c := Resume(m, State{})
	m.pass(time.Hour)
	c.Now()
	m.step(-50 * time.Second)
	if err := c.Check(); err != nil {
		t.Errorf("50 s behind: %v", err)
	}
	m.pass(20 * time.Second) // W is still behind: H stands
	want(t, c, time.Hour)
	if got := c.Latest(); !got.Equal(start.Add(time.Hour)) {
		t.Errorf("latest is %v", got)
	}
	m.pass(40 * time.Second)
	want(t, c, time.Hour+10*time.Second)
}

func TestBehindIsRefused(t *testing.T) {
	m := machine()
	c := Resume(m, State{})
	m.step(-time.Minute)
	if err := c.Check(); err != nil {
		t.Errorf("a minute behind: %v", err)
	}
	m.step(-time.Millisecond)
	if err := c.Check(); !errors.Is(err, ErrBehind) {
		t.Errorf("more than a minute behind: %v", err)
	}
	if _, err := c.Accept(); !errors.Is(err, ErrBehind) {
		t.Errorf("accepting a clock that is behind: %v", err)
	}
	want(t, c, 0)
}

func TestRestartLosesNothing(t *testing.T) {
	m := machine()
	c := Resume(m, State{})
	m.pass(time.Hour)
	kept := c.State()
	m.pass(time.Hour) // not kept, and the process ends here
	m.step(365 * 24 * time.Hour)
	want(t, Resume(m, kept), 2*time.Hour)
}

func TestRebootGoesOnFromWhatWasKept(t *testing.T) {
	m := machine()
	c := Resume(m, State{})
	m.pass(time.Hour)
	kept := c.State()
	m.pass(time.Minute)
	m.reboot(8 * time.Hour)
	c = Resume(m, kept)
	want(t, c, time.Hour)
	m.pass(time.Minute)
	want(t, c, time.Hour+time.Minute)
	if lag := c.Read().Lag(); lag != 8*time.Hour+time.Minute {
		t.Errorf("lag is %v", lag)
	}
	m.Boot = 9 * time.Hour // longer up than before the reboot
	want(t, Resume(m, kept), time.Hour)
	m.Boot = 0 // a snapshot of the machine was put back
	want(t, c, time.Hour+time.Minute)
	m.pass(time.Second)
	want(t, c, time.Hour+time.Minute+time.Second)
}

func TestAcceptJumpsOnceItIsKept(t *testing.T) {
	m := machine()
	c := Resume(m, State{})
	if _, err := c.Accept(); !errors.Is(err, ErrNotAhead) {
		t.Errorf("nothing to accept: %v", err)
	}
	m.step(time.Hour)
	s, err := c.Accept()
	if err != nil {
		t.Fatal(err)
	}
	want(t, c, 0) // not kept yet
	c.Adopt(s)
	want(t, c, time.Hour)
	m.pass(time.Minute)
	want(t, c, time.Hour+time.Minute)
	c.Adopt(s) // it is old by now
	want(t, c, time.Hour+time.Minute)
	want(t, Resume(m, s), time.Hour+time.Minute)
}

func TestWitnessesAreCounted(t *testing.T) {
	m := machine()
	c := Resume(m, State{})
	m.step(time.Hour)
	near, far := m.Wall.Add(-time.Minute), m.Wall.Add(time.Minute+time.Millisecond)
	for _, tt := range []struct {
		others []time.Time
		q      int
		jumps  bool
	}{
		{nil, 0, false}, {nil, 1, false}, {[]time.Time{far}, 1, false}, {[]time.Time{near}, 2, false},
		{[]time.Time{near, far}, 2, false}, {[]time.Time{near}, 1, true}, {[]time.Time{near, far, m.Wall}, 2, true},
	} {
		if _, err := c.Witnessed(tt.others, tt.q); (err == nil) != tt.jumps {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	m.step(-2 * time.Hour)
	if _, err := c.Witnessed([]time.Time{m.Wall}, 1); !errors.Is(err, ErrBehind) {
		t.Errorf("a witnessed fall: %v", err)
	}
}

// stepping is a machine whose wall clock is set ahead after each reading.
type stepping struct {
	*fake
	by time.Duration
}

func (s *stepping) Read() Reading {
	defer s.step(s.by)
	return s.fake.Read()
}

// TestTheWitnessedClockIsTaken: a clock that is set ahead while witnesses are compared with
// it does not come along.
func TestTheWitnessedClockIsTaken(t *testing.T) {
	m := &stepping{fake: machine()}
	c := Resume(m, State{})
	m.step(time.Hour)
	right := m.Wall
	m.by = 24 * time.Hour
	s, err := c.Witnessed([]time.Time{right}, 1)
	if err != nil || !s.High.Equal(right) {
		t.Errorf("%v, %v; witnessed was %v", s.High, err, right)
	}
}

func TestStartTellsMachinesApart(t *testing.T) {
	one, same := Resume(machine(), State{}), Resume(machine(), State{})
	other, unknown := machine(), machine()
	other.reboot(time.Minute)
	unknown.BootID = ""
	if one.Start() != same.Start() || one.Start() == Resume(other, State{}).Start() {
		t.Error("machines are not told apart by their start")
	}
	if got := Resume(unknown, State{}).Start(); got != [StartSize]byte{} {
		t.Errorf("a machine that does not know its start has %x", got)
	}
}

// TestMarkOutlastsItsToken: while the clock is ahead, tokens of that time pass,
// and they pass again when the true time gets there; the mark is still there.
func TestMarkOutlastsItsToken(t *testing.T) {
	m := machine()
	c := Resume(m, State{})
	m.step(time.Hour)
	ends := m.Wall.Add(5 * time.Minute)
	until := c.Read().MarkUntil(ends)
	m.step(-time.Hour)
	for c.Read().Latest().Before(ends) {
		if !c.Now().Before(until) {
			t.Fatalf("%v: the token passes and its mark is gone", c.Now())
		}
		m.pass(time.Minute)
	}
	now := c.Read()
	if got, want := now.MarkUntil(now.Wall.Add(time.Minute)), now.High.Add(11*time.Minute); !got.Equal(want) {
		t.Errorf("mark until %v, want %v", got, want)
	}
}

func TestTurnedIntoWall(t *testing.T) {
	at := Times{High: start, Wall: start.Add(8 * time.Hour)}
	if got := at.ToWall(start.Add(time.Hour)); !got.Equal(start.Add(9 * time.Hour)) {
		t.Errorf("ToWall: %v", got)
	}
	if got := at.ToHigh(at.ToWall(start)); !got.Equal(start) {
		t.Errorf("ToHigh: %v", got)
	}
	if !at.ToWall(time.Time{}).IsZero() || !at.ToHigh(time.Time{}).IsZero() {
		t.Error("a zero time does not stay zero")
	}
}

// TestSystem: a step of time.Now is not hidden by the reading that the runtime
// keeps beside it, and both kinds of machine go on by themselves.
func TestSystem(t *testing.T) {
	for _, m := range []Machine{System(), newPortable()} {
		a, b := m.Read(), m.Read()
		if a.BootID == "" || a.BootID != b.BootID || b.Boot < a.Boot || a.Wall.IsZero() {
			t.Errorf("%+v, then %+v", a, b)
		}
		c := Resume(m, State{})
		if got := c.Read(); got.High.After(got.Wall) || got.Lag() > time.Second {
			t.Errorf("%+v", got)
		}
	}
	if one, two := newPortable().Read(), newPortable().Read(); one.BootID == two.BootID {
		t.Error("two processes count from one start")
	}
}

// TestRaise: H goes on from a later one that another process kept, never from an earlier
// one, and a machine that is behind it serves nobody (I-15).
func TestRaise(t *testing.T) {
	m := machine()
	c := Resume(m, State{High: start.Add(-time.Hour)})
	want(t, c, -time.Hour)
	c.Raise(start.Add(-2 * time.Hour))
	want(t, c, -time.Hour)
	c.Raise(start.Add(-time.Minute))
	want(t, c, -time.Minute)
	m.pass(30 * time.Second)
	want(t, c, -30*time.Second)
	c.Raise(start.Add(MaxBehind))
	if err := c.Check(); err != nil {
		t.Errorf("half a minute behind: %v", err)
	}
	c.Raise(start.Add(30*time.Second + MaxBehind + time.Millisecond))
	if err := c.Check(); !errors.Is(err, ErrBehind) {
		t.Errorf("more than %v behind: %v", MaxBehind, err)
	}
}
