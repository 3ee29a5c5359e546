package authority

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// The state machine of a ceremony. A move happens only from the step that the
// store holds, in the transaction that leaves it, so that a page that is
// behind cannot act (CodeCeremonyMoved), and nothing is left half done.
//
//	confirm --Agree--> pin --right--> done --WayBack--> (authorization code)
//	                    |  \--wrong--> pin
//	                    |   \--locked, blocked, frozen …--> refused
//	any but done --Leave--> left          any --time--> expired
//
// Enrolment has a code to the phone between confirm and pin. What resets,
// rebinds and unfreezes is drawn in the files of their own. The table of all
// moves is mayGo, and no step is left but by goTo, which holds to it.

func firstStep(a liuma.Action) Step {
	if a == liuma.ActionVerify || a == liuma.ActionChange {
		return StepPIN
	}
	return StepConfirm
}

func (s Step) over() bool {
	return s == StepRefused || s == StepExpired || s == StepLeft || s == StepReset
}

// holds says what a hand may do with a ceremony.
type holds int

const (
	holdsNothing holds = iota
	holdsAddress       // may look, and begin
	holdsBrowser       // goes on with it
)

func grip(c store.Ceremony, h Hand) holds {
	if h.Secret != "" && c.Browser != [32]byte{} && equal(hashed("browser", h.Secret), c.Browser) {
		return holdsBrowser
	}
	if h.RequestURI != "" && equal(hashed("request-uri", h.RequestURI), c.RequestURI) {
		return holdsAddress
	}
	return holdsNothing
}

// expired reports whether time is over for a ceremony that has not ended.
func expired(c store.Ceremony, now time.Time) bool { return c.Ended.IsZero() && !now.Before(c.Expires) }

// lastOf is when a ceremony's time is over, however often it is pushed again or
// extended.
func lastOf(c store.Ceremony) time.Time { return c.At.Add(ceremonyMost) }

// within is a time, or the end of the ceremony's time where that is earlier.
func within(c store.Ceremony, t time.Time) time.Time {
	if last := lastOf(c); t.After(last) {
		return last
	}
	return t
}

// move changes a ceremony in one transaction. change sees it at one of the
// steps from, gripped by this browser or, where nobody has it yet, bound to it
// now; it returns the step to go to.
func (a *Authority) move(ctx context.Context, id string, h Hand, from []Step,
	change func(tx store.Tx, c *store.Ceremony, d *details) (Step, error)) (Page, error) {
	return a.moveAs(ctx, id, h, from, func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		to, err := change(tx, c, d)
		outcome := "ok"
		if to == StepRefused && d.Code != "" {
			outcome = d.Code
		}
		return to, a.entry("holder", audit.CeremonyStepped, c.Card, c.BusinessNo, outcome), err
	})
}

// moveAs is move for what has an audit entry of its own.
func (a *Authority) moveAs(ctx context.Context, id string, h Hand, from []Step,
	change func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error)) (Page, error) {
	return a.moveAnyway(ctx, id, h, from, func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		if err := a.served(tx, *c); err != nil {
			return a.unserved(tx, c, d, err)
		}
		return change(tx, c, d)
	})
}

// moveAnyway is moveAs also for a ceremony whose channel is not served any more.
func (a *Authority) moveAnyway(ctx context.Context, id string, h Hand, from []Step,
	change func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error)) (Page, error) {
	var cer store.Ceremony
	var bound string
	secret := newSecret()
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		bound = ""
		c, err := a.gripped(tx, id, h)
		if err != nil {
			return audit.Entry{}, err
		}
		d, err := a.openDetails(c)
		if err != nil {
			return audit.Entry{}, err
		}
		if c.Browser == [32]byte{} {
			if bound, err = a.bind(&c, &d, h, secret); err != nil {
				return audit.Entry{}, err
			}
		}
		if !slices.Contains(from, Step(c.Step)) {
			return audit.Entry{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		to, e, err := change(tx, &c, &d)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := errors.Join(goTo(&c, to), a.sealDetails(&c, d)); err != nil {
			return audit.Entry{}, err
		}
		if err := tx.UpdateCeremony(c); err != nil {
			return audit.Entry{}, err
		}
		cer = c
		e.Note = "step=" + string(to)
		return e, nil
	})
	if errors.Is(err, store.ErrConflict) {
		err = liuma.Fail(liuma.CodeCeremonyMoved, err)
	}
	if err != nil {
		return Page{}, house(err)
	}
	p, err := a.page(ctx, cer, h)
	p.Bound = bound
	return p, err
}

// bind ties a ceremony to a browser and returns its secret: a new one, or that
// of the browser which gave a code or a PIN before the ceremony was pushed
// again. What was proved in another browser is taken back.
func (a *Authority) bind(c *store.Ceremony, d *details, h Hand, secret string) (string, error) {
	same := hashed("browser", h.Secret)
	if h.Secret != "" && subtle.ConstantTimeCompare(same[:], d.Prover) == 1 {
		secret = h.Secret
	} else if err := d.rewind(c); err != nil {
		return "", err
	}
	c.Browser = hashed("browser", secret)
	c.Expires = within(*c, a.now().Add(ceremonyLife))
	return secret, nil
}

