package ceremony

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// verify is the act of proving the PIN of a linked card to a service.
func verify() Act {
	return Act{
		Action: liuma.ActionVerify,
		First:  StepPIN,
		Moves: append(turned(),
			Move{StepPIN, StepDone},
			// By evidence alone.
			Move{StepEvidence, StepConfirm}, Move{StepConfirm, StepDone}, Move{StepConfirm, StepPIN},
			Move{StepConfirm, StepEvidence}, // pushed again without it
			// The holder gave the right PIN before turning to a reset.
			Move{StepCode, StepDone}, Move{StepCardNo, StepDone}, Move{StepEvidence, StepDone}),
		Linked:        true,
		Proofs:        []Proof{ProofPIN},
		Roles:         []liuma.Role{liuma.RoleCurrent},
		Turns:         true,
		Evidenced:     StepPIN,
		CodeText:      "code_confirm",
		ConfirmsPhone: true,
		Uses:          true,
		CodeEvent:     audit.PhoneConfirmed,
		coded: func(s *Ceremonies, tx store.Tx, c *store.Ceremony, _ *details, _ addressee) (Step, error) {
			return StepDone, s.engine.ConfirmContact(tx, c.Card)
		},
		run:   (*Ceremonies).verify,
		right: (*Ceremonies).afterVerify,
	}
}

// Verify checks whether a PIN is right: Subject has Card, Current is the PIN,
// Evidence is required while the physical card is lost. Every verdict is an
// answer; an error means that nothing was counted, except for a request that
// then stays undecided. A subject given by ID number is refused like a card
// without a link.
func (s *Ceremonies) Verify(ctx context.Context, c authority.Caller, q authority.Request) (authority.Verification, error) {
	ask, err := s.native(c, liuma.ActionVerify, q)
	if err != nil {
		return authority.Verification{}, err
	}
	return s.rationed(ctx, ask, (*Ceremonies).verify)
}

func (s *Ceremonies) verify(ctx context.Context, q asking) (authority.Verification, error) {
	card, proof, err := s.linkedHolder(ctx, &q)
	if errors.Is(err, authority.ErrUnlinked) {
		return s.engine.RefuseUnlinked(ctx, q.caller, q.row, s.hooks(q, nil))
	}
	if err != nil {
		return s.engine.Repeat(ctx, q.caller, err)
	}
	guess, err := s.open(ctx, q, liuma.RoleCurrent, q.request.Current, "pin")
	if err != nil {
		return authority.Verification{}, err
	}
	defer guess.Wipe()
	ctx, release, err := s.engine.HoldCard(ctx, card)
	if err != nil {
		return authority.Verification{}, err
	}
	defer release()
	if served := q.guard; !q.hosted() {
		q.guard = func(r store.Reader, card store.Card) error {
			if err := served(r, card); err != nil {
				return err
			}
			return s.notTooOld(card, s.policyOf(&q, card))
		}
	}
	right := func(tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error) {
		return "", s.tellUse(tx, *card, *row, s.policyOf(&q, *card))
	}
	attempt := q.attempt(card, guess, proof, s.hooks(q, right))
	attempt.Looked, attempt.Last = true, !q.hosted() // a ceremony still has to move while its card is held
	row, err := s.engine.Attempt(ctx, attempt)
	if err != nil {
		return s.engine.Repeat(ctx, q.caller, s.engine.WithChallenge(q.caller, err))
	}
	return s.engine.Answer(ctx, q.caller, row)
}

// linkedHolder finds, in one view, the card of a channel's handle and the evidence
// about its holder, and gives the asking the rules of that card's region.
func (s *Ceremonies) linkedHolder(ctx context.Context, q *asking) (liuma.CardID, *evidence.Proof, error) {
	ctx = store.Expect(ctx, store.Expected{Channel: q.caller.Channel(), Business: q.row.BusinessNo, Handle: store.Handle(q.request.Subject.Card)})
	var card *store.Card
	var proof *evidence.Proof
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		card, proof, err = s.readLinked(r, q)
		return err
	})
	if err != nil {
		return liuma.CardID{}, nil, err
	}
	q.policy = s.policyOf(q, *card)
	return card.ID, proof, nil
}

// readLinked reads the card of a channel's handle, and the evidence about its holder. The card
// is nil only with an error.
func (s *Ceremonies) readLinked(r store.Reader, q *asking) (*store.Card, *evidence.Proof, error) {
	if err := q.registered(r); err != nil {
		return nil, nil, err
	}
	id, err := authority.Linked(r, q.caller, q.request.Subject.Card, q.row)
	if err != nil {
		return nil, nil, err
	}
	card, err := s.engine.ReadCard(r, id)
	if err != nil {
		return nil, nil, err
	}
	proof, err := q.evidence.about(r, func() (registry.Facts, error) { return s.engine.Facts(r, card) })
	if err != nil {
		return nil, nil, err
	}
	return &card, proof, nil
}
