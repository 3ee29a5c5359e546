package ceremony

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// How a ceremony ends without success: refused, called off, or too late.

// refusal reports whether an error is one that a page explains. A failure of the
// system itself, such as a database that cannot be read, is not.
func refusal(err error) (*liuma.Error, bool) {
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Code == liuma.CodeUnavailable || e.Code == liuma.CodeInternal {
		return nil, false
	}
	return e, true
}

// refuse ends a ceremony and has its page explain the error.
func (s *Ceremonies) refuse(tx store.Tx, c *store.Ceremony, d *details, err error) (Step, error) {
	e, ok := refusal(err)
	if !ok {
		return "", err
	}
	d.Code, d.Until = string(e.Code), e.Until
	return StepRefused, s.endRequestUntil(tx, c, e.Code, e.Until)
}

// endRequest ends a ceremony without a verdict, and decides its business number.
func (s *Ceremonies) endRequest(tx store.Tx, c *store.Ceremony, code liuma.Code) error {
	return s.endRequestUntil(tx, c, code, time.Time{})
}

// endRequestUntil is endRequest for a refusal that ends by itself at a given
// time; zero: never.
func (s *Ceremonies) endRequestUntil(tx store.Tx, c *store.Ceremony, code liuma.Code, until time.Time) error {
	c.Ended = s.now()
	if err := s.endTicket(tx, *c, code); err != nil {
		return err
	}
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil {
		return err
	}
	if row.Decided {
		return nil
	}
	authority.Decide(&row, s.now(), "", code)
	row.Until = until
	return tx.UpdateRequest(row)
}

// endExpired decides the business numbers of ceremonies whose time is over.
func (s *Ceremonies) endExpired(ctx context.Context) error {
	for range 16 { // bounds the work of one round
		var due []store.Ceremony
		err := s.store.View(ctx, func(r store.Reader) (err error) {
			due, err = r.DueCeremonies(s.now(), duePage)
			return err
		})
		if err != nil || len(due) == 0 {
			return err
		}
		for _, c := range due {
			if err := s.expire(ctx, c.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Ceremonies) expire(ctx context.Context, id string) error {
	err := s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Ceremony(id)
		if err != nil || !expired(c, s.now()) {
			return audit.Entry{}, err
		}
		if under, err := s.engine.Setting(tx, c); err != nil || under {
			return audit.Entry{}, err // its PIN is being carried through
		}
		if Step(c.Step) != StepDone {
			if err := s.goTo(&c, StepExpired); err != nil {
				return audit.Entry{}, err
			}
		}
		if err := s.endRequest(tx, &c, liuma.CodeCeremonyExpired); err != nil {
			return audit.Entry{}, err
		}
		e := s.engine.Entry("system", audit.CeremonyEnded, s.recordOf(c), c.BusinessNo, "expired")
		if Step(c.Step) == StepDone { // nobody came back with the verdict in time
			e.Event, e.Outcome = audit.VerdictNotReturned, string(liuma.CodeNotReturned)
		}
		return e, tx.UpdateCeremony(c)
	})
	if errors.Is(err, store.ErrConflict) {
		return nil // a browser has just continued the ceremony
	}
	return err
}
