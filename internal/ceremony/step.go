package ceremony

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// The state machine of a ceremony. A move starts only from the step that the
// store holds, in the transaction that leaves this step. So an outdated page
// changes nothing (CodeCeremonyMoved), and no move is half done.
//
//	confirm --Agree--> pin --right--> done --WayBack--> (authorization code)
//	                    |  \--wrong--> pin
//	                    |   \--locked, blocked, frozen …--> refused
//	any but done --Leave--> left          any --time--> expired
//
// Enrolment has a one-time code between confirm and pin; reset, rebind and
// unfreeze have more steps, in their own files. mayGo is the table of all
// moves, and only goTo changes the step, which checks the table.

func (at Step) over() bool {
	return at == StepRefused || at == StepExpired || at == StepLeft || at == StepReset
}

// access says what a browser may do with a ceremony.
type access int

const (
	accessNone    access = iota
	accessAddress        // may look, and begin
	accessBrowser        // goes on with it
)

func accessOf(c store.Ceremony, h Hand) access {
	if h.Secret != "" && c.Browser != [32]byte{} && equal(hashed("browser", h.Secret), c.Browser) {
		return accessBrowser
	}
	if h.RequestURI != "" && equal(hashed("request-uri", h.RequestURI), c.RequestURI) {
		return accessAddress
	}
	return accessNone
}

// reach is accessOf, which also knows when an address has ended: when the time of its
// ceremony is over, whether or not the sweep has run. Then the address leads nowhere
// for good. The answer is not "go on in the other window" if no browser has begun the
// ceremony.
func (s *Ceremonies) reach(c store.Ceremony, h Hand) (access, error) {
	g, begun := accessOf(c, h), c.Browser != [32]byte{}
	over := !s.now().Before(c.Expires) || Step(c.Step) == StepExpired
	if over && g != accessBrowser && (g == accessAddress || !begun) {
		return accessNone, liuma.Fail(liuma.CodeRequestURIInvalid, nil)
	}
	return g, nil
}

// The limits on the moves of a ceremony. Each move writes a row and an audit entry,
// even if it is refused; the longest way of an honest holder has about thirty. So
// pressing a button endlessly cannot fill the disk. The moves between the two
// limits are only for freezing and leaving.
const (
	movesMost  = 200
	movesInAll = 250
)

// changeFunc changes a ceremony, in the transaction of its move. It returns the
// next step and the audit entry.
type changeFunc func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error)

// move changes a ceremony in one transaction and shows its page. The ceremony
// must be at one of the steps from, and this browser must be the one that goes
// on with it; a ceremony without a browser is bound to this one. do returns the
// next step.
func (s *Ceremonies) move(ctx context.Context, id string, h Hand, from []Step,
	do func(tx store.Tx, c *store.Ceremony, d *details) (Step, error)) (Page, error) {
	return s.moveAs(ctx, id, h, from, s.stepped(do))
}

// stepped makes a change with the audit entry that most moves have.
func (s *Ceremonies) stepped(do func(tx store.Tx, c *store.Ceremony, d *details) (Step, error)) changeFunc {
	return func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		to, err := do(tx, c, d)
		outcome := "ok"
		if to == StepRefused && d.Code != "" {
			outcome = d.Code
		}
		return to, s.engine.Entry("holder", audit.CeremonyStepped, s.recordOf(*c), c.BusinessNo, outcome), err
	}
}

// moveAs is move for a change that has an audit entry of its own.
func (s *Ceremonies) moveAs(ctx context.Context, id string, h Hand, from []Step, do changeFunc) (Page, error) {
	return s.moveAnyway(ctx, id, h, from, s.whileServed(do))
}

// whileServed makes the change if the ceremony's channel is served, and
// otherwise ends the ceremony.
func (s *Ceremonies) whileServed(do changeFunc) changeFunc {
	return func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		if d.Moves > movesMost {
			return "", audit.Entry{}, liuma.Fail(liuma.CodeTooManyRequests, nil)
		}
		if err := s.served(tx, *c); err != nil {
			return s.unserved(tx, c, d, err)
		}
		return s.whileItStands(do)(tx, c, d)
	}
}

