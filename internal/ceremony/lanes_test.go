package ceremony_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestReserve: strangers have four of the six guesses, known links may use the
// rest, and all together have six. A link in the same channel that is not known
// is a stranger.
func TestReserve(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{Shape: shape})
			far := x.Channel("any-app")
			stranger := x.linkAgain(x.ch, goodPIN, false)
			for n := 3; n >= 1; n-- {
				p := x.guess(stranger)
				if p.Verdict != liuma.Wrong || p.TriesLeft == nil || *p.TriesLeft != n {
					t.Fatalf("a stranger's guess: %+v, want %d left", p, n)
				}
			}
			if v := x.tryLink(far, wrongPIN, false, ""); v.Code != liuma.CodeRefused {
				t.Fatalf("a stranger's fourth, by name: %+v", v)
			}
			if p := x.guess(stranger); p.Verdict != liuma.Locked || p.Code != liuma.CodeLocked {
				t.Fatalf("a stranger's fifth: %+v", p)
			}
			if v := x.Verify(x.ch, stranger, goodPIN); v.Verdict != liuma.Locked {
				t.Fatalf("native: %+v", v)
			}
			if p := x.guess(x.card); p.Verdict != liuma.Wrong || *p.TriesLeft != 1 {
				t.Fatalf("the known link's first: %+v", p)
			}
			x.verified(x.card)
			if p := x.guess(x.card); *p.TriesLeft != 1 {
				t.Fatalf("a right PIN gave the known link its guess back: %+v", p)
			}
			if p := x.guess(x.card); p.Verdict != liuma.Wrong || p.Code != liuma.CodeLocked || p.Until.IsZero() {
				t.Fatalf("the sixth in all: %+v", p)
			}
			if p := x.guess(x.card); p.Verdict != liuma.Locked {
				t.Fatalf("a seventh: %+v", p)
			}
		})
	}
}

// closed makes thirty wrong guesses by name and ID number, four a day.
func (x *phoned) closed() {
	x.T.Helper()
	far := x.Channel("any-app")
	for range 8 {
		for range 4 {
			x.tryLink(far, wrongPIN, false, "")
		}
		x.Clock.Advance(day)
	}
}

// TestReopen: the strangers' lane is opened again by the holder's wish with a
// right PIN through a known link. Neither a stranger's request nor a wrong PIN
// does.
func TestReopen(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	stranger := x.linkAgain(x.ch, goodPIN, false)
	x.Change(x.ch, x.card, goodPIN, otherPIN) // the stranger stays one
	x.Change(x.ch, x.card, otherPIN, goodPIN)
	x.closed()
	p, _ := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	if x.want(p, ceremony.StepPIN, ""); !p.LaneClosed {
		t.Errorf("the holder's pad: %+v", p)
	}
	for _, as := range []struct {
		card store.Handle
		pin  string
	}{{stranger, goodPIN}, {x.card, wrongPIN}, {x.card, goodPIN}} {
		q := x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(as.card)}, nil)
		p, h := x.OpenPage(x.ch, q)
		if as.card == stranger {
			if x.want(p, ceremony.StepRefused, liuma.CodeBlocked); !p.LaneClosed {
				t.Errorf("a stranger's page: %+v", p)
			}
			continue
		}
		p, err := x.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: p.Try, Reopen: true,
			Current: x.SealPage(p, liuma.RoleCurrent, as.pin)})
		if done := as.pin == goodPIN; err != nil || (p.Step == ceremony.StepDone) != done {
			t.Fatalf("%+v: %+v, %v", as, p, err)
		}
	}
	if v := x.Verify(x.ch, stranger, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("after reopening: %+v", v)
	}
}

// TestAResetReopens the strangers' lane.
func TestAResetReopens(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.closed()
	if v := x.tryLink(x.ch, goodPIN, false, ""); v.Code != liuma.CodeRefused {
		t.Fatalf("the lane is open: %+v", v)
	}
	x.resetTo(otherPIN)
	x.linkAgain(x.ch, otherPIN, false)
}

// TestBlockedThroughKnownLinks: thirty wrong PINs through known links block the
// PIN until it is reset.
func TestBlockedThroughKnownLinks(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	cards := []store.Handle{x.card}
	for range 3 {
		cards = append(cards, x.linkAgain(x.ch, goodPIN, true))
	}
	var p ceremony.Page
	for n := 0; n < 30; {
		if p = x.guess(cards[n/9]); p.Verdict == liuma.Wrong {
			n++
			continue
		}
		x.Clock.Advance(day)
	}
	if p.Code != liuma.CodeBlocked || p.Verdict != liuma.Wrong || p.LaneClosed {
		t.Errorf("the thirtieth: %+v", p)
	}
	x.resetTo(goodPIN)
	if p := x.guess(x.card); *p.TriesLeft != 5 {
		t.Errorf("after a reset: %+v", p)
	}
}

// TestStrangersGetTwoThirds of a limit, rounded down, and at least one.
func TestStrangersGetTwoThirds(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	stranger := x.linkAgain(x.ch, goodPIN, false)
	card := cardRow(t, x.Env, x.ch, x.card)
	for attempts, want := range map[int]int{1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 6: 4} {
		rules := policy.National()
		rules.Limits.Attempts = attempts
		err := x.System.Store.View(t.Context(), func(r store.Reader) error {
			at, err := x.Authority().PlaceOf(r, card, x.ch.Channel(), stranger, false, rules)
			left, refusal := card.Tally.Check(x.Clock.Now(), at.Lane, at.Reserve, rules.Limits)
			if left != want || refusal != nil {
				t.Errorf("of %d: %d, %v; want %d", attempts, left, refusal, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
