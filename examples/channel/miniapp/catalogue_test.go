package miniapp

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func newWords(t *testing.T) *catalogue {
	t.Helper()
	c, err := readCatalogue("0571-96345")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// keysOf lists the keys of a language in the order of its file.
func keysOf(t *testing.T, name string) []string {
	t.Helper()
	raw, err := fs.ReadFile(sentences, name)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.(string))
	}
	return keys
}

// TestBothLanguages: the same keys in the same order, each once, with the same
// placeholders, and no sentence forgotten in the other language.
func TestBothLanguages(t *testing.T) {
	zh, en := keysOf(t, "zh-CN.json"), keysOf(t, "en.json")
	if !slices.Equal(zh, en) {
		t.Fatal("the keys of the two files, or their order, differ")
	}
	c := newWords(t)
	if len(c.all) != len(zh) {
		t.Errorf("%d keys, %d of them different ones", len(zh), len(c.all))
	}
	placeholder := regexp.MustCompile(`\{\w+\}`)
	han := regexp.MustCompile(`\p{Han}`)
	for key, s := range c.all {
		a, b := placeholder.FindAllString(s.ZH, -1), placeholder.FindAllString(s.EN, -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s has the placeholders %q and %q", key, a, b)
		}
		if han.MatchString(s.EN) || strings.ContainsAny(s.ZH+s.EN, "<>&\n") || strings.Contains(s.ZH+s.EN, nationalHotline) {
			t.Errorf("%s: %+v", key, s)
		}
	}
}

// asked are the keys that code and pages ask for: those they spell out, and those
// made of a name that the program has as a value.
func asked(t *testing.T) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	code, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("pages/*.html")
	if err != nil || len(pages) < 9 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, file := range append(code, pages...) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`\bsay(?: |\()"([a-z_.]+[a-z_])"`).FindAllStringSubmatch(string(raw), -1) {
			keys[m[1]] = true
		}
	}
	for _, action := range []string{actionEnroll, actionLink, actionVerify, actionMedical, actionChange, actionReset, actionRebind, actionUnfreeze, actionFreeze} {
		keys["purpose."+action], keys["done."+action+".title"], keys["done."+action+".next"] = true, true, true
	}
	people, err := SamplePeople()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range contributions(people[0], time.Now()) {
		keys["insurance."+i.Kind] = true
	}
	for _, s := range append(allSaid(), said{codes: failed, ways: []string{doAgain}}) {
		code, _, _ := strings.Cut(s.codes, " ")
		keys["outcome."+code+".title"], keys["outcome."+code+".next"] = true, true
		for _, do := range s.ways {
			keys["way."+do] = true
		}
	}
	return keys
}

// forSome are the sentences that not every code has: until when it lasts, and those of
// one action.
var forSome = regexp.MustCompile(`^outcome\.([a-z_]+)\.(until|(change|link|rebind|reset)\.(title|next))$`)

// TestEveryKeyIsThereAndUsed: no page asks for a sentence that is not there, and
// nothing is translated for nothing.
func TestEveryKeyIsThereAndUsed(t *testing.T) {
	c, want := newWords(t), asked(t)
	for key := range want {
		if !c.has(key) {
			t.Errorf("%s is missing", key)
		}
	}
	for key := range c.all {
		if m := forSome.FindStringSubmatch(key); m != nil && want["outcome."+m[1]+".title"] {
			continue
		}
		if !want[key] {
			t.Errorf("nothing says %s", key)
		}
	}
}

// TestOneExplanationACode: a code stands in one row, so that its sentences are clear.
func TestOneExplanationACode(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range allSaid() {
		for code := range strings.FieldsSeq(s.codes) {
			if seen[code] {
				t.Errorf("%s stands twice", code)
			}
			seen[code] = true
		}
	}
}

// TestSentences: values are filled in once in each language, the help line is the
// configured one, and an action may have a sentence of its own.
func TestSentences(t *testing.T) {
	c := newWords(t)
	who := put{name: "who", value: text{ZH: "{hotline}", EN: "{who}"}}
	for got, want := range map[text]text{
		c.say("home.hello", who):                                {ZH: "{hotline}，您好", EN: "Hello, {who}"},
		c.say("counter.where"):                                  {ZH: "去哪里：任一社保经办机构。拨打 0571-96345 问最近的网点。", EN: "Where: any social-security agency. Call 0571-96345 for the nearest."},
		c.clock(time.Date(2026, 11, 24, 0, 10, 0, 0, time.UTC)): {ZH: "11 月 24 日 08:10", EN: "24 November, 08:10"},
		c.of("refused", actionLink).Title:                       {ZH: "没有关联成功", EN: "The card was not linked"},
		c.of("refused", actionVerify).Title:                     {ZH: "没有办成", EN: "That was refused"},
		c.of("frozen", actionVerify).UntilIs:                    {},
		c.of("no_such_code", actionVerify).Title:                {ZH: "办理没有成功", EN: "That did not work"},
	} {
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// TestHotlineIsTheConfiguredOne on every page that names one, and the nation's where
// none is configured.
func TestHotlineIsTheConfiguredOne(t *testing.T) {
	s := newSite(t)
	s.linked()
	for _, path := range []string{"/counter", "/freeze"} {
		page := s.do("GET", path, nil)
		says(t, page, " 0571-96345")
		if strings.Contains(page.body, nationalHotline) {
			t.Errorf("%s names another help line", path)
		}
	}
	c := s.app.c
	c.Hotline = ""
	app, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := app.words.say("counter.where").EN; !strings.Contains(got, "Call 12333 ") {
		t.Error(got)
	}
}
