package ceremony

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// reset is the act of setting a new PIN in place of a forgotten one, with a
// one-time code to the bound phone and evidence, both (I-12). The channel's
// link says whose card it is, never a typed value. A code counts only in the
// browser that gave it: a ceremony that goes on in another browser asks for a
// code again.
func reset() Act {
	return Act{
		Action: liuma.ActionReset,
		First:  StepConfirm,
		Moves: []Move{
			{StepConfirm, StepCode}, {StepCode, StepEvidence}, {StepEvidence, StepPIN}, {StepPIN, StepDone},
			{StepCode, StepPIN}, // evidence is there already
			{StepEvidence, StepCode}, {StepPIN, StepCode},
			// Where the number of the card is asked in addition.
			{StepCode, StepCardNo}, {StepCardNo, StepEvidence}, {StepCardNo, StepPIN}, {StepCardNo, StepCode},
		},
		Linked:    true,
		Proofs:    []Proof{ProofCode, ProofEvidence, ProofCardNo},
		Roles:     []liuma.Role{liuma.RoleNew},
		Rewind:    StepCode,
		Evidenced: StepPIN,
		CodeText:  "code_reset",
		agree: online(func(s *Ceremonies, tx store.Tx, c *store.Ceremony, card store.Card) (Step, error) {
			_, err := s.resettable(tx, card, s.recoveryOf(card, *c), true)
			return StepCode, err
		}),
		stands: (*Ceremonies).resetStands,
		// A right code confirms nothing yet: if it did, a number that went to
		// another owner would renew itself.
		coded: func(_ *Ceremonies, _ store.Tx, c *store.Ceremony, d *details, _ addressee) (Step, error) {
			if !d.Steps.Asks(liuma.ActionReset, ProofCardNo) && d.Proofs.CardNo.holds(*c) {
				d.Code = "" // it was given in place of evidence
				return StepPIN, nil
			}
			return owed(*c, d, liuma.ActionReset, StepPIN), nil
		},
		chooses: (*Ceremonies).choosesReset,
		run:     (*Ceremonies).reset,
		right:   (*Ceremonies).afterReset,
		set:     (*Ceremonies).wasReset,
	}
}

// reset sets the new PIN of a reset. The proofs are checked again in the
// transaction that opens the intent. A crash before it leaves the old PIN and
// the ceremony at the pad; after it the intent is carried through or abandoned
// like every other (I-7).
func (s *Ceremonies) reset(ctx context.Context, q asking) (authority.Verification, error) {
	none := authority.Verification{}
	q.row.Card = q.card
	var f authority.Known
	err := s.store.View(ctx, func(r store.Reader) error {
		card, err := s.engine.ReadCard(r, q.card)
		if err != nil {
			return err
		}
		q = s.about(q, card)
		f, err = s.engine.Known(r, card)
		return err
	})
	if err != nil {
		return none, liuma.Outward(err)
	}
	chosen, err := s.open(ctx, q, liuma.RoleNew, q.request.New, "new_pin")
	if err != nil {
		return none, err
	}
	defer chosen.Wipe()
	if err := s.engine.JudgePIN(q.policy, chosen, f, nil); err != nil {
		return none, liuma.Outward(err)
	}
	ctx, release, err := s.engine.HoldCard(ctx, q.card)
	if err != nil {
		return none, err
	}
	defer release()
	if err := s.engine.FinishIntent(ctx, q.card); err != nil {
		return none, err
	}
	in, err := s.openReset(ctx, q)
	if err != nil {
		return none, err
	}
	return none, s.engine.SetPIN(ctx, q.caller, in, chosen)
}

// openReset takes the try's number and reserves the new version, if the
// ceremony has all the proofs that a reset needs.
func (s *Ceremonies) openReset(ctx context.Context, q asking) (store.Intent, error) {
	var in store.Intent
	err := s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row := q.row
		row.Handle = store.Handle(q.request.Subject.Card)
		cer, d, err := s.readCeremony(tx, row.Ceremony)
		if err != nil {
			return audit.Entry{}, err
		}
		card, err := s.engine.ReadCard(tx, row.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := errors.Join(q.guard(tx, card), s.mayReset(tx, cer, d, card)); err != nil {
			return audit.Entry{}, err
		}
		how := methodCardNo // no evidence was given, and no receipt may say so
		if row.Evidence = d.Proofs.method(cer); row.Evidence != "" {
			how = "ok"
		}
		if err := authority.TakeNumber(tx, row); err != nil {
			return audit.Entry{}, err
		}
		if in, err = s.engine.Reserve(tx, &card, row.Channel, row.BusinessNo); err != nil {
			return audit.Entry{}, err
		}
		return s.engine.VersionEntry(q.caller.Actor(), audit.PINIntended, in, how), tx.UpdateCard(card)
	})
	return in, err
}

