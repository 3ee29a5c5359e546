package registry

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/vault"
)

// house is a registry on a real store.
type house struct {
	*Registry
	st    store.Store
	vault *vault.Vault
	dir   string
}

func newHouse(t testing.TB) *house {
	t.Helper()
	dir := t.TempDir()
	must(t, vault.Create(filepath.Join(dir, "vault.key")))
	v, err := vault.Open(filepath.Join(dir, "vault.key"))
	must(t, err)
	st, err := sqlite.Open(context.Background(), filepath.Join(dir, "liuma.db"), sqlite.Config{Seal: v})
	must(t, err)
	t.Cleanup(func() { must(t, errors.Join(st.Close(), v.Close())) })
	h := &house{st: st, vault: v, dir: dir}
	h.Registry = h.over(t, st)
	return h
}

func (h *house) over(t testing.TB, st store.Store) *Registry {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC) }
	g, err := New(Config{Store: st, Vault: h.vault, Now: now})
	must(t, err)
	return g
}

// file puts rows under the header.
func file(rows ...string) io.Reader {
	return strings.NewReader(header + "\n" + strings.Join(rows, "\n") + "\n")
}

func (h *house) mustImport(t testing.TB, rows ...string) Summary {
	t.Helper()
	sum, err := h.Import(t.Context(), file(rows...), ImportConfig{Reject: func(line int, reason string) {
		t.Errorf("line %d rejected: %s", line, reason)
	}})
	must(t, err)
	return sum
}

func (h *house) find(t testing.TB, number string) (p store.Person, f Facts, err error) {
	t.Helper()
	id, err := ParseIDNumber(number)
	must(t, err)
	err = h.st.View(t.Context(), func(r store.Reader) (err error) {
		p, f, err = h.Find(r, id)
		return err
	})
	return p, f, err
}

func (h *house) count(t testing.TB) (n int64, entries []audit.Recorded) {
	t.Helper()
	must(t, h.st.View(t.Context(), func(r store.Reader) (err error) {
		if n, err = r.CountPersons(); err != nil {
			return err
		}
		entries, err = storetest.Record(r)
		return err
	}))
	return n, entries
}

// person makes the i-th of many different people.
func person(i int) (idNumber, line string) {
	idNumber = withCheck(fmt.Sprintf("330502%d%02d%02d%03d", 1950+i/1000%50, 1+i/100%10, 1+i/10%10, 100+i%10+10*(i/50000)))
	return idNumber, fmt.Sprintf("%s,王秀英,138%08d,B%08d,330502,", idNumber, i, i)
}

