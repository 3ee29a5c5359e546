package ceremony

import (
	"errors"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// No page promises something that the next page refuses. Every move first checks that
// the act can still be completed: the card may have been frozen, reported or unlinked
// meanwhile, the phone unbound, or the provider stopped. If the act cannot be
// completed, the ceremony ends at once, and the holder is not asked for a code or
// sent to a camera in vain. Pads for the present PIN have their own check (atPad),
// which gives the verdict that the PIN would get.

// stands refuses an act that can no longer be completed.
func (s *Ceremonies) stands(r store.Reader, c store.Ceremony, d details) error {
	act, at := s.acting(c, d), Step(c.Step)
	if act.stands == nil || at.over() || at == StepDone || at == StepPIN && act.asksCurrent() {
		return nil
	}
	// A PIN that the keepers may hold already is carried through, whatever happened
	// since (I-7). Until then the page must not say that nothing was changed.
	if under, err := s.engine.Setting(r, c); err != nil || under {
		return err
	}
	return act.stands(s, r, c, d)
}

// whileItStands makes the change if the act can still be completed, and otherwise
// ends the ceremony. If the act is a reset that the holder turned to, and the PIN may
// still be tried, only the reset ends.
func (s *Ceremonies) whileItStands(do changeFunc) changeFunc {
	return func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		err := s.stands(tx, *c, *d)
		if err == nil {
			return do(tx, c, d)
		}
		why, ok := refusal(err)
		if !ok {
			return "", audit.Entry{}, err
		}
		to, err := s.stop(tx, c, d, why)
		return to, s.engine.Entry("holder", audit.CeremonyStepped, s.recordOf(*c), c.BusinessNo, string(why.Code)), err
	}
}

// stop ends a ceremony whose act cannot be completed.
func (s *Ceremonies) stop(tx store.Tx, c *store.Ceremony, d *details, why *liuma.Error) (Step, error) {
	d.clearVerdict()
	if d.Turned != "" {
		row, err := tx.Request(c.Channel, c.BusinessNo)
		if err != nil {
			return "", err
		}
		if !row.Decided && Step(c.Step) != StepPIN {
			d.Turned, d.Proofs.Code.Spent, d.Proofs.Ticket = "", true, TicketProof{}
			if err := s.goTo(c, StepPIN); err != nil {
				return "", err
			}
			return s.atPad(tx, c, d)
		}
	}
	return s.refuse(tx, c, d, why)
}

// stopOnWayBack ends a ceremony whose holder is about to fetch evidence that can no
// longer help, and reports whether it did.
func (s *Ceremonies) stopOnWayBack(tx store.Tx, c *store.Ceremony, d *details) (stopped bool, err error) {
	if !c.Ended.IsZero() || expired(*c, s.now()) || !wantsEvidence(*c, *d) {
		return false, nil
	}
	err = s.served(tx, *c)
	if err == nil {
		err = s.evidenceHelps(tx, *c, *d)
	}
	why, ok := refusal(err)
	if !ok {
		return false, err
	}
	to, err := s.stop(tx, c, d, why)
	return true, errors.Join(err, s.goTo(c, to))
}

// wantsEvidence reports whether a ceremony goes on when the channel pushes again with
// evidence.
func wantsEvidence(c store.Ceremony, d details) bool {
	code := liuma.Code(d.Code)
	return Step(c.Step) == StepEvidence || Step(c.Step) == StepRefused && (code == liuma.CodeEvidenceRequired || code == liuma.CodeSlowDown)
}

// evidenceHelps refuses a ceremony that would be refused even with evidence. Where
// the channel is not linked, the refusal tells nothing about the card.
func (s *Ceremonies) evidenceHelps(r store.Reader, c store.Ceremony, d details) error {
	act := s.acting(c, d)
	if Step(c.Step) == StepEvidence {
		return s.stands(r, c, d)
	}
	if err := s.evidenceComes(r, s.rules(c)); err != nil && liuma.Code(d.Code) == liuma.CodeEvidenceRequired {
		return err
	}
	if !act.asksCurrent() {
		return nil
	}
	card, err := s.linkedCardOf(r, c, d)
	if err != nil {
		return err
	}
	return s.refusedAtOnce(r, c, d, card, true)
}

