package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/store"
)

// Now is the high-water time (H). Rows are stamped with it, and rations, locks, waits and
// deletions are judged by it. No step of the wall clock moves it (I-15). In UTC and in the
// precision of the store.
func (a *Authority) Now() time.Time { return a.clock.Now() }

// Wall is the wall clock (W): the time that other machines use, and that people read.
func (a *Authority) Wall() time.Time { return a.clock.Wall() }

// Latest is the later of both. A value that was dated outside has ended when it has ended by
// either.
func (a *Authority) Latest() time.Time { return a.clock.Latest() }

// ToWall turns a time in H into the time that a person's clock will show then.
func (a *Authority) ToWall(at time.Time) time.Time { return a.clock.Read().ToWall(at) }

// inWall returns an error with Until turned into wall time.
func (a *Authority) inWall(err error) error {
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Until.IsZero() {
		return err
	}
	told := *e
	told.Until = a.ToWall(e.Until)
	return &told
}

// ReasonClock is the reason, under CodeUnavailable, while the wall clock is more than a
// minute behind the high-water time.
const ReasonClock = "clock_behind"

// timely refuses while the clocks do not allow serving.
func (a *Authority) timely() error {
	if err := a.clock.Check(); err != nil {
		return &liuma.Error{Code: liuma.CodeUnavailable, Reason: ReasonClock, Cause: err}
	}
	return nil
}

// keepTime saves H. After a crash before it, H goes back by the time since the last save,
// and only if the machine is restarted. Rations, locks and waits then last that much longer,
// and use-once marks outlast it by clock.Grace (I-15).
func (a *Authority) keepTime(ctx context.Context) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, tx.SaveClock(a.clock.State())
	})
}

// witnessTime lets H jump to W if the clocks of enough keepers on other machines agree with
// W. A crash before the save leaves H as it was, and the next round tries again.
func (a *Authority) witnessTime(ctx context.Context) error {
	if a.others == nil || a.clock.Read().Lag() < clock.MaxBehind {
		return nil
	}
	others, quorum := a.others(ctx)
	next, err := a.clock.Witnessed(others, quorum)
	if err != nil {
		return nil //nolint:nilerr // too few agree: an operator decides
	}
	by := next.High.Sub(a.clock.Now()).Truncate(time.Second)
	if err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		e := a.Entry("system", audit.ClockWitnessed, liuma.CardID{}, "", "ok")
		e.Note = "by=" + by.String()
		return e, tx.SaveClock(next)
	}); err != nil {
		return err
	}
	a.log.WarnContext(ctx, "the kept time jumped to the machine's clock: keepers on other machines have it, too", "by", by)
	a.clock.Adopt(next)
	return nil
}

// followTime takes over the database's time if another authority has raised it: by a jump to
// the wall clock there (an operator's or by witnesses), or because that machine's boot clock
// is a little faster. So all authorities are within about a second of one another.
//
// Work done meanwhile by the lower time errs like work after a crash that took H back as
// much. Rations, locks and waits last longer here by the difference. A use-once mark that is
// stamped here is dropped when the higher time is ten minutes (clock.Grace) past its stamp.
// The thing that it marks is valid by the wall clock, which a jump does not move, and
// nothing is dropped by a new time before every authority has it (forget). A machine whose
// wall clock is more than a minute behind serves nothing from then on.
func (a *Authority) followTime(ctx context.Context) error {
	if !a.shared {
		return nil
	}
	var there clock.State
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		there, err = r.Clock()
		return err
	})
	if err == nil {
		a.clock.Raise(there.High)
	}
	return err
}
