package ceremony

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// unfreeze is the act that ends a freeze, or a loss reported by phone, with a one-time code to the bound
// phone and the PIN (I-12). The code comes first, so that a frozen card gives a
// thief no more guesses at the PIN.
func unfreeze() Act {
	return Act{
		Action: liuma.ActionUnfreeze,
		First:  StepConfirm,
		Moves: []Move{{StepConfirm, StepCode}, {StepCode, StepPIN}, {StepPIN, StepDone}, {StepPIN, StepCode},
			// Where the number of the card or evidence is asked in addition.
			{StepCode, StepCardNo}, {StepCode, StepEvidence}, {StepCardNo, StepEvidence}, {StepCardNo, StepPIN}, {StepEvidence, StepPIN},
			{StepCardNo, StepCode}, {StepEvidence, StepCode}},
		Linked:    true,
		Proofs:    []Proof{ProofCode, ProofPIN},
		Roles:     []liuma.Role{liuma.RoleCurrent},
		Rewind:    StepCode,
		Evidenced: StepPIN,
		CodeText:  "code_unfreeze",
		Thaws:     true,
		agree: online(func(s *Ceremonies, tx store.Tx, _ *store.Ceremony, card store.Card) (Step, error) {
			_, err := s.unfreezable(tx, card)
			return StepCode, err
		}),
		stands: (*Ceremonies).unfreezeStands,
		coded: func(_ *Ceremonies, _ store.Tx, c *store.Ceremony, d *details, _ addressee) (Step, error) {
			return owed(*c, d, liuma.ActionUnfreeze, StepPIN), nil
		},
		run: (*Ceremonies).unfreeze,
	}
}

// unfreezable refuses an online unfreeze of a card that is not frozen, that
// cannot be used anyway, whose number was given to another person, or that was frozen while its phone was newly bound:
// the thief who changed the phone may be the one who wants the freeze to end.
func (s *Ceremonies) unfreezable(r store.Reader, card store.Card) (store.Contact, error) {
	switch {
	case card.Version == 0:
		return store.Contact{}, liuma.Fail(liuma.CodeRefused, nil)
	case card.Physical == liuma.PhysicalCancelled:
		return store.Contact{}, liuma.Fail(liuma.CodeCancelled, nil)
	case card.Contested:
		return store.Contact{}, liuma.Fail(liuma.CodeContested, nil)
	case !card.Frozen && !card.Reported(s.now()):
		return store.Contact{}, liuma.Fail(liuma.CodeNotFrozen, nil)
	}
	// A PIN that was stopped before it began to count stays stopped: the person who set it may be
	// the one who wants the freeze to end.
	if card.StoppedAt(s.now()).Before(card.PINFrom) {
		return store.Contact{}, liuma.Fail(liuma.CodePINStopped, nil)
	}
	c, _, err := s.engine.BoundPhone(r, card.ID)
	if err == nil && !c.HoldUntil.IsZero() && !card.StoppedAt(s.now()).After(c.HoldUntil) {
		err = liuma.Fail(liuma.CodePhoneLate, nil)
	}
	return c, err
}

// unfreeze makes one try of an unfreeze. Without the one-time code no guess is
// made. If the proofs change while the keepers work, the try stays undecided
// and the card frozen.
func (s *Ceremonies) unfreeze(ctx context.Context, q asking) (authority.Verification, error) {
	served := q.guard
	q.guard = func(r store.Reader, card store.Card) error {
		if err := served(r, card); err != nil {
			return err
		}
		return s.mayUnfreeze(r, card, q.row.Ceremony)
	}
	return s.provePIN(ctx, q, func(tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error) {
		*card = card.Thawed()
		at, err := s.useProof(tx, row.Ceremony, card)
		err = errors.Join(err, tx.DeleteCodesOf(card.ID), s.engine.ConfirmContact(tx, card.ID))
		if err != nil {
			return "", err
		}
		return audit.CardUnfrozen, s.engine.Tell(tx, *card, noticeUnfrozen, at, nil)
	})
}

// mayUnfreeze is the rule of I-12 for an unfreeze, apart from the PIN.
func (s *Ceremonies) mayUnfreeze(r store.Reader, card store.Card, ceremony string) error {
	contact, err := s.unfreezable(r, card)
	if err != nil {
		return err
	}
	cer, d, err := s.readCeremony(r, ceremony)
	if err != nil {
		return err
	}
	if !d.Proofs.Code.holds(cer, contact.Phone, s.now()) {
		return liuma.Fail(liuma.CodePhoneCodeExpired, nil)
	}
	if err := numberGiven(cer, d, liuma.ActionUnfreeze); err != nil {
		return err
	}
	if d.Steps.Asks(liuma.ActionUnfreeze, ProofEvidence) {
		return s.proved(r, cer, d, card)
	}
	return nil
}
