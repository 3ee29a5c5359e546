package rows

import (
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
}

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
