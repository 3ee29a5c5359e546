package authority

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// The bound phone of a card. The values that a recovery depends on (the number, and
// when it was bound, confirmed and put on hold) are sealed to the card. So an
// attacker who can write to the database can only put an older row back.

// contactParts are the sealed values of a contact.
type contactParts struct {
	Phone     string    `json:"phone"`
	Bound     time.Time `json:"bound"`
	Confirmed time.Time `json:"confirmed"`
	Hold      time.Time `json:"hold,omitzero"`
}

// Contact reads the bound phone of a card and its number; store.ErrNotFound if
// none is bound.
func (a *Authority) Contact(r store.Reader, card liuma.CardID) (store.Contact, string, error) {
	c, err := r.Contact(card)
	if err != nil {
		return store.Contact{}, "", err
	}
	plain, err := a.vault.Unseal(vault.ContactPhone, card[:], c.Sealed)
	if err != nil {
		return store.Contact{}, "", liuma.Fail(liuma.CodeUnavailable, err)
	}
	defer clear(plain)
	var p contactParts
	if err := json.Unmarshal(plain, &p); err != nil {
		return store.Contact{}, "", liuma.Fail(liuma.CodeUnavailable, errors.New("authority: contact does not parse"))
	}
	same := p.Bound.Equal(c.BoundAt) && p.Confirmed.Equal(c.ConfirmedAt) && p.Hold.Equal(c.HoldUntil)
	if !same || a.PhoneIndex(p.Phone) != c.Phone {
		return store.Contact{}, "", liuma.Fail(liuma.CodeUnavailable, errors.New("authority: contact row is not what was sealed: "+card.String()))
	}
	return c, p.Phone, nil
}

// WriteContact seals a contact and stores it in place of the card's present one. The
// number that it replaces still gets all notices for FormerTold.
func (a *Authority) WriteContact(tx store.Tx, c store.Contact, phone string) error {
	plain, err := json.Marshal(contactParts{Phone: phone, Bound: c.BoundAt, Confirmed: c.ConfirmedAt, Hold: c.HoldUntil})
	if err != nil {
		return err
	}
	defer clear(plain)
	c.Phone = a.PhoneIndex(phone)
	if err := a.keepFormer(tx, c); err != nil {
		return err
	}
	if c.Sealed, err = a.vault.Seal(vault.ContactPhone, c.Card[:], plain); err != nil {
		return err
	}
	return tx.PutContact(c)
}

// ConfirmContact records that the holder has just shown to have the phone. It does
// nothing for a card without a bound phone.
func (a *Authority) ConfirmContact(tx store.Tx, card liuma.CardID) error {
	c, phone, err := a.Contact(tx, card)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c.ConfirmedAt = a.Now()
	return a.WriteContact(tx, c, phone)
}

func (a *Authority) PhoneIndex(phone string) vault.Index {
	return a.vault.Index(vault.IndexPhone, phone)
}

// BoundPhone reads the bound phone for a ceremony that sends a one-time code to
// it.
func (a *Authority) BoundPhone(r store.Reader, card liuma.CardID) (store.Contact, string, error) {
	c, phone, err := a.Contact(r, card)
	if errors.Is(err, store.ErrNotFound) {
		err = liuma.Fail(liuma.CodePhoneNone, nil)
	}
	return c, phone, err
}
