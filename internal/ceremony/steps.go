package ceremony

import (
	"bytes"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Each act asks for fixed proofs. Policy may ask for more: a variant for each act
// (policy.Steps). A ceremony reads the variants when it is pushed and keeps them,
// sealed, for its life, so that a changed policy file does not change a ceremony under
// way. The proofs of the variant are checked again in the transaction that reserves a
// PIN version, binds a phone or ends a freeze (I-12). A ceremony of an earlier release
// has no variants, which equals the nation's variant.

// takeSteps keeps in a new ceremony the variants of the region of the card or, before
// there is one, of the person. The region of the push is only the channel's claim; it
// is used for a person who is not registered yet (stepsOfPerson).
func (s *Ceremonies) takeSteps(r store.Reader, c authority.Caller, q Push, d *details) error {
	region := q.Region
	if q.Subject.Card != "" {
		link, err := r.LinkByHandle(c.Channel(), store.Handle(q.Subject.Card))
		if err != nil {
			return err
		}
		card, err := r.Card(link.Card)
		d.Steps = s.policy.For(card.Region, c.Channel()).Steps
		return err
	}
	id, err := registry.ParseIDNumber(q.Subject.IDNumber)
	if err != nil {
		return err
	}
	person, _, err := s.registry.Of(r, s.vault.Index(vault.IndexIDNumber, id.Canonical()))
	switch {
	case err == nil:
		region = person.Region
	case errors.Is(err, store.ErrNotFound):
		d.Unregistered = true
	default:
		return err
	}
	d.Steps = s.policy.For(region, c.Channel()).Steps
	return nil
}

// stepsOfPerson runs when an application begins. If the person was not registered yet
// at the push, it adds the proofs that the person's region asks for.
func (s *Ceremonies) stepsOfPerson(r store.Reader, c store.Ceremony, d *details) error {
	if !d.Unregistered {
		return nil
	}
	id, err := registry.ParseIDNumber(d.Subject.IDNumber)
	if err != nil {
		return err
	}
	person, _, err := s.registry.Of(r, s.vault.Index(vault.IndexIDNumber, id.Canonical()))
	if errors.Is(err, store.ErrNotFound) {
		return liuma.Fail(liuma.CodeNotInRegistry, err)
	}
	if err != nil {
		return err
	}
	d.Steps, d.Unregistered = d.Steps.With(s.policy.For(person.Region, c.Channel).Steps), false
	return nil
}

// owed is the step of the first proof that the variant asks for and that is still
// missing; if none is missing, then.
func owed(c store.Ceremony, d *details, act liuma.Action, then Step) Step {
	d.Code = ""
	switch {
	case owesNumber(c, *d, act):
		return StepCardNo
	case d.Steps.Asks(act, policy.ProofEvidence) && !d.Proofs.present(c):
		d.Code = string(liuma.CodeEvidenceRequired)
		return StepEvidence
	}
	return then
}

// owesNumber reports whether an act asks for the card's number, and the number was not
// given in this browser.
func owesNumber(c store.Ceremony, d details, act liuma.Action) bool {
	return d.Steps.Asks(act, policy.ProofCardNo) && !d.Proofs.CardNo.holds(c)
}

// numberGiven is the check of owesNumber in the transaction that changes the card: if
// the number is missing, nothing is reserved, bound or unfrozen.
func numberGiven(c store.Ceremony, d details, act liuma.Action) error {
	if owesNumber(c, d, act) {
		return liuma.Fail(liuma.CodeCardNoNeeded, nil)
	}
	return nil
}

// numberComes refuses an act that asks for the card's number if the number could not
// be given: the registry knows none, or no more are taken now.
func (s *Ceremonies) numberComes(r store.Reader, c store.Ceremony, d details, act liuma.Action, to addressee, number string) error {
	switch {
	case !owesNumber(c, d, act):
		return nil
	case number == "":
		return liuma.Fail(liuma.CodeCardNoNeeded, nil)
	}
	return s.numbersLeft(r, to)
}

// numberOfCard is numberComes for an act about a card.
func (s *Ceremonies) numberOfCard(r store.Reader, c store.Ceremony, d details, act liuma.Action, card store.Card) error {
	if !owesNumber(c, d, act) {
		return nil
	}
	f, err := s.engine.Facts(r, card)
	if err != nil {
		return err
	}
	return s.numberComes(r, c, d, act, addressee{card: card, holder: card.Holder}, f.CardNo)
}

// numbersLeft refuses if no more card numbers are taken within the day.
func (s *Ceremonies) numbersLeft(r store.Reader, to addressee) error {
	wrong, err := to.marks(r, tickCardNo, s.now().Add(-codePeriod))
	if err != nil {
		return err
	}
	if until := authority.SpentUntil(wrong, cardNosMost, codePeriod); !until.IsZero() {
		return &liuma.Error{Code: liuma.CodeCardNoSpent, Until: until}
	}
	return nil
}

// numberFrom is the holder for whom a ceremony's card number is compared, and the
// right number.
func (s *Ceremonies) numberFrom(r store.Reader, c store.Ceremony, d details) (addressee, string, error) {
	if s.acting(c, d).Action == liuma.ActionEnroll {
		return s.numberOfEnrollee(r, c, d)
	}
	card, err := s.linkedCardOf(r, c, d)
	if err != nil {
		return addressee{}, "", err
	}
	f, err := s.engine.Facts(r, card)
	return addressee{card: card, holder: card.Holder}, f.CardNo, err
}

// numberBeside takes the number of the physical card where the variant asks for it in
// addition to the other proofs. A wrong number is counted in the transaction that
// judged it, so a number whose answer is lost is counted too.
func (s *Ceremonies) numberBeside(tx store.Tx, c *store.Ceremony, d *details, typed string) (Step, error) {
	act := s.acting(*c, *d)
	if !d.Steps.Asks(act.Action, policy.ProofCardNo) {
		return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	to, number, err := s.numberFrom(tx, *c, *d)
	if err != nil {
		return "", err
	}
	d.clearVerdict()
	if act.Rewind == StepCode && s.outbox != nil && !d.Proofs.Code.fresh(*c, s.now()) {
		d.Proofs.Code.Spent, d.Code = true, string(liuma.CodePhoneCodeExpired)
		return StepCode, nil
	}
	err = s.judgeCardNo(tx, to, number, typed)
	if e, ok := refusal(err); ok {
		d.Code, d.Until = string(e.Code), e.Until
		return StepCardNo, nil
	}
	if err != nil {
		return "", err
	}
	d.Proofs.CardNo = CardNoProof{In: bytes.Clone(c.Browser[:])}
	return s.besideDone(c, d, act), nil
}

// besideDone is the step after a right card number.
func (s *Ceremonies) besideDone(c *store.Ceremony, d *details, act Act) Step {
	if act.Action == liuma.ActionRebind {
		return owed(*c, d, act.Action, StepPhone)
	}
	return owed(*c, d, act.Action, StepPIN)
}

// fresh reports whether this browser gave a right code that still counts as proof.
func (p CodeProof) fresh(c store.Ceremony, now time.Time) bool {
	return p.open() && p.given(c) && now.Before(p.Until())
}
