package ceremony_test

import (
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestReserve: strangers have four of the six guesses, known devices may use
// the rest, and all together have six.
func TestReserve(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{Shape: shape})
			cookie := x.know("")
			for n := 3; n >= 0; n-- {
				p := x.guess("")
				if p.Verdict != liuma.Wrong || p.TriesLeft == nil || *p.TriesLeft != n {
					t.Fatalf("a stranger's guess: %+v, want %d left", p, n)
				}
			}
			if p := x.guess(""); p.Verdict != liuma.Locked || p.Code != liuma.CodeLocked {
				t.Fatalf("a stranger's fifth: %+v", p)
			}
			if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Locked {
				t.Fatalf("native, without a device: %+v", v)
			}
			if p := x.guess(cookie); p.Verdict != liuma.Wrong || *p.TriesLeft != 1 {
				t.Fatalf("the device's first: %+v", p)
			}
			x.verified(cookie)
			if p := x.guess(cookie); *p.TriesLeft != 1 {
				t.Fatalf("a right PIN gave the device its guess back: %+v", p)
			}
			if p := x.guess(cookie); p.Verdict != liuma.Wrong || p.Code != liuma.CodeLocked || p.Until.IsZero() {
				t.Fatalf("the sixth in all: %+v", p)
			}
			if p := x.guess(cookie); p.Verdict != liuma.Locked {
				t.Fatalf("a seventh: %+v", p)
			}
		})
	}
}

// TestSixtyHostileDays: a thief makes four wrong guesses a day, as many as
// strangers may, for sixty days. The holder verifies from a known device every
// day. The strangers' lane closes at thirty and stays closed, until the holder
// reopens it from that device.
func TestSixtyHostileDays(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{Shape: shape})
			cookie := x.know("")
			id := cardRow(t, x.Env, x.ch, x.card).ID
			base := counted(t, x.Env, id)[0]
			wrong := 0
			for d := range 60 {
				for range 5 {
					switch v := x.Verify(x.ch, x.card, wrongPIN); {
					case v.Verdict == liuma.Wrong:
						wrong++
					case wrong < 30 && v.Verdict != liuma.Locked, wrong >= 30 && v.Verdict != liuma.Blocked:
						t.Fatalf("day %d, after %d: %+v", d, wrong, v)
					}
				}
				if p, _ := x.OpenPage(x.ch, x.push(liuma.ActionVerify)); p.Step != ceremony.StepRefused || p.LaneClosed != (wrong >= 30) {
					t.Fatalf("day %d: a stranger's page: %+v", d, p)
				}
				p, h := x.OpenPageIn(x.ch, x.push(liuma.ActionVerify), ceremony.Hand{Device: cookie})
				if p.TriesLeft == nil || *p.TriesLeft < 2 || p.LaneClosed != (wrong >= 30) {
					t.Fatalf("day %d, after %d: %+v", d, wrong, p)
				}
				x.want(x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), ceremony.StepDone, "")
				x.Clock.Advance(day)
			}
			if wrong != 30 {
				t.Fatalf("%d hostile guesses were evaluated, want 30", wrong)
			}
			got := counted(t, x.Env, id)[0] - base
			for end := time.Now().Add(5 * time.Second); got != 30+60 && time.Now().Before(end); got = counted(t, x.Env, id)[0] - base {
				time.Sleep(5 * time.Millisecond) // right is answered before the last keeper has
			}
			if got != 30+60 {
				t.Errorf("a keeper counted %d, want 90", got)
			}
			if got := x.Notices(x.who.Phone); got[len(got)-1] != "strangers_stopped" || slices.Contains(got, "pin_blocked") {
				t.Errorf("notices: %v", got)
			}
			p := x.guess("")
			if p.Step != ceremony.StepRefused || p.Code != liuma.CodeBlocked || !p.LaneClosed {
				t.Errorf("a stranger's page: %+v", p)
			}
			reopenBy(t, x, cookie)
			if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
				t.Errorf("after reopening: %+v", v)
			}
		})
	}
}

// reopenBy reopens the strangers' lane. Neither a stranger's request nor a
// wrong PIN does.
func reopenBy(t *testing.T, x *phoned, cookie string) {
	t.Helper()
	for _, as := range []struct{ device, pin string }{{"", goodPIN}, {cookie, wrongPIN}, {cookie, goodPIN}} {
		p, h := x.OpenPageIn(x.ch, x.push(liuma.ActionVerify), ceremony.Hand{Device: as.device})
		if as.device == "" {
			x.want(p, ceremony.StepRefused, liuma.CodeBlocked)
			continue
		}
		p, err := x.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: p.Try, Reopen: true,
			Current: x.SealPage(p, liuma.RoleCurrent, as.pin)})
		if done := as.pin == goodPIN; err != nil || (p.Step == ceremony.StepDone) != done {
			t.Fatalf("%+v: %+v, %v", as, p, err)
		}
	}
}

// TestBlockedFromAKnownDevice: thirty wrong PINs from known devices block the
// PIN until it is reset, and a reset leaves no device known.
func TestBlockedFromAKnownDevice(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	cookie := x.know("")
	var p ceremony.Page
	for n := 0; n < 30; {
		if p = x.guess(cookie); p.Verdict == liuma.Wrong {
			n++
			continue
		}
		x.Clock.Advance(day)
	}
	if p.Code != liuma.CodeBlocked || p.Verdict != liuma.Wrong || p.LaneClosed {
		t.Errorf("the thirtieth: %+v", p)
	}
	x.resetTo(goodPIN)
	if len(x.devices()) != 0 {
		t.Error("a device is known after a reset")
	}
	if p, _ := x.verified(cookie); p.DeviceKnown {
		t.Error("the page still knows it")
	}
	if p := x.guess(cookie); *p.TriesLeft != 5 {
		t.Errorf("after a reset, without a device: %+v", p)
	}
}
