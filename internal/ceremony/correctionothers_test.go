package ceremony_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestACorrectionBroughtByAnImport takes the same way; another person under the old
// number is taken once the number is free, and the corrected one does not come back.
func TestACorrectionBroughtByAnImport(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	imported := func(rows ...string) registry.Summary {
		t.Helper()
		file := "id_number,name,phone,card_no,former_id_number\n" + strings.Join(rows, "\n") + "\n"
		sum, err := x.System.Registry.Import(t.Context(), strings.NewReader(file), registry.ImportConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	row := func(f registry.Facts, former string) string {
		return strings.Join([]string{f.IDNumber, f.Name, f.Phone, f.CardNo, former}, ",")
	}
	for range 2 { // every night
		if sum := imported(row(x.is, x.who.IDNumber)); sum.Corrections != 1 || sum.Kept != 1 {
			t.Fatalf("%+v", sum)
		}
		x.maintained()
		x.told()
	}
	if n := x.notices("id_number_correction"); n != 1 {
		t.Errorf("told %d times", n)
	}
	x.wantUnder(false)
	x.Clock.Advance(73 * time.Hour)
	x.maintained()
	x.wantUnder(true)
	if sum := imported(row(x.is, x.who.IDNumber)); sum.Unchanged != 1 || sum.Corrections != 0 {
		t.Errorf("the same row afterwards: %+v", sum)
	}
	back := x.who
	for _, back.CardNo = range []string{x.who.CardNo, "Q11111111"} {
		if sum := imported(row(back, "")); sum.Rejected != 1 {
			t.Errorf("the old row afterwards, card %s: %+v", back.CardNo, sum)
		}
	}
	b := x.who
	b.Name, b.Phone, b.CardNo = "欧阳其他", "13512340000", "Q98765432"
	if sum := imported(row(b, "")); sum.Kept != 1 {
		t.Errorf("the old number's other person: %+v", sum)
	}
	if sum := imported(row(x.is, x.who.IDNumber)); sum.Unchanged != 1 {
		t.Errorf("the same row beside that person: %+v", sum)
	}
	if code := x.applies(b); code != "" {
		t.Errorf("the other person's application: %q", code)
	}
	x.wantTwo(b)
}

// TestANamesakeBringsNoCorrection: a row with somebody's former number and name, and
// neither their phone nor their card number, moves no card. An operator decides, and
// what the row says of phone and card counts only when it is imported after that.
func TestANamesakeBringsNoCorrection(t *testing.T) {
	for _, way := range []string{"another name", "kept", "replaced"} {
		t.Run(way, func(t *testing.T) {
			x := newCorrected(t, testkit.Options{})
			people := x.System.Registry
			imported := func() registry.Summary {
				t.Helper()
				name := x.who.Name
				if way == "another name" {
					name = "欧阳其他"
				}
				file := "id_number,name,phone,card_no,former_id_number\n" +
					strings.Join([]string{x.is.IDNumber, name, "13512340000", "Q98765432", x.who.IDNumber}, ",") + "\n"
				sum, err := people.Import(t.Context(), strings.NewReader(file), registry.ImportConfig{})
				if err != nil || sum.Corrections != 0 || sum.Kept != 0 {
					t.Fatalf("%+v, %v", sum, err)
				}
				return sum
			}
			for range 2 {
				imported()
				x.maintained()
			}
			all, err := people.Conflicts(t.Context(), "")
			if err != nil || len(all) != map[string]int{"kept": 1, "replaced": 1}[way] {
				t.Fatalf("the operator's list: %+v, %v", all, err)
			}
			if n := x.notices("id_number_correction"); n != 0 {
				t.Errorf("told %d times", n)
			}
			x.wantUnder(false)
			if way == "another name" {
				return
			}
			v := all[0]
			if v.Former != registry.MaskIDNumber(x.who.IDNumber) || v.Registered.Name == "" || v.Registered.CardNo == v.Imported.CardNo || !v.HasCard {
				t.Errorf("the operator sees %+v", v)
			}
			if way == "kept" {
				if err := people.KeepRegistered(t.Context(), "operator", v.ID, "seen"); err != nil {
					t.Fatal(err)
				}
				imported()
				if all, err := people.Conflicts(t.Context(), ""); err != nil || len(all) != 0 {
					t.Errorf("listed again: %+v, %v", all, err)
				}
				x.Clock.Advance(73 * time.Hour)
				x.maintained()
				x.wantUnder(false)
				return
			}
			if _, err := people.ReplaceRegistered(t.Context(), "operator", v.ID, "seen"); err != nil {
				t.Fatal(err)
			}
			x.maintained()
			x.told()
			x.Clock.Advance(73 * time.Hour)
			x.maintained()
			x.wantUnder(true)
			if n := x.notices("id_number_correction"); n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
}

// wantTwo: the old number is another person's, with a card of their own.
func (x *corrected) wantTwo(b registry.Facts) {
	x.T.Helper()
	if !x.linksBy(x.is) {
		x.T.Error("the corrected holder's card is gone")
	}
	v, err := x.Authority().Link(context.Background(), x.ch, x.LinkRequest(x.ch, b, goodPIN))
	if err != nil || v.Verdict == liuma.Right {
		x.T.Errorf("the corrected holder's PIN opens the other's card: %+v, %v", v, err)
	}
}

// TestAHotlineStopsACorrectionByEitherNumber: the holder reads the new number off
// the identity card, or the old one off an old paper.
func TestAHotlineStopsACorrectionByEitherNumber(t *testing.T) {
	for name, number := range map[string]func(*corrected) string{
		"old": func(x *corrected) string { return x.who.IDNumber },
		"new": func(x *corrected) string { return x.is.IDNumber },
	} {
		t.Run(name, func(t *testing.T) {
			x := newCorrected(t, testkit.Options{})
			line := authority.Caller{Client: x.AddClient(store.Client{ID: "h12333", Kind: store.ClientHotline}, x.NewKey())}
			call := func() error {
				bn := x.BusinessNo()
				_, err := x.Authority().FreezeByHotline(t.Context(), line, authority.HotlineFreeze{BusinessNo: bn, IDNumber: number(x), Digest: testkit.Digest(string(bn))})
				return err
			}
			if err := call(); name == "new" && liuma.CodeOf(err) != liuma.CodeNotFound {
				t.Errorf("before the correction: %v", err)
			}
			if name == "new" {
				x.reported()
				if err := call(); err != nil {
					t.Fatal(err)
				}
				x.maintained()
			}
			if _, err := x.report(); err == nil {
				t.Error("the correction goes on")
			}
			if v := x.Verify(x.ch, x.card, goodPIN); v.Code != liuma.CodeFrozen {
				t.Errorf("%+v", v)
			}
		})
	}
}

// TestAnOperatorDecidesWhoseTheNewNumberIs: a correction to another person's number
// waits for an operator. Decided for the corrected one, it goes the same way, and
// the other person gives way when it counts.
func TestAnOperatorDecidesWhoseTheNewNumberIs(t *testing.T) {
	for _, replace := range []bool{false, true} {
		t.Run(fmt.Sprintf("replace=%v", replace), func(t *testing.T) {
			x := newCorrected(t, testkit.Options{Shape: "2/3"})
			people, other := x.System.Registry, x.People[4]
			x.is.IDNumber = other.IDNumber
			for range 2 {
				if _, err := x.report(); liuma.CodeOf(err) != liuma.CodeCorrectionContested {
					t.Fatal(err)
				}
			}
			all, err := people.Conflicts(t.Context(), "")
			if err != nil || len(all) != 1 || all[0].Former != registry.MaskIDNumber(x.who.IDNumber) {
				t.Fatalf("%+v, %v", all, err)
			}
			if !replace {
				if err := people.KeepRegistered(t.Context(), "operator", all[0].ID, "seen"); err != nil {
					t.Fatal(err)
				}
				if _, err := x.report(); liuma.CodeOf(err) != liuma.CodeCorrectionContested {
					t.Errorf("told again: %v", err)
				}
				if all, err := people.Conflicts(t.Context(), ""); err != nil || len(all) != 0 {
					t.Errorf("listed again: %+v, %v", all, err)
				}
				if code := x.applies(other); code != "" {
					t.Errorf("the registered person: %q", code)
				}
				return
			}
			if _, err := people.ReplaceRegistered(t.Context(), "operator", all[0].ID, "seen"); err != nil {
				t.Fatal(err)
			}
			if code := x.applies(other); code != liuma.CodeNotInRegistry {
				t.Errorf("the other person while it waits: %q", code)
			}
			x.maintained()
			x.told()
			x.Clock.Advance(73 * time.Hour)
			x.maintained()
			x.wantUnder(true)
			if n := x.notices("id_number_correction"); n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
}

// TestACorrectionOntoANamesakeIsContested: a name in common does not make two registered
// people one, a phone in common does.
func TestACorrectionOntoANamesakeIsContested(t *testing.T) {
	for _, phone := range []bool{false, true} {
		x := newCorrected(t, testkit.Options{})
		other := x.People[4]
		other.Name = x.who.Name
		if phone {
			other.Phone = x.who.Phone
		}
		file := "id_number,name,phone,card_no\n" + strings.Join([]string{other.IDNumber, other.Name, other.Phone, other.CardNo}, ",") + "\n"
		if _, err := x.System.Registry.Import(t.Context(), strings.NewReader(file), registry.ImportConfig{}); err != nil {
			t.Fatal(err)
		}
		x.is.IDNumber = other.IDNumber
		_, err := x.report()
		list, listErr := x.System.Registry.Conflicts(t.Context(), "")
		if listErr != nil {
			t.Fatal(listErr)
		}
		if phone && (err != nil || len(list) != 0) {
			t.Errorf("one person, registered twice: %v, %+v", err, list)
		}
		if !phone && (liuma.CodeOf(err) != liuma.CodeCorrectionContested || len(list) != 1) {
			t.Errorf("a namesake: %v, %+v", err, list)
		}
	}
}

// TestACancelledCorrectionGivesTheNumberBack to the person who was registered there.
func TestACancelledCorrectionGivesTheNumberBack(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	people, other := x.System.Registry, x.People[4]
	x.is.IDNumber = other.IDNumber
	_, _ = x.report()
	all, err := people.Conflicts(t.Context(), "")
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if _, err := people.ReplaceRegistered(t.Context(), "operator", all[0].ID, "seen"); err != nil {
		t.Fatal(err)
	}
	x.maintained()
	list, err := people.Corrections(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].State != "waiting" {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := people.CancelCorrection(t.Context(), "operator", list[0].ID, "wrong"); err != nil {
		t.Fatal(err)
	}
	p, _ := x.agreed(x.push(liuma.ActionReset))
	x.want(p, ceremony.StepCode, "")
	if code := x.applies(other); code != "" {
		t.Errorf("the person who was registered: %q", code)
	}
	x.Clock.Advance(100 * time.Hour)
	x.maintained()
	if x.linksBy(x.who) != true {
		t.Error("the holder's card is gone")
	}
}