// moveAnyway is moveAs that does not ask whether the ceremony's channel is
// served.
func (s *Ceremonies) moveAnyway(ctx context.Context, id string, h Hand, from []Step, do changeFunc) (Page, error) {
	m, err := s.moved(ctx, id, h, from, do)
	if err != nil {
		return Page{}, err
	}
	p, err := s.pageOf(ctx, m.ceremony)
	p.Bound = m.bound
	return p, err
}

// moved is a ceremony after a move, as it was stored.
type moved struct {
	ceremony store.Ceremony
	details  details
	bound    string // the browser's secret, where the move bound the ceremony to it
}

// moved makes a move without showing the page.
func (s *Ceremonies) moved(ctx context.Context, id string, h Hand, from []Step, do changeFunc) (moved, error) {
	var m moved
	secret := newSecret()
	err := s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		m = moved{}
		c, err := s.readFor(tx, id, h)
		if err != nil {
			return audit.Entry{}, err
		}
		d, err := s.openDetails(c)
		if err != nil {
			return audit.Entry{}, err
		}
		if d.Moves++; d.Moves > movesInAll {
			return audit.Entry{}, liuma.Fail(liuma.CodeTooManyRequests, nil)
		}
		if c.Browser == [32]byte{} {
			if m.bound, err = s.bind(&c, &d, h, secret); err != nil {
				return audit.Entry{}, err
			}
		}
		if !slices.Contains(from, Step(c.Step)) {
			return audit.Entry{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		if Step(c.Step) == StepDone && !isBrowser(d.GivenIn, c) {
			do = s.takenOver
		}
		was := Step(c.Step)
		to, e, err := do(tx, &c, &d)
		if err != nil {
			return audit.Entry{}, err
		}
		if to == StepDone && was != StepDone {
			d.GivenIn = bytes.Clone(c.Browser[:])
		}
		if err := errors.Join(s.goTo(&c, to), s.sealDetails(&c, d)); err != nil {
			return audit.Entry{}, err
		}
		if err := tx.UpdateCeremony(c); err != nil {
			return audit.Entry{}, err
		}
		m.ceremony, m.details = c, d
		e.Note = strings.TrimSpace("step=" + string(to) + " " + e.Note)
		if e.Event != audit.CeremonyStepped && e.Actor == "holder" {
			e.Note += " " + audit.NoteThrough(c.Channel)
		}
		return e, nil
	})
	if errors.Is(err, store.ErrConflict) {
		err = liuma.Fail(liuma.CodeCeremonyMoved, err)
	}
	if err == nil {
		// On a row that was put back, the rations no longer count: the page would
		// tell whether a typed code was right, again and again (I-13).
		err = s.engine.NotPutBack(ctx, m.ceremony.Card)
	}
	return m, liuma.Outward(err)
}

// takenOver is the move of a browser that took over a ceremony after another one
// had given the right PIN: the verdict is not returned (I-14).
func (s *Ceremonies) takenOver(_ store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
	e := s.engine.Entry("holder", audit.VerdictNotReturned, s.recordOf(*c), c.BusinessNo, string(liuma.CodeNotReturned))
	err := s.notReturned(c, d)
	return Step(c.Step), e, err
}

// bind ties a ceremony to a browser and returns its secret: a new one or, for
// the browser that gave a code or a PIN before the ceremony was pushed again,
// its old one. Proofs given in another browser are taken back.
func (s *Ceremonies) bind(c *store.Ceremony, d *details, h Hand, secret string) (string, error) {
	same := hashed("browser", h.Secret)
	is := func(browser []byte) bool {
		return h.Secret != "" && subtle.ConstantTimeCompare(same[:], browser) == 1
	}
	if is(d.Proofs.browser()) || is(d.Proofs.TriedIn) || is(d.GivenIn) {
		secret = h.Secret
	}
	if !is(d.Proofs.browser()) {
		if err := s.rewind(c, d); err != nil {
			return "", err
		}
	}
	c.Browser = hashed("browser", secret)
	c.Expires = within(*c, s.now().Add(ceremonyLife))
	return secret, nil
}

// rewind takes back the proofs that were given in another browser, so that they
// must be given again in this one.
func (s *Ceremonies) rewind(c *store.Ceremony, d *details) error {
	if Step(c.Step).over() || Step(c.Step) == StepDone || !d.Proofs.drop() {
		return nil
	}
	d.Code, d.NewPhone = "", ""
	back := s.acting(*c, *d).Rewind
	if back == StepCode && s.outbox == nil {
		back = StepCardNo // an enrolment without codes: the number is all that a browser proved
	}
	if back != "" {
		return s.goTo(c, back)
	}
	return nil
}

