package storetest

import (
	"fmt"
	"testing"

	"github.com/liuma-pin/liuma/internal/store"
)

func edition(i int) store.Edition {
	return store.Edition{No: uint64(i), Sum: fmt.Sprint("sum", i), Files: []store.LayerFile{{Name: "33.yaml", Text: []byte("layer: region 33\n")}},
		Proposal: proposal(i).ID, Reason: "a trial", By: member(1).ID, Approver: member(2).ID, Proposed: at(i), At: at(i + 1)}
}

// editions are numbered without gaps, and the last one is found; none is replaced.
func editions(t *testing.T, open Open) {
	s, reopen := open(t)
	last := func(r store.Reader) (store.Edition, error) { return r.LastEdition() }
	_, err := get(t, s, last)
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertEdition(edition(2)) }), store.ErrConflict)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertEdition(edition(0)) }), store.ErrConflict)
	for i := 1; i <= 9; i++ {
		mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertEdition(edition(i)) })
		same(t, mustGet(t, s, last), edition(i))
	}
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertEdition(edition(9)) }), store.ErrExists)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertEdition(edition(11)) }), store.ErrConflict)
	s = reopen()
	same(t, mustGet(t, s, last), edition(9))
	same(t, mustGet(t, s, func(r store.Reader) (store.Edition, error) { return r.Edition(3) }), edition(3))
	_, err = get(t, s, func(r store.Reader) (store.Edition, error) { return r.Edition(0) })
	wantErr(t, err, store.ErrNotFound)
}
