package ceremony

import (
	"context"
	"errors"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// enroll is the act of applying for the electronic card and setting its first
// PIN.
func enroll() Act {
	return Act{
		Action: liuma.ActionEnroll,
		First:  StepConfirm,
		Moves: []Move{
			{StepConfirm, StepCode}, {StepConfirm, StepPIN}, // without an outbox
			{StepCode, StepPIN}, {StepPIN, StepDone},
			{StepPIN, StepCode}, // another browser, or the code is too old
			// Where the number of the card is asked in addition.
			{StepConfirm, StepCardNo}, {StepCode, StepCardNo}, {StepCardNo, StepPIN}, {StepCardNo, StepCode}, {StepPIN, StepCardNo},
		},
		Proofs:        []Proof{ProofEvidence, ProofCode},
		Roles:         []liuma.Role{liuma.RoleNew},
		Rewind:        StepCode,
		EvidenceFirst: true,
		Evidenced:     StepPIN,
		CodeText:      "code_bind",
		agree: func(s *Ceremonies, tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
			if err := s.stepsOfPerson(tx, *c, d); err != nil {
				return s.refuse(tx, c, d, err)
			}
			if s.outbox == nil {
				return owed(*c, d, liuma.ActionEnroll, StepPIN), nil
			}
			if _, err := s.enrollee(tx, *c, *d); err != nil {
				return s.refuse(tx, c, d, err)
			}
			return StepCode, nil
		},
		stands: (*Ceremonies).enrolmentStands,
		address: func(s *Ceremonies, r store.Reader, c store.Ceremony, d details) (addressee, error) {
			return s.enrollee(r, c, d)
		},
		coded: func(_ *Ceremonies, _ store.Tx, c *store.Ceremony, d *details, to addressee) (Step, error) {
			d.NewPhone = to.phone
			return owed(*c, d, liuma.ActionEnroll, StepPIN), nil
		},
		chooses: (*Ceremonies).choosesFirst,
		run:     (*Ceremonies).enroll,
		set: func(s *Ceremonies, tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error) {
			if row.Ceremony == "" { // else linkReturned links it
				l, err := s.engine.MakeLink(tx, *card, *row, "")
				if err != nil {
					return "", err
				}
				row.Handle = l.Handle
			}
			return audit.PINSet, errors.Join(s.bindFirst(tx, *card, *row), s.engine.TellIn(tx, *card, noticePINSet, row.Channel, nil))
		},
	}
}

// applicant is the person who applies for a card, confirmed by evidence and
// registry.
type applicant struct {
	holder vault.Index
	facts  registry.Facts // from the registry; Phone is the requested one
	listed string         // the phone that the registry has for the person
	person store.Person
	proof  *evidence.Proof
	card   liuma.CardID // that was claimed for the holder; zero where nothing is claimed
}

// Enroll gives a holder the electronic card and sets its first PIN: Subject has
// name, ID number and phone, New is the PIN. Evidence is required at every
// door, because a channel's word is not enough to set a PIN (I-12). An
// applicant whom the evidence confirms may learn what the registry says of
// them.
func (s *Ceremonies) Enroll(ctx context.Context, c authority.Caller, q authority.Request) (authority.Verification, error) {
	ask, err := s.native(c, liuma.ActionEnroll, q)
	if err != nil {
		return authority.Verification{}, err
	}
	return s.rationed(ctx, ask, (*Ceremonies).enroll)
}

func (s *Ceremonies) enroll(ctx context.Context, q asking) (authority.Verification, error) {
	who, err := s.confirm(ctx, q)
	if err != nil {
		return s.engine.Repeat(ctx, q.caller, err)
	}
	chosen, err := s.openFirst(ctx, q, who)
	if err != nil {
		return authority.Verification{}, err
	}
	defer chosen.Wipe()
	ctx, release, err := s.engine.HoldHolder(ctx, who.holder)
	if err != nil {
		return authority.Verification{}, err
	}
	defer release()
	if err := s.keptElsewhere(ctx, q, who); err != nil {
		return authority.Verification{}, err
	}
	if who.card, err = s.claimCard(ctx, q.row.Ceremony, who.holder); err != nil {
		return authority.Verification{}, liuma.Outward(err)
	}
	in, err := s.openCard(ctx, q, who)
	if err != nil {
		return s.engine.Repeat(ctx, q.caller, err)
	}
	if err := s.engine.SetPIN(ctx, q.caller, in, chosen); err != nil {
		return authority.Verification{}, err
	}
	return s.engine.Verification(ctx, q.caller, q.row.BusinessNo)
}

// confirm checks the evidence first and, only if it is good, looks the person up; in one
// view.
func (s *Ceremonies) confirm(ctx context.Context, q asking) (applicant, error) {
	var who applicant
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		if err := q.registered(r); err != nil {
			return err
		}
		if err := authority.LookNumber(r, q.row); err != nil {
			return err
		}
		who, err = s.readApplicant(r, q)
		return err
	})
	return who, err
}