// refusedAtOnce is the refusal that every PIN would get at the pad now, or nil.
func (s *Ceremonies) refusedAtOnce(r store.Reader, c store.Ceremony, d details, card store.Card, evidence bool) error {
	rules := s.rules(c)
	at, err := s.engine.PlaceOf(r, card, c.Channel, store.Handle(d.Subject.Card), evidence, rules)
	if err != nil {
		return err
	}
	if err := notYet(s.acting(c, d), card, s.now()); err != nil {
		return err
	}
	var row store.Request
	if authority.RefusedAtOnce(&row, card, s.acting(c, d).Thaws, at, s.engine.LimitsOf(card, c.Channel, rules), s.now()) {
		return &liuma.Error{Code: row.Code, Until: row.Until}
	}
	return nil
}

// enrolmentStands checks the conditions of an enrolment other than the holder's
// proofs.
func (s *Ceremonies) enrolmentStands(r store.Reader, c store.Ceremony, d details) error {
	_, err := s.enrollee(r, c, d)
	if s.outbox == nil && liuma.CodeOf(err) == liuma.CodePhoneNone {
		err = nil
	}
	if err != nil || !owesNumber(c, d, liuma.ActionEnroll) {
		return err
	}
	to, number, err := s.numberOfEnrollee(r, c, d)
	if err != nil {
		return err
	}
	return s.numberComes(r, c, d, liuma.ActionEnroll, to, number)
}

// resetStands checks the conditions of a reset other than the holder's proofs.
func (s *Ceremonies) resetStands(r store.Reader, c store.Ceremony, d details) error {
	card, err := s.linkedCardOf(r, c, d)
	if err != nil {
		return err
	}
	return s.mayGetReset(r, c, d, card)
}

func (s *Ceremonies) mayGetReset(r store.Reader, c store.Ceremony, d details, card store.Card) error {
	if s.outbox == nil {
		return liuma.Fail(liuma.CodeOnlineOff, nil)
	}
	rules := s.recoveryIn(card, c, d)
	if _, err := s.resettable(r, card, rules, true); err != nil {
		return err
	}
	if err := s.numberOfCard(r, c, d, liuma.ActionReset, card); err != nil {
		return err
	}
	if d.Proofs.Evidence != nil || !d.Proofs.Ticket.holds(c) && s.cardNoStops(r, card, rules) == nil {
		return nil
	}
	return s.seenComes(r, c, d, card)
}

// seenComes refuses if the holder's presence cannot be proved: no provider can give
// evidence and no ticket waits to replace it, or the ticket that was given no longer
// stands.
func (s *Ceremonies) seenComes(r store.Reader, c store.Ceremony, d details, card store.Card) error {
	if d.Proofs.Ticket.holds(c) {
		return s.ticketProves(r, c, d, card)
	}
	off := s.evidenceComes(r, s.rules(c))
	if _, ok := refusal(off); !ok {
		return off
	}
	comes, err := s.ticketComes(r, c, d, card)
	if err != nil || comes {
		return err
	}
	return off
}

// evidenceComes refuses if no provider can give evidence.
func (s *Ceremonies) evidenceComes(r store.Reader, p policy.Policy) error {
	clients, err := r.Clients()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(clients, func(c store.Client) bool {
		return c.Kind == store.ClientProvider && !c.Stopped && (!c.StandIn || p.AllowStandInEvidence)
	}) {
		return nil
	}
	return liuma.Fail(liuma.CodeOnlineOff, nil)
}

// resetNow refuses a reset that could not be completed now, also because no one-time
// code would be sent or taken. It is asked before a page offers to unlock at once.
func (s *Ceremonies) resetNow(r store.Reader, c store.Ceremony, d details) (store.Card, error) {
	card, err := s.linkedCardOf(r, c, d)
	if err == nil {
		err = s.mayGetReset(r, c, d, card)
	}
	if err == nil {
		err = s.mayReopen(r, c, card.ID)
	}
	if err != nil {
		return card, err
	}
	c.Card, d.Turned = card.ID, liuma.ActionReset
	to, err := s.addresseeOf(r, c, d)
	if err != nil {
		return card, err
	}
	return card, s.codeComes(r, c, d, to)
}

