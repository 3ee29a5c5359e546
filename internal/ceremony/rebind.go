package ceremony

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// rebind is the act of binding another phone in place of the bound one, with
// three proofs: the PIN, evidence, and a one-time code to the new number
// (I-12). The old number gets a notice with a freeze code, and for a while the
// PIN cannot be reset online.
func rebind() Act {
	return Act{
		Action: liuma.ActionRebind,
		First:  StepConfirm,
		Moves: append(turned(),
			Move{StepConfirm, StepPIN}, Move{StepPIN, StepEvidence}, Move{StepEvidence, StepPhone},
			Move{StepPhone, StepCode}, Move{StepCode, StepDone},
			Move{StepPIN, StepPhone}, // the push brought evidence
			// Where the number of the card is asked in addition.
			Move{StepPIN, StepCardNo}, Move{StepCardNo, StepPhone},
			Move{StepPhone, StepPIN},  // another browser
			Move{StepCode, StepPhone}, // the code was right before the holder turned to a reset
		),
		Linked:    true,
		Proofs:    []Proof{ProofPIN, ProofEvidence, ProofCode},
		Roles:     []liuma.Role{liuma.RoleCurrent},
		Turns:     true,
		Rewind:    StepPIN,
		Evidenced: StepPhone,
		CodeText:  "code_rebind",
		CodeEvent: audit.PhoneChanged,
		agree: online(func(_ *Ceremonies, _ store.Tx, _ *store.Ceremony, _ store.Card) (Step, error) {
			return StepPIN, nil
		}),
		stands:  (*Ceremonies).rebindStands,
		address: (*Ceremonies).newPhoneOf,
		coded:   (*Ceremonies).bindNew,
		run: func(s *Ceremonies, ctx context.Context, q asking) (authority.Verification, error) {
			return s.provePIN(ctx, q, nil)
		},
		right: (*Ceremonies).afterRebindPIN,
	}
}

// provePIN checks the PIN for a rebind or an unfreeze. A right PIN does not end the
// ceremony.
func (s *Ceremonies) provePIN(ctx context.Context, q asking,
	right func(tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error)) (authority.Verification, error) {
	none := authority.Verification{}
	var proof *evidence.Proof
	err := s.store.View(ctx, func(r store.Reader) error {
		card, err := s.engine.ReadCard(r, q.card)
		if err != nil {
			return err
		}
		q = s.about(q, card)
		proof, err = q.evidence.about(r, func() (registry.Facts, error) { return s.engine.Facts(r, card) })
		return err
	})
	if err != nil {
		return none, liuma.Outward(err)
	}
	guess, err := s.open(ctx, q, liuma.RoleCurrent, q.request.Current, "pin")
	if err != nil {
		return none, err
	}
	defer guess.Wipe()
	ctx, release, err := s.engine.HoldCard(ctx, q.card)
	if err != nil {
		return none, err
	}
	defer release()
	_, err = s.engine.Attempt(ctx, q.attempt(q.card, guess, proof, s.hooks(q, right)))
	return none, err
}

// afterRebindPIN goes on after a right PIN.
func (s *Ceremonies) afterRebindPIN(_ store.Tx, c *store.Ceremony, d *details, try store.Request) (Step, bool, error) {
	d.clearVerdict()
	if !d.Proofs.PIN.holds(*c, try.Version) {
		// Another browser went on while the keepers worked: the PIN is not proved
		// there.
		return StepPIN, false, nil
	}
	return owed(*c, d, liuma.ActionRebind, StepPhone), false, nil
}

// GivePhone takes the number to be bound. The holder may give another number until the
// code is right.
func (s *Ceremonies) GivePhone(ctx context.Context, id string, h Hand, typed string) (Page, error) {
	return s.moveOnce(ctx, id, h, []Step{StepPhone, StepCode}, "phone "+typed, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		card, err := s.takesPhone(tx, *c, *d)
		if err != nil {
			return "", err
		}
		d.clearVerdict()
		number, err := registry.ParsePhone(typed)
		if _, ok := refusal(err); ok || err == nil && !s.mayReach(*c, card, number) {
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
		if err == nil && there.Phone == s.engine.PhoneIndex(number) {
			d.Code = string(liuma.CodePhoneSame)
			return Step(c.Step), nil
		}
		d.NewPhone = number
		return StepCode, nil
	})
}

