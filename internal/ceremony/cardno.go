package ceremony

import (
	"bytes"
	"context"
	"crypto/subtle"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// The number of the physical card as a proof.
//
// Where a region's policy says so, it is asked in addition to the other proofs
// (steps.go).
//
// Where a region allows it, the number also replaces evidence in a reset, for holders
// who cannot show their face to a camera. It is a weaker proof, so the reset waits a
// day, and the bound phone gets a notice with a freeze code at once. Then the holder
// comes back, gives a new one-time code and the number again, and sets the PIN. No
// PIN is stored while the reset waits.

const (
	methodCardNo = "card-number"
	tickCardNo   = "card_no" // a wrong number; of a card

	cardNosMost = 3 // wrong numbers for a holder in 24 hours
	planWait    = policy.CardNumberWait
	planLife    = 72 * time.Hour // counted from the plan
)

// planned is the time from which a planned reset may be made; zero if none is
// planned.
func (s *Ceremonies) planned(r store.Reader, card liuma.CardID) (time.Time, error) {
	at, err := r.CardTicks(card, authority.TickResetPlanned, s.now().Add(-planLife))
	if err != nil || len(at) == 0 {
		return time.Time{}, err
	}
	return at[0].Add(planWait), nil
}

// cardNoStops returns the reason why the card's number is not taken as proof,
// or nil.
func (s *Ceremonies) cardNoStops(r store.Reader, card store.Card, rules policy.Recovery) error {
	if !rules.CardNumber || card.Physical != liuma.PhysicalNormal {
		return liuma.Fail(liuma.CodeOnlineOff, nil) // the finder of a lost card knows its number
	}
	_, err := s.resettable(r, card, rules, false)
	return err
}

// showCardNo says at the evidence step whether the card's number would be
// taken, so that the page does not offer it in vain.
func (s *Ceremonies) showCardNo(r store.Reader, c store.Ceremony, d details, p *Page) error {
	if p.Step != StepEvidence || !s.acts[p.Action].takes(ProofCardNo) {
		return nil
	}
	card, err := s.engine.ReadCard(r, c.Card)
	if err != nil {
		return err
	}
	err = s.cardNoStops(r, card, s.recoveryIn(card, c, d))
	if _, ok := refusal(err); ok {
		return nil
	}
	p.CardNoAllowed = err == nil
	return err
}

// mayResetByCardNo holds the rules of mayReset for a reset without evidence. A
// freeze since the plan deletes the plan.
func (s *Ceremonies) mayResetByCardNo(r store.Reader, card store.Card, rules policy.Recovery) error {
	if err := s.cardNoStops(r, card, rules); err != nil {
		return err
	}
	from, err := s.planned(r, card.ID)
	if err != nil {
		return err
	}
	if from.IsZero() || s.now().Before(from) {
		return &liuma.Error{Code: liuma.CodeEvidenceRequired}
	}
	return nil
}

// GiveCardNo takes the number of the physical card, beside the other proofs or in
// place of evidence.
func (s *Ceremonies) GiveCardNo(ctx context.Context, id string, h Hand, typed string) (Page, error) {
	return s.moveAs(ctx, id, h, []Step{StepCardNo, StepEvidence}, s.once(h, "card number "+typed,
		func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
			do := s.numberInPlace
			if Step(c.Step) == StepCardNo {
				do = s.numberBeside
			}
			to, err := s.toPad(func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) { return do(tx, c, d, typed) })(tx, c, d)
			e := s.engine.Entry("holder", audit.CeremonyStepped, s.recordOf(*c), c.BusinessNo, "ok")
			if code := liuma.Code(d.Code); code == liuma.CodeCardNoWrong || code == liuma.CodeCardNoSpent || to == StepRefused && code != "" {
				e.Outcome = d.Code
			}
			return to, e, err
		}))
}

// numberInPlace takes the number in place of evidence. The first right number plans
// the reset and ends the ceremony; a right number a day later leads to the pad.
func (s *Ceremonies) numberInPlace(tx store.Tx, c *store.Ceremony, d *details, typed string) (Step, error) {
	if s.acting(*c, *d).Action != liuma.ActionReset || !d.Proofs.Code.open() {
		return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	card, err := s.engine.ReadCard(tx, c.Card)
	if err != nil {
		return "", err
	}
	contact, _, err := s.engine.BoundPhone(tx, c.Card)
	if err != nil {
		return "", err
	}
	d.clearVerdict()
	if !d.Proofs.Code.holds(*c, contact.Phone, s.now()) {
		d.Proofs.Code.Spent, d.Code = true, string(liuma.CodePhoneCodeExpired)
		return StepCode, nil
	}
	err = s.cardNoStops(tx, card, s.recoveryIn(card, *c, *d))
	if err == nil {
		err = s.judgeCardNoOf(tx, card, typed)
	}
	if e, ok := refusal(err); ok {
		d.Code, d.Until = string(e.Code), e.Until
		return StepEvidence, nil
	}
	if err != nil {
		return "", err
	}
	return s.planReset(tx, c, d, card)
}

func (s *Ceremonies) judgeCardNoOf(tx store.Tx, card store.Card, typed string) error {
	f, err := s.engine.Facts(tx, card)
	if err != nil {
		return err
	}
	return s.judgeCardNo(tx, addressee{card: card, holder: card.Holder}, f.CardNo, typed)
}

// judgeCardNo compares a typed number with the number that the registry holds, and
// counts a wrong one. It counts on the card or, before there is a card, on the
// holder; over all ceremonies, and whether the number is asked beside evidence or
// instead of it.
func (s *Ceremonies) judgeCardNo(tx store.Tx, to addressee, is, typed string) error {
	if err := s.numbersLeft(tx, to); err != nil {
		return err
	}
	number, err := registry.ParseCardNo(typed)
	if err == nil && is != "" && subtle.ConstantTimeCompare([]byte(number), []byte(is)) == 1 {
		return nil
	}
	if err := to.mark(tx, tickCardNo, s.now()); err != nil {
		return err
	}
	return liuma.Fail(liuma.CodeCardNoWrong, nil)
}

// planReset follows a right number: it plans the reset, or continues one that has
// waited its day.
func (s *Ceremonies) planReset(tx store.Tx, c *store.Ceremony, d *details, card store.Card) (Step, error) {
	now := s.now()
	from, err := s.planned(tx, card.ID)
	if err != nil {
		return "", err
	}
	if !from.IsZero() && !now.Before(from) {
		d.Proofs.CardNo = CardNoProof{In: bytes.Clone(c.Browser[:])}
		return StepPIN, nil
	}
	if from.IsZero() {
		from = now.Add(planWait)
		if err := tx.InsertCardTick(card.ID, authority.TickResetPlanned, now); err != nil {
			return "", err
		}
		until := map[string]string{"until": from.Format(time.RFC3339)}
		if err := s.engine.TellIn(tx, card, noticeResetPlanned, c.Channel, until); err != nil {
			return "", err
		}
	}
	return s.refuse(tx, c, d, &liuma.Error{Code: liuma.CodeResetPlanned, Until: from})
}
