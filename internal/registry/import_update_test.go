package registry

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// importing returns what was left out: "line reason".
func (h *house) left(t testing.TB, c ImportConfig, content string) (rows, cells []string, sum Summary) {
	t.Helper()
	c.Reject = func(line int, reason string) { rows = append(rows, fmt.Sprint(line, " ", reason)) }
	c.Cell = func(line int, reason string) { cells = append(cells, fmt.Sprint(line, " ", reason)) }
	sum, err := h.Import(t.Context(), strings.NewReader(content), c)
	must(t, err)
	return rows, cells, sum
}

func (h *house) enrolled(t testing.TB, number string) store.Card {
	t.Helper()
	card := store.Card{
		ID: liuma.NewCardID(), Holder: h.vault.Index(vault.IndexIDNumber, number), Region: "330502",
		Version: 1, Physical: liuma.PhysicalNormal, CreatedAt: h.now(),
	}
	must(t, h.st.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: h.now(), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"}, tx.InsertCard(card)
	}))
	return card
}

func (h *house) card(t testing.TB, id liuma.CardID) (c store.Card) {
	t.Helper()
	must(t, h.st.View(t.Context(), func(r store.Reader) (err error) { c, err = r.Card(id); return err }))
	return c
}

// of reads what a card's holder is.
func (h *house) of(t testing.TB, holder vault.Index) (p store.Person, f Facts, err error) {
	t.Helper()
	must(t, h.st.View(t.Context(), func(r store.Reader) error { p, f, err = h.Of(r, holder); return nil }))
	return p, f, err
}

// untold is what the holder of a card is to be told of.
func (h *house) untold(t testing.TB, id liuma.CardID) string {
	t.Helper()
	var c store.PersonChange
	err := h.st.View(t.Context(), func(r store.Reader) (err error) { c, err = r.PersonChange(id); return err })
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return strings.Join(c.What, " ")
}

// TestABadCellKeepsThePerson: what is optional is left out alone.
func TestABadCellKeepsThePerson(t *testing.T) {
	id, _ := person(1)
	for _, c := range []struct{ cells, reason, phone, region, physical string }{
		{"12345,A12345678,330500,", "2 phone", "", "3305", "normal"},
		{"010-62345678,A12345678,330500,", "2 phone", "", "3305", "normal"},
		{"1.38E+10,A12345678,330500,", "2 phone_excel", "", "3305", "normal"},
		{"13800138000;13900139000,A12345678,330500,", "2 phone", "", "3305", "normal"},
		{"١٣٨٠٠١٣٨٠٠٠,A12345678,330500,", "2 phone", "", "3305", "normal"},
		{"13800138000,A12345678,湖州,", "2 region", "13800138000", "330502", "normal"},
		{"13800138000,A12345678,330599,", "2 region", "13800138000", "3305", "normal"},
		{"13800138000,A12345678,339999,", "2 region", "13800138000", "33", "normal"},
		{"13800138000,A12345678,990000,", "2 region", "13800138000", "330502", "normal"},
		{"13800138000,A12345678,330500,stolen", "2 status", "13800138000", "3305", "lost"},
	} {
		h := newHouse(t)
		rows, cells, sum := h.left(t, ImportConfig{}, header+"\n"+id+",王秀英,"+c.cells+"\n")
		if len(rows) > 0 || len(cells) != 1 || cells[0] != c.reason || sum.Kept != 1 || sum.Cells != 1 {
			t.Errorf("%s: rows %v, cells %v, %+v", c.cells, rows, cells, sum)
			continue
		}
		p, f, err := h.find(t, id)
		must(t, err)
		if f.Phone != c.phone || string(f.Region) != c.region || string(p.Physical) != c.physical {
			t.Errorf("%s: phone %q, region %s, %s", c.cells, f.Phone, f.Region, p.Physical)
		}
	}
	// Who was known keeps what was known.
	h := newHouse(t)
	h.mustImport(t, id+",王秀英,13800138000,A12345678,330523,")
	h.left(t, ImportConfig{}, header+"\n"+id+",王秀英,1380,A12345678,zhejiang,gone\n")
	p, f, err := h.find(t, id)
	must(t, err)
	if f.Phone != "13800138000" || f.Region != "330523" || p.Physical != liuma.PhysicalNormal {
		t.Errorf("phone %q, region %s, %s", f.Phone, f.Region, p.Physical)
	}
}

