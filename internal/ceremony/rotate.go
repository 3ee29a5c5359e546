package ceremony

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// Where a region forces holders to choose a new PIN from some age on (force_after;
// NIST SP 800-63B-4 advises against it), a verification whose PIN was right and is
// that old turns to a change, on its own page, and comes to its end with the new PIN:
// the business at hand is not lost. Leaving it decides the business number like every
// leaving. Nothing but verify asks for it.
//
//	pin --right, and too old--> pin (change) --new PIN is set--> done
//
// A crash after the right PIN leaves the ceremony at the pad of the change; one while
// the new PIN is set leaves the old PIN or the new (I-7).

// tooOld reports whether a card's PIN is so old that it must be changed before a
// verification succeeds.
func (s *Ceremonies) tooOld(card store.Card, p policy.Policy) bool {
	return p.ForceAfter > 0 && card.Version > 0 && s.now().Sub(card.PINSetAt) >= p.ForceAfter
}

// afterVerify returns the step after a right PIN: done, or the pad of the change that
// must come first.
func (s *Ceremonies) afterVerify(tx store.Tx, c *store.Ceremony, d *details, try store.Request) (Step, bool, error) {
	card, err := s.engine.ReadCard(tx, try.Card)
	if err != nil || !s.tooOld(card, s.rulesAbout(*c, card)) {
		return StepDone, true, err
	}
	d.clearVerdict()
	d.Turned, d.Code = liuma.ActionChange, string(liuma.CodePINTooOld)
	return StepPIN, false, nil
}

// afterChange returns the step after the new PIN of a change: done, for the act that
// the ceremony was pushed for. The old PIN was right and the new one was set in the
// same browser, so a verification does not ask for the PIN a third time.
func (s *Ceremonies) afterChange(_ store.Tx, c *store.Ceremony, d *details, _ store.Request) (Step, bool, error) {
	if c.Action != liuma.ActionChange {
		d.Turned = ""
		d.clearVerdict()
	}
	return StepDone, true, nil
}

// notTooOld refuses a native verification of a PIN that must be changed first. It is
// asked before the guess: nothing is counted, and the business number stays free. A
// linked channel may see the age of the PIN anyway.
func (s *Ceremonies) notTooOld(card store.Card, p policy.Policy) error {
	if !s.tooOld(card, p) {
		return nil
	}
	return liuma.Fail(liuma.CodePINTooOld, nil)
}
