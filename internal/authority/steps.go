package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// The state machine of a ceremony. A move happens only from the step that the
// store holds, in the transaction that leaves it, so that a page that is
// behind cannot act (CodeCeremonyMoved), and nothing is left half done.
//
//	confirm --Agree--> pin --right--> done --WayBack--> (code)
//	                    |  \--wrong--> pin
//	                    |   \--locked, blocked, frozen …--> refused
//	any but done --Leave--> left          any --time--> expired

func firstStep(a liuma.Action) Step {
	if a == liuma.ActionEnroll || a == liuma.ActionLink {
		return StepConfirm
	}
	return StepPIN
}

func (s Step) over() bool { return s == StepRefused || s == StepExpired || s == StepLeft }

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

// move changes a ceremony in one transaction. change sees it at one of the
// steps from, gripped by this browser or, where nobody has it yet, bound to it
// now; it returns the step to go to.
func (a *Authority) move(ctx context.Context, id string, h Hand, from []Step,
	change func(tx store.Tx, c *store.Ceremony, d *details) (Step, error)) (Page, error) {
	var cer store.Ceremony
	var bound string
	secret := newSecret()
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		bound = ""
		c, err := a.gripped(tx, id, h)
		if err != nil {
			return audit.Entry{}, err
		}
		if c.Browser == [32]byte{} {
			c.Browser = hashed("browser", secret)
			c.Expires = a.now().Add(ceremonyLife)
			bound = secret
		}
		d, err := a.openDetails(c)
		if err != nil {
			return audit.Entry{}, err
		}
		if !isOneOf(Step(c.Step), from) {
			return audit.Entry{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		to, err := change(tx, &c, &d)
		if err != nil {
			return audit.Entry{}, err
		}
		c.Step = string(to)
		if err := a.sealDetails(&c, d); err != nil {
			return audit.Entry{}, err
		}
		if err := tx.UpdateCeremony(c); err != nil {
			return audit.Entry{}, err
		}
		cer = c
		e := a.entry("holder", audit.CeremonyStepped, c.Card, c.BusinessNo, "ok")
		e.Note = "step=" + string(to)
		return e, nil
	})
	if errors.Is(err, store.ErrConflict) {
		err = liuma.Fail(liuma.CodeCeremonyMoved, err)
	}
	if err != nil {
		return Page{}, house(err)
	}
	p, err := a.page(ctx, cer)
	p.Bound = bound
	return p, err
}

func isOneOf(s Step, in []Step) bool {
	for _, f := range in {
		if f == s {
			return true
		}
	}
	return false
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
	return a.move(ctx, id, h, []Step{StepConfirm, StepPIN, StepDone, StepRefused},
		func(_ store.Tx, c *store.Ceremony, _ *details) (Step, error) { return Step(c.Step), nil })
}

// Agree goes on from who asks for what to the pad.
func (a *Authority) Agree(ctx context.Context, id string, h Hand) (Page, error) {
	return a.move(ctx, id, h, []Step{StepConfirm},
		func(store.Tx, *store.Ceremony, *details) (Step, error) { return StepPIN, nil })
}

// Leave calls a ceremony off, and decides its business number so.
func (a *Authority) Leave(ctx context.Context, id string, h Hand) (Page, error) {
	return a.move(ctx, id, h, []Step{StepConfirm, StepPIN},
		func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
			d.Code = string(liuma.CodeLeft)
			return StepLeft, a.endRequest(tx, c, liuma.CodeLeft)
		})
}

// Extend gives a slow holder more time.
func (a *Authority) Extend(ctx context.Context, id string, h Hand) (Page, error) {
	return a.move(ctx, id, h, []Step{StepConfirm, StepPIN, StepDone},
		func(_ store.Tx, c *store.Ceremony, _ *details) (Step, error) {
			last := c.At.Add(ceremonyMost)
			c.Expires = maxTime(c.Expires, a.now().Add(ceremonyMore))
			if c.Expires.After(last) {
				c.Expires = last
			}
			return Step(c.Step), nil
		})
}

// endRequest decides the business number of a ceremony that ends without a
// verdict, and ends the ceremony.
func (a *Authority) endRequest(tx store.Tx, c *store.Ceremony, code liuma.Code) error {
	c.Ended = a.now()
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil {
		return err
	}
	if row.Decided {
		return nil
	}
	decide(&row, a.now(), "", code)
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
		if in, err := tx.Intent(c.Card); err == nil && in.Channel == c.Channel {
			return audit.Entry{}, nil // its PIN is being carried through
		}
		if Step(c.Step) != StepDone {
			c.Step = string(StepExpired)
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

// advance carries what became of one try of a ceremony over to the ceremony
// and its business number, in the transaction that decides the try.
func (a *Authority) advance(tx store.Tx, try store.Request) error {
	if try.Ceremony == "" || !try.Decided {
		return nil
	}
	c, err := tx.Ceremony(try.Ceremony)
	if err != nil {
		return err
	}
	if c.BusinessNo == try.BusinessNo {
		return nil // the ceremony's own row, not a try
	}
	d, err := a.openDetails(c)
	if err != nil {
		return err
	}
	c.Card = try.Card
	d.Verdict, d.Code, d.Until, d.Left = string(try.Verdict), string(try.Code), try.Until, nil
	if try.Verdict == liuma.Wrong || try.Verdict == liuma.Locked {
		left := try.TriesLeft
		d.Left = &left
	}
	if unlinked(try) {
		d.Verdict, d.Code, d.Until, d.Left = "", string(liuma.CodeRefused), time.Time{}, nil
	}
	to, end := afterTry(try)
	c.Step = string(to)
	if end {
		if err := a.decideParent(tx, &c, try); err != nil {
			return err
		}
	}
	if err := a.sealDetails(&c, d); err != nil {
		return err
	}
	return tx.UpdateCeremony(c)
}

// afterTry says where a verdict leads, and whether it decides the ceremony's
// business number. A locked link is not told from a wrong one.
func afterTry(try store.Request) (to Step, end bool) {
	switch {
	case try.Verdict == liuma.Right && try.Code == "":
		return StepDone, true
	case try.Action == liuma.ActionLink:
		return StepPIN, false
	case try.Verdict == liuma.Wrong && try.TriesLeft > 0, try.Verdict == liuma.Unavailable:
		return StepPIN, false
	}
	return StepRefused, true
}

func (a *Authority) decideParent(tx store.Tx, c *store.Ceremony, try store.Request) error {
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil {
		return err
	}
	if row.Decided {
		return nil
	}
	row.Card, row.Version, row.Evidence = try.Card, try.Version, try.Evidence
	row.TriesLeft, row.Until = try.TriesLeft, try.Until
	decide(&row, a.now(), try.Verdict, try.Code)
	if try.Verdict != liuma.Right {
		c.Ended = a.now()
	} else {
		c.Expires = maxTime(c.Expires, a.now().Add(ceremonyMore)) // to go back
	}
	return tx.UpdateRequest(row)
}
