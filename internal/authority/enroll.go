package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// applicant is who asks for a card, as evidence and registry confirm it.
type applicant struct {
	holder vault.Index
	facts  registry.Facts // of the registry; Phone as asked for
	person store.Person
	proof  *evidence.Proof
}

// Enroll gives a holder the electronic card and sets its first PIN. It takes
// evidence from a provider at every door: a channel's word is not enough to
// set a PIN (I-12). Who the evidence confirms may know what the registry says.
func (a *Authority) Enroll(ctx context.Context, c Caller, q EnrollRequest) (Verification, error) {
	if err := c.permit(liuma.ActionEnroll, q.Region); err != nil {
		return Verification{}, err
	}
	row := a.row(c, liuma.ActionEnroll, q.BusinessNo, q.Purpose, q.Digest)
	row.Ceremony = q.hosted.id()
	err := a.Store.View(ctx, func(r store.Reader) error {
		return lookRequest(r, row.Channel, row.BusinessNo, row.Digest)
	})
	if err != nil {
		return a.repeated(ctx, c, err)
	}
	p := a.policyFor(c, q.Region)
	who, err := a.confirm(ctx, c, q, p)
	if err != nil {
		return Verification{}, err
	}
	chosen, err := a.openFirst(ctx, c, q, who, p)
	if err != nil {
		return Verification{}, err
	}
	defer chosen.Wipe()
	release, err := a.slots.take(ctx, slotKey(who.holder), busyWait)
	if err != nil {
		return Verification{}, err
	}
	defer release()
	in, err := a.openCard(ctx, c, q, row, who)
	if err != nil {
		return a.repeated(ctx, c, err)
	}
	if err := a.setPIN(ctx, c, in, chosen); err != nil {
		return Verification{}, err
	}
	return a.Verification(ctx, c, q.BusinessNo)
}

// confirm checks the evidence first and only then looks anybody up.
func (a *Authority) confirm(ctx context.Context, c Caller, q EnrollRequest, p policy.Policy) (applicant, error) {
	var who applicant
	id, err := registry.ParseIDNumber(q.Subject.IDNumber)
	if err != nil {
		return who, atField(house(err), "subject.id_number")
	}
	name, err := registry.ParseName(q.Subject.Name)
	if err != nil {
		return who, atField(house(err), "subject.name")
	}
	if err := a.checkChallenge(c, q.hosted, q.Challenge); err != nil {
		return who, err
	}
	if who.proof, err = a.enrollProof(ctx, c, q, id.Canonical(), name, p); err != nil {
		return who, err
	}
	who.holder = a.Vault.Index(vault.IndexIDNumber, id.Canonical())
	err = a.Store.View(ctx, func(r store.Reader) (err error) {
		who.person, who.facts, err = a.Registry.Find(r, id)
		return err
	})
	if err != nil {
		return who, house(err)
	}
	if who.facts.Name != name {
		return who, liuma.Fail(liuma.CodeNotInRegistry, nil)
	}
	if who.person.Physical == liuma.PhysicalCancelled {
		return who, liuma.Fail(liuma.CodeCancelled, nil)
	}
	switch {
	case q.hosted != nil && a.Outbox != nil && q.hosted.phone == "":
		return who, liuma.Fail(liuma.CodePhoneCodeExpired, nil) // no step of a ceremony is skipped
	case q.hosted != nil && q.hosted.phone != "":
		who.facts.Phone = q.hosted.phone
	case q.Subject.Phone != "":
		phone, err := registry.ParsePhone(q.Subject.Phone)
		if err != nil {
			return who, atField(house(err), "subject.phone")
		}
		who.facts.Phone = phone
	}
	return who, nil
}

// openFirst opens the envelope of the first PIN and judges it.
func (a *Authority) openFirst(ctx context.Context, c Caller, q EnrollRequest, who applicant, p policy.Policy) (pin.PIN, error) {
	b := binding(c, liuma.ActionEnroll, liuma.RoleNew, boundSubject(q.hosted, q.Subject), q.BusinessNo, q.Purpose, q.Challenge)
	chosen, err := a.openPIN(ctx, b, q.New, "new_pin", p.Passphrase)
	if err != nil {
		return pin.PIN{}, err
	}
	if err := a.judgePIN(p, chosen, who.facts, nil); err != nil {
		chosen.Wipe()
		return pin.PIN{}, err
	}
	return chosen, nil
}

// openCard takes the business number, uses up the evidence, makes the card
// row unless an interrupted enrolment left one, and reserves its first
// version: one transaction. A crash after it leaves a card without a PIN,
// which looks to everybody like no card, and the next enrolment takes it up.
func (a *Authority) openCard(ctx context.Context, c Caller, q EnrollRequest, row store.Request, who applicant) (store.Intent, error) {
	var in store.Intent
	start := row
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row := start
		row.Evidence = who.proof.Method
		if err := a.stillServed(tx, q.hosted); err != nil {
			return audit.Entry{}, err
		}
		card, err := tx.CardByHolder(who.holder)
		fresh := errors.Is(err, store.ErrNotFound)
		switch {
		case fresh:
			card, err = a.newCard(c, q, who)
		case err == nil:
			card, err = a.checkedCard(tx, card.ID)
		}
		if err == nil && card.Version > 0 {
			// The same business number may be the one that enrolled it.
			if err := lookRequest(tx, row.Channel, row.BusinessNo, row.Digest); err != nil {
				return audit.Entry{}, err
			}
			err = liuma.Fail(liuma.CodeAlreadyEnrolled, nil)
		}
		if err != nil {
			return audit.Entry{}, err
		}
		row.Card = card.ID
		if err := insertRequest(tx, row); err != nil {
			return audit.Entry{}, err
		}
		if q.hosted == nil {
			if err := a.markEvidence(tx, who.proof); err != nil {
				return audit.Entry{}, err
			}
		}
		if fresh {
			if err := tx.InsertCard(card); err != nil {
				return audit.Entry{}, err
			}
		}
		if in, err = a.reserve(tx, &card, row.Channel, row.BusinessNo); err != nil {
			return audit.Entry{}, err
		}
		if err := a.putCard(tx, card); err != nil {
			return audit.Entry{}, err
		}
		return a.entry(c.actor(), audit.CardEnrolled, card.ID, row.BusinessNo, "ok"), nil
	})
	return in, err
}

func (a *Authority) newCard(c Caller, q EnrollRequest, who applicant) (store.Card, error) {
	card := store.Card{
		ID: liuma.NewCardID(), Holder: who.holder, Region: c.region(q.Region),
		Physical: who.person.Physical, CreatedAt: a.now(),
	}
	plain, err := who.facts.Marshal()
	if err != nil {
		return store.Card{}, err
	}
	defer clear(plain)
	if card.Sealed, err = a.Vault.Seal(vault.CardFacts, card.ID[:], plain); err != nil {
		return store.Card{}, err
	}
	card.MAC = store.CardMAC(a.Vault, card)
	return card, nil
}
