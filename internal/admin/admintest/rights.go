package admintest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// rights: the data held is written out once, with a reason, to a caller who names a
// number, and minors are counted.
func rights(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	const one, other, nobody = "330521195503070026", "11010519491231002X", "110105194912310038"
	file := w.File(t, []byte("id_number,name,phone,card_no\n"+one+",王淑珍,13800138000,A12345678\n"+other+",赵六,13800138001,A12345679\n"))
	_, err := a.ImportRegistry(ctx, file, admin.ImportConfig{})
	must(t, err)
	before := len(w.Entries(t))
	h, err := a.Held(ctx, " "+strings.ToLower(one)+" ", "asked at the counter, case 7")
	must(t, err)
	if h.Person == nil || h.Person.Name != "王淑珍" || h.Person.CardNo != "A12345678" || h.Person.Phone != "138****8000" || h.IDNumber != one || h.Card != nil {
		t.Errorf("%+v", h)
	}
	if shown := fmt.Sprintf("%+v", h); strings.Contains(shown, "赵六") || strings.Contains(shown, "13800138") {
		t.Errorf("shows too much: %s", shown)
	}
	entries := w.Entries(t)[before:]
	if len(entries) != 1 || entries[0].Event != audit.PersonShown || entries[0].Note != "reason=asked at the counter, case 7" {
		t.Errorf("entries %+v", entries)
	}
	for _, reason := range []audit.Reason{"", " ", "two\nlines"} {
		if _, err := a.Held(ctx, one, reason); !errors.Is(err, audit.ErrReason) {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	if _, err := a.Held(ctx, "not a number", "x"); !errors.Is(err, admin.ErrNumber) {
		t.Errorf("no number: %v", err)
	}
	if _, err := a.Held(ctx, nobody, "x"); !errors.Is(err, registry.ErrNobody) {
		t.Errorf("nobody: %v", err)
	}
	if n := len(w.Entries(t)) - before; n != 1 {
		t.Errorf("%d entries", n)
	}
	if w.Server == nil {
		if _, err := a.ErasePerson(ctx, one, "x", false); !errors.Is(err, admin.ErrNotServing) {
			t.Errorf("erased without keepers: %v", err)
		}
	}
	m, err := a.Minors(ctx, time.Date(1965, 3, 6, 0, 0, 0, 0, time.UTC), 4, "")
	must(t, err)
	if want := (registry.MinorsIn{Region: "3305", Under14: registry.Count{People: 1}}); m.Next != "" || len(m.Regions) != 2 && !slices.Contains(m.Regions, want) || !slices.Contains(m.Regions, want) {
		t.Errorf("%+v", m)
	}
	if _, err := a.Minors(ctx, Start, 3, ""); !errors.Is(err, registry.ErrDigits) {
		t.Errorf("three digits: %v", err)
	}
	if _, err := a.Minors(ctx, Start, 4, "zz"); !errors.Is(err, registry.ErrPlace) {
		t.Errorf("no place: %v", err)
	}
}

// documents name a person wherever a number does, and any two of them may be corrected.
func documents(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	file := "document_type,document_number,birth_date,name,card_no,region\n"
	all := []struct{ kind, number, typed string }{
		{"passport", "DEU-C01X00T47", "deu c01x00t47"}, {"hk_macao_permit", "H01234567", "h0123456702"}, {"taiwan_permit", "01234567", "0123456703(B)"},
		{"permanent_residence", "931276196402081232", "931276196402081232"}, {"foreigner_number", "AUT0P1234567", "aut0 p1234567"}, {"id_number", "810000199001011230", "810000 199001011230"},
	}
	for i, d := range all {
		file += fmt.Sprintf("%s,%s,%s,陈大文,D0000000%d,330502\n", d.kind, d.number, map[bool]string{true: "", false: "19900101"}[len(d.number) == 18], i)
	}
	sum, err := a.ImportRegistry(ctx, w.File(t, []byte(file)), admin.ImportConfig{})
	if must(t, err); sum.Rejected > 0 {
		t.Fatalf("%+v", sum)
	}
	for i, d := range all {
		h, err := a.Held(ctx, d.kind+":"+d.typed, "asked")
		if err != nil || h.Person == nil || h.Person.CardNo != fmt.Sprintf("D0000000%d", i) {
			t.Errorf("%s: %+v, %v", d.kind, h.Person, err)
		}
		if _, err := a.ErasePerson(ctx, d.kind+":"+d.typed, "asked", true); !errors.Is(err, admin.ErrNotServing) {
			t.Errorf("%s: erase: %v", d.kind, err)
		}
	}
	for _, wrong := range []string{"passport:C01X00T47", "library_card:123", "passport:", ":DEU-C01X00T47", "permanent_residence:DEU310164020812"} {
		if _, err := a.Held(ctx, wrong, "asked"); !errors.Is(err, admin.ErrNumber) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	got, err := a.CorrectNumber(ctx, admin.NumberCorrection{Former: "passport:deu c01x00t47", Number: "permanent_residence:931276199001011231", CardNo: "D00000000"}, "asked")
	if err == nil {
		t.Fatalf("a wrong check character: %+v", got)
	}
	got, err = a.CorrectNumber(ctx, admin.NumberCorrection{Former: "passport:deu c01x00t47", Number: "permanent_residence:931276199001011237", CardNo: "D00000000"}, "asked")
	if err != nil || got.Waiting == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	h, err := a.Held(ctx, "passport:DEU-C01X00T47", "asked")
	if err != nil || len(h.Corrections) != 1 || h.Corrections[0].Number != "931276199001011237" {
		t.Errorf("%+v, %v", h.Corrections, err)
	}
}

// statusOfPeople counts the cards of children, and the corrections under way.
func statusOfPeople(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	const child, grown = "330521201503070024", "330521195503070026"
	_, err := a.ImportRegistry(ctx, w.File(t, []byte("id_number,name,card_no\n"+child+",王小明,A12345678\n"+grown+",赵六,A12345679\n")), admin.ImportConfig{})
	must(t, err)
	must(t, w.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		card := func(n byte, number string) error {
			return tx.InsertCard(store.Card{ID: liuma.CardID{n}, Holder: w.vault.Index(vault.IndexIDNumber, number), Version: 1, Reserved: 1, Physical: liuma.PhysicalNormal, CreatedAt: Start})
		}
		correction := func(id string, n byte, state store.CorrectionState) error {
			return tx.PutCorrection(store.Correction{ID: id, Former: vault.Index{n}, Number: vault.Index{n, 1}, State: state, At: Start})
		}
		return audit.Entry{At: Start, Actor: "test", Event: audit.RowsPruned, Outcome: "ok"}, errors.Join(card(1, child), card(2, grown),
			tx.UpsertPerson(store.Person{Holder: vault.Index{8}, CorrectedTo: vault.Index{9}}), tx.UpsertPerson(store.Person{Holder: vault.Index{7}, Awaited: vault.Index{6}}), // nobody
			correction("aaaaaaaaaaaaaaa1", 1, store.CorrectionWaiting), correction("aaaaaaaaaaaaaaa2", 2, store.CorrectionMoving),
			correction("aaaaaaaaaaaaaaa3", 3, store.CorrectionStopped), correction("aaaaaaaaaaaaaaa4", 4, store.CorrectionCancelled))
	}))
	got, err := a.Status(ctx)
	must(t, err)
	if got.People != 2 {
		t.Errorf("%d people, want 2", got.People)
	}
	if want := (registry.Children{Under14: 1, Complete: true}); got.Children != want {
		t.Errorf("children %+v, want %+v", got.Children, want)
	}
	if want := (admin.Corrections{Waiting: 2, Stopped: 1}); got.Corrections != want {
		t.Errorf("corrections %+v, want %+v", got.Corrections, want)
	}
}

// erasing asks the server with number and reason, and keeps its refusals.
func erasing(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	const one = "330521195503070026"
	for _, reason := range []audit.Reason{"", " ", "two\nlines"} {
		if _, err := a.ErasePerson(ctx, one, reason, true); !errors.Is(err, audit.ErrReason) {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	if _, err := a.ErasePerson(ctx, "330521", "x", false); !errors.Is(err, admin.ErrNumber) {
		t.Errorf("no number: %v", err)
	}
	got, err := a.ErasePerson(ctx, one, "asked", true)
	must(t, err)
	if got.State != authority.EraseReady || !got.Person || got.Links != 2 || got.Notices != 3 || got.Conflicts != 4 || got.Card != Card.String() || !got.Until.Equal(Start) {
		t.Errorf("trial: %+v", got)
	}
	got, err = a.ErasePerson(ctx, one, "asked", false)
	must(t, err)
	holder := w.vault.Index(vault.IndexIDNumber, one)
	if want := []string{fmt.Sprintf("operator erased %x: asked", holder[:4])}; got.State != authority.EraseDone || !slices.Equal(w.Server.Acts(), want) {
		t.Errorf("%+v, acts %q, want %q", got, w.Server.Acts(), want)
	}
	for _, refusal := range []error{authority.ErrLive, authority.ErrFrozen, authority.ErrReported, authority.ErrUnderway, authority.ErrKept, authority.ErrRetire} {
		w.Server.Ail(refusal)
		if _, err := a.ErasePerson(ctx, one, "asked", false); !errors.Is(err, refusal) {
			t.Errorf("%v, want %v", err, refusal)
		}
	}
	w.Server.Ail(liuma.Fail(liuma.CodeUnavailable, errors.New("too few answered")))
	if _, err := a.ErasePerson(ctx, one, "asked", false); !errors.Is(err, admin.ErrKeepers) {
		t.Errorf("no keepers: %v", err)
	}
}
