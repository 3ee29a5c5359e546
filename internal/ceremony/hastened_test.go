package ceremony_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// hastened has two members shorten the wait of the correction that waits.
func (x *corrected) hastened() error {
	x.T.Helper()
	a, id := x.System.Authority, x.waiting().ID
	no, until, err := a.Hastenable(context.Background(), id)
	if err != nil {
		return err
	}
	for range 2 { // the approver repeats it
		if err := a.Hasten(context.Background(), "staff:li", id, no, until, "a hospital waits"); err != nil {
			return err
		}
	}
	return nil
}

// TestAShortenedCorrection: the holder is told again, and four hours run from when a
// gateway has taken that text, never less; the PIN is not reset meanwhile.
func TestAShortenedCorrection(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	x.reported()
	x.Clock.Advance(10 * time.Hour)
	if err := x.hastened(); err != nil {
		t.Fatal(err)
	}
	x.Clock.Advance(30 * time.Hour) // no gateway takes it: nothing runs
	x.maintained()
	x.wantUnder(false)
	p, _ := x.agreed(x.push(liuma.ActionReset))
	x.want(p, ceremony.StepRefused, liuma.CodeNumberCorrecting)
	if err := x.hastened(); !errors.Is(err, authority.ErrNotHastened) {
		t.Errorf("shortened twice: %v", err)
	}
	x.told()
	if n := x.notices("correction_sooner"); n != 1 {
		t.Errorf("told %d times", n)
	}
	x.Clock.Advance(4*time.Hour - time.Minute)
	x.maintained()
	x.wantUnder(false)
	x.Clock.Advance(2 * time.Minute)
	x.maintained()
	x.wantUnder(true)
	if n := len(x.recorded(audit.CorrectionHastened)); n != 1 {
		t.Errorf("%d entries of it", n)
	}
}

// TestAFreezeStopsAShortenedCorrection: its text has a freeze code of its own.
func TestAFreezeStopsAShortenedCorrection(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	x.reported()
	if err := x.hastened(); err != nil {
		t.Fatal(err)
	}
	x.told()
	if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(x.who.Phone)); err != nil {
		t.Fatal(err)
	}
	x.Clock.Advance(100 * time.Hour)
	x.maintained()
	if c := x.waiting(); c.State != store.CorrectionStopped || c.Why != "frozen" {
		t.Errorf("%d %s", c.State, c.Why)
	}
}

// TestAShorteningThatNobodyWasToldOf leaves the 72 hours: its text died, at once or after
// a gateway took it. And the four hours are never longer than what was left.
func TestAShorteningThatNobodyWasToldOf(t *testing.T) {
	for name, taken := range map[string]bool{"no gateway took it": false, "it did not arrive": true} {
		t.Run(name, func(t *testing.T) {
			x := newCorrected(t, testkit.Options{})
			until := x.reported().Until
			if err := x.hastened(); err != nil {
				t.Fatal(err)
			}
			if taken {
				x.told()
			}
			x.alter(func(tx store.Tx) error {
				m, err := tx.Message(x.waiting().Notice)
				m.State, m.Fault, m.DoneAt = store.MessageDead, notify.FaultUndelivered, x.Clock.Now()
				return errors.Join(err, tx.UpdateMessage(m))
			})
			x.maintained()
			if c := x.waiting(); c.State != store.CorrectionWaiting || c.Until.Sub(until).Abs() > time.Minute {
				t.Fatalf("%d until %v, want %v", c.State, c.Until, until)
			}
			x.Clock.Advance(10 * time.Hour)
			x.maintained()
			x.wantUnder(false)
			x.Clock.Advance(63 * time.Hour)
			x.maintained()
			x.wantUnder(true)
		})
	}
	x := newCorrected(t, testkit.Options{})
	until := x.reported().Until
	x.Clock.Advance(67 * time.Hour)
	if err := x.hastened(); err != nil {
		t.Fatal(err)
	}
	x.Clock.Advance(3 * time.Hour)
	x.told()
	if c := x.waiting(); c.Until.Sub(until).Abs() > time.Minute {
		t.Errorf("until %v, and it was %v before it was shortened", c.Until, until)
	}
}

// TestWhatIsNotShortened: a correction whose holder was not told by text, or that
// counts in four hours anyway, or is another by now.
func TestWhatIsNotShortened(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	if _, err := x.report(); err != nil {
		t.Fatal(err)
	}
	if err := x.hastened(); !errors.Is(err, authority.ErrNotHastened) {
		t.Errorf("before its holder was told: %v", err)
	}
	x.reported()
	a, c := x.System.Authority, x.waiting()
	for name, err := range map[string]error{
		"another correction of the number": a.Hasten(t.Context(), "staff:li", c.ID, c.No+1, c.Until, "x"),
		"another wait":                     a.Hasten(t.Context(), "staff:li", c.ID, c.No, c.Until.Add(time.Hour), "x"),
	} {
		if !errors.Is(err, authority.ErrNotHastened) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := a.Hasten(t.Context(), "staff:li", "none", 1, c.Until, "x"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	x.Clock.Advance(68 * time.Hour)
	x.maintained()
	if err := x.hastened(); !errors.Is(err, authority.ErrNotHastened) {
		t.Errorf("with four hours left: %v", err)
	}
	x.Clock.Advance(5 * time.Hour)
	x.maintained()
	x.wantUnder(true)
}
