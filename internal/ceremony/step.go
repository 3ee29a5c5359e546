package ceremony

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"

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
// Enrolment has a code to the phone between confirm and pin; reset, rebind and
// unfreeze have more steps, in their own files. mayGo is the table of all moves,
// and no step is left but by goTo, which holds to it.

func (at Step) over() bool {
	return at == StepRefused || at == StepExpired || at == StepLeft || at == StepReset
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

// changeFunc is what a move does to a ceremony, in the move's transaction. It
// returns the step to go to, and the entry of the audit record.
type changeFunc func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error)

// move changes a ceremony in one transaction and shows its page. change sees it
// at one of the steps from, gripped by this browser or, where nobody has it
// yet, bound to it now; it returns the step to go to.
func (s *Ceremonies) move(ctx context.Context, id string, h Hand, from []Step,
	do func(tx store.Tx, c *store.Ceremony, d *details) (Step, error)) (Page, error) {
	return s.moveAs(ctx, id, h, from, func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		to, err := do(tx, c, d)
		outcome := "ok"
		if to == StepRefused && d.Code != "" {
			outcome = d.Code
		}
		return to, s.engine.Entry("holder", audit.CeremonyStepped, c.Card, c.BusinessNo, outcome), err
	})
}

// moveAs is move for a change that has an audit entry of its own.
func (s *Ceremonies) moveAs(ctx context.Context, id string, h Hand, from []Step, do changeFunc) (Page, error) {
	return s.moveAnyway(ctx, id, h, from, s.whileServed(do))
}

// whileServed makes a change only while the ceremony's channel is served, and
// ends the ceremony otherwise.
func (s *Ceremonies) whileServed(do changeFunc) changeFunc {
	return func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		if err := s.served(tx, *c); err != nil {
			return s.unserved(tx, c, d, err)
		}
		return do(tx, c, d)
	}
}

// moveAnyway is moveAs also for a ceremony whose channel is not served any more.
func (s *Ceremonies) moveAnyway(ctx context.Context, id string, h Hand, from []Step, do changeFunc) (Page, error) {
	m, err := s.moved(ctx, id, h, from, do)
	if err != nil {
		return Page{}, err
	}
	p, err := s.pageOf(ctx, m.ceremony, h)
	p.Bound = m.bound
	return p, err
}

// moved is a ceremony after a move, as it was stored.
type moved struct {
	ceremony store.Ceremony
	details  details
	bound    string // the browser's secret, where the move bound the ceremony to it
}

// moved makes a move and shows nothing.
func (s *Ceremonies) moved(ctx context.Context, id string, h Hand, from []Step, do changeFunc) (moved, error) {
	var m moved
	secret := newSecret()
	err := s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		m = moved{}
		c, err := s.gripped(tx, id, h)
		if err != nil {
			return audit.Entry{}, err
		}
		d, err := s.openDetails(c)
		if err != nil {
			return audit.Entry{}, err
		}
		if c.Browser == [32]byte{} {
			if m.bound, err = s.bind(&c, &d, h, secret); err != nil {
				return audit.Entry{}, err
			}
		}
		if !slices.Contains(from, Step(c.Step)) {
			return audit.Entry{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		to, e, err := do(tx, &c, &d)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := errors.Join(s.goTo(&c, to), s.sealDetails(&c, d)); err != nil {
			return audit.Entry{}, err
		}
		if err := tx.UpdateCeremony(c); err != nil {
			return audit.Entry{}, err
		}
		m.ceremony, m.details = c, d
		e.Note = "step=" + string(to)
		return e, nil
	})
	if errors.Is(err, store.ErrConflict) {
		err = liuma.Fail(liuma.CodeCeremonyMoved, err)
	}
	return m, liuma.Outward(err)
}

// bind ties a ceremony to a browser and returns its secret: a new one, or the
// secret of the browser which gave a code or a PIN before the ceremony was
// pushed again. What was proved in another browser is taken back.
func (s *Ceremonies) bind(c *store.Ceremony, d *details, h Hand, secret string) (string, error) {
	same := hashed("browser", h.Secret)
	if h.Secret != "" && subtle.ConstantTimeCompare(same[:], d.Proofs.browser()) == 1 {
		secret = h.Secret
	} else if err := s.rewind(c, d); err != nil {
		return "", err
	}
	c.Browser = hashed("browser", secret)
	c.Expires = within(*c, s.now().Add(ceremonyLife))
	return secret, nil
}

