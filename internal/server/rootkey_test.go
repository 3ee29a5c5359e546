package server_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// oldKeys seals with the keys of a stolen file, and minds no seal when reading.
type oldKeys struct{ *vault.Vault }

func (oldKeys) CheckRow(vault.RowSeal, string, ...[]byte) error { return nil }

// A key of the vault was stolen, with write access to the database: its thief
// makes up a channel. When the key was dropped they make up nothing more, and
// holders go on as before, also after a restart.
func TestAStolenRootKeyIsDropped(t *testing.T) {
	e := testkit.New(t, testkit.Options{})
	ch := e.Channel("zj-hrss")
	card := e.Enroll(ch, e.People[0], "835162")
	raw, err := os.ReadFile(filepath.Join(e.Dir, "vault.key"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "stolen.key")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	stolen, err := vault.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stolen.Close() })
	forge := func(id byte) error {
		holder := vault.Index{0: id}
		e.ForgeWith(oldKeys{stolen}, func(tx store.Tx) error {
			return tx.UpsertPerson(store.Person{Holder: holder, Physical: liuma.PhysicalNormal})
		})
		return e.System.Store.View(t.Context(), func(r store.Reader) error { _, err := r.Person(holder); return err })
	}
	if err := forge(1); err != nil {
		t.Fatalf("the thief has the key that seals, and is refused: %v", err)
	}
	if _, err := e.System.Admin.RotateRootKey(t.Context(), "a laptop was stolen"); err != nil {
		t.Fatal(err)
	}
	e.Clock.Advance(61 * time.Second)
	if _, err := e.System.Admin.DropRootKey(t.Context(), 1, "a laptop was stolen"); !errors.Is(err, admin.ErrResealing) {
		t.Fatalf("dropped before everything was sealed anew: %v", err)
	}
	if err := e.System.Admin.ResealOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.System.Admin.DropRootKey(t.Context(), 1, "a laptop was stolen"); err != nil {
		t.Fatal(err)
	}
	if err := forge(2); !errors.Is(err, store.ErrSeal) {
		t.Errorf("a row under the dropped key: %v, want %v", err, store.ErrSeal)
	}
	if v := e.Verify(ch, card, "835162"); v.Verdict != liuma.Right {
		t.Errorf("after the drop: %+v", v)
	}
	e.Close()
	e.Open()
	if v := e.Verify(ch, card, "835162"); v.Verdict != liuma.Right {
		t.Errorf("after a restart: %+v", v)
	}
	id, err := registry.ParseIDNumber(e.People[1].IDNumber)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.System.Store.View(t.Context(), func(r store.Reader) error { _, _, err := e.System.Registry.Find(r, id); return err }); err != nil {
		t.Errorf("a person: %v", err)
	}
}

// A server seals everything anew by itself. A row that was altered is counted in
// the status and in the answer to the drop, and stays refused.
func TestAServerSealsEverythingAnew(t *testing.T) {
	e := testkit.New(t, testkit.Options{})
	ch := e.Channel("zj-hrss")
	card := e.Enroll(ch, e.People[0], "835162")
	e.SQL("UPDATE persons SET rev = rev + 1 WHERE key = (SELECT min(key) FROM persons)")
	if _, err := e.System.Admin.RotateRootKey(t.Context(), "once a year"); err != nil {
		t.Fatal(err)
	}
	e.Close()
	e.Clock.Advance(61 * time.Second)
	e.Open()
	var r *admin.Resealing
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		s, err := e.System.Admin.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r = s.Resealing; r != nil && r.Ended {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if r == nil || !r.Ended || r.Refused != 1 {
		t.Fatalf("%+v", r)
	}
	out, err := e.System.Admin.DropRootKey(t.Context(), 1, "once a year")
	if err != nil || out.Refused != 1 {
		t.Errorf("dropped: %+v, %v", out, err)
	}
	if v := e.Verify(ch, card, "835162"); v.Verdict != liuma.Right {
		t.Errorf("after the drop: %+v", v)
	}
}
