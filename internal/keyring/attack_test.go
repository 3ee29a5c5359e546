package keyring_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/store"
)

// TestAnOldEditionUnderANewRevision: who has the vault's key file seals an edition of
// before as the row of now. Nobody who had a later one goes back to its keys, which may be
// those that were stolen, and loses the ones of now.
func TestAnOldEditionUnderANewRevision(t *testing.T) {
	w, all := newWorld(t, "a", "b")
	a, b := all[0], all[1]
	confirm(t, a, b)
	_, err := a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	w.rounds()
	old := w.row()
	_, err = a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	w.rounds()
	good := w.row()
	w.put(old)
	for _, x := range all {
		if err := x.keys.Round(t.Context()); !errors.Is(err, store.ErrOldDatabase) {
			t.Errorf("%s: an old edition: %v", x.name, err)
		}
		if x.vault.SealsWith() != 3 {
			t.Errorf("%s seals with %d", x.name, x.vault.SealsWith())
		}
	}
	b.stop()
	if err := b.start(); !errors.Is(err, store.ErrOldDatabase) {
		t.Errorf("b starts: %v", err)
	}
	// The way out: the row as it was, or the database taken for good.
	w.put(good)
	must(t, b.start())
	w.put(old)
	a.stop()
	b.stop()
	must(t, a.keys.Accept(t.Context(), "admin"))
	must(t, a.start())
	must(t, b.start())
	w.rounds()
	if k := w.row(); k.Edition <= good.Edition || a.vault.SealsWith() != 3 || b.vault.SealsWith() != 3 {
		t.Errorf("edition %d, they seal with %d and %d", k.Edition, a.vault.SealsWith(), b.vault.SealsWith())
	}
	if got := a.heads.Get(keyring.EditionHead); got != w.row().Edition {
		t.Errorf("the head is %d", got)
	}
}

// TestAnAlteredRowHasAWayOut: who writes to the database without any key has everybody
// stopped, and not for good.
func TestAnAlteredRowHasAWayOut(t *testing.T) {
	w, all := newWorld(t, "a", "b")
	a, b := all[0], all[1]
	confirm(t, a, b)
	_, err := a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	w.rounds()
	db, err := sql.Open("sqlite", filepath.Join(a.dir, "authority.db"))
	must(t, err)
	defer func() { must(t, db.Close()) }()
	_, err = db.ExecContext(t.Context(), "UPDATE keyring SET body = X'00'")
	must(t, err)
	a.stop()
	b.stop()
	if err := b.start(); !errors.Is(err, store.ErrSeal) {
		t.Fatalf("b starts: %v", err)
	}
	must(t, a.keys.Accept(t.Context(), "admin"))
	must(t, a.start())
	must(t, b.start())
	w.rounds()
	confirm(t, a, b)
	_, err = b.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	w.rounds()
	if a.vault.SealsWith() != 3 || b.vault.SealsWith() != 3 {
		t.Errorf("they seal with %d and %d", a.vault.SealsWith(), b.vault.SealsWith())
	}
}
