package storetest

import (
	"testing"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// drafts are people like any other, refused where they collide.
func drafts(t *testing.T, open Open) {
	s, reopen := open(t)
	one := store.Person{Holder: index("holder", 1), CardNo: index("no", 1), Sealed: []byte("sealed"), Region: "33", UpdatedAt: at(1)}
	d, err := s.Draft(one)
	if err != nil || d.Person().Holder != one.Holder {
		t.Fatalf("%+v, %v", d, err)
	}
	if n := mustGet(t, s, func(r store.Reader) (int64, error) { return r.CountPersons() }); n != 0 {
		t.Errorf("a draft was written: %d people", n)
	}
	wantErr(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, tx.InsertDraft(d) }), store.ErrNoAudit)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertDraft(d) })
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertDraft(d) }), store.ErrExists)
	two := one
	two.Holder = index("holder", 2)
	other, err := s.Draft(two)
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertDraft(other) }), store.ErrExists) // the card number
	s = reopen()
	same(t, mustGet(t, s, func(r store.Reader) (store.Person, error) { return r.Person(one.Holder) }), one)
}

// justDraft is one that no store made; it is written as any other person.
type justDraft struct{ person store.Person }

func (d justDraft) Person() store.Person { return d.person }

// DraftsAcrossARotation makes a row ready, seals all that is there anew under another
// root key, and writes the row then: it is under the new key, so that the old one can
// go.
func DraftsAcrossARotation(t *testing.T, open func(testing.TB) Resealed) {
	s := open(t)
	p := store.Person{Holder: index("holder", 1), CardNo: index("no", 1)}
	p.Sealed = sealedFor(t, s.Vault, vault.PersonFacts, p.Holder[:])
	d, err := s.Store.Draft(p)
	must(t, err)
	s.Rotate()
	pass(t, s.Store, 3)
	mustUpdate(t, s.Store, func(tx store.Tx) error { return tx.InsertDraft(d) })
	s.Drop(1)
	got := mustGet(t, s.Store, func(r store.Reader) (store.Person, error) { return r.Person(p.Holder) })
	plain, err := s.Vault.Unseal(vault.PersonFacts, p.Holder[:], got.Sealed)
	must(t, err)
	if string(plain) != "plain "+string(vault.PersonFacts) {
		t.Errorf("%q", plain)
	}
}
