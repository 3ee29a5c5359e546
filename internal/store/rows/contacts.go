package rows

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// otherKey begins with the card, so that a card's contacts are a range of keys: a row
// that is moved to another card is refused by its seal.
func otherKey(card liuma.CardID, phone vault.Index) []byte { return append(card[:], phone[:]...) }

// othersOf selects a card's.
func othersOf(card liuma.CardID) Query {
	first, last := vault.Index{}, vault.Index{}
	for i := range last {
		last[i] = 0xff
	}
	return Query{From: otherKey(card, first), To: otherKey(card, last), Limit: -1}
}

func (r *Reader) OtherContacts(card liuma.CardID) ([]store.OtherContact, error) {
	return list(r, &r.codec.others, othersOf(card))
}

// PutOtherContact is written with the phone that is bound in its place: a crash leaves
// the old phone bound, or the new one and the old one told.
func (t *Tx) PutOtherContact(c store.OtherContact) error {
	if err := t.ofCard(c.Card); err != nil {
		return err
	}
	return put(t, &t.codec.others, &c)
}

func (t *Tx) DeleteOtherContact(card liuma.CardID, phone vault.Index) error {
	_, err := t.delete(&t.codec.others.Table, is("", otherKey(card, phone)))
	return err
}

func (t *Tx) PruneOtherContacts(endedBefore time.Time) (int64, error) {
	return t.delete(&t.codec.others.Table, before("until", endedBefore))
}
