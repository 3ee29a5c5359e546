package ceremony

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/store"
)

// change is the act of choosing a new PIN, with the old one as proof.
func change() Act {
	return Act{
		Action: liuma.ActionChange,
		First:  StepPIN,
		Moves: append(turned(),
			Move{StepPIN, StepDone},
			// The holder gave the right PIN before turning to a reset.
			Move{StepCode, StepDone}, Move{StepCardNo, StepDone}, Move{StepEvidence, StepDone}),
		Linked:    true,
		Proofs:    []Proof{ProofPIN},
		Roles:     []liuma.Role{liuma.RoleOld, liuma.RoleNew},
		Turns:     true,
		Evidenced: StepPIN,
		chooses:   (*Ceremonies).choosesOther,
		run:       (*Ceremonies).change,
		right:     (*Ceremonies).afterChange,
		set: func(s *Ceremonies, tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error) {
			return audit.PINSet, s.engine.TellIn(tx, *card, noticePINChanged, row.Channel, nil)
		},
	}
}

// Change sets a new PIN, with the old one as proof: Subject has Card, Old and New are
// the PINs, Evidence is required where the link is not known. The new PIN is judged
// before the old one is tried, so a weak choice costs no guess. The judgement depends
// only on the two PINs that were typed, so it reveals nothing about the card's PIN.
func (s *Ceremonies) Change(ctx context.Context, c authority.Caller, q authority.Request) (authority.Verification, error) {
	ask, err := s.native(c, liuma.ActionChange, q)
	if err != nil {
		return authority.Verification{}, err
	}
	return s.rationed(ctx, ask, (*Ceremonies).change)
}

// changing holds the rows and values that a change reads first.
type changing struct {
	card  store.Card
	facts authority.Known
	proof *evidence.Proof
}

func (s *Ceremonies) change(ctx context.Context, q asking) (authority.Verification, error) {
	of, err := s.readChanging(ctx, q)
	if errors.Is(err, authority.ErrUnlinked) {
		return s.engine.RefuseUnlinked(ctx, q.caller, q.row, s.hooks(q, nil))
	}
	if err != nil {
		return s.engine.Repeat(ctx, q.caller, s.engine.WithChallenge(q.caller, err))
	}
	q = s.about(q, of.card)
	old, chosen, err := s.openChange(ctx, q, of.facts)
	if err != nil {
		return authority.Verification{}, err
	}
	defer old.Wipe()
	defer chosen.Wipe()
	ctx, release, err := s.engine.HoldCard(ctx, of.card.ID)
	if err != nil {
		return authority.Verification{}, err
	}
	defer release()
	var intent store.Intent
	right := func(tx store.Tx, card *store.Card, row *store.Request) (_ audit.Event, err error) {
		// The request is decided later: by the flip, or when the intent is abandoned.
		row.Decided, row.Verdict, row.ReceiptID = false, "", ""
		intent, err = s.engine.Reserve(tx, card, row.Channel, row.BusinessNo)
		return "", err
	}
	row, err := s.engine.Attempt(ctx, q.attempt(of.card.ID, old, of.proof, s.hooks(q, right)))
	if err != nil {
		return s.engine.Repeat(ctx, q.caller, s.engine.WithChallenge(q.caller, err))
	}
	if row.Decided {
		return s.engine.Answer(ctx, q.caller, row)
	}
	if err := s.engine.SetPIN(ctx, q.caller, intent, chosen); err != nil {
		return authority.Verification{}, err
	}
	return s.engine.Verification(ctx, q.caller, q.row.BusinessNo)
}

// readChanging reads these rows and values in one view.
func (s *Ceremonies) readChanging(ctx context.Context, q asking) (changing, error) {
	var of changing
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		of, err = s.changingOf(r, q)
		return err
	})
	return of, err
}

func (s *Ceremonies) changingOf(r store.Reader, q asking) (of changing, err error) {
	card, proof, err := s.readLinked(r, &q)
	if err != nil {
		return of, err
	}
	of.card, of.proof = *card, proof
	if of.proof == nil {
		if err := s.lateLink(r, q, of.card); err != nil {
			return of, err
		}
	}
	of.facts, err = s.engine.Known(r, of.card)
	return of, err
}

// lateLink asks for evidence as well where the link is not known. A PIN is enough to
// make a link, so a thief who saw a holder type the PIN could otherwise link the card
// and change the PIN there (I-12). A link becomes known when 72 hours have passed
// since the holder's notice of it, which has a freeze code, or when evidence came
// with the PIN. The age of another link does not count, in this channel or any other.
func (s *Ceremonies) lateLink(r store.Reader, q asking, card store.Card) error {
	l, err := r.LinkByHandle(q.caller.Channel(), store.Handle(q.request.Subject.Card))
	if errors.Is(err, store.ErrNotFound) || err == nil && !s.engine.KnownLink(card, l) {
		return &liuma.Error{Code: liuma.CodeEvidenceRequired}
	}
	return err
}

// openChange opens both envelopes and judges the new PIN.
func (s *Ceremonies) openChange(ctx context.Context, q asking, f authority.Known) (old, chosen pin.PIN, err error) {
	if old, err = s.open(ctx, q, liuma.RoleOld, q.request.Old, "old_pin"); err != nil {
		return pin.PIN{}, pin.PIN{}, err
	}
	if chosen, err = s.open(ctx, q, liuma.RoleNew, q.request.New, "new_pin"); err != nil {
		old.Wipe()
		return pin.PIN{}, pin.PIN{}, err
	}
	if err = s.engine.JudgePIN(q.policy, chosen, f, &old); err != nil {
		old.Wipe()
		chosen.Wipe()
		return pin.PIN{}, pin.PIN{}, err
	}
	return old, chosen, nil
}
