package agency

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/examples/agencies"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// house is a database with its book.
type house struct {
	*Book
	store *sqlite.Store
	path  string
	now   time.Time
}

func newHouse(t testing.TB) *house {
	t.Helper()
	dir := t.TempDir()
	must(t, vault.Create(filepath.Join(dir, "key")))
	v, err := vault.Open(filepath.Join(dir, "key"))
	must(t, err)
	h := &house{path: filepath.Join(dir, "a.db"), now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	h.store, err = sqlite.Open(t.Context(), h.path, sqlite.Config{Seal: v})
	must(t, err)
	t.Cleanup(func() {
		if err := errors.Join(h.store.Close(), v.Close()); err != nil {
			t.Error(err)
		}
	})
	h.Book, err = Open(t.Context(), Config{Store: h.store, Now: func() time.Time { return h.now }, Regions: directory.Published})
	must(t, err)
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// imports imports a file and returns what was left out, as "line reason".
func (h *house) imports(t testing.TB, c ImportConfig, file string) (Summary, []string) {
	t.Helper()
	var left []string
	c.Actor = "staff:wang-li"
	c.Reject = func(line int, reason string) { left = append(left, fmt.Sprint(line, " ", reason)) }
	sum, err := h.Import(t.Context(), strings.NewReader(file), c)
	must(t, err)
	return sum, left
}

// notes are the notes of all imports on the record, by their actor.
func (h *house) notes(t testing.TB) (notes []string) {
	t.Helper()
	must(t, h.store.View(t.Context(), func(r store.Reader) error {
		heads, err := r.Streams(audit.Stream{}, 10)
		for _, head := range heads {
			entries, err := r.Entries(head.Stream, 0, 1000)
			if err != nil {
				return err
			}
			for _, e := range entries {
				if e.Event == audit.AgencyImported {
					notes = append(notes, e.Actor+" "+e.Note)
				}
			}
		}
		return err
	}))
	return notes
}

// TestTheSampleIsImported: all of it, marked as made up; a second run changes nothing and
// records nothing, and what is exported is read to the same.
func TestTheSampleIsImported(t *testing.T) {
	h := newHouse(t)
	file := string(agencies.File)
	rows := int64(strings.Count(file, "\n") - 1)
	if sum, left := h.imports(t, ImportConfig{DryRun: true}, file); sum.Added != rows || left != nil || h.Listing().Len() != 0 || h.notes(t) != nil {
		t.Fatalf("a trial: %+v, %v, %d listed", sum, left, h.Listing().Len())
	}
	if sum, left := h.imports(t, ImportConfig{}, file); sum.Added != rows || sum.Kept != rows || left != nil {
		t.Fatalf("%+v, %v", sum, left)
	}
	all, _ := h.Listing().Search(Query{})
	for _, a := range all {
		if !a.Sample {
			t.Errorf("%s is not marked as a sample", a.Code)
		}
	}
	notes := h.notes(t)
	if sum, _ := h.imports(t, ImportConfig{}, file); sum.Unchanged != rows || sum.Kept != rows {
		t.Errorf("again: %+v", sum)
	}
	if again := h.notes(t); len(again) != len(notes) {
		t.Errorf("a second run records %v", again)
	}
	var out bytes.Buffer
	must(t, Write(&out, all))
	if sum, left := h.imports(t, ImportConfig{}, out.String()); sum.Unchanged != rows || left != nil {
		t.Errorf("what was exported: %+v, %v", sum, left)
	}
}

// TestEveryNumberIsOnTheRecord: who imported is named, and with each number that pages
// show the agency; with a changed one what it was.
func TestEveryNumberIsOnTheRecord(t *testing.T) {
	h := newHouse(t)
	h.imports(t, ImportConfig{}, string(agencies.File))
	all, _ := h.Listing().Search(Query{})
	said := strings.Join(h.notes(t), " ")
	for _, a := range all {
		if !strings.Contains(said, fmt.Sprintf("agency=%s added=%s", a.Code, a.Telephone)) {
			t.Errorf("the record does not name %s with %s", a.Code, a.Telephone)
		}
	}
	other := strings.ReplaceAll(string(agencies.File), "0572-0000004", "0572-0000044")
	sum, _ := h.imports(t, ImportConfig{}, other)
	notes := h.notes(t)
	if want := "staff:wang-li agency=huzhou-wuxing changed=telephone:0572-0000004>0572-0000044"; sum.Changed != 1 || sum.Telephones != 1 || notes[len(notes)-1] != want {
		t.Errorf("%+v, %q", sum, notes[len(notes)-1])
	}
}

// alter writes to the database as who stole it could.
func alter(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	done, err := db.ExecContext(t.Context(), statement)
	must(t, errors.Join(err, db.Close()))
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%d rows were altered, %v", n, err)
	}
}

const few = "code,region,name,address,telephone\n"

// TestBadRowsAreLeftOut: each whole, with its reason, and the rest go on.
func TestBadRowsAreLeftOut(t *testing.T) {
	h := newHouse(t)
	long := strings.Repeat("长", 61)
	sum, left := h.imports(t, ImportConfig{}, few+
		"a1,330502,甲,东街,12333\n"+
		"A 2,330502,甲,东街,12333\n"+
		"a3,999999,甲,东街,12333\n"+
		"a4,,甲,东街,12333\n"+
		"a5,330502,,东街,12333\n"+
		"a6,330502,"+long+",东街,12333\n"+
		"a7,330502,甲,,12333\n"+
		"a8,330502,甲,东街,12333 / 12345\n"+
		"a9,330502,请拨 138 0000 0000,东街,12333\n"+
		"b1,330502,甲,见 www.example.com,12333\n"+
		"b2,330502,甲,=1+1,12333\n"+
		"b3,330502,甲<b>,东街,12333\n"+
		"a1,330502,乙,西街,12333\n"+
		"b4,330502,甲\n"+
		"b5,330502,\"甲,东街,12333\n"+
		"b6,330502,甲"+strings.Repeat(" ", maxLine)+",东街,12333\n"+
		"b7,330502,甲,东街,\n")
	want := []string{"3 agency_code", "4 agency_region", "5 agency_region", "6 agency_name", "7 agency_name", "8 agency_address", "9 agency_telephone",
		"10 agency_hidden", "11 agency_hidden", "12 agency_hidden", "13 agency_name", "14 agency_duplicate", "15 columns", "16 quotes", "17 line_too_long"}
	if !slices.Equal(left, want) || sum.Kept != 2 || sum.Read != 17 {
		t.Errorf("%+v, left out\n%v\nwant\n%v", sum, left, want)
	}
}

// TestHeadingsOfEitherLanguage: and whatever parts the cells; a file without a column that
// is needed is refused whole.
func TestHeadingsOfEitherLanguage(t *testing.T) {
	for name, file := range map[string]string{
		"Chinese": "机构编号,地区代码,机构名称,地址,联系电话,可否代办,无障碍,类别,状态\na1,330502,甲,东街,（0572）5550000,可,有,经办机构,正常\n",
		"tabs":    "一览表\n\ncode\tregion\tname\taddress\ttelephone\tagent\tstep_free\na1\t330502\t甲\t东街\t0572 5550000\tyes\tY\n",
	} {
		h := newHouse(t)
		_, left := h.imports(t, ImportConfig{}, file)
		a, ok := h.Listing().Agency("a1")
		if !ok || a.Telephone != "0572-5550000" || a.Agent != store.SaidYes || a.StepFree != store.SaidYes || a.Region != "330502" || left != nil {
			t.Errorf("%s: %+v, %v", name, a, left)
		}
	}
	h := newHouse(t)
	for _, file := range []string{"", "code,name\na,b\n", "code,region,name,telephone,colour\n", "code,region,name,telephone,name\n"} {
		if _, err := h.Import(t.Context(), strings.NewReader(file), ImportConfig{Actor: "operator"}); !errors.Is(err, ErrHeader) {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// TestBoundsOfWhoImports: neither a row beyond them is taken, nor one that would take an
// agency of others.
func TestBoundsOfWhoImports(t *testing.T) {
	h := newHouse(t)
	h.imports(t, ImportConfig{}, string(agencies.File))
	sees := func(r liuma.Region, _ liuma.Agency) bool { return liuma.Region("3305").Contains(r) }
	sum, left := h.imports(t, ImportConfig{Sees: sees}, few+"hefei,330502,甲,东街,12333\nnew-one,340100,乙,东街,12333\nhuzhou,330500,丙,东街,12333\n")
	if !slices.Equal(left, []string{"3 agency_bounds", "2 agency_bounds"}) || sum.Changed != 1 || sum.Kept != 1 {
		t.Errorf("%+v, %v", sum, left)
	}
	if a, _ := h.Listing().Agency("hefei"); a.Region != "3401" {
		t.Errorf("Hefei's was taken: %+v", a)
	}
}

// TestAClosedAgencyIsShownToNobody: and its region falls up to the next one.
func TestAClosedAgencyIsShownToNobody(t *testing.T) {
	h := newHouse(t)
	h.imports(t, ImportConfig{}, string(agencies.File))
	if n := h.Listing().Nearest("330502", 2); len(n.Offices) != 1 || n.Offices[0].Code != "huzhou-wuxing" {
		t.Fatalf("%+v", n)
	}
	h.imports(t, ImportConfig{}, "code,region,name,address,telephone,status\nhuzhou-wuxing,330502,吴兴区社会保险服务大厅,样例街,12333,撤销\n")
	if n := h.Listing().Nearest("330502", 2); len(n.Offices) != 1 || n.Offices[0].Code != "huzhou" || n.Region != "3305" {
		t.Errorf("%+v", n)
	}
	if found, _ := h.Listing().Search(Query{Text: "服务大厅", Region: "3305"}); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
}

// TestNobodyIsLeftWithoutAnybodyToAsk: whatever region is asked about, a code that was
// made up among them, the way goes up to one that has an office, and to a line.
func TestNobodyIsLeftWithoutAnybodyToAsk(t *testing.T) {
	h := newHouse(t)
	h.imports(t, ImportConfig{}, string(agencies.File))
	for region, want := range map[liuma.Region]string{
		"330502": "330502 huzhou-wuxing 12333 12393", "330503": "3305 huzhou 12333 12393", "330599": "3305 huzhou 12333 12393", "330424": "33 zhejiang 12333 12393",
		"340111": "3401 hefei 962218 12333 12393", "110101": "  12333 12393", "999999": "  12333 12393", "": "  12333 12393", "654002": "6540 yili 12333 12393",
	} {
		n := h.Listing().Nearest(region, 1)
		got := string(n.Region) + " "
		for _, a := range n.Offices {
			got += string(a.Code)
		}
		for _, a := range n.Hotlines {
			got += " " + a.Telephone
		}
		if got != want {
			t.Errorf("%q: %q, want %q", region, got, want)
		}
	}
}

// TestAgenciesAreFoundAsPeopleType: name, pinyin, initials, and names of regions.
func TestAgenciesAreFoundAsPeopleType(t *testing.T) {
	h := newHouse(t)
	h.imports(t, ImportConfig{}, string(agencies.File))
	for typed, want := range map[string]string{
		"吴兴": "huzhou-wuxing", "wuxing": "huzhou-wuxing", "WX": "huzhou-wuxing", "ｗｕｘｉｎｇ": "huzhou-wuxing", "330502": "huzhou-wuxing",
		"hzs": "hangzhou", "湖州": "huzhou", "huzhou": "huzhou", "chongqing": "chongqing", "cqs": "chongqing", "changsha": "changsha", "长沙市": "changsha",
		"changxing": "changxing", "合肥 医保": "hotline-hefei-962218", "962218": "hotline-hefei-962218", "样例街 湖州": "huzhou", "yili": "yili", "Wuxing Hall": "huzhou-wuxing",
		"浙江 长兴": "changxing", "hfsybrx": "hotline-hefei-962218",
	} {
		found, _ := h.Listing().Search(Query{Text: typed})
		if !slices.ContainsFunc(found, func(a store.Agency) bool { return string(a.Code) == want }) {
			t.Errorf("%q does not find %s among %d", typed, want, len(found))
		}
	}
	if found, _ := h.Listing().Search(Query{Text: "hzs"}); len(found) < 2 || !slices.ContainsFunc(found, func(a store.Agency) bool { return a.Code == "huzhou" }) {
		t.Errorf("hzs is Hangzhou and Huzhou, found %d", len(found))
	}
	for _, typed := range []string{"长城", "zhongqing", "吴兴 重庆", "..", "\u200b", strings.Repeat("长", 300), "\xff\xfe"} {
		found, _ := h.Listing().Search(Query{Text: typed, Region: "33"})
		if terms := Terms(typed); len(terms) > 0 && len(found) != 0 {
			t.Errorf("%q finds %d", typed, len(found))
		}
	}
}

// TestARowThatWasAlteredIsShownToNobody (I-13): not its number, and whoever is sent to its
// region falls up; an import puts the genuine row back.
func TestARowThatWasAlteredIsShownToNobody(t *testing.T) {
	h := newHouse(t)
	h.imports(t, ImportConfig{}, string(agencies.File))
	alter(t, h.path, `UPDATE agencies SET body = CAST(replace(CAST(body AS TEXT), '0572-0000004', '0572-6666666') AS BLOB) WHERE key = CAST('huzhou-wuxing' AS BLOB)`)
	must(t, h.Reload(t.Context()))
	if a, ok := h.Listing().Agency("huzhou-wuxing"); ok {
		t.Fatalf("the page shows %s", a.Telephone)
	}
	if n := h.Listing().Nearest("330502", 1); len(n.Offices) != 1 || n.Offices[0].Code != "huzhou" {
		t.Errorf("%+v", n)
	}
	if sum, _ := h.imports(t, ImportConfig{}, string(agencies.File)); sum.Changed != 1 {
		t.Errorf("%+v", sum)
	}
	if a, ok := h.Listing().Agency("huzhou-wuxing"); !ok || a.Telephone != "0572-0000004" {
		t.Errorf("%+v", a)
	}
}

// TestAnImportThatIsCutShortGoesOn: what was kept stays, and the next run adds the rest.
func TestAnImportThatIsCutShortGoesOn(t *testing.T) {
	h := newHouse(t)
	file := many(3 * chunkRows)
	ctx, stop := context.WithCancel(t.Context())
	sum, err := h.Import(ctx, strings.NewReader(file), ImportConfig{Actor: "operator", Progress: func(int64) { stop() }})
	if !errors.Is(err, context.Canceled) || sum.Added != chunkRows || int64(h.Listing().Len()) != sum.Added {
		t.Fatalf("%+v, %v; %d are listed", sum, err, h.Listing().Len())
	}
	if sum, _ := h.imports(t, ImportConfig{}, file); sum.Unchanged != chunkRows || sum.Added != 2*chunkRows || h.Listing().Len() != 3*chunkRows {
		t.Errorf("%+v", sum)
	}
}

// TestPinyin: initials and letters of names, where a character is read in more than one
// way too.
func TestPinyin(t *testing.T) {
	r := newReader()
	for name, want := range map[string]string{
		"湖州市": "HUZHOUSHI HZS", "重庆市": "CHONGQINGSHI CQS", "长沙市": "CHANGSHASHI CSS", "长子县": "ZHANGZIXIAN ZZX", "厦门市": "XIAMENSHI XMS", "六安市": "LUANSHI LAS",
		"蚌埠市": "BENGBUSHI BBS", "亳州市": "BOZHOUSHI BZS", "台州市": "TAIZHOUSHI TZS", "丽水市": "LISHUISHI LSS", "乐清市": "YUEQINGSHI YQS", "乐山市": "LESHANSHI LSS",
		"番禺区": "PANYUQU PYQ", "东莞市": "DONGGUANSHI DGS", "佛山市": "FOSHANSHI FSS", "深圳市": "SHENZHENSHI SZS", "成都市": "CHENGDUSHI CDS", "西藏自治区": "XIZANGZIZHIQU XZZZQ",
		"洪洞县": "HONGTONGXIAN HTX", "浚县": "XUNXIAN XX", "荥阳市": "XINGYANGSHI XYS", "荥经县": "YINGJINGXIAN YJX", "黄陂区": "HUANGPIQU HPQ", "铅山县": "YANSHANXIAN YSX",
		"喀什市": "KASHISHI KSS", "朝阳区": "CHAOYANGQU CYQ", "单县": "SHANXIAN SX", "莘县": "SHENXIAN SX", "歙县": "SHEXIAN SX", "黟县": "YIXIAN YX", "珲春市": "HUNCHUNSHI HCS",
		"勐海县": "MENGHAIXIAN MHX", "吕梁市": "LVLIANGSHI LLS", "绿园区": "LVYUANQU LYQ", "社会保险服务大厅": "SHEHUIBAOXIANFUWUDATING SHBXFWDT", "东阿县": "DONGEXIAN DEX",
		"吴堡县": "WUBUXIAN WBX", "宝坻区": "BAODIQU BDQ", "枞阳县": "ZONGYANGXIAN ZYX", "涡阳县": "GUOYANGXIAN GYX", "牟平区": "MUPINGQU MPQ", "曾都区": "ZENGDUQU ZDQ", "泌阳县": "BIYANGXIAN BYX",
		"第 2 分中心 A": "DI2FENZHONGXINA D2FZXA", "": " ",
	} {
		full, initials := r.read(name)
		if got := full + " " + initials; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for word := range strings.FieldsSeq(places) {
		at := strings.IndexFunc(word, func(c rune) bool { return c < 0x80 })
		if s, ok := r.place([]rune(word[:at])); !ok || len(s.syllables) != len(s.han) {
			t.Errorf("%s has no syllables", word)
		}
	}
}

// TestEveryReasonHasItsSentence: in the catalogue, which explains no reason that is not
// given.
func TestEveryReasonHasItsSentence(t *testing.T) {
	source, err := os.ReadFile("reasons.go")
	must(t, err)
	want := map[string]bool{}
	for _, m := range regexp.MustCompile(`Reason\w+\s*= "([a-z0-9_]+)"`).FindAllSubmatch(source, -1) {
		want["import."+string(m[1])] = true
	}
	for _, k := range locale.Own().Keys() {
		if strings.HasPrefix(k.Name, "import.agency_") && !want[k.Name] {
			t.Errorf("nothing says %s", k.Name)
		}
		delete(want, k.Name)
	}
	for key := range want {
		t.Errorf("%s is missing", key)
	}
}

// many is a file of so many agencies, over all counties.
func many(n int) string {
	regions, err := directory.Published()
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	b.WriteString("code,region,name,address,hours,telephone,documents,services\n")
	codes := regions.Codes()
	for i := range n {
		code := codes[(i*7919)%len(codes)]
		e, _ := regions.Find(code)
		fmt.Fprintf(&b, "office-%06d,%s,%s第 %d 社会保险服务所,样例街道 %d 号,工作日 9:00–17:00,0572-%07d,本人身份证,社保卡\n", i, code, e.Name, i%40, i, i)
	}
	return b.String()
}

// FuzzImport: no file makes the import fail otherwise than by its header, and what is
// kept is within the bounds of each field.
func FuzzImport(f *testing.F) {
	f.Add(agencies.File)
	f.Add([]byte(few + "a1,330502,甲,东街,12333\n\"a2\",3305,\"乙\"\"\",东街,12345-1\n"))
	f.Add([]byte("code;region;name;telephone\r\nx;全国;热线;12333\r\n"))
	f.Add([]byte("\xff\xfec\x00o\x00d\x00e\x00"))
	regions, err := directory.Published()
	must(f, err)
	pinyin := newReader()
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, _, err := sheet.Decoded(bytes.NewReader(raw), sheet.Guess)
		if err != nil {
			return
		}
		in := sheet.NewLines(text, maxLine)
		head, err := readHeader(in)
		if err != nil {
			return
		}
		p := &parser{layout: head, regions: regions, pinyin: pinyin}
		for range 100 {
			line, tooLong, err := in.Next()
			if err != nil {
				return
			}
			if tooLong {
				continue
			}
			r, reason := p.row(line)
			if reason != "" {
				continue
			}
			for _, c := range columns() {
				if c.cell != nil && len([]rune(*c.cell(&r.Agency))) > c.most {
					t.Fatalf("%s: %q", c.headings[0], *c.cell(&r.Agency))
				}
			}
			if Hides(r.Name.ZH) || r.Telephone != telephone(r.Telephone) {
				t.Fatalf("%+v", r)
			}
		}
	})
}

// TestTheNationsLines: the numbers that the program names by itself are those of the
// sample, so that two pages name the same ones; and Has knows numbers of open agencies
// alone, and none that was made up for a sample's office.
func TestTheNationsLines(t *testing.T) {
	h := newHouse(t)
	h.imports(t, ImportConfig{}, string(agencies.File))
	var nation []string
	for _, line := range h.Listing().Nearest("", 1).Hotlines {
		nation = append(nation, line.Telephone)
	}
	if !slices.Equal(nation, []string{locale.NationalHotline, locale.MedicalLine}) {
		t.Errorf("the sample names %v", nation)
	}
	for number, want := range map[string]bool{locale.MedicalLine: true, "05720000004": false, "962218": true, "0572-0000004": false, "": false, "12": false} {
		if h.Listing().Has(number) != want {
			t.Errorf("%q: %v", number, !want)
		}
	}
	l := NewListing([]store.Agency{{Code: "a", Telephone: "0572-0000004", Closed: true}, {Code: "b", Telephone: "0572-0000005"}}, h.Listing().regions)
	if l.Has("05720000004") || !l.Has("05720000005") {
		t.Error("a closed agency's number is known, or an open one's is not")
	}
}

// TestAnotherAuthoritysImportIsShown: what one process imported another one reads when it
// looks, and reads no more than once.
func TestAnotherAuthoritysImportIsShown(t *testing.T) {
	h := newHouse(t)
	other, err := Open(t.Context(), Config{Store: h.store, Now: func() time.Time { return h.now }, Regions: directory.Published})
	must(t, err)
	h.imports(t, ImportConfig{}, string(agencies.File))
	if other.Listing().Len() != 0 {
		t.Error("it shows what it has not read")
	}
	must(t, other.Look(t.Context()))
	if n := other.Listing().Len(); n != h.Listing().Len() || n == 0 {
		t.Errorf("%d agencies, want %d", n, h.Listing().Len())
	}
	before := other.Listing()
	must(t, other.Look(t.Context()))
	if other.Listing() != before {
		t.Error("it reads again what it has")
	}
}
