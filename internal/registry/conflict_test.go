package registry

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TestAnotherPersonNeverOverwrites: what agrees in one of name, phone and card
// number is the same person; what agrees in none waits for an operator.
func TestAnotherPersonNeverOverwrites(t *testing.T) {
	for _, c := range []struct {
		cells   string
		another bool
	}{
		{"李丽,13900139000,B00000001,330502,", true},
		{"李丽,13800138000,B00000001,330502,", false},
		{"李丽,13900139000,A12345678,330502,", false},
		{"李丽,,A12345678,330502,", false},
		{"王 秀英,13900139000,B00000001,330502,", false}, // the name, spelled otherwise
		{"王\u2f2d英,13900139000,B00000001,330502,", true},
		{"李丽,,B00000001,330502,", true}, // no phone agrees with nothing
		{"李丽,139,B00000001,330502,", true},
		{"李丽,13900139000,B00000001,330502,died", true}, // nobody dies of another's row
		{"李丽,13900139000,B00000001,330502,cancelled", true},
	} {
		h := newHouse(t)
		h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,normal")
		card := h.enrolled(t, goodID)
		rows, _, sum := h.left(t, ImportConfig{}, header+"\n"+goodID+","+c.cells+"\n")
		p, f, err := h.find(t, goodID)
		must(t, err)
		all, err := h.Conflicts(t.Context(), "")
		must(t, err)
		if !c.another {
			if len(rows) > 0 || sum.Kept != 1 || len(all) > 0 {
				t.Errorf("%s: %v, %d conflicts", c.cells, rows, len(all))
			}
			continue
		}
		if len(rows) != 1 || rows[0] != "2 "+ReasonConflict || sum.Rejected != 1 || len(all) != 1 || h.untold(t, card.ID) != "" {
			t.Errorf("%s: %v %+v, %d conflicts", c.cells, rows, sum, len(all))
		}
		if f.Name != "王秀英" || f.Phone != "13800138000" || f.CardNo != "A12345678" || p.Physical != liuma.PhysicalNormal || p.Died {
			t.Errorf("%s overwrote the person", c.cells)
		}
		if shown := fmt.Sprintf("%+v", all[0]); strings.Contains(shown, "王秀英") || strings.Contains(shown, "李丽") ||
			strings.Contains(shown, "13800138000") || strings.Contains(shown, "A12345678") || strings.Contains(shown, goodID) {
			t.Errorf("a conflict shows whole data: %s", shown)
		}
	}
	h := newHouse(t)
	h.mustImport(t, goodID+",王秀英,,A12345678,330502,normal")
	if rows, _, _ := h.left(t, ImportConfig{}, header+"\n"+goodID+",李丽,,B00000001,330502,\n"); len(rows) != 1 {
		t.Error("two people without a phone are one")
	}
}

// TestConflictsAreListedOnce: however often a file comes, and a later row that
// agrees clears nothing by itself.
func TestConflictsAreListedOnce(t *testing.T) {
	h := newHouse(t)
	own, other := goodID+",王秀英,13800138000,A12345678,330502,normal", goodID+",李丽,13900139000,B00000001,330502,normal"
	h.mustImport(t, own)
	entries := func() int { _, all := h.count(t); return len(all) }
	before := entries()
	for range 3 {
		h.left(t, ImportConfig{}, header+"\n"+other+"\n")
	}
	if n := entries() - before; n != 1 {
		t.Errorf("%d entries of one conflict", n)
	}
	h.mustImport(t, own)
	all, err := h.Conflicts(t.Context(), "")
	must(t, err)
	if len(all) != 1 || all[0].Registered.Name != "王*英" || all[0].Imported.Name != "李*" || all[0].Registered.Phone != "138****8000" ||
		all[0].Imported.CardNo != "B*****001" || all[0].HasCard {
		t.Fatalf("%+v", all)
	}
	h.left(t, ImportConfig{DryRun: true}, header+"\n"+goodID+",赵六,,C00000001,330502,\n")
	if all, _ = h.Conflicts(t.Context(), ""); len(all) != 1 {
		t.Error("a trial listed a conflict")
	}
	// Decided for the registered person, the row is left out and not listed.
	must(t, h.KeepRegistered(t.Context(), "operator", all[0].ID, "checked"))
	rows, _, _ := h.left(t, ImportConfig{}, header+"\n"+other+"\n")
	if len(rows) != 1 || rows[0] != "2 "+ReasonConflictKept {
		t.Errorf("%v", rows)
	}
	if left, _ := h.Conflicts(t.Context(), ""); len(left) > 0 {
		t.Error("a decided conflict is listed")
	}
	if v, err := h.Conflict(t.Context(), all[0].ID); err != nil || v.KeptAt == nil {
		t.Errorf("%+v, %v", v, err)
	}
	_, record := h.count(t)
	if last := record[len(record)-1]; last.Event != audit.ConflictKept || last.Actor != "operator" || !strings.Contains(last.Note, "checked") {
		t.Errorf("%+v", last)
	}
}

