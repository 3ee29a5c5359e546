package locale

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/liuma-pin/liuma"
)

// codes reads the Code constants from the source, so that none can be added
// without its sentences.
func codes(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, d := range f.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range gen.Specs {
			if v, ok := s.(*ast.ValueSpec); ok && len(v.Values) == 1 && strings.HasPrefix(v.Names[0].Name, "Code") {
				found = append(found, strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
			}
		}
	}
	if len(found) < 60 {
		t.Fatalf("only %d codes found", len(found))
	}
	return found
}

func TestEveryCodeHasItsSentences(t *testing.T) {
	want := map[string]bool{}
	texts := map[string]string{}
	for _, c := range codes(t) {
		want["error."+c+".what"], want["error."+c+".next"] = true, true
		for _, l := range Own().Languages() {
			e := In(l).Explanation(liuma.Code(c), "")
			if internal := In(l).Explanation(liuma.CodeInternal, ""); c != string(liuma.CodeInternal) && e == internal {
				t.Errorf("%s has no sentences of its own in %s", c, l)
			}
			if other := texts[e.What]; other != "" && other != c { // a language that lacks it says it in Chinese
				t.Errorf("%s and %s say the same", c, other)
			}
			texts[e.What] = c
		}
	}
	checkFamily(t, "error.", want)
}