func TestNewRefuses(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]Config{
		"no store": {Vault: h.vault, Now: time.Now},
		"no vault": {Store: h.st, Now: time.Now},
		"no clock": {Store: h.st, Vault: h.vault},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestImportThenFindInAnySpelling(t *testing.T) {
	h := newHouse(t)
	sum, err := h.Import(t.Context(), strings.NewReader("\ufeff"+header+"\r\n"+
		`１１０１０５１９４９１２３１００２x,"王 秀英",+86 138 0013 8000,a12345678,330500,lost`+"\r\n\r\n"+
		withCheck("33050219900101123")+",阿依古丽•买买提,,B87654321,,"), // no phone, no region, no status, no line end
		ImportConfig{})
	must(t, err)
	if sum != (Summary{Read: 2, Kept: 2}) {
		t.Errorf("summary %+v", sum)
	}
	for _, spelling := range []string{goodID, "11010519491231002x", "１１０１０５　１９４９１２３１　００２Ｘ"} {
		p, f, err := h.find(t, spelling)
		must(t, err)
		if f != (Facts{Name: "王秀英", IDNumber: goodID, Phone: "13800138000", CardNo: "A12345678", Region: "3305"}) {
			t.Errorf("%q finds other facts", spelling)
		}
		if p.Physical != liuma.PhysicalLost || p.Region != "3305" || p.CardNo != h.vault.Index(vault.IndexCardNo, "A12345678") {
			t.Errorf("%q finds %+v", spelling, p)
		}
	}
	_, f, err := h.find(t, withCheck("33050219900101123"))
	must(t, err)
	if f.Name != "阿依古丽·买买提" || f.Phone != "" || f.Region != "330502" {
		t.Error("empty members were not filled as documented")
	}
	_, _, err = h.find(t, withCheck("33050219900101124"))
	wantCode(t, "unknown", err, liuma.CodeNotInRegistry)
	must(t, h.st.View(t.Context(), func(r store.Reader) error {
		_, _, err := h.Find(r, IDNumber{})
		wantCode(t, "zero", err, liuma.CodeIDNumberInvalid)
		return nil
	}))
}

// A row moved under another holder's index must not be taken for that holder's.
func TestFindRefusesAnotherPersonsFacts(t *testing.T) {
	h := newHouse(t)
	idA, lineA := person(1)
	idB, lineB := person(2)
	h.mustImport(t, lineA, lineB)
	a, _, err := h.find(t, idA)
	must(t, err)
	b, _, err := h.find(t, idB)
	must(t, err)
	a.Sealed = b.Sealed
	must(t, h.put(t, a))
	if _, _, err := h.find(t, idA); !errors.Is(err, vault.ErrUnseal) || liuma.CodeOf(err) != liuma.CodeInternal {
		t.Errorf("another row's facts: %v", err)
	}
	// Even if it is sealed correctly, the number inside must be the requested
	// one.
	a.Sealed, err = h.seal(a.Holder, Facts{Name: "王秀英", IDNumber: idB, CardNo: "B00000002"})
	must(t, err)
	must(t, h.put(t, a))
	if _, _, err := h.find(t, idA); !errors.Is(err, ErrFacts) {
		t.Errorf("another number inside: %v", err)
	}
}

func (h *house) put(t testing.TB, p store.Person) error {
	t.Helper()
	return h.st.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: h.now(), Actor: "registry:test", Event: audit.PhysicalChanged, Outcome: "ok"}, tx.UpsertPerson(p)
	})
}

func TestBadRowsAreNamedByLineAndReason(t *testing.T) {
	h := newHouse(t)
	_, good := person(1)
	_, last := person(2)
	id3, _ := person(3)
	id8, _ := person(8)
	id10, _ := person(10)
	id11, _ := person(11)
	rows := []string{
		good,                               // line 2
		goodID + ",王秀英,13800138000",        // 3: columns
		good + ",more",                     // 4
		"110105491231002,王秀英,,A12345678,,", // 5
		"110105194912310021,王秀英,,A12345678,,",             // 6
		goodID + ",王1,,A12345678,,",                       // 7
		id8 + ",王秀英,01062345678,B00000008,,",              // 8: the phone is left out
		goodID + ",王秀英,,A1,,",                             // 9
		id10 + ",王秀英,,B00000010,99999,",                   // 10: the region
		id11 + ",王秀英,,B00000011,,stolen",                  // 11: the status
		goodID + `,"王秀英,,A12345678,,`,                     // 12: quote not closed
		goodID + ",王\xff,,A12345678,,",                    // 13
		goodID + "," + strings.Repeat("王", 1000) + ",,,,", // 14
		goodID + "," + strings.Repeat("王", 99999) + ",,,,",
		good,                             // 16: the ID number again
		id3 + ",王秀英,,B00000001,,",        // 17: the card number again
		goodID + `,"王""秀英",,A12345678,,`, // 18: a quote in a name
		goodID + `,"王秀英"x,,A12345678,,`,  // 19
		goodID + `,王"秀"英,,A12345678,,`,   // 20
		last,                             // 21
	}
	want := map[int]string{
		3: ReasonColumns, 4: ReasonColumns, 5: ReasonIDNumber15, 6: ReasonIDNumber, 7: ReasonName,
		9: ReasonCardNo, 12: ReasonQuotes, 13: ReasonEncoding, 14: ReasonTooLong,
		15: ReasonTooLong, 16: ReasonDuplicate, 17: ReasonCardTwice, 18: ReasonName, 19: ReasonQuotes, 20: ReasonQuotes,
	}
	got, cells := make(map[int]string), make(map[int]string)
	var progress []int64
	sum, err := h.Import(t.Context(), file(rows...), ImportConfig{
		Reject:   func(line int, reason string) { got[line] = reason },
		Cell:     func(line int, reason string) { cells[line] = reason },
		Progress: func(read int64) { progress = append(progress, read) },
	})
	must(t, err)
	if !maps.Equal(got, want) {
		t.Errorf("rejected %v\nwant     %v", got, want)
	}
	if want := map[int]string{8: ReasonPhone, 10: ReasonRegion, 11: ReasonStatus}; !maps.Equal(cells, want) {
		t.Errorf("cells left out %v\nwant           %v", cells, want)
	}
	if sum != (Summary{Read: 20, Kept: 5, Rejected: 15, Cells: 3}) {
		t.Errorf("summary %+v", sum)
	}
	size := int64(len(header) + 1 + len(strings.Join(rows, "\n")) + 1)
	if len(progress) == 0 || progress[len(progress)-1] != size {
		t.Errorf("progress %v, want to end at %d", progress, size)
	}
}

