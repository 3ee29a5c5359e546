package authority

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// The bound phone of a card. What a recovery rests on (the number, and when it
// was bound, confirmed and held) is sealed to the card: whoever can write to
// the database can put an older row back, and nothing else.

// contactParts is what a contact keeps sealed.
type contactParts struct {
	Phone     string    `json:"phone"`
	Bound     time.Time `json:"bound"`
	Confirmed time.Time `json:"confirmed"`
	Hold      time.Time `json:"hold,omitzero"`
}

// contact reads the bound phone of a card and its number; store.ErrNotFound
// where none is bound.
func (a *Authority) contact(r store.Reader, card liuma.CardID) (store.Contact, string, error) {
	c, err := r.Contact(card)
	if err != nil {
		return store.Contact{}, "", err
	}
	plain, err := a.Vault.Unseal(vault.ContactPhone, card[:], c.Sealed)
	if err != nil {
		return store.Contact{}, "", liuma.Fail(liuma.CodeUnavailable, err)
	}
	defer clear(plain)
	var p contactParts
	if err := json.Unmarshal(plain, &p); err != nil {
		return store.Contact{}, "", liuma.Fail(liuma.CodeUnavailable, errors.New("authority: contact does not parse"))
	}
	same := p.Bound.Equal(c.BoundAt) && p.Confirmed.Equal(c.ConfirmedAt) && p.Hold.Equal(c.HoldUntil)
	if !same || a.phoneIndex(p.Phone) != c.Phone {
		return store.Contact{}, "", liuma.Fail(liuma.CodeUnavailable, errors.New("authority: contact row is not what was sealed: "+card.String()))
	}
	return c, p.Phone, nil
}

// putContact seals a contact and stores it in place of the card's.
func (a *Authority) putContact(tx store.Tx, c store.Contact, phone string) error {
	plain, err := json.Marshal(contactParts{Phone: phone, Bound: c.BoundAt, Confirmed: c.ConfirmedAt, Hold: c.HoldUntil})
	if err != nil {
		return err
	}
	defer clear(plain)
	c.Phone = a.phoneIndex(phone)
	if c.Sealed, err = a.Vault.Seal(vault.ContactPhone, c.Card[:], plain); err != nil {
		return err
	}
	return tx.PutContact(c)
}

// confirmContact notes that the holder was just seen to have the phone. A card
// without one has nothing to confirm.
func (a *Authority) confirmContact(tx store.Tx, card liuma.CardID) error {
	c, phone, err := a.contact(tx, card)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c.ConfirmedAt = a.now()
	return a.putContact(tx, c, phone)
}

func (a *Authority) phoneIndex(phone string) vault.Index {
	return a.Vault.Index(vault.IndexPhone, phone)
}

// boundPhone reads the bound phone for a ceremony that sends a code to it.
func (a *Authority) boundPhone(r store.Reader, card liuma.CardID) (store.Contact, string, error) {
	c, phone, err := a.contact(r, card)
	if errors.Is(err, store.ErrNotFound) {
		err = liuma.Fail(liuma.CodePhoneNone, nil)
	}
	return c, phone, err
}

// recoveryOf are the rules for the recovery of a card: those of its own region.
// The region of a push is the channel's word, and would be that of the weakest
// rules that it is registered for.
func (a *Authority) recoveryOf(card store.Card, ch liuma.ChannelID) policy.Recovery {
	return a.Policy.For(card.Region, ch).Recovery
}

// resettable refuses a reset online of a card that it is not safe for: one
// that may not be used, one without a phone, with a phone that came lately,
// or with one that nobody was seen with for so long that the number may have
// another owner. It is asked before a code is sent, and again with the new PIN.
func (a *Authority) resettable(r store.Reader, card store.Card, rules policy.Recovery, evidence bool) (store.Contact, error) {
	switch standing := liuma.StandingOf(card.Physical, card.Frozen); {
	case card.Version == 0:
		return store.Contact{}, liuma.Fail(liuma.CodeRefused, nil)
	case standing == liuma.StandingCancelled:
		return store.Contact{}, liuma.Fail(liuma.CodeCancelled, nil)
	case standing == liuma.StandingFrozen:
		return store.Contact{}, liuma.Fail(liuma.CodeFrozen, nil)
	}
	c, _, err := a.boundPhone(r, card.ID)
	if err != nil {
		return c, err
	}
	now := a.now()
	if until := maxTime(c.BoundAt.Add(rules.Hold), c.HoldUntil); now.Before(until) {
		return c, &liuma.Error{Code: liuma.CodePhoneLate, Until: until}
	}
	most := rules.Unconfirmed
	if evidence {
		most = rules.UnconfirmedEvidence
	}
	if now.Sub(c.ConfirmedAt) > most {
		return c, liuma.Fail(liuma.CodePhoneStale, nil)
	}
	return c, nil
}