func (s *Ceremonies) readApplicant(r store.Reader, q asking) (applicant, error) {
	var who applicant
	if err := s.nativeConsent(q); err != nil {
		return who, err
	}
	id, err := registry.ParseIDNumber(q.request.Subject.IDNumber)
	if err != nil {
		return who, liuma.AtField(liuma.Outward(err), "subject."+liuma.HolderField(q.request.Subject.IDNumber))
	}
	name, err := registry.ParseName(q.request.Subject.Name)
	if err != nil {
		return who, liuma.AtField(liuma.Outward(err), "subject.name")
	}
	if who.proof, err = q.evidence.applicant(r, id.Canonical(), name); err != nil {
		return who, err
	}
	who.holder = s.vault.Index(vault.IndexIDNumber, id.Canonical())
	if who.person, who.facts, err = s.registry.Find(r, id); err != nil {
		return who, err
	}
	who.listed = who.facts.Phone
	if !registry.SameName(who.facts.Name, name) {
		return who, liuma.Fail(liuma.CodeNotInRegistry, nil)
	}
	if who.person.Physical == liuma.PhysicalCancelled {
		return who, liuma.Fail(liuma.CodeCancelled, nil)
	}
	if err := s.ofAge(q.policy, who.person.Region, who.facts.Born()); err != nil {
		return who, err
	}
	if err := s.numberForFirst(q, who.person); err != nil {
		return who, err
	}
	switch {
	case q.hosted() && s.outbox != nil && q.codePhone == "":
		return who, liuma.Fail(liuma.CodePhoneCodeExpired, nil) // no step of a ceremony is skipped
	case q.codePhone != "":
		who.facts.Phone = q.codePhone
	case q.request.Subject.Phone != "":
		phone, err := registry.ParsePhone(q.request.Subject.Phone)
		if err != nil {
			return who, liuma.AtField(liuma.Outward(err), "subject.phone")
		}
		who.facts.Phone = phone
	}
	return who, nil
}

// numberForFirst refuses a first PIN without the card's number where the policy asks for
// that number. The native door has no step that takes it.
func (s *Ceremonies) numberForFirst(q asking, person store.Person) error {
	asks := q.steps
	if !q.hosted() {
		asks = s.policy.For(person.Region, q.caller.Channel()).Steps
	}
	if asks.Asks(liuma.ActionEnroll, ProofCardNo) && !q.numbered {
		return liuma.Fail(liuma.CodeCardNoNeeded, nil)
	}
	return nil
}

// judgedBy holds the facts that the first PIN must not be made of, among them both
// phones where they differ.
func (a applicant) judgedBy() authority.Known {
	return authority.Known{Facts: a.facts, Bound: a.listed}
}

// openFirst opens the envelope of the first PIN and judges it.
func (s *Ceremonies) openFirst(ctx context.Context, q asking, who applicant) (pin.PIN, error) {
	chosen, err := s.open(ctx, q, liuma.RoleNew, q.request.New, "new_pin")
	if err != nil {
		return pin.PIN{}, err
	}
	if err := s.engine.JudgePIN(q.policy, chosen, who.judgedBy(), nil); err != nil {
		chosen.Wipe()
		return pin.PIN{}, err
	}
	return chosen, nil
}

