package guard

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
)

// The sprays of this file go on beside nothing: a quiet service. TestDay has
// them in a busy one.

// TestOneValueOnTenThousandCards is the spray that this package is for: from ten
// thousand addresses, at several paces, through several channels.
func TestOneValueOnTenThousandCards(t *testing.T) {
	for _, tc := range []struct {
		name     string
		every    time.Duration
		channels int
		most     int
	}{
		{"within seconds", time.Millisecond, 1, 60},
		{"within an hour", 360 * time.Millisecond, 1, 300},
		// The day has parts of three long epochs, so it has two windows.
		{"within a day", 8640 * time.Millisecond, 1, 600},
		{"within a day, through 200 channels", 8640 * time.Millisecond, 200, 600},
	} {
		w, p := newWorld(t), value(t, "620594")
		through := 0
		for n := range 10_000 {
			q := guess(n)
			q.Channel = liuma.ChannelID(fmt.Sprint("app-", n%tc.channels))
			if w.try(t, p, q, liuma.Wrong) == nil {
				through++
			}
			w.wait(tc.every)
		}
		if through > tc.most {
			t.Errorf("%s: %d of 10,000 went through, want at most %d", tc.name, through, tc.most)
		}
		if w.rung(ValueSprayed) == 0 {
			t.Errorf("%s: no alarm", tc.name)
		}
	}
}

// TestSprayIsToldWithinAMinute sprays 2,000 cards in seven seconds through one
// channel.
func TestSprayIsToldWithinAMinute(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	for n := range 2000 {
		w.try(t, p, guess(n), liuma.Wrong)
		w.wait(7 * time.Second / 2000)
	}
	if w.rung(ValueSprayed) != 1 {
		t.Fatalf("%d alarms within seven seconds, want one", w.rung(ValueSprayed))
	}
	a := w.alarms[0]
	if a.At.Sub(begin) > 7*time.Second || a.Channel != "app" || a.Guesses < 50 || a.Guesses > 100 {
		t.Errorf("the alarm says %+v", a)
	}
	w.wait(time.Minute)
	w.try(t, p, guess(1), liuma.Wrong)
	if w.rung(ValueSprayed) != 2 || w.alarms[1].Slowed < 1900 {
		t.Errorf("a minute later: %+v", w.alarms[1:])
	}
}

// TestAllAtOnce asks for every guess before any has its verdict.
func TestAllAtOnce(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	var under []*Pass
	for n := range 10_000 {
		if pass, err := w.Allow(p, guess(n).Guess); err == nil {
			under = append(under, pass)
		}
	}
	if len(under) > 60 {
		t.Errorf("%d guesses of one value under way", len(under))
	}
	for _, pass := range under {
		pass.Drop()
	}
	if err := w.try(t, p, guess(1), liuma.Right); err != nil {
		t.Errorf("after all came to nothing: %v", err)
	}
}

func TestTwoValuesInTurn(t *testing.T) {
	w, pins := newWorld(t), settable(t, random(3), 2)
	through := map[int]int{}
	for n := range 10_000 {
		if w.try(t, pins[n%2], guess(n/2), liuma.Wrong) == nil {
			through[n%2]++
		}
		w.wait(50 * time.Millisecond)
	}
	for i, n := range through {
		if n > 200 {
			t.Errorf("value %d: %d of 5,000 went through", i, n)
		}
	}
	if w.rung(ValueSprayed) == 0 {
		t.Error("no alarm")
	}
}

// TestOtherValuesGoOn wants a spray to slow its own value alone.
func TestOtherValuesGoOn(t *testing.T) {
	w := newWorld(t)
	w.spray(t, value(t, "620594"), 0, 5000)
	for n, p := range settable(t, random(4), 2000) {
		if err := w.try(t, p, guess(10_000+n), liuma.Right); err != nil {
			t.Fatalf("another value: %v", err)
		}
	}
}

func TestPassphrasesAreCounted(t *testing.T) {
	w, p := newWorld(t), value(t, "correct horse battery")
	if n := w.spray(t, p, 0, 1000); n > 60 {
		t.Errorf("%d went through", n)
	}
	if err := w.try(t, value(t, "correct horse batterx"), guess(1), liuma.Wrong); err != nil {
		t.Errorf("another passphrase: %v", err)
	}
}

