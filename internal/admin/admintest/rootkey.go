package admintest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// rootKeys rotate at once, and the record says why.
func rootKeys(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	sealed, err := w.vault.Seal(vault.CardFacts, []byte("id"), []byte("facts"))
	must(t, err)
	before := w.Entries(t)
	made, err := a.RotateRootKey(ctx, "  a laptop was stolen ")
	if want := (admin.RootKey{ID: 2, Made: Start}); made != want || err != nil {
		t.Errorf("rotated: %+v, %v, want %+v", made, err, want)
	}
	if w.vault.SealsWith() != 2 {
		t.Errorf("the open vault seals under %d", w.vault.SealsWith())
	}
	if plain, err := w.vault.Unseal(vault.CardFacts, []byte("id"), sealed); err != nil || string(plain) != "facts" {
		t.Errorf("sealed before: %q, %v", plain, err)
	}
	want := []audit.Entry{
		{At: Start, Actor: admin.Actor, Event: audit.RootKeyMade, Outcome: "begun", Note: "reason=a laptop was stolen"},
		{At: Start, Actor: admin.Actor, Event: audit.RootKeyMade, Outcome: "ok", Note: "key=2"},
	}
	if diff := cmp.Diff(want, w.Entries(t)[len(before):]); diff != "" {
		t.Error("the record:", diff)
	}
	refusedRootKeys(t, w, a)
}

func refusedRootKeys(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	before, entries := listed(t, w), w.Entries(t)
	for _, reason := range []audit.Reason{"", " ", "two\nlines"} {
		if _, err := a.RotateRootKey(ctx, reason); !errors.Is(err, audit.ErrReason) {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	w.Broken.Store(true)
	if _, err := a.RotateRootKey(ctx, "rota"); err == nil {
		t.Error("rotated without a record")
	}
	w.Broken.Store(false)
	if diff := cmp.Diff(before, listed(t, w)) + cmp.Diff(entries, w.Entries(t)); diff != "" {
		t.Error("a refusal changed something:", diff)
	}
	var err error
	for range 20 {
		if _, err = a.RotateRootKey(ctx, "rota"); err != nil {
			break
		}
	}
	if !errors.Is(err, vault.ErrRootKeys) {
		t.Errorf("too many keys: %v", err)
	}
	if all := w.Entries(t); all[len(all)-1].Outcome != "failed" {
		t.Errorf("the record of a failed rotation ends with %+v", all[len(all)-1])
	}
}

func listed(t *testing.T, w *World) []vault.RootKey {
	t.Helper()
	keys, err := vault.RootKeys(w.KeyFile)
	must(t, err)
	return keys
}