// readFor reads a ceremony that a browser is to move.
func (s *Ceremonies) readFor(r store.Reader, id string, h Hand) (store.Ceremony, error) {
	c, err := r.Ceremony(id)
	if errors.Is(err, store.ErrNotFound) {
		return c, liuma.Fail(liuma.CodeRequestURIInvalid, err)
	}
	if err != nil {
		return c, err
	}
	g, err := s.reach(c, h)
	switch {
	case err != nil:
		return c, err
	case g == accessNone:
		return c, liuma.Fail(liuma.CodeCeremonyElsewhere, nil)
	case expired(c, s.now()):
		return c, liuma.Fail(liuma.CodeCeremonyExpired, nil)
	case g == accessAddress && c.Browser != [32]byte{}:
		return c, liuma.Fail(liuma.CodeCeremonyElsewhere, nil)
	}
	return c, nil
}

// Begin binds a ceremony to the browser that shows its page to a person. Prefetching
// a page does not call it.
func (s *Ceremonies) Begin(ctx context.Context, id string, h Hand) (Page, error) {
	return s.move(ctx, id, h, []Step{StepConfirm, StepCode, StepCardNo, StepEvidence, StepPhone, StepPIN, StepDone, StepRefused},
		s.toPad(func(_ store.Tx, c *store.Ceremony, _ *details) (Step, error) { return Step(c.Step), nil }))
}

// Agree goes on from StepConfirm to the pad, or to the first proof. Where the page
// shows a text to agree to, this is the agreement.
func (s *Ceremonies) Agree(ctx context.Context, id string, h Hand) (Page, error) {
	agree := func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		if err := s.consented(tx, *c, d, h); err != nil {
			return "", err
		}
		return s.agreed(tx, c, d)
	}
	return s.moveAs(ctx, id, h, []Step{StepConfirm}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		to, e, err := s.stepped(s.toPad(agree))(tx, c, d)
		if err == nil && to == StepDone && d.ProvedAlone {
			e.Event = audit.EvidenceProved
		}
		if err == nil && to == StepDone && c.Action == liuma.ActionCounter {
			e.Event = audit.CardUnfrozen
		}
		return to, e, err
	})
}

// agreed goes on from StepConfirm to the first proof.
func (s *Ceremonies) agreed(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
	if d.Alone {
		return s.proveAlone(tx, c, d)
	}
	if agree := s.acts[c.Action].agree; agree != nil {
		return agree(s, tx, c, d)
	}
	return StepPIN, nil
}

// online is the agree of an act that is about a linked card and needs one-time codes.
// It refuses if no code can be sent, or if the function may refuses.
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

// Leave ends a ceremony because its holder wants to, and decides its business number.
func (s *Ceremonies) Leave(ctx context.Context, id string, h Hand) (Page, error) {
	return s.moveAnyway(ctx, id, h, []Step{StepConfirm, StepCode, StepCardNo, StepEvidence, StepPhone, StepPIN},
		func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
			e := s.engine.Entry("holder", audit.CeremonyStepped, s.recordOf(*c), c.BusinessNo, "ok")
			if under, err := s.engine.Setting(tx, *c); err != nil || under {
				return "", e, errors.Join(err, liuma.Fail(liuma.CodeChangeUnderWay, nil))
			}
			d.Code = string(liuma.CodeLeft)
			return StepLeft, e, s.endRequest(tx, c, liuma.CodeLeft)
		})
}

// Extend gives a slow holder more time.
func (s *Ceremonies) Extend(ctx context.Context, id string, h Hand) (Page, error) {
	return s.move(ctx, id, h, []Step{StepConfirm, StepCode, StepCardNo, StepEvidence, StepPhone, StepPIN, StepDone},
		s.toPad(func(_ store.Tx, c *store.Ceremony, _ *details) (Step, error) {
			if c.Action == liuma.ActionCounter {
				return Step(c.Step), nil // the time at a counter is the ticket's, and is not extended
			}
			// A ceremony that succeeded may last longer than an hour, to go back.
			c.Expires = later(c.Expires, within(*c, s.now().Add(ceremonyMore)))
			return Step(c.Step), nil
		}))
}
