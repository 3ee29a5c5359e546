package authority

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Where a region allows it, the number of the physical card stands in for
// evidence in a reset, for holders who cannot show their face to a camera. It
// is a weaker proof, so it takes effect only after a day in which the bound
// phone has a notice with a freeze code: the holder comes back, with a new code
// and the number again, and sets the PIN then. Nothing of the PIN waits.

const (
	methodCardNo     = "card-number"
	tickCardNo       = "card_no"       // a wrong number; key: holder
	tickResetPlanned = "reset_planned" // a right one; key: holder
	cardNosMost      = 3               // wrong ones a holder and 24 hours
	planWait         = 24 * time.Hour
	planLife         = 72 * time.Hour // from the plan
)

// planned says from when a planned reset may be made; zero where none is.
func (a *Authority) planned(r store.Reader, holder vault.Index) (time.Time, error) {
	at, err := r.Ticks(tickResetPlanned, holder, a.now().Add(-planLife))
	if err != nil || len(at) == 0 {
		return time.Time{}, err
	}
	return at[0].Add(planWait), nil
}

// cardNoStops says why a card's number is no proof here.
func (a *Authority) cardNoStops(r store.Reader, card store.Card, rules policy.Recovery) error {
	if !rules.CardNumber || card.Physical != liuma.PhysicalNormal {
		return liuma.Fail(liuma.CodeOnlineOff, nil) // a lost card's number may be the finder's
	}
	_, err := a.resettable(r, card, rules, false)
	return err
}

// showCardNo says at the evidence step whether the card's number would do: what
// is always refused is not offered.
func (a *Authority) showCardNo(r store.Reader, c store.Ceremony, p *Page) error {
	if p.Step != StepEvidence || p.Action != liuma.ActionReset {
		return nil
	}
	card, err := a.checkedCard(r, c.Card)
	if err != nil {
		return err
	}
	err = a.cardNoStops(r, card, a.recoveryOf(card, c.Channel))
	if _, ok := refusal(err); ok {
		return nil
	}
	p.CardNoAllowed = err == nil
	return err
}

// mayResetByCardNo is the part of mayReset for a reset without evidence. A
// freeze meanwhile took the plan away.
func (a *Authority) mayResetByCardNo(r store.Reader, card store.Card, rules policy.Recovery) error {
	if err := a.cardNoStops(r, card, rules); err != nil {
		return err
	}
	from, err := a.planned(r, card.Holder)
	if err != nil {
		return err
	}
	if from.IsZero() || a.now().Before(from) {
		return &liuma.Error{Code: liuma.CodeEvidenceRequired}
	}
	return nil
}

// GiveCardNo takes the number of the physical card in place of evidence. The
// first right one plans the reset and ends the ceremony; one that comes a day
// later leads to the pad.
func (a *Authority) GiveCardNo(ctx context.Context, id string, h Hand, typed string) (Page, error) {
	return a.move(ctx, id, h, []Step{StepEvidence}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		if acting(*c, *d) != liuma.ActionReset || d.Coded == nil {
			return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		card, err := a.checkedCard(tx, c.Card)
		if err != nil {
			return "", err
		}
		contact, _, err := a.boundPhone(tx, c.Card)
		if err != nil {
			return "", err
		}
		d.clearVerdict()
		if !d.codeHolds(*c, contact.Phone, a.now()) {
			d.Coded, d.Code = nil, string(liuma.CodePhoneCodeExpired)
			return StepCode, nil
		}
		err = a.cardNoStops(tx, card, a.recoveryOf(card, c.Channel))
		if err == nil {
			err = a.judgeCardNo(tx, card, typed)
		}
		if e, ok := refusal(err); ok {
			d.Code, d.Until = string(e.Code), e.Until
			return StepEvidence, nil
		}
		if err != nil {
			return "", err
		}
		return a.planReset(tx, c, d, card)
	})
}

// judgeCardNo compares a number with the card's and counts a wrong one.
func (a *Authority) judgeCardNo(tx store.Tx, card store.Card, typed string) error {
	now := a.now()
	wrong, err := tx.Ticks(tickCardNo, card.Holder, now.Add(-codeWindow))
	if err != nil {
		return err
	}
	if until := spentUntil(wrong, cardNosMost, codeWindow); !until.IsZero() {
		return &liuma.Error{Code: liuma.CodeCardNoSpent, Until: until}
	}
	f, err := a.facts(card)
	if err != nil {
		return err
	}
	number, err := registry.ParseCardNo(typed)
	if err == nil && f.CardNo != "" && subtle.ConstantTimeCompare([]byte(number), []byte(f.CardNo)) == 1 {
		return nil
	}
	if err := tx.InsertTick(store.Tick{Kind: tickCardNo, Key: card.Holder, At: now}); err != nil {
		return err
	}
	return liuma.Fail(liuma.CodeCardNoWrong, nil)
}

// planReset goes on from a right number.
func (a *Authority) planReset(tx store.Tx, c *store.Ceremony, d *details, card store.Card) (Step, error) {
	now := a.now()
	from, err := a.planned(tx, card.Holder)
	if err != nil {
		return "", err
	}
	if !from.IsZero() && !now.Before(from) {
		d.CardNo = true
		return StepPIN, nil
	}
	if from.IsZero() {
		from = now.Add(planWait)
		if err := tx.InsertTick(store.Tick{Kind: tickResetPlanned, Key: card.Holder, At: now}); err != nil {
			return "", err
		}
		until := map[string]string{"until": from.Format(time.RFC3339)}
		if err := a.tellIn(tx, card, noticeResetPlanned, c.Channel, until); err != nil {
			return "", err
		}
	}
	return a.refuse(tx, c, d, &liuma.Error{Code: liuma.CodeResetPlanned, Until: from})
}
