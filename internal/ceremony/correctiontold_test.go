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
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// waiting is the correction as the store has it.
func (x *corrected) waiting() (c store.Correction) {
	x.T.Helper()
	err := x.System.Store.View(context.Background(), func(r store.Reader) (err error) {
		c, err = r.CorrectionOf(x.index(x.who.IDNumber))
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return c
}

// TestTheWaitBeginsWhenTheHolderWasTold, not when the notice was queued; before that no
// time is told to anybody, and the PIN is not reset.
func TestTheWaitBeginsWhenTheHolderWasTold(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	if v, err := x.report(); err != nil || !v.HasCard || !v.Until.IsZero() {
		t.Fatalf("%+v, %v", v, err)
	}
	for range 3 {
		x.Clock.Advance(50 * time.Hour)
		x.maintained()
	}
	p, _ := x.agreed(x.push(liuma.ActionReset))
	if x.want(p, ceremony.StepRefused, liuma.CodeNumberCorrecting); !p.Until.IsZero() {
		t.Errorf("until %v", p.Until)
	}
	x.wantUnder(false)
	x.Sent()
	at := x.Clock.Now()
	x.Clock.Advance(10 * time.Hour)
	x.maintained()
	if c := x.waiting(); c.State != store.CorrectionWaiting || c.Until.Sub(at.Add(72*time.Hour)).Abs() > time.Second {
		t.Errorf("until %v, the gateway took it at %v", c.Until, at)
	}
	if n := len(x.recorded(audit.CorrectionTold)); n != 1 {
		t.Errorf("%d entries of it", n)
	}
	x.Clock.Advance(61 * time.Hour)
	x.maintained()
	x.wantUnder(false)
	x.Clock.Advance(2 * time.Hour)
	x.maintained()
	x.wantUnder(true)
}

// TestAnUntoldCorrectionStops: a notice that died, before or after a gateway took it, or
// was deleted; a holder without a phone; and one who was told the same too often. An
// operator lets it go on, and the 72 hours run from then.
func TestAnUntoldCorrectionStops(t *testing.T) {
	dies := func(x *corrected) {
		x.alter(func(tx store.Tx) error {
			m, err := tx.Message(x.waiting().Notice)
			m.State, m.Fault, m.DoneAt = store.MessageDead, notify.FaultUndelivered, x.Clock.Now()
			return errors.Join(err, tx.UpdateMessage(m))
		})
	}
	for name, c := range map[string]struct{ before, after func(*corrected) }{
		"no gateway took it": {after: dies},
		"it was taken, and did not arrive": {after: func(x *corrected) {
			x.told()
			x.Clock.Advance(20 * time.Hour)
			dies(x)
		}},
		"the message was deleted": {after: func(x *corrected) { x.SQL("DELETE FROM messages") }},
		"no phone": {before: func(x *corrected) { // as after a native enrolment
			x.who = x.People[6]
			x.card, x.is = x.Enroll(x.ch, x.who, goodPIN), x.who
			x.is.IDNumber = renumbered(x.T, x.who.IDNumber, 991)
		}},
		"somebody for notices and no phone": {before: func(x *corrected) {
			x.who = x.People[6]
			x.card, x.is = x.Enroll(x.ch, x.who, goodPIN), x.who
			x.is.IDNumber = renumbered(x.T, x.who.IDNumber, 991)
			x.alter(func(tx store.Tx) error {
				return x.System.Authority.NameForNotices(tx, cardOf(x.Env, x.who), daughter, "zh-CN", liuma.Text{ZH: "柜台", EN: "counter"})
			})
		}},
		"held back": {before: func(x *corrected) {
			card := x.links()[0].Card
			x.alter(func(tx store.Tx) error {
				var errs error
				for range authority.NoticesADay {
					c, err := tx.Card(card)
					errs = errors.Join(errs, err, x.System.Authority.Tell(tx, c, "id_number_correction", liuma.Text{ZH: "登记库", EN: "registry"}, nil))
				}
				return errs
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newCorrected(t, testkit.Options{})
			if c.before != nil {
				c.before(x)
			}
			_, err := x.report()
			if c.after != nil {
				if err != nil {
					t.Fatal(err)
				}
				c.after(x)
				x.maintained()
				_, err = x.report()
			}
			if liuma.CodeOf(err) != liuma.CodeCorrectionStopped {
				t.Fatalf("the registry is told %v", err)
			}
			was := x.waiting()
			if was.State != store.CorrectionStopped || was.Why != "untold" {
				t.Fatalf("%+v", was)
			}
			x.Clock.Advance(100 * time.Hour)
			x.maintained()
			x.wantUnder(false)
			x.letGoOn(was.ID)
			x.Clock.Advance(71 * time.Hour)
			x.maintained()
			x.wantUnder(false)
			x.Clock.Advance(2 * time.Hour)
			x.maintained()
			x.wantUnder(true)
		})
	}
}

// letGoOn has an operator decide.
func (x *corrected) letGoOn(id string) {
	x.T.Helper()
	people, ctx := x.System.Registry, context.Background()
	if err := people.GoOn(ctx, "operator", id, "seen at the counter"); err != nil {
		x.T.Fatal(err)
	}
	if err := people.GoOn(ctx, "operator", id, "again"); !errors.Is(err, registry.ErrNotUntold) {
		x.T.Errorf("once more: %v", err)
	}
	if err := people.GoOn(ctx, "operator", "nothing", "again"); !errors.Is(err, registry.ErrUnknownCorrection) {
		x.T.Errorf("another one: %v", err)
	}
	x.maintained()
	if c := x.waiting(); c.State != store.CorrectionWaiting || !c.Decided || c.Until.Sub(x.Clock.Now().Add(72*time.Hour)).Abs() > time.Minute {
		x.T.Errorf("after the decision: %+v", c)
	}
	if n := len(x.recorded(audit.CorrectionGoesOn)); n != 1 {
		x.T.Errorf("%d entries of the decision", n)
	}
}