// mayReset is the rule of I-12 for a reset: a one-time code to the presently
// bound phone, and evidence about this card's holder.
func (s *Ceremonies) mayReset(r store.Reader, cer store.Ceremony, d details, card store.Card) error {
	if s.acting(cer, d).Action != liuma.ActionReset || Step(cer.Step) != StepPIN || cer.Card != card.ID || !cer.Ended.IsZero() {
		return liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	rules := s.recoveryIn(card, cer, d)
	c, err := s.resettable(r, card, rules, d.Proofs.present(cer))
	if err != nil {
		return err
	}
	if err := numberGiven(cer, d, liuma.ActionReset); err != nil {
		return err
	}
	if !d.Proofs.Code.holds(cer, c.Phone, s.now()) {
		return liuma.Fail(liuma.CodePhoneCodeExpired, nil)
	}
	if !d.Proofs.present(cer) && rules.CardNumber && d.Proofs.CardNo.holds(cer) {
		return s.mayResetByCardNo(r, card, rules)
	}
	return s.proved(r, cer, d, card)
}

// proved checks that the ceremony has evidence about the card's holder, or a ticket that
// takes its place.
func (s *Ceremonies) proved(r store.Reader, c store.Ceremony, d details, card store.Card) error {
	if d.Proofs.Evidence == nil && d.Proofs.Ticket.holds(c) {
		return s.ticketProves(r, c, d, card)
	}
	return s.provedAbout(card, d)
}

// provedAbout checks that the ceremony has evidence about the card's holder.
func (s *Ceremonies) provedAbout(card store.Card, d details) error {
	if d.Proofs.Evidence == nil {
		return &liuma.Error{Code: liuma.CodeEvidenceRequired}
	}
	if s.vault.Index(vault.IndexIDNumber, d.Proofs.Evidence.IDNumber) != card.Holder {
		return liuma.FailField(liuma.CodeEvidenceInvalid, "evidence", errors.New("about somebody else"))
	}
	return nil
}

// wasReset follows the flip of a reset, in its transaction: the phone is confirmed,
// every other open ceremony of the card ends if it proved or guessed at the old PIN, and
// the holder is told. Links stay, but with the new version only the link through which
// it was set can be known.
func (s *Ceremonies) wasReset(tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error) {
	err := errors.Join(s.engine.ConfirmContact(tx, card.ID), tx.DeleteCodesOf(card.ID),
		tx.DeleteCardTicks(card.ID, authority.TickResetPlanned))
	if err != nil {
		return "", err
	}
	if err := s.endOthers(tx, card.ID, row.Ceremony); err != nil {
		return "", err
	}
	at, err := s.useProof(tx, row.Ceremony, card)
	if err != nil {
		return "", err
	}
	return audit.PINReset, s.engine.Tell(tx, *card, noticePINReset, at, nil)
}

// endOthers ends all other open ceremonies of a card. A ceremony at StepDone is left:
// its receipt is stale, as its channel will find.
func (s *Ceremonies) endOthers(tx store.Tx, card liuma.CardID, but string) error {
	open, err := tx.CeremoniesOf(card)
	if err != nil {
		return err
	}
	for _, c := range open {
		if c.ID == but || Step(c.Step) == StepDone {
			continue
		}
		d, err := s.openDetails(c)
		if err != nil {
			return err
		}
		d.clearVerdict()
		d.Code = string(liuma.CodePINReset)
		err = errors.Join(s.goTo(&c, StepRefused), s.endRequest(tx, &c, liuma.CodePINReset), s.sealDetails(&c, d))
		if err != nil {
			return err
		}
		if err := tx.UpdateCeremony(c); err != nil {
			return err
		}
	}
	return nil
}

// overtake notes that a request was refused (locked, blocked) and that its holder has
// reset the PIN since, in the same ceremony. A channel that asks by business number then
// learns that the lock is over. The note carries no verdict, so no channel gets one by
// it (I-14). The decision itself stays as it was (I-11).
func (s *Ceremonies) overtake(tx store.Tx, row store.Request) error {
	if !row.Decided || row.Verdict == liuma.Right {
		return nil
	}
	row.ResetAt = s.now()
	return tx.UpdateRequest(row)
}

// afterReset returns the step after the new PIN was set: done, if the ceremony
// was pushed for a reset; else back to its pad; or StepReset, if its business
// number is decided already or it has nothing left to do.
func (s *Ceremonies) afterReset(tx store.Tx, c *store.Ceremony, d *details, _ store.Request) (to Step, end bool, err error) {
	if c.Action == liuma.ActionReset {
		return StepDone, true, nil
	}
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil {
		return "", false, err
	}
	d.Turned, d.Proofs.Code.Spent, d.Proofs.Ticket, d.WasReset = "", true, TicketProof{}, true
	d.clearVerdict()
	if !row.Decided && c.Action != liuma.ActionChange {
		return StepPIN, false, nil
	}
	d.Code = string(liuma.CodePINReset)
	return StepReset, false, errors.Join(s.endRequest(tx, c, liuma.CodePINReset), s.overtake(tx, row))
}
