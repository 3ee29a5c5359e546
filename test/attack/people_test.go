package attack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/registry"
)

// imported imports people as an operator does, and gives the reasons of the rows
// that were left out.
func (w *world) imported(people ...registry.Facts) (left []string) {
	w.t.Helper()
	var file strings.Builder
	file.WriteString("id_number,name,phone,card_no,region\n")
	for _, f := range people {
		fmt.Fprintf(&file, "%s,%s,%s,%s,%s\n", f.IDNumber, f.Name, f.Phone, f.CardNo, f.Region)
	}
	path := filepath.Join(w.t.TempDir(), "people.csv")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		w.t.Fatal(err)
	}
	in, err := os.Open(path)
	must(w.t, in, err)
	defer in.Close()
	_, err = w.System.Admin.ImportRegistry(context.Background(), in, admin.ImportConfig{Reject: func(_ int, reason string) { left = append(left, reason) }})
	must(w.t, in, err)
	return left
}

// maintained lets a round of maintenance run, and gives the notices to a number
// since.
func (w *world) maintained(phone string) (all []notify.Received) {
	w.t.Helper()
	before := len(w.Inbox.Texts(phone))
	if err := w.System.Authority.MaintainOnce(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.Sent()
	return slices.DeleteFunc(slices.Clone(w.Inbox.Texts(phone))[before:], func(r notify.Received) bool { return r.Kind != notify.KindNotice })
}

// TestAChangedNameLocksNobodyOut: link and evidence go by what the registry says
// now. The old name is as wrong as any other, and the holder is told.
func TestAChangedNameLocksNobodyOut(t *testing.T) {
	w := newWorld(t, false)
	was, is := w.who, w.who
	is.Name = "欧阳新名"
	if got := w.watch.tryLink(w.number(), is, goodPIN, false); got != "refused" {
		t.Errorf("the name before its time: %s", got)
	}
	if left := w.imported(is); len(left) > 0 {
		t.Fatal(left)
	}
	told := w.maintained(was.Phone)
	if len(told) != 1 || told[0].Template != notify.PersonChanged || !strings.Contains(told[0].Body, "姓名") || !strings.Contains(told[0].Body, is.MaskedName()) {
		t.Fatalf("told: %+v", told)
	}
	if again := w.maintained(was.Phone); len(again) > 0 {
		t.Error("told twice")
	}
	c := w.channel("new-app")
	if got := c.tryLink(w.number(), was, goodPIN, false); got != "refused" {
		t.Errorf("link by the old name: %s", got)
	}
	if got := c.tryLink(w.number(), is, goodPIN, false); got != "right" {
		t.Errorf("link by the new name: %s", got)
	}
	// Evidence about the old name is about somebody else.
	for _, tt := range []struct {
		who  registry.Facts
		code string
	}{{was, "evidence_invalid"}, {is, ""}} {
		ch := w.home.challenge()
		v, err := w.home.change(w.card, goodPIN, thiefPIN, w.Evidence(tt.who, ch.Value), ch)
		code := ""
		switch {
		case err != nil:
			code = client.CodeOf(err)
		case !v.Right():
			code = v.Code
		}
		if code != tt.code {
			t.Errorf("evidence with %s: %q, want %q", tt.who.Name, code, tt.code)
		}
	}
}

// TestAHolderOfAnyNameIsTold: a registry that gives somebody a name whose first letter is longer
// than a masked name may be keeps neither notices nor codes from them.
func TestAHolderOfAnyNameIsTold(t *testing.T) {
	w := newWorld(t, false)
	is := w.who
	is.Name = "Q" + strings.Repeat("\u0301", 9) + "wx"
	if left := w.imported(is); len(left) > 0 {
		t.Fatal(left)
	}
	if told := w.maintained(is.Phone); len(told) != 1 || told[0].Template != notify.PersonChanged {
		t.Fatalf("of the name: %d notices", len(told))
	}
	_, err := w.home.native.Freeze(context.Background(), client.FreezeRequest{BusinessNo: w.number(), Subject: client.Subject{Card: w.card}})
	must(t, w.card, err)
	if told := w.maintained(is.Phone); len(told) != 1 || told[0].Template != notify.CardFrozen {
		t.Fatalf("of a freeze: %d notices", len(told))
	}
}

// TestTheRegistrysPhoneIsNoContact: who can change a phone in the registry gets
// neither the notice of it nor a code.
func TestTheRegistrysPhoneIsNoContact(t *testing.T) {
	w := newWorld(t, false)
	is := w.who
	is.Phone, is.Region = thiefNumber, "110101"
	if left := w.imported(is); len(left) > 0 {
		t.Fatal(left)
	}
	told := w.maintained(w.who.Phone)
	if len(told) != 1 || !strings.Contains(told[0].Body, "手机号、地区") {
		t.Fatalf("told: %+v", told)
	}
	q := request{action: liuma.ActionReset, card: w.card, bn: w.number()}
	p := w.do(w.enter(w.browser(), w.home.pushed(q)), "agree")
	w.coded(p, w.who.Phone)
	if got := w.Inbox.Texts(thiefNumber); len(got) > 0 {
		t.Errorf("the registry's phone got %+v", got)
	}
}

// TestAnotherPersonsRow: a row about another person under the holder's number
// changes nothing. Decided for the other one, the card serves nobody: neither who
// knows its PIN and has its phone, nor the other person.
func TestAnotherPersonsRow(t *testing.T) {
	w := newWorld(t, false)
	other := registry.Facts{IDNumber: w.who.IDNumber, Name: "司徒别人", Phone: thiefNumber, CardNo: "Z99999999", Region: w.who.Region}
	for range 2 {
		if left := w.imported(other); len(left) != 1 || left[0] != registry.ReasonConflict {
			t.Fatal(left)
		}
	}
	if v, err := w.home.verify(w.card, goodPIN); err != nil || !v.Right() {
		t.Fatalf("the holder: %+v, %v", v, err)
	}
	if got := w.watch.tryLink(w.number(), other, goodPIN, false); got != "refused" {
		t.Errorf("the other person links: %s", got)
	}
	all, err := w.System.Admin.Conflicts(context.Background(), "")
	if len(must(t, all, err)) != 1 {
		t.Fatalf("%+v", all)
	}
	out, err := w.System.Admin.ReplaceConflict(context.Background(), all[0].ID, "seen with the ID card")
	if must(t, out, err); out.Card == "" {
		t.Fatal("no card was frozen")
	}
	told := w.maintained(w.who.Phone)
	if len(told) != 1 || told[0].Template != notify.CardFrozen || !strings.Contains(told[0].Body, w.who.MaskedName()) ||
		strings.Contains(told[0].Body, other.MaskedName()) {
		t.Fatalf("told: %+v", told)
	}
	if got := w.home.standing(w.card); got != "frozen" {
		t.Errorf("the card is %s", got)
	}
	if v, err := w.home.native.Card(context.Background(), w.card); err != nil || v.NameMasked != "*" {
		t.Errorf("the old channel sees %+v, %v", v, err)
	}
	other.Phone = "13700137001"
	if left := w.imported(other); len(left) > 0 {
		t.Fatal(left)
	}
	if told := w.maintained(w.who.Phone); len(told) > 0 {
		t.Errorf("told of the other person: %+v", told)
	}
	q := request{action: liuma.ActionUnfreeze, card: w.card, bn: w.number()}
	p := w.enter(w.browser(), w.home.pushed(q))
	if p.Has("agree") {
		p = w.do(p, "agree")
	}
	if p.Has("send-code") || !strings.Contains(p.Text(), "另一个人") {
		t.Errorf("unfreezing goes on: %s", p.Text())
	}
	if got := w.shady.tryLink(w.number(), other, goodPIN, true); got == "right" {
		t.Error("the other person has the card")
	}
}