// gripped reads a ceremony for a move.
func (a *Authority) gripped(r store.Reader, id string, h Hand) (store.Ceremony, error) {
	c, err := r.Ceremony(id)
	if errors.Is(err, store.ErrNotFound) {
		return c, liuma.Fail(liuma.CodeRequestURIInvalid, err)
	}
	if err != nil {
		return c, err
	}
	g := grip(c, h)
	switch {
	case g == holdsNothing:
		return c, liuma.Fail(liuma.CodeCeremonyElsewhere, nil)
	case expired(c, a.now()):
		return c, liuma.Fail(liuma.CodeCeremonyExpired, nil)
	case g == holdsAddress && c.Browser != [32]byte{}:
		return c, liuma.Fail(liuma.CodeCeremonyElsewhere, nil)
	}
	return c, nil
}

// Begin binds a ceremony to the browser whose page is really looked at. A
// prefetched page never calls it.
func (a *Authority) Begin(ctx context.Context, id string, h Hand) (Page, error) {
	return a.move(ctx, id, h, []Step{StepConfirm, StepCode, StepEvidence, StepPhone, StepPIN, StepDone, StepRefused},
		a.toPad(h, func(_ store.Tx, c *store.Ceremony, _ *details) (Step, error) { return Step(c.Step), nil }))
}

// Agree goes on from who asks for what to the pad, or to the first proof.
func (a *Authority) Agree(ctx context.Context, id string, h Hand) (Page, error) {
	return a.move(ctx, id, h, []Step{StepConfirm}, a.toPad(h, a.agreed))
}

// Leave calls a ceremony off, and decides its business number so.
func (a *Authority) Leave(ctx context.Context, id string, h Hand) (Page, error) {
	return a.moveAnyway(ctx, id, h, []Step{StepConfirm, StepCode, StepEvidence, StepPhone, StepPIN},
		func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
			e := a.entry("holder", audit.CeremonyStepped, c.Card, c.BusinessNo, "ok")
			if under, err := setting(tx, *c); err != nil || under {
				return "", e, errors.Join(err, liuma.Fail(liuma.CodeChangeUnderWay, nil))
			}
			d.Code = string(liuma.CodeLeft)
			return StepLeft, e, a.endRequest(tx, c, liuma.CodeLeft)
		})
}

// Extend gives a slow holder more time.
func (a *Authority) Extend(ctx context.Context, id string, h Hand) (Page, error) {
	return a.move(ctx, id, h, []Step{StepConfirm, StepCode, StepEvidence, StepPhone, StepPIN, StepDone},
		func(_ store.Tx, c *store.Ceremony, _ *details) (Step, error) {
			// What succeeded may have longer than an hour, to go back.
			c.Expires = maxTime(c.Expires, within(*c, a.now().Add(ceremonyMore)))
			return Step(c.Step), nil
		})
}

// endRequest decides the business number of a ceremony that ends without a
// verdict, and ends the ceremony.
func (a *Authority) endRequest(tx store.Tx, c *store.Ceremony, code liuma.Code) error {
	return a.endRequestUntil(tx, c, code, time.Time{})
}

// endRequestUntil is endRequest for what ends by itself at a time, or never
// where that is zero.
func (a *Authority) endRequestUntil(tx store.Tx, c *store.Ceremony, code liuma.Code, until time.Time) error {
	c.Ended = a.now()
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil {
		return err
	}
	if row.Decided {
		return nil
	}
	decide(&row, a.now(), "", code)
	row.Until = until
	return tx.UpdateRequest(row)
}

// endExpired decides the business numbers of ceremonies whose time is over.
func (a *Authority) endExpired(ctx context.Context) error {
	for range 16 { // pages of work a round
		var due []store.Ceremony
		err := a.Store.View(ctx, func(r store.Reader) (err error) {
			due, err = r.DueCeremonies(a.now(), intentPage)
			return err
		})
		if err != nil || len(due) == 0 {
			return err
		}
		for _, c := range due {
			if err := a.expire(ctx, c.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *Authority) expire(ctx context.Context, id string) error {
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Ceremony(id)
		if err != nil || !expired(c, a.now()) {
			return audit.Entry{}, err
		}
		if under, err := setting(tx, c); err != nil || under {
			return audit.Entry{}, err // its PIN is being carried through
		}
		if Step(c.Step) != StepDone {
			if err := goTo(&c, StepExpired); err != nil {
				return audit.Entry{}, err
			}
		}
		if err := a.endRequest(tx, &c, liuma.CodeCeremonyExpired); err != nil {
			return audit.Entry{}, err
		}
		return a.entry("system", audit.CeremonyEnded, c.Card, c.BusinessNo, "expired"), tx.UpdateCeremony(c)
	})
	if errors.Is(err, store.ErrConflict) {
		return nil // somebody went on with it just now
	}
	return err
}