// openCard takes the business number, marks the evidence as used, inserts the card row
// unless an interrupted enrolment left one, and reserves the first version: all in one
// transaction. A crash after it leaves a card without a PIN. To every client that is as
// if there were no card, and the next enrolment takes the card over.
func (s *Ceremonies) openCard(ctx context.Context, q asking, who applicant) (store.Intent, error) {
	var in store.Intent
	err := s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row := q.row
		row.Evidence = who.proof.Method
		if err := q.guard(tx, store.Card{}); err != nil {
			return audit.Entry{}, err
		}
		// The number may have been corrected since the person was looked up.
		if _, _, err := s.registry.Of(tx, who.holder); errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, liuma.Fail(liuma.CodeNotInRegistry, err)
		} else if err != nil {
			return audit.Entry{}, err
		}
		card, fresh, err := s.cardToEnroll(tx, q, row, who)
		if err != nil {
			return audit.Entry{}, err
		}
		row.Card, card.Consents = card.ID, s.agreedInApp(q)
		if err := authority.TakeNumber(tx, row); err != nil {
			return audit.Entry{}, err
		}
		if !q.hosted() {
			if err := s.engine.MarkEvidence(tx, who.proof); err != nil {
				return audit.Entry{}, err
			}
		}
		if fresh {
			if err := s.insertCard(tx, card); err != nil {
				return audit.Entry{}, err
			}
		}
		if in, err = s.engine.Reserve(tx, &card, row.Channel, row.BusinessNo); err != nil {
			return audit.Entry{}, err
		}
		return s.engine.Entry(q.caller.Actor(), audit.CardEnrolled, card.ID, row.BusinessNo, "ok"), tx.UpdateCard(card)
	})
	return in, err
}

