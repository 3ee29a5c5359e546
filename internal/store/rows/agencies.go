package rows

import (
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// ofDirectory adds the table of agencies. It is not shared: a hundred thousand rows have
// no room in the list of the shared row. Who writes to the database can put back what an
// agency said before, or take it away, but makes up none (docs/DIRECTORY.md).
func (t *tables) ofDirectory() {
	t.agencies = kind[store.Agency]{Table{Name: "agencies"},
		func(a *store.Agency) []byte { return []byte(a.Code) }, noLooks[store.Agency]}
}

func (r *Reader) Agency(code liuma.Agency) (store.Agency, error) {
	a, _, err := get(r, &r.codec.agencies, []byte(code))
	if err == nil && a.Code != code {
		return store.Agency{}, r.disowned(&r.codec.agencies.Table, "an agency stands at the code of another")
	}
	return a, err
}

func (r *Reader) Agencies(after liuma.Agency, limit int) ([]store.Agency, error) {
	return queue(r, &r.codec.agencies, Query{After: []byte(after), Limit: max(0, limit)})
}

// PutAgency is written with the entry of its import: a crash leaves both or neither (I-8).
// A row that was altered is replaced too: nothing follows from what an agency said before,
// and the next import of the same file puts right what somebody wrote into it.
func (t *Tx) PutAgency(a store.Agency) error {
	k := &t.codec.agencies
	err := put(t, k, &a)
	if errors.Is(err, store.ErrSeal) {
		if err = t.deleteOne(&k.Table, k.key(&a)); err == nil {
			err = insert(t, k, k.key(&a), &a, 1)
		}
	}
	return err
}
