package authority

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A holder without a phone may name a person they trust, at a counter. Notices that can
// reach no number of the holder's own go to this contact, each with a freeze code; the
// contact can do nothing else. The contact has its own table and its own seal, so
// that code which looks for the bound phone never finds it: no one-time code of an act goes
// there, and no PIN counts sooner because of it. The person who names a contact could be a
// thief at the counter. So the naming, and for FormerTold every later notice, goes on paper
// too.

// noticeParts are the sealed values of a contact for notices.
type noticeParts struct {
	Phone string    `json:"phone"`
	Since time.Time `json:"since"`
}

// NoticeContact reads the contact for notices of a card and its number; store.ErrNotFound if
// there is none.
func (a *Authority) NoticeContact(r store.Reader, card liuma.CardID) (store.NoticeContact, string, error) {
	c, err := r.NoticeContact(card)
	if err != nil {
		return store.NoticeContact{}, "", err
	}
	plain, err := a.vault.Unseal(vault.NoticePhone, card[:], c.Sealed)
	if err != nil {
		return store.NoticeContact{}, "", liuma.Fail(liuma.CodeUnavailable, err)
	}
	defer clear(plain)
	var p noticeParts
	if err := json.Unmarshal(plain, &p); err != nil {
		return store.NoticeContact{}, "", liuma.Fail(liuma.CodeUnavailable, errors.New("authority: contact for notices does not parse"))
	}
	if c.Card != card || !p.Since.Equal(c.Since) || a.PhoneIndex(p.Phone) != c.Phone {
		return store.NoticeContact{}, "", liuma.Fail(liuma.CodeUnavailable, errors.New("authority: contact row is not what was sealed: "+card.String()))
	}
	return c, p.Phone, nil
}

// NameForNotices makes a number the contact for notices of a card. A former contact gets a
// notice of it. The caller has checked the code that went to the number, and that no phone
// is bound.
func (a *Authority) NameForNotices(tx store.Tx, card store.Card, phone, language string, at liuma.Text) error {
	if was, number, err := a.NoticeContact(tx, card.ID); err == nil && number != phone {
		if err := a.tellNotices(tx, card, was, number, noticeNoLonger, at, nil); err != nil {
			return err
		}
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	c := store.NoticeContact{Card: card.ID, Phone: a.PhoneIndex(phone), Language: languageOf(language), Since: a.Now()}
	plain, err := json.Marshal(noticeParts{Phone: phone, Since: c.Since})
	if err != nil {
		return err
	}
	defer clear(plain)
	if c.Sealed, err = a.vault.Seal(vault.NoticePhone, c.Card[:], plain); err != nil {
		return err
	}
	if err := errors.Join(tx.PutNoticeContact(c), tx.InsertCardTick(card.ID, TickOnPaper, a.Now())); err != nil {
		return err
	}
	return a.Tell(tx, card, noticeNamed, at, map[string]string{"phone": registry.MaskPhone(phone)})
}

// EndNotices drops the contact for notices of a card, because its holder no longer wants it
// or has a phone now. The contact gets a notice with a freeze code, and the holder a letter.
// It does nothing if there is no contact.
func (a *Authority) EndNotices(tx store.Tx, card store.Card, at liuma.Text) error {
	c, phone, err := a.NoticeContact(tx, card.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := a.tellNotices(tx, card, c, phone, noticeNoLonger, at, nil); err != nil {
		return err
	}
	if err := tx.DeleteNoticeContact(card.ID); err != nil {
		return err
	}
	return a.writeLetter(tx, card, noticeNoLonger, at, func(string) map[string]string { return nil })
}

// tellNamed sends a notice to the contact for notices, and reports whether there is one.
func (a *Authority) tellNamed(tx store.Tx, card store.Card, template string, at liuma.Text, say words) (told bool, err error) {
	c, phone, err := a.NoticeContact(tx, card.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, a.tellNotices(tx, card, c, phone, template, at, say(languageOf(c.Language)))
}

func (a *Authority) tellNotices(tx store.Tx, card store.Card, c store.NoticeContact, phone, template string, at liuma.Text, about map[string]string) error {
	return a.TellAt(tx, card, store.Contact{Card: card.ID, Phone: c.Phone, Language: c.Language}, phone, template, at, about)
}