// checkFamily holds the keys below a prefix against those that the program
// looks up by name.
func checkFamily(t *testing.T, prefix string, want map[string]bool) {
	t.Helper()
	for _, key := range Own().files[Chinese].keys {
		if strings.HasPrefix(key, prefix) && !want[key] {
			t.Errorf("nothing says %s", key)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("%s is missing", key)
	}
}

// TestEveryProvinceHasAName: by the first two digits, and a region without a name
// shows none.
func TestEveryProvinceHasAName(t *testing.T) {
	want := map[string]bool{}
	for _, r := range strings.Fields("11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82") {
		want["region."+r] = true
	}
	checkFamily(t, "region.", want)
	for r, want := range map[liuma.Region]string{"33": "Zhejiang", "3305": "Zhejiang", "330500": "Zhejiang", "": "", "9": "", "99": ""} {
		if got := In(English).Region(r); got != want {
			t.Errorf("%q is called %q, want %q", r, got, want)
		}
	}
}

func TestDays(t *testing.T) {
	want := map[string]bool{}
	for m := range 12 {
		want["month."+strconv.Itoa(m+1)] = true
	}
	checkFamily(t, "month.", want)
	checkFamily(t, "date.", map[string]bool{"date.full": true, "date.short": true})
	day := time.Date(2026, 5, 7, 0, 0, 0, 0, time.UTC)
	for got, want := range map[string]string{
		In(Chinese).Day(day): "2026 年 5 月 7 日", In(English).Day(day): "7 May 2026",
		In(Chinese).ShortDay(day): "5 月 7 日", In(English).ShortDay(day): "7 May",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestEachFileIsInItsLanguage: no sentence was forgotten in the other language.
func TestEachFileIsInItsLanguage(t *testing.T) {
	han := regexp.MustCompile(`\p{Han}`)
	for key, zh := range Own().files[Chinese].sentences {
		en := Own().files[English].sentences[key]
		if han.MatchString(en.one + en.other) {
			t.Errorf("en.json, %s: %s", key, en.other)
		}
		if plain := placeholderForm.ReplaceAllString(zh.other, ""); !han.MatchString(plain) && regexp.MustCompile(`[A-Za-z]{3}`).MatchString(plain) {
			t.Errorf("zh-CN.json, %s: %s", key, zh.other)
		}
	}
}

func TestUnknownCodesSayNothing(t *testing.T) {
	if got, want := Explain("no_such_code", ""), Explain(liuma.CodeInternal, ""); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestBothLanguagesAreWhole: Chinese and English have the same keys with the same
// placeholders, and so has every other language where it has the key.
func TestBothLanguagesAreWhole(t *testing.T) {
	c := Own()
	if missing := c.Missing(English); len(missing) > 0 {
		t.Errorf("en.json lacks %q", missing)
	}
	for _, l := range c.langs[1:] {
		for _, fault := range c.strange(l) {
			t.Error(fault)
		}
	}
}

// TestMissing lists, for a translator, what the other languages lack.
func TestMissing(t *testing.T) {
	for _, l := range Own().Languages()[2:] {
		for _, key := range Own().Missing(l) {
			t.Logf("%s.json lacks %s", l, key)
		}
	}
}

// strange lists what a language has beside or unlike the Chinese file.
func (c *Catalogue) strange(l Lang) []string {
	var faults []string
	for _, key := range c.files[l].keys {
		zh, ok := c.files[Chinese].sentences[key]
		if !ok {
			faults = append(faults, string(l)+".json has "+key+", which zh-CN.json does not have")
			continue
		}
		s := c.files[l].sentences[key]
		want := slices.Sorted(slices.Values(placeholders(zh.other)))
		if got := slices.Sorted(slices.Values(placeholders(s.other))); !slices.Equal(got, want) {
			faults = append(faults, string(l)+".json: "+key+" has the placeholders "+strings.Join(got, ", ")+" instead of "+strings.Join(want, ", "))
		}
		for _, name := range placeholders(s.one) { // "one more" may leave the count out
			if !slices.Contains(want, name) {
				faults = append(faults, string(l)+".json: "+key+" has the placeholder "+name+" in its form for one")
			}
		}
	}
	return faults
}

// TestKeysKeepTheirOrder: the files are read side by side, so their keys stand in
// the same order, area by area.
func TestKeysKeepTheirOrder(t *testing.T) {
	zh, en := Own().files[Chinese].keys, Own().files[English].keys
	for i := range min(len(zh), len(en)) {
		if zh[i] != en[i] {
			t.Fatalf("%s stands in en.json where zh-CN.json has %s", en[i], zh[i])
		}
	}
	var areas []string
	for _, key := range zh {
		area, _, _ := strings.Cut(key, ".")
		if len(areas) == 0 || areas[len(areas)-1] != area {
			if slices.Contains(areas, area) {
				t.Errorf("%s stands outside its area", key)
			}
			areas = append(areas, area)
		}
	}
}

func with(text string) fs.FS {
	base := `{"_name": "x", "_dir": "ltr", "a.b": "c"}`
	return fstest.MapFS{"zh-CN.json": {Data: []byte(text)}, "en.json": {Data: []byte(base)}}
}

func TestFaultyFilesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                           "not a JSON object",
		`{"_name": "x"}`:               "_dir",
		`{"_dir": "ltr"}`:              "_name",
		`{"_name": "x", "_dir": "up"}`: "_dir",
		`{"_name": "x", "_name": "y", "_dir": "ltr"}`:                      "stands twice",
		`{"_name": "x", "_dir": "ltr", "a.b": "c", "a.b": "d"}`:            "a.b: stands twice",
		`{"_name": "x", "_dir": "ltr", "a": "c"}`:                          "a key is",
		`{"_name": "x", "_dir": "ltr", "a.B": "c"}`:                        "a key is",
		`{"_name": "x", "_dir": "ltr", "a.b": ""}`:                         "is empty",
		`{"_name": "x", "_dir": "ltr", "a.b": 3}`:                          "want a sentence",
		`{"_name": "x", "_dir": "ltr", "a.b": null}`:                       "is empty",
		`{"_name": "x", "_dir": "ltr", "a.b": {"one": "c"}}`:               "is empty",
		`{"_name": "x", "_dir": "ltr", "a.b": {"few": "c", "other": "d"}}`: "few",
		`{"_name": "x", "_dir": "ltr", "a.b": "until {when"}`:              "a brace",
		`{"_name": "x", "_dir": "ltr", "a.b": "until {When}"}`:             "a brace",
		`{"_name": "x", "_dir": "ltr", "a.b": "c"} {}`:                     "follows",
		`{"_name": "x", "_dir": "ltr", "a.b": "c"`:                         "EOF",
	} {
		if _, err := Read(with(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := Read(fstest.MapFS{"zh-CN.json": {Data: []byte(`{"_name": "x", "_dir": "ltr"}`)}}); err == nil {
		t.Error("a catalogue without English is read")
	}
}

// TestPlaceholdersAreFilledOnce: what is put in is never read as a placeholder.
func TestPlaceholdersAreFilledOnce(t *testing.T) {
	if got := fill("{a} and {b}, {a}", []string{"{a}", "{b}", "{b}", "{a}"}); got != "{b} and {a}, {b}" {
		t.Error(got)
	}
}

func TestPluralForms(t *testing.T) {
	c, err := Read(fstest.MapFS{
		"zh-CN.json": {Data: []byte(`{"_name": "x", "_dir": "ltr", "a.left": "还有 {count} 次"}`)},
		"en.json":    {Data: []byte(`{"_name": "x", "_dir": "ltr", "a.left": {"one": "one left", "other": "{count} left"}}`)},
		"fr.json":    {Data: []byte(`{"_name": "x", "_dir": "ltr", "a.left": {"one": "{count} fois", "other": "{count} fois ou plus"}}`)},
		"ug.json":    {Data: []byte(`{"_name": "x", "_dir": "rtl"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		l    Lang
		n    int
		want string
	}{
		{Chinese, 1, "还有 # 次"}, {English, 1, "one left"}, {English, 0, "# left"}, {English, 2, "# left"},
		{English, -1, "# left"}, {"fr", 0, "# fois"}, {"fr", 2, "# fois ou plus"}, {"ug", 1, "\u2066还有 # 次\u2069"}, {"xx", 1, "还有 # 次"},
	} {
		if got := c.In(tt.l).sayOf("a.left", tt.n, "{count}", "#"); got != tt.want {
			t.Errorf("%s, %d: %q, want %q", tt.l, tt.n, got, tt.want)
		}
	}
	if keys := c.Keys(); len(keys) != 1 || !keys[0].Forms || !slices.Equal(keys[0].Placeholders, []string{"count"}) {
		t.Errorf("%+v", keys)
	}
}

// TestAnotherLanguageIsFound: a file that is put beside the others is a language;
// what it lacks is listed, and read in Chinese.
func TestAnotherLanguageIsFound(t *testing.T) {
	files := fstest.MapFS{"ug.json": {Data: []byte(`{"_name": "ئۇيغۇرچە", "_dir": "rtl", "error.locked.what": "x"}`)}}
	for _, name := range []string{"zh-CN.json", "en.json"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	c, err := Read(files)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Languages(); !slices.Equal(got, []Lang{Chinese, English, "ug"}) {
		t.Errorf("languages %q", got)
	}
	w := c.In("ug")
	if w.Dir() != RightToLeft || w.Name() != "ئۇيغۇرچە" || w.Lang() != "ug" {
		t.Errorf("%s %s %s", w.Dir(), w.Name(), w.Lang())
	}
	if e := w.Explanation(liuma.CodeLocked, ""); e.What != "x" || e.Next != leftToRight+c.In(Chinese).Explanation(liuma.CodeLocked, "").Next+popIsolate {
		t.Errorf("%+v", e)
	}
	missing := c.Missing("ug")
	if len(missing) != len(c.files[Chinese].keys)-1 || slices.Contains(missing, "error.locked.what") {
		t.Errorf("%d keys are missing", len(missing))
	}
	for header, want := range map[string]Lang{"ug,zh;q=0.5": "ug", "bo, en": English, "ug-CN": "ug", "*": Chinese, "": Chinese} {
		if got := c.Accepted(header); got != want {
			t.Errorf("%q is answered in %s, want %s", header, got, want)
		}
	}
	for name, want := range map[string]Lang{"ug": "ug", "UG": "ug", "zh": Chinese, "zh-Hans": Chinese, "zh-cn": Chinese, "EN": English} {
		if got, ok := c.Named(name); !ok || got != want {
			t.Errorf("%q names %s, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "en-gb", "bo", "x"} {
		if got, ok := c.Named(name); ok {
			t.Errorf("%q names %s", name, got)
		}
	}
}

var markup = regexp.MustCompile(`[<>]|&[a-z]+;|&#`)

// TestSentencesHoldNoMarkup: a sentence is text wherever it goes.
func TestSentencesHoldNoMarkup(t *testing.T) {
	each(t, func(at, text string) {
		if markup.MatchString(text) {
			t.Errorf("%s holds markup: %s", at, text)
		}
		if strings.HasSuffix(at, ", page.comma") {
			return // stands between two texts, with the blank that the language puts there
		}
		if strings.TrimSpace(text) != text || strings.ContainsAny(text, "\n\t\r") || strings.Contains(text, "  ") {
			t.Errorf("%s has a blank too many: %q", at, text)
		}
	})
}

var (
	halfWidth = regexp.MustCompile(`\p{Han}[,;:!?()]|[,;!?()]\p{Han}`)
	straight  = regexp.MustCompile(`["']\p{Han}|\p{Han}["']`)
	tight     = regexp.MustCompile(`\p{Han}[0-9A-Za-z{]|[0-9A-Za-z}]\p{Han}`)
)

// TestTypography: Chinese sentences use Chinese marks, and have a blank between
// ideographs and figures.
func TestTypography(t *testing.T) {
	for key, s := range Own().files[Chinese].sentences {
		if m := halfWidth.FindString(s.other) + straight.FindString(s.other); m != "" {
			t.Errorf("%s has %q: %s", key, m, s.other)
		}
		if m := tight.FindString(s.other); m != "" && !strings.ContainsAny(m, "{}") {
			t.Errorf("%s has no blank in %q: %s", key, m, s.other)
		}
	}
}

// otherWords are words that sentences do not use, with the one that they do.
var otherWords = map[string]string{
	`解除冻结`: "解冻", `(经办|办事|社保)窗口|[到在]窗口`: "柜台", `代称|关联标识`: "代号", `12333`: "{hotline}, the help line that is configured",
	`业务号`: "业务流水号", `电子卡`: "电子社保卡", `口令`: "密码", `用户`: "持卡人", `(?i)\bagencies' (desk|window)`: "counter",
	`(?i)\be-card|e-social`: "electronic card", `(?i)\bpassword`: "PIN", `(?i)\b(log ?in|sign ?in) (password|code)`: "code",
}

// TestOneWordForOneThing: a reader meets one word for one thing on every page.
func TestOneWordForOneThing(t *testing.T) {
	for other, ours := range otherWords {
		re := regexp.MustCompile(other)
		each(t, func(at, text string) {
			for _, of := range []string{"shown.init.password", "refused.config.text_kannel", "flag.init.database_password_file",
				"refused.config.database_password", "refused.config.database_network", "flag.migrate_store.database_password_file", "refused.config.database_file"} {
				if strings.HasSuffix(at, ", "+of) {
					return // the gateway's own, or the database server's, which is no PIN
				}
			}
			if m := re.FindString(text); m != "" {
				t.Errorf("%s says %q instead of %s: %s", at, m, ours, text)
			}
		})
	}
}

// TestHotlineIsTheConfiguredOne: wherever a sentence names a help line.
func TestHotlineIsTheConfiguredOne(t *testing.T) {
	for _, c := range codes(t) {
		e := Explain(liuma.Code(c), "0571-96345")
		for _, s := range []string{e.What.ZH, e.What.EN, e.Next.ZH, e.Next.EN} {
			if strings.Contains(s, NationalHotline) || strings.Contains(s, "{") {
				t.Errorf("%s: %s", c, s)
			}
		}
	}
	if e := Explain(liuma.CodePhoneNone, "0571-96345"); !strings.Contains(e.Next.ZH, " 0571-96345 ") || !strings.Contains(e.Next.EN, " 0571-96345 ") {
		t.Errorf("%+v", e)
	}
	if e := Explain(liuma.CodePhoneNone, ""); !strings.Contains(e.Next.EN, NationalHotline) {
		t.Errorf("%+v", e)
	}
}

// each shows every form of every sentence of every language.
func each(t *testing.T, do func(at, text string)) {
	t.Helper()
	for _, l := range Own().Languages() {
		f := Own().files[l]
		for _, key := range f.keys {
			for _, text := range []string{f.sentences[key].one, f.sentences[key].other} {
				do(string(l)+".json, "+key, text)
			}
		}
	}
}

// TestEveryMethodIsUsed: a sentence that no page says is not translated for
// nothing.
func TestEveryMethodIsUsed(t *testing.T) {
	code, err := os.ReadFile("words_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	var tree strings.Builder
	err = filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			return fs.SkipDir
		}
		if ext := filepath.Ext(p); d.IsDir() || ext != ".go" && ext != ".html" || strings.HasSuffix(p, "_test.go") || filepath.Base(p) == "words_gen.go" {
			return nil
		}
		text, err := os.ReadFile(p)
		tree.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`\.([A-Z]\w*)`).FindAllStringSubmatch(tree.String(), -1) {
		used[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`\) ([A-Z]\w*)\(.*return w\.say(?:Of)?\("([^"]+)"`).FindAllStringSubmatch(string(code), -1) {
		if !used[m[1]] {
			t.Errorf("nothing says %s", m[2])
		}
	}
}