func TestImportRefusesOtherHeaders(t *testing.T) {
	h := newHouse(t)
	_, row := person(1)
	for name, c := range map[string]struct{ content, says string }{
		"empty":          {"", "it is empty"},
		"blank":          {"\n\n \n", "it is empty"},
		"no header":      {row, "found what looks like a person's row"},
		"column missing": {"id_number,name,phone,region\n" + row, `found "id_number,name,phone,region": no column card_no (卡号)`},
		"near":           {"idnumer,names,phone,cardno,region,status\n", `no column "idnumer" is known, did you mean id_number (身份证号)?; no column "names" is known, did you mean name (姓名)?`},
		"under a title":  {"社会保障卡持卡人名册\n单位：某区社保中心,,\n身份证号码,姓名,手机号,社保卡号马\n" + row, `no column "社保卡号马" is known, did you mean card_no (卡号)?; no column card_no (卡号)`},
		"more":           {header + ",favourite_colour\n", `no column "favourite_colour" is known`},
		"twice":          {header + ",mobile\n", `"mobile" comes twice`},
		"endless":        {strings.Repeat("x", 1<<20), "the first line must be " + header},
		"binary":         {"PK\x03\x04\x14\x00\xff\xff", "the first line must be " + header},
	} {
		if _, err := h.Import(t.Context(), strings.NewReader(c.content), ImportConfig{}); !errors.Is(err, ErrHeader) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v, %s", name, err, ErrHeader, c.says)
		}
	}
	if n, entries := h.count(t); n != 0 || len(entries) != 0 {
		t.Errorf("%d people, %d entries", n, len(entries))
	}
}

func TestImportNeverUndoesTheRegistryClient(t *testing.T) {
	const number = goodID
	line := func(card, status string) string {
		return number + ",王秀英,13800138000," + card + ",330502," + status
	}
	for _, c := range []struct {
		name       string
		before     liuma.PhysicalStatus
		replaced   bool // a client replaced an older card by A12345678
		card       string
		status     string
		want       liuma.PhysicalStatus
		wantCardNo string
	}{
		{"empty keeps lost", liuma.PhysicalLost, false, "A12345678", "", liuma.PhysicalLost, "A12345678"},
		{"normal keeps lost", liuma.PhysicalLost, false, "A12345678", "normal", liuma.PhysicalLost, "A12345678"},
		{"normal keeps cancelled", liuma.PhysicalCancelled, false, "A12345678", "normal", liuma.PhysicalCancelled, "A12345678"},
		{"lost keeps cancelled", liuma.PhysicalCancelled, false, "A12345678", "lost", liuma.PhysicalCancelled, "A12345678"},
		{"lost is taken", liuma.PhysicalNormal, false, "A12345678", "lost", liuma.PhysicalLost, "A12345678"},
		{"cancelled is taken", liuma.PhysicalLost, false, "A12345678", "cancelled", liuma.PhysicalCancelled, "A12345678"},
		{"a new number is taken", liuma.PhysicalNormal, false, "C99999999", "", liuma.PhysicalNormal, "C99999999"},
		{"the card before a replacement", liuma.PhysicalNormal, true, "C99999999", "cancelled", liuma.PhysicalNormal, "A12345678"},
		{"the card of a replacement", liuma.PhysicalNormal, true, "A12345678", "lost", liuma.PhysicalLost, "A12345678"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			h.mustImport(t, line("A12345678", ""))
			p, _, err := h.find(t, number)
			must(t, err)
			p.Physical = c.before
			if c.replaced {
				p.ReplacedBy = p.CardNo
			}
			must(t, h.put(t, p))
			h.mustImport(t, strings.Replace(line(c.card, c.status), "13800138000", "13900139000", 1))
			got, f, err := h.find(t, number)
			must(t, err)
			if got.Physical != c.want || f.CardNo != c.wantCardNo || got.CardNo != h.vault.Index(vault.IndexCardNo, c.wantCardNo) {
				t.Errorf("status %s, card %s; want %s, %s", got.Physical, f.CardNo, c.want, c.wantCardNo)
			}
			if f.Phone != "13900139000" {
				t.Error("the phone was not replaced")
			}
			if got.ReplacedBy != p.ReplacedBy {
				t.Error("the replacement is forgotten")
			}
		})
	}
}