// rewind takes back what was proved in another browser, so that whoever goes
// on with a ceremony elsewhere proves it again.
func (s *Ceremonies) rewind(c *store.Ceremony, d *details) error {
	if Step(c.Step).over() || Step(c.Step) == StepDone || !d.Proofs.drop() {
		return nil
	}
	d.Code, d.NewPhone = "", ""
	if back := s.acting(*c, *d).Rewind; back != "" {
		return s.goTo(c, back)
	}
	return nil
}

// gripped reads a ceremony for a move.
func (s *Ceremonies) gripped(r store.Reader, id string, h Hand) (store.Ceremony, error) {
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
	case expired(c, s.now()):
		return c, liuma.Fail(liuma.CodeCeremonyExpired, nil)
	case g == holdsAddress && c.Browser != [32]byte{}:
		return c, liuma.Fail(liuma.CodeCeremonyElsewhere, nil)
	}
	return c, nil
}

// Begin binds a ceremony to the browser whose page is really looked at. A
// prefetched page never calls it.
func (s *Ceremonies) Begin(ctx context.Context, id string, h Hand) (Page, error) {
	return s.move(ctx, id, h, []Step{StepConfirm, StepCode, StepEvidence, StepPhone, StepPIN, StepDone, StepRefused},
		s.toPad(h, func(_ store.Tx, c *store.Ceremony, _ *details) (Step, error) { return Step(c.Step), nil }))
}

// Agree goes on from who asks for what to the pad, or to the first proof.
func (s *Ceremonies) Agree(ctx context.Context, id string, h Hand) (Page, error) {
	return s.move(ctx, id, h, []Step{StepConfirm}, s.toPad(h, s.agreed))
}

// agreed goes on from who asks for what to the first proof.
func (s *Ceremonies) agreed(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
	if agree := s.acts[c.Action].agree; agree != nil {
		return agree(s, tx, c, d)
	}
	return StepPIN, nil
}

// online is the agree of an act about a linked card that needs codes: refused
// where none can be sent, and where may refuses.
func online(may func(*Ceremonies, store.Tx, *store.Ceremony, store.Card) (Step, error)) func(*Ceremonies, store.Tx, *store.Ceremony, *details) (Step, error) {
	return func(s *Ceremonies, tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		var step Step
		card, err := s.linkedCardOf(tx, *c, *d)
		switch {
		case err != nil:
		case s.outbox == nil:
			err = liuma.Fail(liuma.CodeOnlineOff, nil)
		default:
			step, err = may(s, tx, c, card)
		}
		if err != nil {
			return s.refuse(tx, c, d, err)
		}
		c.Card = card.ID
		return step, nil
	}
}

// Leave calls a ceremony off, and decides its business number so.
func (s *Ceremonies) Leave(ctx context.Context, id string, h Hand) (Page, error) {
	return s.moveAnyway(ctx, id, h, []Step{StepConfirm, StepCode, StepEvidence, StepPhone, StepPIN},
		func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
			e := s.engine.Entry("holder", audit.CeremonyStepped, c.Card, c.BusinessNo, "ok")
			if under, err := setting(tx, *c); err != nil || under {
				return "", e, errors.Join(err, liuma.Fail(liuma.CodeChangeUnderWay, nil))
			}
			d.Code = string(liuma.CodeLeft)
			return StepLeft, e, s.endRequest(tx, c, liuma.CodeLeft)
		})
}

// Extend gives a slow holder more time.
func (s *Ceremonies) Extend(ctx context.Context, id string, h Hand) (Page, error) {
	return s.move(ctx, id, h, []Step{StepConfirm, StepCode, StepEvidence, StepPhone, StepPIN, StepDone},
		func(_ store.Tx, c *store.Ceremony, _ *details) (Step, error) {
			// A ceremony that succeeded may have longer than an hour, to go back.
			c.Expires = later(c.Expires, within(*c, s.now().Add(ceremonyMore)))
			return Step(c.Step), nil
		})
}
