package authority

import (
	"bytes"
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// Another phone takes the bound one's place on three proofs: the PIN,
// evidence, and a code to the new number (I-12). The old number is told, with
// a freeze code, and nothing can be reset online for a while.
//
//	confirm --Agree--> pin --right--> evidence --new push--> phone --number--> code --right--> done

// provePIN checks the PIN of a rebind or an unfreezing, which their ceremony
// goes on from.
func (a *Authority) provePIN(ctx context.Context, c Caller, action liuma.Action, q recovery, at attempt) error {
	row := a.row(c, action, q.no, q.purpose, q.digest)
	row.Ceremony, row.Card = q.hosted.id(), q.card
	p := a.policyFor(c, q.region)
	proof, err := a.proofFor(ctx, c, q.hosted, "", q.challenge, q.card, p)
	if err != nil {
		return err
	}
	b := binding(c, action, liuma.RoleCurrent, boundSubject(q.hosted, q.subject), q.no, q.purpose, q.challenge)
	guess, err := a.openPIN(ctx, b, q.given, "pin", p.Passphrase)
	if err != nil {
		return err
	}
	defer guess.Wipe()
	release, err := a.slots.take(ctx, cardSlot(q.card), busyWait)
	if err != nil {
		return err
	}
	defer release()
	at.caller, at.row, at.pin, at.proof, at.marked, at.hosted, at.policy = c, row, guess, proof, true, q.hosted, p
	_, err = a.attempt(ctx, &at)
	return err
}

// afterRebindPIN goes on from a right PIN.
func (d *details) afterRebindPIN(c *store.Ceremony, v liuma.Version) Step {
	d.clearVerdict()
	d.Right, d.Prover = v, bytes.Clone(c.Browser[:])
	if d.Proof != nil {
		return StepPhone
	}
	d.Code = string(liuma.CodeEvidenceRequired)
	return StepEvidence
}

// GivePhone takes the number to bind. It may be given again until its code
// was right.
func (a *Authority) GivePhone(ctx context.Context, id string, h Hand, typed string) (Page, error) {
	return a.move(ctx, id, h, []Step{StepPhone, StepCode}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		if acting(*c, *d) != liuma.ActionRebind || d.Right == 0 || d.Proof == nil {
			return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		d.clearVerdict()
		number, err := registry.ParsePhone(typed)
		if _, ok := refusal(err); ok {
			d.Code = string(liuma.CodePhoneInvalid)
			return Step(c.Step), nil
		}
		if err != nil {
			return "", err
		}
		there, err := tx.Contact(c.Card)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
		if err == nil && there.Phone == a.phoneIndex(number) {
			d.Code = string(liuma.CodePhoneSame)
			return Step(c.Step), nil
		}
		d.NewPhone = number
		return StepCode, nil
	})
}

// rebind puts the number whose code was right in the bound one's place, in the
// transaction that judged the code: a crash leaves the old phone or the new.
func (a *Authority) rebind(tx store.Tx, c *store.Ceremony, d *details, to addressee) (Step, error) {
	card := to.card
	if d.Right != card.Version {
		// The PIN was set anew since it was given here.
		d.Right, d.Coded, d.NewPhone = 0, nil, ""
		return StepPIN, nil
	}
	if err := a.mayRebind(card, *d); err != nil {
		return a.refuse(tx, c, d, err)
	}
	now := a.now()
	hold := now.Add(a.recoveryOf(card, c.Channel).Hold)
	next := store.Contact{Card: card.ID, Language: languageOf(d.Language), BoundAt: now, ConfirmedAt: now, HoldUntil: hold}
	old, number, err := a.contact(tx, card.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	at, werr := where(tx, c.Channel)
	if werr != nil {
		return "", werr
	}
	if err == nil {
		next.EveryUse = old.EveryUse
		about := map[string]string{"phone": registry.MaskPhone(to.phone)}
		if err := a.tellAt(tx, card, old, number, noticePhoneOld, at, about); err != nil {
			return "", err
		}
	}
	if err := errors.Join(a.putContact(tx, next, to.phone), tx.DeleteTicks(tickResetPlanned, card.Holder)); err != nil {
		return "", err
	}
	if err := a.tell(tx, card, noticePhoneNew, at, nil); err != nil {
		return "", err
	}
	return StepDone, a.decideRebind(tx, c, *d, card)
}

// mayRebind looks at standing and evidence again.
func (a *Authority) mayRebind(card store.Card, d details) error {
	switch liuma.StandingOf(card.Physical, card.Frozen) {
	case liuma.StandingCancelled:
		return liuma.Fail(liuma.CodeCancelled, nil)
	case liuma.StandingFrozen:
		return liuma.Fail(liuma.CodeFrozen, nil)
	}
	return a.provedAbout(card, d)
}

// decideRebind decides the ceremony's business number.
func (a *Authority) decideRebind(tx store.Tx, c *store.Ceremony, d details, card store.Card) error {
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil || row.Decided {
		return err
	}
	row.Card, row.Version, row.Evidence = card.ID, card.Version, d.Proof.Method
	decide(&row, a.now(), liuma.Right, "")
	c.Expires = maxTime(c.Expires, a.now().Add(ceremonyMore))
	return tx.UpdateRequest(row)
}

// bindFirst binds the phone of an enrolment, in the transaction that makes its
// PIN the card's. A card that was enrolled at the native door has none.
func (a *Authority) bindFirst(tx store.Tx, card store.Card, row store.Request) error {
	if row.Ceremony == "" {
		return nil
	}
	c, err := tx.Ceremony(row.Ceremony)
	if err != nil {
		return err
	}
	d, err := a.openDetails(c)
	if err != nil || d.Coded == nil || d.NewPhone == "" {
		return err
	}
	now := a.now()
	return a.putContact(tx, store.Contact{Card: card.ID, Language: languageOf(d.Language), BoundAt: now, ConfirmedAt: now}, d.NewPhone)
}
