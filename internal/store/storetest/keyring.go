package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

func keyring(i int) store.Keyring {
	return store.Keyring{Edition: uint64(i), Digest: [32]byte{byte(i)}, At: at(i), Giver: "a", Sign: []byte{1},
		Members: []store.KeyringMember{{Name: "a", Opens: []byte{4}, Signs: []byte{5}, At: at(i),
			Confirmed: []store.KeyringWord{{By: "b", Print: [32]byte{7}, At: at(i), Sign: []byte{8}}}}},
		Gives: []store.KeyringGive{{To: "a", Print: [32]byte{9}, Sealed: []byte("sealed")}},
		Next:  store.KeyringSeal, NextID: "2", Took: []store.KeyringTaken{{Name: "a", Process: "p", Edition: uint64(i), At: at(i)}},
		Gone: []store.KeyringGone{{Print: [16]byte{10}, By: "b", Sign: []byte{11}}}}
}

// putKeyring puts the i-th over whatever is there.
func putKeyring(tx store.Tx, i int) error {
	k := keyring(i)
	was, err := tx.Keyring()
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	k.Rev = was.Rev
	return tx.PutKeyring(k, 0)
}

// keyringRow: one row, compared by its revision, which rises, by a leap too; none of it is
// on the record by itself.
func keyringRow(t *testing.T, open Open) {
	s, reopen := open(t)
	put := func(k store.Keyring, above uint64) error {
		return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, tx.PutKeyring(k, above) })
	}
	read := func() store.Keyring {
		t.Helper()
		return mustGet(t, s, func(r store.Reader) (store.Keyring, error) { return r.Keyring() })
	}
	wantErr(t, view(s, func(r store.Reader) error { _, err := r.Keyring(); return err }), store.ErrNotFound)
	k := keyring(1)
	must(t, put(k, 4))
	s = reopen()
	k.Rev = 5
	if diff := cmp.Diff(k, read()); diff != "" {
		t.Error(diff)
	}
	none := keyring(2)
	wantErr(t, put(none, 0), store.ErrExists)
	none.Rev = 4
	wantErr(t, put(none, 0), store.ErrConflict)
	next := keyring(3)
	next.Rev = 5
	must(t, put(next, 2))
	next.Rev = 6
	must(t, put(next, 40))
	next.Rev = 41
	if diff := cmp.Diff(next, read()); diff != "" {
		t.Error(diff)
	}
	drop := func() error {
		return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, tx.DropKeyring() })
	}
	must(t, drop())
	wantErr(t, drop(), store.ErrNotFound)
	wantErr(t, view(s, func(r store.Reader) error { _, err := r.Keyring(); return err }), store.ErrNotFound)
	if all := entries(t, s); len(all) != 0 {
		t.Errorf("%d entries, want none", len(all))
	}
}
