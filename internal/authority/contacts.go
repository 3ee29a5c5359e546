package authority

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Notices of a card go to the bound phone and, for a time, to the phones that were
// bound before it. A thief who binds another phone must not be the only one who gets
// the notices of what follows. Each number gets a text with a freeze code of its own,
// and any of these codes stops the card. Only the bound phone proves anything or gets
// one-time codes.

// FormerTold is how long a number still gets notices of a card after another number was
// bound.
const FormerTold = 30 * 24 * time.Hour

// formerParts are the sealed values of a former contact.
type formerParts struct {
	Phone string    `json:"phone"`
	Until time.Time `json:"until"`
}

// keepFormer keeps the present number of a card as a former contact, in the transaction
// that binds another number.
func (a *Authority) keepFormer(tx store.Tx, next store.Contact) error {
	was, phone, err := a.Contact(tx, next.Card)
	if errors.Is(err, store.ErrNotFound) {
		return tx.DeleteFormerContact(next.Card, next.Phone)
	}
	if err != nil || was.Phone == next.Phone {
		return err
	}
	now := a.Now()
	former := store.FormerContact{Card: was.Card, Language: was.Language, Since: now, Until: now.Add(FormerTold)}
	return errors.Join(a.writeFormer(tx, former, phone), tx.DeleteFormerContact(next.Card, next.Phone))
}

func (a *Authority) writeFormer(tx store.Tx, c store.FormerContact, phone string) error {
	plain, err := json.Marshal(formerParts{Phone: phone, Until: c.Until})
	if err != nil {
		return err
	}
	defer clear(plain)
	c.Phone = a.PhoneIndex(phone)
	if c.Sealed, err = a.vault.Seal(vault.ContactPhone, c.Card[:], plain); err != nil {
		return err
	}
	return tx.PutFormerContact(c)
}

// openFormer reads the number of a former contact.
func (a *Authority) openFormer(c store.FormerContact) (string, error) {
	plain, err := a.vault.Unseal(vault.ContactPhone, c.Card[:], c.Sealed)
	if err != nil {
		return "", liuma.Fail(liuma.CodeUnavailable, err)
	}
	defer clear(plain)
	var p formerParts
	if err := json.Unmarshal(plain, &p); err != nil {
		return "", liuma.Fail(liuma.CodeUnavailable, errors.New("authority: contact does not parse"))
	}
	if !p.Until.Equal(c.Until) || a.PhoneIndex(p.Phone) != c.Phone {
		return "", liuma.Fail(liuma.CodeUnavailable, errors.New("authority: contact row is not what was sealed: "+c.Card.String()))
	}
	return p.Phone, nil
}

// EachContact calls f for every number that gets notices of a card: the bound phone
// first, then the former ones.
func (a *Authority) EachContact(r store.Reader, card liuma.CardID, f func(c store.Contact, phone string) error) error {
	bound, phone, err := a.Contact(r, card)
	if err == nil {
		err = f(bound, phone)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	formers, err := r.FormerContacts(card)
	if err != nil {
		return err
	}
	for _, o := range formers {
		if o.Phone == bound.Phone || !a.Now().Before(o.Until) {
			continue
		}
		phone, err := a.openFormer(o)
		if err != nil {
			return err
		}
		if err := f(store.Contact{Card: card, Phone: o.Phone, Language: o.Language}, phone); err != nil {
			return err
		}
	}
	return nil
}
