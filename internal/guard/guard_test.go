package guard

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
)

func TestNewChecksItsConfiguration(t *testing.T) {
	judge, err := pin.NewJudge(pin.NationalRules())
	if err != nil {
		t.Fatal(err)
	}
	good := func() Config {
		return Config{Key: testKey, Now: time.Now, Judge: judge, Alarm: func(Alarm) {}, Limits: DefaultLimits()}
	}
	if _, err := New(good()); err != nil {
		t.Fatalf("a whole configuration: %v", err)
	}
	for name, spoil := range map[string]func(*Config){
		"no key":            func(c *Config) { c.Key = nil },
		"no clock":          func(c *Config) { c.Now = nil },
		"no judge":          func(c *Config) { c.Judge = nil },
		"no alarm":          func(c *Config) { c.Alarm = nil },
		"short in noise":    func(c *Config) { c.Limits.Short = noiseTail },
		"long below short":  func(c *Config) { c.Limits.Long = c.Limits.Short - 1 },
		"refused too low":   func(c *Config) { c.Limits.Refused = c.Limits.Short - 1 },
		"no share":          func(c *Config) { c.Limits.OneIn = 0 },
		"no surge":          func(c *Config) { c.Limits.Surge = 0 },
		"no channel limit":  func(c *Config) { c.Limits.Channel = 0 },
		"no source limit":   func(c *Config) { c.Limits.Source = 0 },
		"no epoch":          func(c *Config) { c.Limits.ShortEpoch = 0 },
		"half a second":     func(c *Config) { c.Limits.ShortEpoch = 1500 * time.Millisecond },
		"long epoch short":  func(c *Config) { c.Limits.LongEpoch = c.Limits.ShortEpoch },
		"key that fails":    func(c *Config) { c.Key = func(Span, int64) (Key, error) { return Key{}, errors.New("closed") } },
		"key that is empty": func(c *Config) { c.Key = func(Span, int64) (Key, error) { return Key{}, nil } },
	} {
		cfg := good()
		spoil(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// spray makes wrong guesses of one value at cards from first to last, and
// returns how many were let through.
func (w *world) spray(t *testing.T, p pin.PIN, first, last int) int {
	t.Helper()
	through := 0
	for n := first; n < last; n++ {
		err := w.try(t, p, guess(n), liuma.Wrong)
		if err == nil {
			through++
		} else if !errors.Is(err, ErrSlowDown) {
			t.Fatal(err)
		}
	}
	return through
}

func TestKnownLanesAreNeverSlowed(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	w.spray(t, p, 0, 1000)
	if err := w.try(t, p, guess(1), liuma.Right); !errors.Is(err, ErrSlowDown) {
		t.Fatalf("a stranger in a spray: %v", err)
	}
	q := guess(1)
	q.Lane = ledger.Known
	for _, v := range []liuma.Verdict{liuma.Right, liuma.Wrong} {
		if err := w.try(t, p, q, v); err != nil {
			t.Errorf("a known lane with a verdict %s: %v", v, err)
		}
	}
	w.keyErr = errors.New("the vault is closed")
	w.wait(time.Hour)
	if err := w.try(t, p, q, liuma.Right); err != nil {
		t.Errorf("a known lane without a key: %v", err)
	}
}

func TestWithoutAKeyStrangersAreRefused(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	w.keyErr = errors.New("the vault is closed")
	if err := w.try(t, p, guess(1), liuma.Wrong); err != nil {
		t.Errorf("within the epoch whose key is there: %v", err)
	}
	w.wait(time.Hour)
	if err := w.try(t, p, guess(1), liuma.Wrong); !errors.Is(err, ErrNoKey) || !errors.Is(err, w.keyErr) {
		t.Errorf("in an epoch without a key: %v", err)
	}
	if _, err := w.Sum(false); !errors.Is(err, ErrNoKey) {
		t.Errorf("a sum without a key: %v", err)
	}
	w.keyErr = nil
	if err := w.try(t, p, guess(1), liuma.Wrong); err != nil {
		t.Errorf("with a key again: %v", err)
	}
}

func TestLaneThatIsNotKnownIsAStranger(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	w.spray(t, p, 0, 100)
	q := guess(1)
	q.Lane = 7
	if err := w.try(t, p, q, liuma.Wrong); !errors.Is(err, ErrSlowDown) {
		t.Errorf("lane 7: %v", err)
	}
}

func TestWipedPINIsRefused(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	p.Wipe()
	if err := w.try(t, p, guess(1), liuma.Wrong); !errors.Is(err, pin.ErrWiped) {
		t.Errorf("a wiped PIN: %v", err)
	}
}

// cells returns a copy of everything that counts values.
func (w *world) cells() (all []uint16, waiting bool) {
	for _, l := range w.layers() {
		for n := l.now - 1; n <= l.now; n++ {
			if e := l.epochs[n]; e != nil {
				all = append(all, e.cells()...)
			}
		}
	}
	for _, row := range w.underWay {
		for _, n := range row {
			waiting = waiting || n != 0
		}
	}
	return all, waiting
}

// TestOnlyWrongGuessesOfStrangersLeaveATrace compares all cells before and
// after.
func TestOnlyWrongGuessesOfStrangersLeaveATrace(t *testing.T) {
	for _, tc := range []struct {
		lane    ledger.Lane
		verdict liuma.Verdict
		trace   bool
	}{
		{ledger.Stranger, liuma.Wrong, true},
		{ledger.Stranger, liuma.Right, false},
		{ledger.Stranger, liuma.Unavailable, false},
		{ledger.Stranger, liuma.Locked, false},
		{ledger.Stranger, liuma.Blocked, false},
		{ledger.Stranger, liuma.Suspended, false},
		{ledger.Stranger, "", false},
		{ledger.Known, liuma.Wrong, false},
		{ledger.Known, liuma.Right, false},
	} {
		w := newWorld(t)
		before, _ := w.cells()
		q := guess(1)
		q.Lane = tc.lane
		pass, err := w.Allow(value(t, "620594"), q.Guess)
		if err != nil {
			t.Fatal(err)
		}
		if _, waiting := w.cells(); waiting != (tc.lane == ledger.Stranger) {
			t.Errorf("lane %d: under way, counted as such: %v", tc.lane, waiting)
		}
		pass.Saw(q.Card, tc.verdict)
		after, waiting := w.cells()
		if traced := !slices.Equal(before, after); traced != tc.trace {
			t.Errorf("lane %d, %q: left a trace: %v", tc.lane, tc.verdict, traced)
		}
		if waiting {
			t.Errorf("lane %d, %q: still under way after the verdict", tc.lane, tc.verdict)
		}
	}
}

func TestPassEndsOnce(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	pass, err := w.Allow(p, guess(1).Guess)
	if err != nil {
		t.Fatal(err)
	}
	pass.Drop()
	pass.Saw(cardNo(1), liuma.Wrong)
	if s := w.Stats(); s != (Stats{}) {
		t.Errorf("a pass that was dropped counted: %+v", s)
	}
	if _, waiting := w.cells(); waiting {
		t.Error("a pass that ended twice left the table of guesses under way twice")
	}
	var none *Pass
	none.Saw(cardNo(1), liuma.Right) // as after an Allow that refused
}

func TestStats(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	known := guess(1)
	known.Lane = ledger.Known
	w.try(t, p, known, liuma.Right)
	w.try(t, p, known, liuma.Wrong)
	w.try(t, p, guess(1), liuma.Right)
	w.spray(t, p, 0, 200)
	s := w.Stats()
	if s.Guesses[ledger.Known] != 2 || s.Wrong[ledger.Known] != 1 {
		t.Errorf("known lanes: %+v", s)
	}
	if s.Guesses[ledger.Stranger] != s.Wrong[ledger.Stranger]+1 || s.Wrong[ledger.Stranger]+s.Slowed != 200 || s.Slowed == 0 {
		t.Errorf("strangers: %+v", s)
	}
}

// TestOneCardIsNotMany has one owner type one wrong value all day, with right
// PINs in between so that the card never locks.
func TestOneCardIsNotMany(t *testing.T) {
	w, old, own := newWorld(t), value(t, "620594"), value(t, "739150")
	for range 24 * 60 {
		for range 5 {
			if err := w.try(t, old, guess(1), liuma.Wrong); err != nil {
				t.Fatalf("after %v: %v", w.Now().Sub(begin), err)
			}
		}
		if err := w.try(t, own, guess(1), liuma.Right); err != nil {
			t.Fatal(err)
		}
		w.wait(time.Minute)
	}
	if n := len(w.alarms); n != 0 {
		t.Errorf("%d alarms: %+v", n, w.alarms[0])
	}
}

// TestFewCardsCountAllTheirGuesses tries other values on each card first: they
// must not use up what the card may add to the sprayed value.
func TestFewCardsCountAllTheirGuesses(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	decoys := settable(t, random(2), 3*1000)
	through := 0
	for n := range 1000 {
		for i := range 3 {
			w.try(t, decoys[3*n+i], guess(n), liuma.Wrong)
		}
		if w.try(t, p, guess(n), liuma.Wrong) == nil {
			through++
		}
	}
	if through > 60 {
		t.Errorf("%d guesses went through behind decoys", through)
	}
}

// TestCardFilterThatIsFullLetsAllCount floods the filter with cards.
func TestCardFilterThatIsFullLetsAllCount(t *testing.T) {
	f := newCardFilter(1 << 8)
	for n := range 10_000 {
		f.counts(cardNo(n))
	}
	for n := range 10_000 {
		if !f.counts(cardNo(n)) {
			t.Fatalf("card %d is not counted", n)
		}
	}
	f = newCardFilter(1 << 8)
	for i := range perCard + 2 {
		if got := f.counts(cardNo(1)); got != (i < perCard) {
			t.Errorf("guess %d of one card counts: %v", i+1, got)
		}
	}
}

func TestClockThatGoesBack(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	w.spray(t, p, 0, 100)
	w.wait(-48 * time.Hour)
	if err := w.try(t, p, guess(1), liuma.Wrong); !errors.Is(err, ErrSlowDown) {
		t.Errorf("a clock put back ended the spray: %v", err)
	}
}

// TestKeyPrintsNothing looks for the bytes of a key under every way to print.
func TestKeyPrintsNothing(t *testing.T) {
	k, _ := testKey(Short, 1)
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %x %d %s", k, k, k, k, k, k), fmt.Sprint(k.LogValue())} {
		if strings.Trim(strings.ReplaceAll(s, redacted, ""), " ") != "" {
			t.Errorf("a key prints as %q", s)
		}
	}
	if b, err := k.MarshalText(); err != nil || string(b) != redacted {
		t.Errorf("a key encodes as %q, %v", b, err)
	}
}

// TestManyGoroutines has strangers, holders and another authority at once.
func TestManyGoroutines(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	p := value(t, "620594")
	done := make(chan int)
	for worker := range 8 {
		go func() {
			through := 0
			for i := range 500 {
				n := worker*500 + i
				q := guess(n)
				if n%5 == 0 {
					q.Lane = ledger.Known
				}
				pass, err := w.Allow(p, q.Guess)
				if err == nil && q.Lane != ledger.Known {
					through++
				}
				pass.Saw(q.Card, liuma.Wrong)
				if i%100 == 0 {
					w.wait(time.Second)
					sum, err := w.Sum(i%200 == 0)
					if err := errors.Join(err, other.Merge(sum)); err != nil {
						t.Error(err)
					}
					w.Stats()
				}
			}
			done <- through
		}()
	}
	through := 0
	for range 8 {
		through += <-done
	}
	if through > 60 {
		t.Errorf("%d went through side by side, more than the limit", through)
	}
}