// TestAcrossRotations begins sprays just before an epoch ends.
func TestAcrossRotations(t *testing.T) {
	for _, before := range []time.Duration{0, time.Second, 5 * time.Second, 30 * time.Second} {
		w, p := newWorld(t), value(t, "620594")
		w.wait(5*time.Minute - before) // begin is in the middle of an epoch
		through := 0
		for n := range 1000 {
			if w.try(t, p, guess(n), liuma.Wrong) == nil {
				through++
			}
			w.wait(100 * time.Millisecond)
		}
		if through > 60 {
			t.Errorf("%v before the edge: %d went through", before, through)
		}
	}
}

// TestAGuessThatSeesARotation gets its verdict in the next epoch.
func TestAGuessThatSeesARotation(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	w.wait(5*time.Minute - time.Second)
	var under []*Pass
	for n := range 59 - 12 { // noise may stand for some
		pass, err := w.Allow(p, guess(n).Guess)
		if err != nil {
			t.Fatalf("guess %d: %v", n, err)
		}
		under = append(under, pass)
	}
	w.wait(2 * time.Second)
	for n, pass := range under {
		pass.Saw(cardNo(n), liuma.Wrong)
	}
	if n := w.spray(t, p, 1000, 1100); n > 60-len(under) {
		t.Errorf("%d more went through: those of the last epoch are forgotten", n)
	}
}

// TestASprayIsForgotten shows how long strangers with that PIN are refused.
func TestASprayIsForgotten(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	w.spray(t, p, 0, 1000)
	w.wait(4 * time.Minute)
	if err := w.try(t, p, guess(1), liuma.Right); !errors.Is(err, ErrSlowDown) {
		t.Errorf("in the same epoch: %v", err)
	}
	w.wait(16 * time.Minute)
	if err := w.try(t, p, guess(1), liuma.Right); err != nil {
		t.Errorf("after two epochs: %v", err)
	}
}

// TestAPopularValue has people type 123456, which nobody may have, for a day, and
// more and more often; then somebody sprays it. The limits are a tenth of the
// usual ones, and so are the numbers of guesses.
func TestAPopularValue(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits = DefaultLimits(); c.Limits.Refused = 90 })
	p, others := value(t, "123456"), settable(t, random(5), 5000)
	n := 0
	hours := func(hours int, every time.Duration) {
		for passed := time.Duration(0); passed < time.Duration(hours)*time.Hour; passed += 10 * time.Second {
			if err := w.try(t, others[n%len(others)], guess(n), liuma.Wrong); err != nil {
				t.Fatal(err)
			}
			if passed%every == 0 {
				if err := w.try(t, p, guess(100_000+n), liuma.Wrong); err != nil {
					t.Fatalf("typed once in %v, after %v: %v", every, passed, err)
				}
			}
			n++
			w.wait(10 * time.Second)
		}
	}
	hours(12, 30*time.Second) // 40 in the short window
	hours(12, 10*time.Second) // 120: more than Refused, and not yet a surge
	if w.rung(ValueSprayed) != 0 {
		t.Fatalf("alarms of mistakes: %+v", w.alarms[0])
	}
	if n := w.spray(t, p, 1_000_000, 1_010_000); n >= 1000 {
		t.Errorf("%d of a spray went through", n)
	}
	if w.rung(ValueSprayed) != 1 {
		t.Error("no alarm of the spray")
	}
}

