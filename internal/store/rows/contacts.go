package rows

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// formerKey begins with the card, so that a card's contacts are a range of keys: a row
// that is moved to another card is refused by its seal.
func formerKey(card liuma.CardID, phone vault.Index) []byte { return append(card[:], phone[:]...) }

// formersOf selects a card's.
func formersOf(card liuma.CardID) Query {
	first, last := vault.Index{}, vault.Index{}
	for i := range last {
		last[i] = 0xff
	}
	return Query{From: formerKey(card, first), To: formerKey(card, last), Limit: -1}
}

func (r *Reader) FormerContacts(card liuma.CardID) ([]store.FormerContact, error) {
	return list(r, &r.codec.formers, r.codec.at(card[:], formersOf(card)))
}

// PutFormerContact is written with the phone that is bound in its place: a crash leaves
// the old phone bound, or the new one and the old one told.
func (t *Tx) PutFormerContact(c store.FormerContact) error {
	if err := t.ofCard(c.Card); err != nil {
		return err
	}
	return put(t, &t.codec.formers, &c)
}

func (t *Tx) DeleteFormerContact(card liuma.CardID, phone vault.Index) error {
	q := t.codec.at(card[:], is("", formerKey(card, phone)))
	n, err := t.delete(&t.codec.formers.Table, q)
	if err == nil && n == 0 && t.codec.Spreads() { // it was carried over from a file
		q.Home = unclaimed()
		_, err = t.delete(&t.codec.formers.Table, q)
	}
	return err
}

func (t *Tx) PruneFormerContacts(endedBefore time.Time) (int64, error) {
	return t.delete(&t.codec.formers.Table, before("until", endedBefore))
}

func (r *Reader) NoticeContact(card liuma.CardID) (store.NoticeContact, error) {
	c, _, err := get(r, &r.codec.notices, card[:])
	return c, err
}

// PutNoticeContact is written with the code that made it one used up: a crash leaves both
// or neither.
func (t *Tx) PutNoticeContact(c store.NoticeContact) error {
	if err := t.ofCard(c.Card); err != nil {
		return err
	}
	return put(t, &t.codec.notices, &c)
}

func (t *Tx) DeleteNoticeContact(card liuma.CardID) error {
	_, err := t.delete(&t.codec.notices.Table, is("", card[:]))
	return err
}

func (r *Reader) DueClosings(now time.Time, limit int) ([]store.ClosingDue, error) {
	return queue(r, &r.codec.closings, Query{Column: "due", To: now.UnixMilli(), Limit: max(0, limit)})
}

// PutClosing is written with the card's row, which decides: a crash leaves both or
// neither.
func (t *Tx) PutClosing(c store.ClosingDue) error {
	if err := t.ofCard(c.Card); err != nil {
		return err
	}
	return put(t, &t.codec.closings, &c)
}

func (t *Tx) DeleteClosing(card liuma.CardID) error {
	return t.deleteOne(&t.codec.closings.Table, card[:])
}