// showReset says at the pad and on the page of a locked or blocked PIN why the PIN
// could not be reset online now, so that the page does not offer it.
func (s *Ceremonies) showReset(r store.Reader, c store.Ceremony, d details, p *Page) error {
	if !mayForget(s.acting(c, d), c, d) {
		return nil
	}
	_, err := s.resetNow(r, c, d)
	if e, ok := refusal(err); ok {
		p.ResetRefused, p.ResetRefusedUntil = e.Code, e.Until
		return nil
	}
	return err
}

// mayForget reports whether the holder may turn to a reset from this step.
func mayForget(act Act, c store.Ceremony, d details) bool {
	code := liuma.Code(d.Code)
	return act.Turns && (Step(c.Step) == StepPIN ||
		Step(c.Step) == StepRefused && (code == liuma.CodeLocked || code == liuma.CodeBlocked))
}

// codeComes refuses if no one-time code could be given: no code is open and none will
// be sent for longer than the usual minute, or no more wrong codes are taken.
func (s *Ceremonies) codeComes(r store.Reader, c store.Ceremony, d details, to addressee) error {
	by, err := s.askedThrough(r, c, d, to)
	if err != nil {
		return err
	}
	left, until, err := s.codesLeft(r, to, by)
	if err != nil {
		return err
	}
	if left == 0 {
		return &liuma.Error{Code: liuma.CodePhoneCodesSpent, Until: until}
	}
	sent, err := r.Code(c.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && sent.Used.IsZero() && s.now().Before(sent.Expires) && sent.Phone == s.engine.PhoneIndex(to.phone) {
		return nil
	}
	var first *liuma.Error
	for _, way := range s.ways {
		o, err := s.offered(r, c, to, by, way)
		if err != nil || o.why == "" || o.why == liuma.CodePhoneCodeSoon {
			return err
		}
		if first == nil || sooner(o.ReadyAt, first.Until) {
			first = &liuma.Error{Code: o.why, Until: o.ReadyAt}
		}
	}
	return first
}

// sooner reports whether a comes before b; a zero time means never.
func sooner(a, b time.Time) bool { return !a.IsZero() && (b.IsZero() || a.Before(b)) }

// rebindStands checks the conditions of a rebind other than the holder's proofs.
// Until the holder has typed a number, it also checks that a code to a number that is
// not bound is still allowed.
func (s *Ceremonies) rebindStands(r store.Reader, c store.Ceremony, d details) error {
	card, err := s.linkedCardOf(r, c, d)
	switch {
	case err != nil:
		return err
	case s.outbox == nil:
		return liuma.Fail(liuma.CodeOnlineOff, nil)
	}
	if err := s.standsToRebind(card); err != nil {
		return err
	}
	if err := s.numberOfCard(r, c, d, liuma.ActionRebind, card); err != nil {
		return err
	}
	if d.Proofs.Evidence != nil {
		return nil
	}
	if err := s.seenComes(r, c, d, card); err != nil {
		return err
	}
	c.Card = card.ID
	to, err := s.cardHolder(r, c)
	if err != nil {
		return err
	}
	to.phone = nobodysNumber
	return s.codeComes(r, c, d, to)
}

// nobodysNumber stands in for the number that the holder will type in a rebind: a
// mobile number of a range that no operator has.
const nobodysNumber = "19000000000"

// unfreezeStands checks the conditions of an unfreeze other than the holder's proofs.
func (s *Ceremonies) unfreezeStands(r store.Reader, c store.Ceremony, d details) error {
	card, err := s.linkedCardOf(r, c, d)
	switch {
	case err != nil:
		return err
	case s.outbox == nil:
		return liuma.Fail(liuma.CodeOnlineOff, nil)
	}
	if _, err = s.unfreezable(r, card); err != nil {
		return err
	}
	if err := s.numberOfCard(r, c, d, liuma.ActionUnfreeze, card); err != nil {
		return err
	}
	if d.Steps.Asks(liuma.ActionUnfreeze, ProofEvidence) && d.Proofs.Evidence == nil {
		return s.seenComes(r, c, d, card)
	}
	return nil
}
