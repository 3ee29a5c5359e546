package rows

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// people adds the tables of what the registry changed or could not decide.
func (t *tables) people() {
	t.conflicts = kind[store.Conflict]{Table{Name: "conflicts", Columns: []Column{{Name: "holder"}}},
		func(c *store.Conflict) []byte { return []byte(c.ID) },
		func(c *store.Conflict) []Value { return []Value{c.Person.Holder[:]} }}
	t.changes = kind[store.PersonChange]{Table{Name: "person_changes"},
		func(c *store.PersonChange) []byte { return c.Card[:] }, noLooks[store.PersonChange]}
	// One correction a former number and a new one: both are unique. A cancelled one
	// leaves its new number free.
	t.corrections = kind[store.Correction]{Table{Name: "corrections", Columns: []Column{{Name: "former", Unique: true}, {Name: "number", Unique: true}}},
		func(c *store.Correction) []byte { return []byte(c.ID) }, correctionLooks}
}

func correctionLooks(c *store.Correction) []Value {
	if c.State == store.CorrectionCancelled {
		return []Value{c.Former[:], nil}
	}
	return []Value{c.Former[:], c.Number[:]}
}

func (r *Reader) Correction(id string) (store.Correction, error) {
	c, _, err := get(r, &r.codec.corrections, []byte(id))
	return c, err
}

func (r *Reader) CorrectionOf(former vault.Index) (store.Correction, error) {
	return first(r, &r.codec.corrections, is("former", former[:]))
}

func (r *Reader) CorrectionTo(number vault.Index) (store.Correction, error) {
	return first(r, &r.codec.corrections, is("number", number[:]))
}

func (r *Reader) Corrections(after string, limit int) ([]store.Correction, error) {
	return queue(r, &r.codec.corrections, Query{After: []byte(after), Limit: max(0, limit)})
}

// PutCorrection is written with what it changes of person and card: a crash leaves
// all of it or nothing (I-8).
func (t *Tx) PutCorrection(c store.Correction) error { return put(t, &t.codec.corrections, &c) }

func (t *Tx) DeleteCorrection(id string) error {
	return t.deleteOne(&t.codec.corrections.Table, []byte(id))
}

func (t *Tx) DeletePerson(h vault.Index) error { return t.deleteOne(&t.codec.persons.Table, h[:]) }

func (r *Reader) Conflict(id string) (store.Conflict, error) {
	c, _, err := get(r, &r.codec.conflicts, []byte(id))
	return c, err
}

func (r *Reader) Conflicts(after string, limit int) ([]store.Conflict, error) {
	return list(r, &r.codec.conflicts, Query{After: []byte(after), Limit: max(0, limit)})
}

func (r *Reader) ConflictsOf(holder vault.Index) ([]store.Conflict, error) {
	q := is("holder", holder[:])
	q.Limit = -1
	return list(r, &r.codec.conflicts, q)
}

func (r *Reader) PersonChange(card liuma.CardID) (store.PersonChange, error) {
	c, _, err := get(r, &r.codec.changes, card[:])
	return c, err
}

func (r *Reader) PersonChanges(after liuma.CardID, limit int) ([]store.PersonChange, error) {
	return queue(r, &r.codec.changes, Query{After: after[:], Limit: max(0, limit)})
}

// PutConflict is written with the chunk of the import that met the row: a crash
// leaves both or neither.
func (t *Tx) PutConflict(c store.Conflict) error { return put(t, &t.codec.conflicts, &c) }

func (t *Tx) DeleteConflict(id string) error {
	return t.deleteOne(&t.codec.conflicts.Table, []byte(id))
}

// PutPersonChange is written with the change: whoever reads the changed row finds
// that its holder is to be told, after a crash too (I-8).
func (t *Tx) PutPersonChange(c store.PersonChange) error { return put(t, &t.codec.changes, &c) }

func (t *Tx) DeletePersonChange(card liuma.CardID) error {
	return t.deleteOne(&t.codec.changes.Table, card[:])
}

func (r *Reader) Persons(after vault.Index, limit int) ([]store.Person, error) {
	return queue(r, &r.codec.persons, Query{After: after[:], Limit: max(0, limit)})
}

// EraseCard puts a random value in the holder's place, which leads to nobody: the
// look-up is unique and under the seal. A crash before the commit leaves the card
// whole, with its claims (I-8).
func (t *Tx) EraseCard(id liuma.CardID, at time.Time) error {
	c, err := t.card(id)
	if err != nil {
		return err
	}
	for _, l := range c.Links {
		if _, err := t.delete(&t.codec.claims.Table, is("", claimKey(l.Channel, l.Handle))); err != nil {
			return err
		}
	}
	if err := t.leaveHolder(c.Card.Holder, id); err != nil {
		return err
	}
	if err := t.DeleteCodesOf(id); err != nil {
		return err
	}
	if _, err := t.delete(&t.codec.formers.Table, formersOf(id)); err != nil {
		return err
	}
	if err := t.DeleteNoticeContact(id); err != nil {
		return err
	}
	bare := *c
	bare.Contact, bare.Links, bare.Rations = store.Contact{}, nil, nil
	bare.Card = store.Card{ID: id, Rev: c.Card.Rev, Physical: liuma.PhysicalCancelled, Reserved: c.Card.Reserved,
		Retiring: c.Card.Retiring, RetiredAt: c.Card.RetiredAt, ErasedAt: at}
	rand.Read(bare.Card.Holder[:]) // never fails since Go 1.24
	if err := t.writeCard(&bare); err != nil {
		return err
	}
	*c = bare
	return nil
}

func (t *Tx) DeleteMessage(id string) error {
	m, err := t.Message(id)
	if err != nil {
		return err
	}
	if m.State == store.MessageWaiting {
		return store.ErrConflict
	}
	return t.deleteOne(&t.codec.messages.Table, []byte(id))
}

// draft is a row that was sealed before its transaction.
type draft struct {
	person store.Person
	row    Row
}

func (d draft) Person() store.Person { return d.person }

// Draft makes the row of a new person ready.
func (c *Codec) Draft(p store.Person) (store.Draft, error) {
	r, err := row(c, &c.persons, nil, c.persons.key(&p), &p, 1)
	return draft{p, r}, err
}

// InsertDraft asks for the key within the transaction: a rotation of the root key
// seals anew what is there, and would pass by a row that comes later under an older
// one.
func (t *Tx) InsertDraft(d store.Draft) error {
	if d == nil {
		return errors.New("store: no draft")
	}
	made, ok := d.(draft)
	if !ok || made.row.Seal.Key != t.codec.seal.SealsWith() {
		return t.InsertPerson(d.Person())
	}
	return t.insertRow(&t.codec.persons.Table, made.row)
}
