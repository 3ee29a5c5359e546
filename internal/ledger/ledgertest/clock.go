package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// lock makes the six guesses that lock a card.
func (r *rig) lock(h *holder) {
	r.t.Helper()
	for range 6 {
		r.spend(h, k, 2)
	}
	r.refused(h, day)
}

// refused wants a lock that ends after a time, by the wall clock.
func (r *rig) refused(h *holder, after time.Duration) {
	r.t.Helper()
	_, err := r.try(h, k, 2)
	refusal, ok := errors.AsType[*ledger.Refusal](err)
	if !ok || refusal.Reason != ledger.Locked || !refusal.Until.Equal(r.clock.Now().Add(after)) {
		r.t.Fatalf("want a lock for %v more, got %v (%+v at %v)", after, err, refusal, r.clock.Now())
	}
}

// ClockAheadAndBack: setting the wall clocks of sender and ledger ahead ends no
// lock, not even across a restart, and setting them back gives no guess (I-15).
func ClockAheadAndBack(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	r.lock(h)
	r.clock.Step(31 * day)
	r.refused(h, day)
	r.reopen()
	r.clock.Move(13 * time.Second)
	r.refused(h, day-13*time.Second)
	r.clock.Step(-31 * day)
	r.refused(h, day-13*time.Second)
	r.clock.Move(day - 13*time.Second)
	r.spend(h, k, 2)
}

// TimeAcrossStarts: the ledger's time goes on while the process is down. It
// does not go on while the machine is off, because then only the wall clock
// says how long that was.
func TimeAcrossStarts(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	r.lock(h)
	r.clock.Move(time.Hour)
	r.reopen()
	r.refused(h, day-time.Hour)
	if err := r.ledger.KeepTime(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.clock.Reboot(7 * day)
	r.reopen()
	r.refused(h, day-time.Hour)
	r.clock.Move(day - time.Hour)
	r.spend(h, k, 2)
}

// AcceptedTime: the recorded act moves the time up to the wall clock, durably,
// and nothing moves it back.
func AcceptedTime(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	r.lock(h)
	if err := r.ledger.AcceptTime(t.Context()); !errors.Is(err, clock.ErrNotAhead) {
		t.Fatalf("nothing to accept: %v", err)
	}
	r.clock.Step(7 * day)
	r.refused(h, day)
	calls, _ := r.fault.Calls()
	r.fault.FailAt(calls+1, false)
	if err := r.ledger.AcceptTime(t.Context()); !errors.Is(err, ledger.ErrPoisoned) {
		t.Fatalf("a jump that was not kept: %v", err)
	}
	r.reopen()
	r.refused(h, day)
	if err := r.ledger.AcceptTime(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.spend(h, k, 2)
	r.reopen()
	if at := r.ledger.Times(); !at.High.Equal(at.Wall) {
		t.Fatalf("after a restart the time is %v, the wall clock's %v", at.High, at.Wall)
	}
	r.clock.Step(-2 * time.Minute)
	if err := r.ledger.AcceptTime(t.Context()); !errors.Is(err, clock.ErrBehind) {
		t.Fatalf("a clock that is behind: %v", err)
	}
	if err := r.ledger.Admit(t.Context(), r.clock.Now(), 0); !errors.Is(err, ledger.ErrClock) {
		t.Fatalf("admitted: %v", err)
	}
}

// TimeIsNoProgress: an older copy of a ledger that is left running, for however long, does
// not come up by itself to what was seen of the ledger since. The time that it keeps is
// durable all the same (I-2, I-15).
func TimeIsNoProgress(t *testing.T, place func(testing.TB) Place) {
	p := place(t)
	r := newRig(t, p)
	h := r.enroll()
	copied := newRig(t, p.Crashed(t))
	r.spend(h, k, 2)
	seen := r.ledger.Meta().Sequence
	was := copied.ledger.Meta()
	for range 20 {
		copied.clock.Move(time.Minute)
		if err := copied.ledger.KeepTime(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	copied.clock.Step(time.Hour)
	if err := copied.ledger.AcceptTime(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := copied.ledger.Meta(); now.Sequence != was.Sequence || now.High.High.Sub(was.High.High) < time.Hour {
		t.Errorf("the copy went from %d to %d by itself, its time from %v to %v", was.Sequence, now.Sequence, was.High.High, now.High.High)
	}
	if err := copied.ledger.Admit(t.Context(), copied.clock.Now(), seen); !errors.Is(err, ledger.ErrRolledBack) {
		t.Errorf("the copy serves who has seen more: %v", err)
	}
}