// takesPhone is the card for which a phone may be given now, or zero before there is a
// card. It refuses if a proof that comes before the number is missing.
func (s *Ceremonies) takesPhone(r store.Reader, c store.Ceremony, d details) (store.Card, error) {
	switch s.acting(c, d).Action {
	case liuma.ActionCounter:
		of, err := s.errandOf(r, c, d)
		if err == nil && !bindsPhone(of.ticket.Kind) {
			err = liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		if err == nil {
			err = s.ownPhoneGiven(r, c, d, of) // the bound phone's code comes before the number
		}
		return of.card, err
	case liuma.ActionRebind:
		if d.Proofs.PIN.given(c) && rebindProved(c, d) && !owesNumber(c, d, liuma.ActionRebind) {
			return s.engine.ReadCard(r, c.Card)
		}
	}
	return store.Card{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
}

// newPhoneOf returns the number that a rebind's code goes to: the number to be bound. With
// a ticket, the bound phone gets a code first.
func (s *Ceremonies) newPhoneOf(r store.Reader, c store.Ceremony, d details) (addressee, error) {
	if d.NewPhone == "" && d.Proofs.Ticket.holds(c) {
		return s.boundPhoneOf(r, c, d)
	}
	if d.NewPhone == "" {
		return addressee{}, liuma.Fail(liuma.CodePhoneInvalid, nil)
	}
	to, err := s.cardHolder(r, c)
	to.phone = d.NewPhone
	return to, err
}

// bindNew replaces the bound phone by the number whose code was right, in the
// transaction that judged the code: a crash leaves the old phone or the new.
func (s *Ceremonies) bindNew(tx store.Tx, c *store.Ceremony, d *details, to addressee) (Step, error) {
	card := to.card
	if !d.Proofs.PIN.holds(*c, card.Version) {
		// The PIN was reset since it was given here.
		d.Proofs.PIN, d.Proofs.Code.Spent, d.NewPhone = PINProof{}, true, ""
		return StepPIN, nil
	}
	if d.Proofs.Ticket.holds(*c) && d.NewPhone == "" {
		return s.oldCodeRight(tx, c, d, card)
	}
	if err := s.mayRebind(tx, card, *c, *d); err != nil {
		return s.refuse(tx, c, d, err)
	}
	if err := s.useProofOf(tx, *c, *d, &card); err != nil {
		return "", err
	}
	if err := s.bindPhone(tx, card, *c, *d, to.phone, s.now().Add(s.recoveryOf(card, *c).Hold)); err != nil {
		return "", err
	}
	return StepDone, s.decideRebind(tx, c, *d, card)
}

// bindPhone binds a phone whose one-time code was right, in place of the bound one, and
// sends notices to the new number and to every number that got notices of the card until
// now; those notices name the new number, masked. Until hold the new phone resets nothing
// online.
func (s *Ceremonies) bindPhone(tx store.Tx, card store.Card, c store.Ceremony, d details, phone string, hold time.Time) error {
	at, err := placeOf(tx, c, d)
	if err != nil {
		return err
	}
	about := map[string]string{"phone": registry.MaskPhone(phone)}
	err = s.engine.EachContact(tx, card.ID, func(c store.Contact, number string) error {
		if number == phone {
			return nil // the same number was bound before
		}
		return s.engine.TellAt(tx, card, c, number, noticePhoneOld, at, about)
	})
	if err != nil {
		return err
	}
	next, err := s.bindUntold(tx, card, c, d, phone, hold)
	if err != nil {
		return err
	}
	return s.engine.TellAt(tx, card, next, phone, noticePhoneNew, at, nil)
}

// bindUntold is bindPhone without its notices, for a caller whose own notices say more. A
// holder who had no phone until now gets a letter, unless the number is the registry's own
// (no hold).
func (s *Ceremonies) bindUntold(tx store.Tx, card store.Card, c store.Ceremony, d details, phone string, hold time.Time) (store.Contact, error) {
	now := s.now()
	next := store.Contact{Card: card.ID, Language: languageOf(d.Language), BoundAt: now, ConfirmedAt: now, HoldUntil: hold,
		EveryUse: s.noticesOf(card).EveryUse}
	old, _, err := s.engine.Contact(tx, card.ID)
	first := errors.Is(err, store.ErrNotFound)
	switch {
	case err == nil:
		next.EveryUse = old.EveryUse // as the holder set it
	case !first:
		return next, err
	}
	at, err := placeOf(tx, c, d)
	if err != nil {
		return next, err
	}
	err = errors.Join(s.engine.EndNotices(tx, card, at), s.engine.WriteContact(tx, next, phone), tx.DeleteCardTicks(card.ID, authority.TickResetPlanned))
	if err != nil || !first || hold.IsZero() {
		return next, err
	}
	return next, s.engine.TellFirstPhone(tx, card, at, registry.MaskPhone(phone))
}

// placeOf is the name, in notices, of the place of a ceremony: its channel and, if a
// ticket was used, the counter.
func placeOf(r store.Reader, c store.Ceremony, d details) (liuma.Text, error) {
	at, err := authority.PlaceName(r, c.Channel)
	if err == nil && d.Proofs.Evidence == nil && !d.Proofs.Ticket.ID.IsZero() {
		at = authority.WithTicket(at)
	}
	return at, err
}

// mayRebind checks standing, the card's number and evidence once more.
func (s *Ceremonies) mayRebind(r store.Reader, card store.Card, c store.Ceremony, d details) error {
	if err := s.standsToRebind(card); err != nil {
		return err
	}
	if err := numberGiven(c, d, liuma.ActionRebind); err != nil {
		return err
	}
	return s.proved(r, c, d, card)
}

func (s *Ceremonies) standsToRebind(card store.Card) error {
	switch card.Standing(s.now()) {
	case liuma.StandingCancelled:
		return liuma.Fail(liuma.CodeCancelled, nil)
	case liuma.StandingFrozen:
		return liuma.Fail(liuma.CodeFrozen, nil)
	case liuma.StandingReported:
		return lossReported(card)
	}
	return correcting(card)
}

// decideRebind decides the ceremony's business number.
func (s *Ceremonies) decideRebind(tx store.Tx, c *store.Ceremony, d details, card store.Card) error {
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil || row.Decided {
		return err
	}
	row.Card, row.Version, row.Evidence = card.ID, card.Version, d.Proofs.method(*c)
	row.Handle = store.Handle(d.Subject.Card)
	authority.Decide(&row, s.now(), liuma.Right, "")
	c.Expires = later(c.Expires, s.now().Add(ceremonyMore))
	return errors.Join(s.engine.Aged(tx, card, &row), tx.UpdateRequest(row))
}