// Attempts read only the electronic card's own row.
func TestRaisedStatusReachesTheElectronicCard(t *testing.T) {
	h := newHouse(t)
	h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,")
	card := store.Card{
		ID: liuma.NewCardID(), Holder: h.vault.Index(vault.IndexIDNumber, goodID), Region: "330502",
		Version: 3, Verifier: liuma.Verifier{1}, Physical: liuma.PhysicalNormal, CreatedAt: h.now(),
	}
	write := func(change func(store.Tx) error) {
		must(t, h.st.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			return audit.Entry{At: h.now(), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"}, change(tx)
		}))
	}
	write(func(tx store.Tx) error {
		return tx.InsertCard(card)
	})
	for _, step := range []struct {
		status string
		want   liuma.PhysicalStatus
	}{{"", liuma.PhysicalNormal}, {"lost", liuma.PhysicalLost}, {"normal", liuma.PhysicalLost}, {"cancelled", liuma.PhysicalCancelled}, {"lost", liuma.PhysicalCancelled}} {
		h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,"+step.status)
		must(t, h.st.View(t.Context(), func(r store.Reader) error {
			got, err := r.Card(card.ID)
			if got.Physical != step.want || got.Version != 3 || got.Verifier != card.Verifier {
				t.Errorf("after %q: %+v", step.status, got)
			}
			return err
		}))
	}
}

// TestImportLeavesAForgedCard: an import does not repair a row that an attacker
// wrote, and goes on with the others.
func TestImportLeavesAForgedCard(t *testing.T) {
	h := newHouse(t)
	h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,")
	card := store.Card{ID: liuma.NewCardID(), Holder: h.vault.Index(vault.IndexIDNumber, goodID), Version: 3, Physical: liuma.PhysicalNormal}
	must(t, h.st.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: h.now(), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"}, tx.InsertCard(card)
	}))
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "liuma.db"))
	must(t, err)
	_, err = db.ExecContext(t.Context(), "UPDATE cards SET seal = zeroblob(32)")
	must(t, errors.Join(err, db.Close()))
	h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,lost")
	must(t, h.st.View(t.Context(), func(r store.Reader) error {
		if _, err := r.Card(card.ID); !errors.Is(err, store.ErrSeal) {
			t.Errorf("a forged row was made good: %v", err)
		}
		p, err := r.Person(card.Holder)
		if p.Physical != liuma.PhysicalLost {
			t.Errorf("the person is %q", p.Physical)
		}
		return err
	}))
}

func TestCardNumberOfAnotherPersonIsRejected(t *testing.T) {
	h := newHouse(t)
	idA, lineA := person(1)
	idB, lineB := person(2)
	h.mustImport(t, lineA)
	rejected := make(map[int]string)
	_, before := h.count(t)
	sum, err := h.Import(t.Context(), file(idB+",王秀英,,B00000001,,"), ImportConfig{Reject: func(line int, reason string) { rejected[line] = reason }})
	must(t, err)
	if sum != (Summary{Read: 1, Rejected: 1}) || rejected[2] != ReasonCardTaken {
		t.Errorf("summary %+v, rejected %v", sum, rejected)
	}
	if _, after := h.count(t); len(after) != len(before) {
		t.Error("an entry for a change that was none")
	}
	_, _, err = h.find(t, idB)
	wantCode(t, "refused person", err, liuma.CodeNotInRegistry)
	h.mustImport(t, lineB)
	if _, f, err := h.find(t, idA); err != nil || f.CardNo != "B00000001" {
		t.Errorf("the owner's card is %q, %v", f.CardNo, err)
	}
}