// keptElsewhere asks the keepers, before a first PIN is proposed, whether they hold a
// card of this holder that is missing in the database. Such a card is restored as a
// frozen one, and the enrolment is refused. So an attacker who deletes a card's row
// cannot enrol in its owner's place (I-13). If the keepers do not answer, the enrolment
// is refused.
func (s *Ceremonies) keptElsewhere(ctx context.Context, q asking, who applicant) error {
	held, err := s.engine.HeldOf(ctx, who.holder)
	if err != nil || held.Card.IsZero() {
		return err
	}
	err = s.store.View(ctx, func(r store.Reader) error {
		_, err := r.Card(held.Card)
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		return liuma.Outward(err) // nil: the card is known, and openCard and the keepers decide
	}
	return s.engine.Adopt(ctx, s.newCard(who), held)
}

// cardToEnroll is the holder's card: a new one, or a card without a PIN that an
// interrupted enrolment left. A card that has a PIN is refused. A card that was closed
// for good is followed by a new one.
func (s *Ceremonies) cardToEnroll(r store.Reader, q asking, row store.Request, who applicant) (card store.Card, fresh bool, err error) {
	found, err := r.CardByHolder(who.holder)
	if errors.Is(err, store.ErrNotFound) {
		card, err = s.newCardIn(r, q, who)
		return card, true, err
	}
	if err != nil {
		return store.Card{}, false, err
	}
	if card, err = s.engine.ReadCard(r, found.ID); err != nil || card.Version == 0 && card.Retiring.IsZero() {
		return card, false, err
	}
	if s.engine.ClosedForGood(card) {
		next, err := s.newCardIn(r, q, who)
		next.Follows = card.ID
		return next, true, err
	}
	// The card may have been enrolled by this very business number.
	if err := authority.LookNumber(r, row); err != nil {
		return store.Card{}, false, err
	}
	return store.Card{}, false, s.hasCard(card)
}

// insertCard inserts a new card. If it follows a card that was closed for good, the
// holder's index leaves that card in the same transaction. So after a crash the index is
// at one of the two cards.
func (s *Ceremonies) insertCard(tx store.Tx, card store.Card) error {
	if !card.Follows.IsZero() {
		if err := s.engine.LetClosedGo(tx, card.Follows); err != nil {
			return err
		}
	}
	return tx.InsertCard(card)
}

// hasCard is the refusal of an applicant who has a card; for a closed card it says when
// they may apply again. For a card that was closed for good it is nil.
func (s *Ceremonies) hasCard(card store.Card) error {
	if s.engine.ClosedForGood(card) {
		return nil
	}
	if from, closed := s.engine.AnewFrom(card); closed {
		return &liuma.Error{Code: liuma.CodeCardClosed, Until: from}
	}
	return liuma.Fail(liuma.CodeAlreadyEnrolled, nil)
}

// newCard makes the card of an applicant. Of the registry's facts it copies only those
// that the registry updates by itself: status and region.
func (s *Ceremonies) newCard(who applicant) store.Card {
	return store.Card{
		ID: liuma.NewCardID(), Holder: who.holder, Region: who.person.Region,
		Physical: who.person.Physical, CreatedAt: s.now(),
	}
}

// enrollee is the holder who applies for a card, with the phone number from the
// registry. A number in the push is only the channel's claim; with it, evidence alone
// would be enough to bind a phone (I-12). The evidence of the push has confirmed the
// holder, so the holder may learn what the registry says.
func (s *Ceremonies) enrollee(r store.Reader, c store.Ceremony, d details) (addressee, error) {
	var to addressee
	id, err := registry.ParseIDNumber(d.Subject.IDNumber)
	if err != nil {
		return to, err
	}
	name, err := registry.ParseName(d.Subject.Name)
	if err != nil {
		return to, err
	}
	person, f, err := s.registry.Find(r, id)
	if err != nil {
		return to, err
	}
	card, err := r.CardByHolder(person.Holder)
	has := err == nil && (card.Version > 0 || !card.Retiring.IsZero())
	switch {
	case !registry.SameName(f.Name, name):
		return to, liuma.Fail(liuma.CodeNotInRegistry, nil)
	case person.Physical == liuma.PhysicalCancelled:
		return to, liuma.Fail(liuma.CodeCancelled, nil)
	case has && s.hasCard(card) != nil:
		return to, s.hasCard(card)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return to, err
	case f.Phone == "":
		return to, liuma.Fail(liuma.CodePhoneNone, nil)
	}
	if err := s.ofAge(s.rules(c), person.Region, f.Born()); err != nil {
		return to, err
	}
	to.holder, to.phone, to.masked = person.Holder, f.Phone, f.MaskedName()
	return to, nil
}

// numberOfEnrollee is the applicant, and the number of their physical card.
func (s *Ceremonies) numberOfEnrollee(r store.Reader, c store.Ceremony, d details) (addressee, string, error) {
	id, err := registry.ParseIDNumber(d.Subject.IDNumber)
	if err != nil {
		return addressee{}, "", err
	}
	person, f, err := s.registry.Find(r, id)
	return addressee{holder: person.Holder}, f.CardNo, err
}

// linkedAlready refuses a second application before the holder is sent to a camera, if
// this channel is linked to the person's card and so knows that there is one. Any other
// channel learns it only with evidence.
func (s *Ceremonies) linkedAlready(r store.Reader, c authority.Caller, idNumber, name string) error {
	id, err := registry.ParseIDNumber(idNumber)
	if err != nil {
		return err
	}
	found, err := r.CardByHolder(s.vault.Index(vault.IndexIDNumber, id.Canonical()))
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}
	card, err := s.engine.ReadCard(r, found.ID)
	if err != nil || card.Version == 0 || s.engine.ClosedForGood(card) {
		return err
	}
	links, err1 := r.Links(card.ID)
	f, err2 := s.engine.Facts(r, card)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	here := slices.ContainsFunc(links, func(l store.Link) bool { return l.Channel == c.Channel() })
	if here && registry.SameName(f.Name, name) {
		return s.hasCard(card)
	}
	return nil
}

// bindFirst binds the phone of an enrolment, in the transaction of its first PIN. An
// enrolment at the native door binds no phone.
func (s *Ceremonies) bindFirst(tx store.Tx, card store.Card, row store.Request) error {
	if row.Ceremony == "" {
		return nil
	}
	c, err := tx.Ceremony(row.Ceremony)
	if err != nil {
		return err
	}
	d, err := s.openDetails(c)
	if err != nil || !d.Proofs.Code.open() || d.NewPhone == "" {
		return err
	}
	at, err := placeOf(tx, c, d)
	if err != nil {
		return err
	}
	if err := s.engine.EndNotices(tx, card, at); err != nil {
		return err
	}
	now := s.now()
	return s.engine.WriteContact(tx, store.Contact{Card: card.ID, Language: languageOf(d.Language), BoundAt: now, ConfirmedAt: now,
		EveryUse: s.noticesOf(card).EveryUse}, d.NewPhone)
}
