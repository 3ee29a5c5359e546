package admintest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
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

// rootKeysDropped: without a server everything is sealed anew first, and the
// record says so and why.
func rootKeysDropped(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	furnish(t, w)
	_, err := a.RotateRootKey(ctx, "rota")
	must(t, err)
	before, entries := listed(t, w), w.Entries(t)
	refused := func(id uint32, reason audit.Reason, want error) {
		t.Helper()
		if _, err := a.DropRootKey(ctx, id, reason); !errors.Is(err, want) {
			t.Errorf("key %d, reason %q: %v, want %v", id, reason, err, want)
		}
	}
	refused(2, "rota", vault.ErrRootSeals)
	refused(9, "rota", vault.ErrNoRootKey)
	refused(1, " ", audit.ErrReason)
	w.Broken.Store(true)
	refused(1, "rota", store.ErrFailed)
	w.Broken.Store(false)
	if diff := cmp.Diff(before, listed(t, w)) + cmp.Diff(entries, w.Entries(t)); diff != "" {
		t.Error("a refusal changed something:", diff)
	}
	s, err := a.Status(ctx)
	if diff := cmp.Diff(&admin.Resealing{Key: 2, Older: []uint32{1}}, s.Resealing); diff != "" || err != nil {
		t.Error("before:", diff, err)
	}
	out, err := a.DropRootKey(ctx, 1, "a laptop was stolen")
	if out != (admin.DroppedRootKey{}) || err != nil {
		t.Errorf("dropped: %+v, %v", out, err)
	}
	if keys := listed(t, w); len(keys) != 1 || keys[0].ID != 2 || len(w.vault.OpensWith()) != 0 {
		t.Errorf("keys %+v, the open vault opens with %v", keys, w.vault.OpensWith())
	}
	saidOfDrop(t, w, len(entries))
	if s, err = a.Status(ctx); s.Resealing != nil || s.SealKey == nil || err != nil {
		t.Errorf("after: %+v, %v", s, err)
	}
}

// saidOfDrop checks the record's entries about a pass and a drop, after n earlier
// acts.
func saidOfDrop(t *testing.T, w *World, n int) {
	t.Helper()
	want := []audit.Entry{
		{Actor: admin.Actor, Event: audit.RootKeyDropped, Outcome: "begun", Note: "key=1 reason=a laptop was stolen"},
		{Actor: admin.Actor, Event: audit.RootKeyDropped, Outcome: "ok", Note: "key=1"},
	}
	if diff := cmp.Diff(want, w.Entries(t)[n:], cmpopts.IgnoreFields(audit.Entry{}, "At")); diff != "" {
		t.Error("the record of the drop:", diff)
	}
	passes := resealedEntries(t, w)
	var rows int
	if _, err := fmt.Sscanf(passes[len(passes)-1].Note, "key=2 rows=%d refused=0", &rows); err != nil || rows < 20 {
		t.Errorf("the end of the pass: %q", passes[len(passes)-1].Note)
	}
	want = []audit.Entry{
		{Actor: "system", Event: audit.RowsResealed, Outcome: "begun", Note: "key=2"},
		{Actor: "system", Event: audit.RowsResealed, Outcome: "ok", Note: fmt.Sprintf("key=2 rows=%d refused=0", rows)},
	}
	if diff := cmp.Diff(want, passes, cmpopts.IgnoreFields(audit.Entry{}, "At")); diff != "" {
		t.Error("the record of the pass:", diff)
	}
}

func resealedEntries(t *testing.T, w *World) (out []audit.Entry) {
	t.Helper()
	must(t, w.Store.View(t.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		out = nil
		for _, e := range all {
			if e.Event == audit.RowsResealed {
				out = append(out, e.Entry)
			}
		}
		return err
	}))
	return out
}

// servedRootKeys: a running server seals everything anew by itself, a minute
// after the rotation, and drops no key before it is done.
func servedRootKeys(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	furnish(t, w)
	must(t, w.Admin.ResealOnce(ctx))
	_, err := a.RotateRootKey(ctx, "rota")
	must(t, err)
	entries := w.Entries(t)
	must(t, w.Admin.ResealOnce(ctx)) // too early
	if _, err := a.DropRootKey(ctx, 1, "rota"); !errors.Is(err, admin.ErrResealing) {
		t.Errorf("dropped before anything was sealed anew: %v", err)
	}
	if diff := cmp.Diff(entries, w.Entries(t)); diff != "" {
		t.Error("a refusal changed something:", diff)
	}
	w.Hands.Step(61 * time.Second)
	_, err = a.AcceptClock(ctx, why)
	must(t, err)
	entries = w.Entries(t)
	must(t, w.Admin.ResealOnce(ctx))
	s, err := a.Status(ctx)
	if r := s.Resealing; err != nil || r == nil || !r.Ended || r.Key != 2 || r.Rows < 20 || r.Refused != 0 {
		t.Errorf("after the pass: %+v, %v", r, err)
	}
	_, err = a.DropRootKey(ctx, 1, "a laptop was stolen")
	must(t, err)
	saidOfDrop(t, w, len(entries))
	must(t, w.Admin.ResealOnce(ctx))
	if n := len(resealedEntries(t, w)); n != 2 {
		t.Errorf("%d entries of passes, want 2: there is nothing left to do", n)
	}
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
	keys, err := vault.At(w.KeyFile).RootKeys()
	must(t, err)
	return keys
}