// many returns a file of n good rows.
func many(n int) []byte {
	var b bytes.Buffer
	b.WriteString(header + "\n")
	for i := range n {
		_, line := person(i)
		b.WriteString(line + "\n")
	}
	return b.Bytes()
}

func TestImportInChunksWithEntries(t *testing.T) {
	h := newHouse(t)
	sum, err := h.Import(t.Context(), bytes.NewReader(many(2203)), ImportConfig{Actor: "operator:li"})
	must(t, err)
	if sum != (Summary{Read: 2203, Kept: 2203}) {
		t.Errorf("summary %+v", sum)
	}
	n, entries := h.count(t)
	if n != 2203 || len(entries) != 3 {
		t.Fatalf("%d people, %d entries", n, len(entries))
	}
	for i, note := range []string{"kept=1000 rejected=0", "kept=1000 rejected=0", "kept=203 rejected=0"} {
		if e := entries[i]; e.Note != note || e.Event != audit.RegistryImported || e.Actor != "operator:li" || e.Outcome != "ok" {
			t.Errorf("entry %+v", e)
		}
	}
	// The same file again changes nothing and records nothing.
	again, err := h.Import(t.Context(), bytes.NewReader(many(2203)), ImportConfig{})
	must(t, err)
	if n, entries := h.count(t); n != 2203 || len(entries) != 3 || again != (Summary{Read: 2203, Kept: 2203, Unchanged: 2203}) {
		t.Errorf("%d people, %d entries, summary %+v", n, len(entries), again)
	}
}

// No personal data may be readable in the database's files.
func TestStoredSealed(t *testing.T) {
	h := newHouse(t)
	h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,")
	files, err := filepath.Glob(filepath.Join(h.dir, "liuma.db*"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("no database files")
	}
	all := ""
	for _, name := range files {
		data, err := os.ReadFile(name)
		must(t, err)
		all += string(data)
	}
	if !strings.Contains(all, "330502") {
		t.Fatal("the row is not in the files that were searched")
	}
	for _, s := range []string{goodID, goodID[6:14], "王秀英", "13800138000", "A12345678"} {
		if strings.Contains(all, s) {
			t.Errorf("%q lies open in the database", s)
		}
	}
}

func FuzzParseRow(f *testing.F) {
	_, good := person(1)
	f.Add([]byte(good))
	for _, s := range []string{goodID + ",O’Brien,+86 138 0013 8000,'123456789,330103,died", "3.3E+17,王英,1.38E+10,A12345678,,", `"` + goodID + `","张\ue863",,="123456789",,`, "１１０１０５１９４９１２３１００２ｘ,阿依•买,,a-1234 5678,999999,x"} {
		f.Add([]byte(s))
	}
	reasons := []string{ReasonEncoding, ReasonGBK, ReasonQuotes, ReasonColumns, ReasonIDNumber, ReasonIDNumber15, ReasonIDNumberExcel,
		ReasonIDNumberRound, ReasonDigits, ReasonName, ReasonNamePrivate, ReasonCardNo, ReasonCardNoExcel, ReasonReplacedBy}
	rows := plainParser(f)
	f.Fuzz(func(t *testing.T, line []byte) {
		r, reason := rows.row(line)
		if reason != "" {
			if !slices.Contains(reasons, reason) || r.facts != (Facts{}) {
				t.Errorf("reason %q, row given: %v", reason, r.facts != (Facts{}))
			}
			return
		}
		stored, err := r.facts.Marshal()
		must(t, err)
		if back, err := ParseFacts(stored); err != nil || back != r.facts || rank(r.physical) < 0 {
			t.Errorf("an accepted row cannot be stored: %v", err)
		}
	})
}

// plainParser reads rows of the files that Sample writes.
func plainParser(t testing.TB) *parser {
	t.Helper()
	l, err := parseHeader(header)
	must(t, err)
	return &parser{layout: l, regions: published(t), mobiles: map[string]bool{}}
}

func published(t testing.TB) *directory.Regions {
	t.Helper()
	r, err := directory.Published()
	must(t, err)
	return r
}