// TestUpdates: a later file changes what it says, and nothing else.
func TestUpdates(t *testing.T) {
	h := newHouse(t)
	h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,lost")
	card := h.enrolled(t, goodID)
	step := func(name, content string, want Facts, physical liuma.PhysicalStatus) {
		t.Helper()
		rows, cells, sum := h.left(t, ImportConfig{}, content)
		p, f, err := h.find(t, goodID)
		must(t, err)
		if len(rows)+len(cells) > 0 || sum.Kept != 1 || f != want || p.Physical != physical || p.Region != f.Region {
			t.Errorf("%s: %v %v %+v, another person or %s", name, rows, cells, sum, p.Physical)
		}
	}
	f := Facts{Name: "王秀英", IDNumber: goodID, Phone: "13800138000", CardNo: "A12345678", Region: "330502"}
	f.Phone = "13900139000"
	step("phone", "id_number,name,card_no,phone\n"+goodID+",王秀英,A12345678,13900139000\n", f, liuma.PhysicalLost)
	f.Name, f.Region = "王䶮", "3305"
	step("name and region", "id_number,name,card_no,region\n"+goodID+",王\ue863,A12345678,330500\n", f, liuma.PhysicalLost)
	f.Phone = ""
	step("no phone", "id_number,name,card_no,phone\n"+goodID+",王䶮,A12345678,\n", f, liuma.PhysicalLost)
	f.CardNo = "B00000007"
	replaced := "id_number,name,card_no,status,replaced_by\n" + goodID + ",王䶮,A12345678,replaced,B00000007\n"
	step("replaced", replaced, f, liuma.PhysicalNormal)
	if c := h.card(t, card.ID); c.Physical != liuma.PhysicalNormal {
		t.Errorf("the electronic card is %s", c.Physical)
	} else if _, own, err := h.of(t, c.Holder); err != nil || own != f || c.Region != "3305" {
		t.Errorf("the card's holder is another: %v, region %s", err, c.Region)
	}
	if what := h.untold(t, card.ID); what != "phone name region card_no" {
		t.Errorf("the holder is to be told of %q", what)
	}
	step("lost", "id_number,name,card_no,status\n"+goodID+",王䶮,B00000007,挂失\n", f, liuma.PhysicalLost)
	step("replaced, said again", replaced, f, liuma.PhysicalLost)
	step("died", "id_number,name,card_no,status\n"+goodID+",王䶮,B00000007,死亡\n", f, liuma.PhysicalCancelled)
	if c := h.card(t, card.ID); c.Physical != liuma.PhysicalCancelled {
		t.Errorf("after the death the electronic card is %s", c.Physical)
	}
	f.CardNo = "C00000008"
	step("replaced after the death", "id_number,name,card_no,status,replaced_by\n"+goodID+",王䶮,B00000007,replaced,C00000008\n", f, liuma.PhysicalCancelled)
	if rows, _, _ := h.left(t, ImportConfig{}, header+"\n"+goodID+",王䶮,,C00000008,,replaced\n"); len(rows) != 1 || rows[0] != "2 "+ReasonReplacedBy {
		t.Errorf("replaced by nothing: %v", rows)
	}
}

