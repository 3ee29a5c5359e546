package rows

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// ofLetters adds the table of letters.
func (t *tables) ofLetters() {
	t.letters = kind[store.Letter]{Table{Name: "letters", Columns: []Column{
		{Name: "card"}, {Name: "state"}, {Name: "batch"}, {Name: "waits", Number: true}, {Name: "ended", Number: true}}},
		func(l *store.Letter) []byte { return []byte(l.ID) }, letterLooks}
}

// letterLooks: a letter that waits is found by since when, one that has ended by when.
func letterLooks(l *store.Letter) []Value {
	looks := []Value{some(l.Card[:]), []byte(l.State), some([]byte(l.Batch)), nil, milli(l.EndedAt)}
	if l.State == store.LetterWaiting {
		looks[3] = l.At.UnixMilli()
	}
	return looks
}

func (r *Reader) Letter(id string) (store.Letter, error) {
	l, _, err := get(r, &r.codec.letters, []byte(id))
	return l, err
}

func (r *Reader) LettersOf(card liuma.CardID) ([]store.Letter, error) {
	if card.IsZero() {
		return nil, nil
	}
	return list(r, &r.codec.letters, is("card", card[:]))
}

func (r *Reader) LettersIn(batch string) ([]store.Letter, error) {
	if batch == "" {
		return nil, nil
	}
	return list(r, &r.codec.letters, is("batch", []byte(batch)))
}

func (r *Reader) Letters(state store.LetterState, after string, limit int) ([]store.Letter, error) {
	q := Query{After: []byte(after), Limit: max(0, limit)}
	if state != "" {
		q.Column, q.From, q.To = "state", []byte(state), []byte(state)
	}
	return queue(r, &r.codec.letters, q)
}

func (r *Reader) WaitingLetters(limit int) ([]store.Letter, error) {
	return queue(r, &r.codec.letters, Query{Column: "waits", From: int64(earliest), Limit: max(0, limit)})
}

// InsertLetter runs in the transaction of the act that the letter tells of: a crash
// leaves both or neither (I-8).
func (t *Tx) InsertLetter(l store.Letter) error {
	return insert(t, &t.codec.letters, []byte(l.ID), &l, 1)
}

// UpdateLetter: a crash before the commit leaves the letter as it was.
func (t *Tx) UpdateLetter(l store.Letter) error {
	there, rev, err := get(&t.Reader, &t.codec.letters, []byte(l.ID))
	if err != nil {
		return err
	}
	if there.State == store.LetterBack {
		return store.ErrDecided
	}
	return update(t, &t.codec.letters, []byte(l.ID), &l, rev)
}

func (t *Tx) DeleteLetter(id string) error {
	return t.deleteOne(&t.codec.letters.Table, []byte(id))
}

func (t *Tx) PruneLetters(at time.Time) (int64, error) {
	return t.delete(&t.codec.letters.Table, before("ended", at))
}