// TestReplacing gives a number to another person, and freezes the card under it
// for good.
func TestReplacing(t *testing.T) {
	h := newHouse(t)
	h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,normal")
	card := h.enrolled(t, goodID)
	h.left(t, ImportConfig{}, header+"\n"+goodID+",李丽,13900139000,B00000001,330523,lost\n")
	h.left(t, ImportConfig{}, header+"\n"+goodID+",赵六,,C00000001,330502,\n")
	all, err := h.Conflicts(t.Context(), "")
	must(t, err)
	if len(all) != 2 || !all[0].HasCard {
		t.Fatalf("%+v", all)
	}
	li, zhao := all[0], all[1]
	if li.Imported.Name != "李*" {
		li, zhao = zhao, li
	}
	must(t, h.KeepRegistered(t.Context(), "operator", zhao.ID, "not him"))
	out, err := h.ReplaceRegistered(t.Context(), "operator", li.ID, "seen at the counter")
	if err != nil || out.Card != card.ID.String() {
		t.Fatalf("%+v, %v", out, err)
	}
	p, f, err := h.find(t, goodID)
	must(t, err)
	c := h.card(t, card.ID)
	if f.Name != "李丽" || f.Phone != "13900139000" || f.CardNo != "B00000001" || p.Physical != liuma.PhysicalLost || p.Region != "330523" {
		t.Error("the person is not the row's")
	}
	if !c.Frozen || !c.Contested || c.FrozenAt.IsZero() || c.Physical != liuma.PhysicalLost || c.Region != "330523" {
		t.Errorf("the card: %+v", c)
	}
	if h.untold(t, card.ID) != store.ChangedPerson {
		t.Errorf("to be told: %q", h.untold(t, card.ID))
	}
	var change store.PersonChange
	must(t, h.st.View(t.Context(), func(r store.Reader) (err error) { change, err = r.PersonChange(card.ID); return err }))
	if was, err := h.Was(change); err != nil || was.Name != "王秀英" {
		t.Errorf("the person before: %v", err)
	}
	// What was decided about the old person is asked about the new one.
	all, err = h.Conflicts(t.Context(), "")
	must(t, err)
	if len(all) != 1 || all[0].ID != zhao.ID {
		t.Errorf("%+v", all)
	}
	for _, id := range []string{li.ID, "", "none"} {
		if _, err := h.ReplaceRegistered(t.Context(), "operator", id, "again"); !errors.Is(err, ErrNoConflict) {
			t.Errorf("%q again: %v", id, err)
		}
		if err := h.KeepRegistered(t.Context(), "operator", id, "again"); !errors.Is(err, ErrNoConflict) {
			t.Errorf("%q again: %v", id, err)
		}
	}
	_, record := h.count(t)
	for _, e := range record {
		if e.Event == audit.ConflictReplaced && (e.Card != card.ID || !strings.Contains(e.Note, "seen at the counter")) {
			t.Errorf("%+v", e)
		}
	}
}

func TestReplacingRefuses(t *testing.T) {
	h := newHouse(t)
	id2, _ := person(2)
	h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,normal", id2+",赵六,,C00000001,330502,")
	h.left(t, ImportConfig{}, header+"\n"+goodID+",李丽,13900139000,C00000001,330502,\n")
	all, err := h.Conflicts(t.Context(), "")
	must(t, err)
	if _, err := h.ReplaceRegistered(t.Context(), "operator", all[0].ID, "x"); !errors.Is(err, ErrCardTaken) {
		t.Errorf("a card number of another person: %v", err)
	}
	h.mustImport(t, goodID+",李丽,13800138000,A12345678,330502,normal") // the name was corrected
	if _, err := h.ReplaceRegistered(t.Context(), "operator", all[0].ID, "x"); !errors.Is(err, ErrAgrees) {
		t.Errorf("the person by now: %v", err)
	}
	if _, f, _ := h.find(t, goodID); f.CardNo != "A12345678" {
		t.Error("a refused act changed the person")
	}
}

// TestTheOneWhoIsGone: a card whose person is gone or another's is a fault, not a
// person.
func TestTheOneWhoIsGone(t *testing.T) {
	h := newHouse(t)
	id2, _ := person(2)
	h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,normal", id2+",赵六,,C00000001,330502,")
	one, two := h.vault.Index(vault.IndexIDNumber, goodID), h.vault.Index(vault.IndexIDNumber, id2)
	if _, _, err := h.of(t, vault.Index{7}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	p, f, err := h.of(t, two)
	must(t, err)
	p.Holder = one
	p.Sealed, err = h.seal(one, f)
	must(t, err)
	p.CardNo = vault.Index{1}
	must(t, h.st.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: h.now(), Actor: "system", Event: audit.RegistryImported, Outcome: "ok"}, tx.UpsertPerson(p)
	}))
	if _, _, err := h.of(t, one); !errors.Is(err, ErrFacts) {
		t.Errorf("another's facts: %v", err)
	}
}
