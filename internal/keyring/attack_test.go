package keyring_test

import (
	"database/sql"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
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

// TestWhoWasDismissedStaysOut, though somebody with a copy of its directory writes to the
// database, and puts back the words that were given for it: they were signed once.
func TestWhoWasDismissedStaysOut(t *testing.T) {
	w, all := newWorld(t, "a", "b", "c")
	a, b, c := all[0], all[1], all[2]
	confirm(t, a, b)
	confirm(t, a, c)
	confirm(t, c, b)
	was, digits := w.row(), b.digits(t)
	must(t, a.keys.Dismiss(t.Context(), "admin", "b", "its directory was stolen"))
	b.stop()
	w.rounds()
	for _, x := range []*authority{a, c} {
		now := w.row()
		now.Members, now.Gone = was.Members, nil
		w.put(now)
		_, err := x.keys.NewRootKey(t.Context(), "admin")
		must(t, err)
		for _, g := range w.row().Gives {
			if g.To == "b" {
				t.Errorf("%s sealed the new keys to b", x.name)
			}
		}
		w.rounds()
	}
	if k := w.row(); len(k.Gone) != 1 {
		t.Errorf("the row has %d dismissed", len(k.Gone))
	}
	s, err := c.keys.State(t.Context())
	must(t, err)
	for _, m := range s.Members {
		if m.Dismissed != (m.Name == "b") {
			t.Errorf("as c says: %+v", m)
		}
	}
	// A word of the old identity dismisses nobody, and it is not confirmed again.
	must(t, os.Remove(filepath.Join(b.dir, vault.IdentityFile)))
	copyOf(t, a.dir, b.dir)
	now := w.row()
	now.Members = was.Members
	w.put(now)
	if err := c.keys.Confirm(t.Context(), "admin", "b", digits, "compared"); !errors.Is(err, keyring.ErrGone) {
		t.Errorf("the old identity again: %v", err)
	}
	// With a new one it is in again.
	must(t, b.start())
	w.rounds()
	confirm(t, a, b)
	_, err = c.keys.NewRootKey(t.Context(), "admin")
	if !errors.Is(err, keyring.ErrUnconfirmed) && err != nil {
		t.Fatal(err)
	}
	if err != nil {
		confirm(t, c, b)
		_, err = c.keys.NewRootKey(t.Context(), "admin")
		must(t, err)
	}
	w.rounds()
	for _, x := range all {
		if x.vault.SealsWith() != 4 {
			t.Errorf("%s seals with %d", x.name, x.vault.SealsWith())
		}
	}
}

// TestATakenMachineFillsNoFile: who took an authority's machine over says of hundreds of made-up
// identities that they were dismissed, in its own name and in those of others that it
// confirms. The others start and take keys as before, and it can still be dismissed, for good.
func TestATakenMachineFillsNoFile(t *testing.T) {
	w, all := newWorld(t, "a", "b", "c")
	a, b, c := all[0], all[1], all[2]
	confirm(t, a, b)
	confirm(t, a, c)
	confirm(t, c, b)
	w.rounds()
	thief, err := b.vault.IdentityKey("b")
	must(t, err)
	made := w.row()
	for i := range 1100 { // more than the file holds
		print := [16]byte{byte(i), byte(i >> 8), 7}
		sign, err := thief.Sign("liuma/1/keyring/gone", print[:])
		must(t, err)
		made.Gone = append(made.Gone, store.KeyringGone{Print: print, By: "b", Sign: sign})
	}
	w.put(made)
	w.rounds()
	must(t, a.keys.Round(t.Context()))
	must(t, c.keys.Round(t.Context()))
	a.stop()
	must(t, a.start())

	was := w.row()
	must(t, a.keys.Dismiss(t.Context(), "admin", "b", "its machine was taken over"))
	b.stop()
	w.rounds()
	for _, x := range []*authority{a, c} {
		now := w.row()
		now.Members, now.Gone = was.Members, nil
		w.put(now)
		_, err := x.keys.NewRootKey(t.Context(), "admin")
		must(t, err)
		for _, g := range w.row().Gives {
			if g.To == "b" {
				t.Errorf("%s sealed the new keys to b", x.name)
			}
		}
		w.rounds()
	}
}

// TestTheGiverIsDismissed: who was down takes the last keys from whoever dismissed it.
func TestTheGiverIsDismissed(t *testing.T) {
	w, all := newWorld(t, "a", "b", "c")
	a, b, c := all[0], all[1], all[2]
	confirm(t, a, b)
	confirm(t, a, c)
	confirm(t, c, b)
	c.stop()
	_, err := b.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	w.rounds()
	must(t, a.keys.Dismiss(t.Context(), "admin", "b", "its machine is gone"))
	b.stop()
	w.rounds()
	must(t, c.start())
	if c.vault.SealsWith() != 2 {
		t.Errorf("c seals with %d", c.vault.SealsWith())
	}
}

// TestTheLastKeysOfWhoIsDismissed are taken by whoever dismisses it, who had not seen them yet:
// the next key is made with them, and one that was down takes them too.
func TestTheLastKeysOfWhoIsDismissed(t *testing.T) {
	w, all := newWorld(t, "a", "b", "c")
	a, b, c := all[0], all[1], all[2]
	confirm(t, a, b)
	confirm(t, a, c)
	confirm(t, c, b)
	w.rounds()
	c.stop()
	_, err := b.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	must(t, a.keys.Dismiss(t.Context(), "admin", "b", "its machine is gone"))
	b.stop()
	w.rounds()
	if a.vault.SealsWith() != 2 {
		t.Errorf("a seals with %d", a.vault.SealsWith())
	}
	_, err = a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	w.rounds()
	must(t, c.start())
	if c.vault.SealsWith() != 3 {
		t.Errorf("c seals with %d", c.vault.SealsWith())
	}
}

// TestANumberNobodyReached: who has the vault's key file and writes to the database puts a row
// there whose version or edition leaves none above it. Nobody takes it for a head, it is told
// once, and 'liuma heads accept' gets past it.
func TestANumberNobodyReached(t *testing.T) {
	for name, far := range map[string]struct{ edition, above uint64 }{
		"a version":  {0, math.MaxInt64 - 10},
		"an edition": {math.MaxUint64 - 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, all := newWorld(t, "a", "b")
			a, b := all[0], all[1]
			confirm(t, a, b)
			_, err := a.keys.NewRootKey(t.Context(), "admin")
			must(t, err)
			w.rounds()
			head, edition := a.heads.Get(keyring.Head), a.heads.Get(keyring.EditionHead)
			row := w.row()
			if far.edition > 0 {
				row.Edition = far.edition
			}
			must(t, w.db.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
				return audit.Entry{}, tx.PutKeyring(row, far.above)
			}))
			for range 3 {
				if err := a.keys.Round(t.Context()); !errors.Is(err, keyring.ErrNumber) {
					t.Fatalf("a round: %v", err)
				}
			}
			if a.heads.Get(keyring.Head) != head || a.heads.Get(keyring.EditionHead) != edition {
				t.Error("it was taken for a head")
			}
			if n := w.entries(audit.KeysRefused); n != 1 {
				t.Errorf("%d entries, want 1", n)
			}
			a.stop()
			b.stop()
			if err := b.start(); !errors.Is(err, keyring.ErrNumber) {
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
		})
	}
}