// TestLimits has the rule as numbers.
func TestLimits(t *testing.T) {
	l := DefaultLimits()
	for _, tc := range []struct {
		name    string
		w       windows
		under   uint64
		refused bool
		want    bool
	}{
		{"nothing seen", windows{}, 0, false, false},
		{"below the short limit", windows{short: counted{59, 59}, long: counted{59, 59}}, 0, false, false},
		{"at the short limit", windows{short: counted{60, 60}, long: counted{60, 60}}, 0, false, true},
		{"with one under way", windows{short: counted{59, 59}, long: counted{59, 59}}, 1, false, true},
		{"in a service where 60 is usual", windows{short: counted{60, 1_000_000}, long: counted{60, 1_000_000}}, 0, false, false},
		{"one in 10,000 there", windows{short: counted{100, 1_000_000}, long: counted{100, 1_000_000}}, 0, false, true},
		{"below the long limit", windows{short: counted{9, 10}, long: counted{299, 10_000}}, 0, false, false},
		{"at the long limit", windows{short: counted{9, 10}, long: counted{300, 10_000}}, 0, false, true},
		{"in a day where 300 is usual", windows{short: counted{9, 10}, long: counted{300, 10_000_000}}, 0, false, false},
		{"worthless, below", windows{short: counted{899, 2000}, long: counted{899, 2000}}, 0, true, false},
		{"worthless, at the limit", windows{short: counted{900, 2000}, long: counted{900, 2000}}, 0, true, true},
		{"worthless, over all day", windows{short: counted{9, 10}, long: counted{5000, 10_000}}, 0, true, false},
		{"worthless and usual", windows{short: counted{1000, 10_000}, long: counted{10_000, 100_000}}, 0, true, false},
		{"worthless, four times as usual", windows{short: counted{4000, 13_000}, long: counted{13_000, 103_000}}, 0, true, true},
		{"worthless, and little else", windows{short: counted{9000, 9001}, long: counted{19_000, 19_101}}, 0, true, true},
	} {
		if got := l.sprayed(tc.w, tc.under, tc.refused); got != tc.want {
			t.Errorf("%s: sprayed %v", tc.name, got)
		}
	}
}

// TestWorthlessValueInAQuietService sprays a value that nobody may have.
func TestWorthlessValueInAQuietService(t *testing.T) {
	w := newWorld(t)
	if n := w.spray(t, value(t, "123456"), 0, 10_000); n < 800 || n >= 1000 {
		t.Errorf("%d went through, want about 900", n)
	}
}

// TestManyValuesThroughOneChannel tries another value on each card, after a day
// of usual guesses: an alarm, and no refusal.
func TestManyValuesThroughOneChannel(t *testing.T) {
	w, pins := newWorld(t), settable(t, random(6), 3000)
	own := value(t, "739150")
	hour := func(hours int) {
		for n := range hours * 360 {
			w.try(t, own, guess(n), liuma.Right)
			if n%10 == 0 {
				w.try(t, pins[n%len(pins)], guess(n), liuma.Wrong)
			}
			w.wait(10 * time.Second)
		}
	}
	hour(24)
	if len(w.alarms) != 0 {
		t.Fatalf("an alarm of a usual day: %+v", w.alarms[0])
	}
	for n, p := range pins[:2000] {
		q := guess(100_000 + n)
		if err := w.try(t, p, q, liuma.Wrong); err != nil {
			t.Fatalf("guess %d: %v", n, err)
		}
		w.wait(3 * time.Millisecond)
	}
	if w.rung(ChannelWrong) != 1 || w.alarms[0].Channel != "app" {
		t.Errorf("alarms: %+v", w.alarms)
	}
}

// TestManyValuesFromOneAddress is the same from one address through many
// channels; and a hall of people behind one address is no alarm.
func TestManyValuesFromOneAddress(t *testing.T) {
	w, pins, own := newWorld(t), settable(t, random(7), 500), value(t, "739150")
	for n := range 5000 {
		q := guess(n)
		q.Source = "192.0.2.1"
		if n%20 == 0 {
			w.try(t, pins[n%len(pins)], q, liuma.Wrong)
		} else {
			w.try(t, own, q, liuma.Right)
		}
		w.wait(100 * time.Millisecond)
	}
	if len(w.alarms) != 0 {
		t.Fatalf("an alarm of a hall: %+v", w.alarms[0])
	}
	for n := range 100 {
		q := guess(10_000 + n)
		q.Source, q.Channel = "192.0.2.9", liuma.ChannelID(fmt.Sprint("app-", n))
		if err := w.try(t, pins[n], q, liuma.Wrong); err != nil {
			t.Fatalf("guess %d: %v", n, err)
		}
	}
	if w.rung(SourceWrong) != 1 || w.alarms[0].Source != "192.0.2.9" {
		t.Errorf("alarms: %+v", w.alarms)
	}
}

// TestALoudChannelDrownsNoOther has two channels alarm within a minute.
func TestALoudChannelDrownsNoOther(t *testing.T) {
	w, pins := newWorld(t), settable(t, random(8), 1000)
	for n, p := range pins {
		q := guess(n)
		q.Channel = liuma.ChannelID(fmt.Sprint("app-", n%2))
		w.try(t, p, q, liuma.Wrong)
	}
	if w.rung(ChannelWrong) != 2 {
		t.Errorf("%d alarms, want one for each channel", w.rung(ChannelWrong))
	}
}