// TestACardPassesOn: whichever row of the file comes first.
func TestACardPassesOn(t *testing.T) {
	h := newHouse(t)
	idA, _ := person(1)
	idB, _ := person(2)
	h.mustImport(t, idA+",王英,,A12345678,,", idB+",李丽,,B12345678,,")
	h.mustImport(t, idA+",王英,,C12345678,,")
	h.mustImport(t, idB+",李丽,,A12345678,,")
	h.mustImport(t, idA+",王英,,B12345678,,")
	for _, file := range [][2]string{{idA + ",王英,,D12345678,,", idB + ",李丽,,B12345678,,"}, {idB + ",李丽,,E12345678,,", idA + ",王英,,B12345678,,"}} {
		h.mustImport(t, file[0], file[1])
	}
	_, a, err := h.find(t, idA)
	must(t, err)
	_, b, err := h.find(t, idB)
	must(t, err)
	if a.CardNo != "B12345678" || b.CardNo != "E12345678" {
		t.Errorf("%s and %s", a.CardNo, b.CardNo)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	h := newHouse(t)
	_, line := person(1)
	h.mustImport(t, line)
	_, before := h.count(t)
	rows, _, sum := h.left(t, ImportConfig{DryRun: true}, string(many(2300))+"x,y\n")
	n, after := h.count(t)
	if sum != (Summary{Read: 2301, Kept: 2300, Rejected: 1, Unchanged: 1}) || len(rows) != 1 || n != 1 || len(after) != len(before) {
		t.Errorf("%+v, %v, %d people, %d entries", sum, rows, n, len(after))
	}
}

// TestEncodings: a file is read as what it is, or its bad lines are named.
func TestEncodings(t *testing.T) {
	id1, _ := person(1)
	id2, _ := person(2)
	id3, _ := person(3)
	text := header + "\r\n" + id1 + ",王秀英,13800138000,B00000001,330502,normal\r\n" + id2 + ",阿依古丽·买买提,,B00000002,,挂失\r\n" + id3 + ",李四,,B00000003,,\r\n"
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(text)
	must(t, err)
	little, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(text)
	must(t, err)
	big, err := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder().String(text)
	must(t, err)
	for name, c := range map[string]struct {
		content string
		as      sheet.Encoding
	}{
		"UTF-8": {text, sheet.Guess}, "with a mark": {"\ufeff" + text, sheet.Guess}, "GBK": {gbk, sheet.Guess}, "GBK, named": {gbk, sheet.GBK},
		"UTF-16": {little, sheet.Guess}, "UTF-16, named": {little, sheet.UTF16}, "UTF-16, big, no mark": {big, sheet.Guess}, "UTF-16, big, named": {big, sheet.UTF16},
		"semicolons": {strings.ReplaceAll(text, ",", ";"), sheet.Guess}, "tabs": {strings.ReplaceAll(text, ",", "\t"), sheet.UTF8},
		"quoted":             {`"` + strings.ReplaceAll(strings.ReplaceAll(strings.TrimSuffix(text, "\r\n"), ",", `","`), "\r\n", "\"\r\n\"") + `"`, sheet.Guess},
		"after a title":      {"社保卡名单\r\n\r\n" + text, sheet.Guess},
		"Chinese headings":   {strings.Replace(text, header, "身份证号码,姓名,手机号,社会保障卡卡号,地区,状态", 1), sheet.Guess},
		"a spreadsheet's":    {strings.ReplaceAll(strings.ReplaceAll(text, id1, `="`+id1+`"`), id2, "'"+id2), sheet.Guess},
		"empty lines at end": {text + ",,,,,\r\n\r\n", sheet.Guess},
	} {
		h := newHouse(t)
		rows, cells, sum := h.left(t, ImportConfig{Encoding: c.as}, c.content)
		if len(rows)+len(cells) > 0 || sum.Kept != 3 {
			t.Errorf("%s: %v %v %+v", name, rows, cells, sum)
			continue
		}
		if _, f, err := h.find(t, id2); err != nil || f.Name != "阿依古丽·买买提" {
			t.Errorf("%s: %q, %v", name, f.Name, err)
		}
	}
	h := newHouse(t)
	rows, _, _ := h.left(t, ImportConfig{}, text+strings.Split(gbk, "\r\n")[1]+"\r\n"+id1+",\xff\xff,,B00000001,,\n")
	if want := []string{"5 " + ReasonGBK, "6 " + ReasonEncoding}; strings.Join(rows, ";") != strings.Join(want, ";") {
		t.Errorf("a mixed file: %v, want %v", rows, want)
	}
	rows, _, _ = h.left(t, ImportConfig{Encoding: sheet.UTF8}, gbk)
	if len(rows) != 3 || rows[0] != "2 "+ReasonGBK {
		t.Errorf("GBK that is called UTF-8: %v", rows)
	}
	for _, of := range []string{text, "\ufeff" + text} {
		h := newHouse(t)
		if sum, err := h.Import(t.Context(), strings.NewReader(of), ImportConfig{Encoding: sheet.GBK}); !errors.Is(err, sheet.ErrOtherEncoding) || sum.Kept != 0 {
			t.Errorf("UTF-8 that is called GBK: %+v, %v", sum, err)
		}
	}
}

func TestReasonsOfSpreadsheets(t *testing.T) {
	h := newHouse(t)
	id, _ := person(1)
	rows, _, _ := h.left(t, ImportConfig{}, header+"\n"+
		"3.3E+17,王英,,A12345671,,\n3.30502E+17,王英,,A12345672,,\n330502195001012000,王英,,A12345673,,\n"+
		"３３０５０２1950٠١٠١١٠٠٠,王英,,A12345674,,\n"+id+",王英,,1.2E+08,,\n"+id+",王\ue001,,A12345676,,\n"+id+",王英,,A12345677,,\n")
	want := []string{"2 id_number_excel", "3 id_number_excel", "4 id_number_rounded", "5 id_number_digits", "6 card_no_excel", "7 name_private_use"}
	if strings.Join(rows, ";") != strings.Join(want, ";") {
		t.Errorf("%v\nwant %v", rows, want)
	}
}

// TestEveryImportReasonHasItsSentence: in the catalogue, which explains no reason
// that is not given.
func TestEveryImportReasonHasItsSentence(t *testing.T) {
	source, err := os.ReadFile("reasons.go")
	must(t, err)
	shared, err := os.ReadFile("../sheet/lines.go")
	must(t, err)
	source = append(source, shared...)
	want := map[string]bool{"import.any": true}
	for _, m := range regexp.MustCompile(`Reason\w+\s*= "([a-z0-9_]+)"`).FindAllSubmatch(source, -1) {
		want["import."+string(m[1])] = true
	}
	if len(want) < 30 {
		t.Fatalf("only %d reasons found", len(want))
	}
	for _, k := range locale.Own().Keys() {
		if strings.HasPrefix(k.Name, "import.") && !strings.HasPrefix(k.Name, "import.agency_") && !want[k.Name] {
			t.Errorf("nothing says %s", k.Name)
		}
		delete(want, k.Name)
	}
	for key := range want {
		t.Errorf("%s is missing", key)
	}
}

// TestAnAbolishedRegionIsKept: people stay where they were registered.
func TestAnAbolishedRegionIsKept(t *testing.T) {
	h := newHouse(t)
	id, _ := person(1)
	_, cells, sum := h.left(t, ImportConfig{}, header+"\n"+id+",王英,,A12345671,110103,\n")
	_, f, err := h.find(t, id)
	if err != nil || f.Region != "110103" || len(cells) > 0 || sum.Abolished != 1 {
		t.Errorf("region %s, %v, %+v", f.Region, cells, sum)
	}
}

// TestASecondImportGoesOn: what an import that died has kept is only compared.
func TestASecondImportGoesOn(t *testing.T) {
	h := newHouse(t)
	broken := h.over(t, &faulty{Store: h.st, failAt: 3})
	if _, err := broken.Import(t.Context(), bytes.NewReader(many(5000)), ImportConfig{}); err == nil {
		t.Fatal("no fault")
	}
	sum, err := h.Import(t.Context(), bytes.NewReader(many(5000)), ImportConfig{})
	must(t, err)
	kept := 0
	n, entries := h.count(t)
	for _, e := range entries {
		var k, rejected int
		if _, err := fmt.Sscanf(e.Note, "kept=%d rejected=%d", &k, &rejected); err != nil {
			t.Errorf("note %q: %v", e.Note, err)
		}
		kept += k
	}
	if sum != (Summary{Read: 5000, Kept: 5000, Unchanged: 2000}) || n != 5000 || kept != 5000 {
		t.Errorf("%+v, %d people, %d recorded", sum, n, kept)
	}
}
