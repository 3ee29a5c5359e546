package pin

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/liuma-pin/liuma"
)

// A holder who does not exist: the region 330501 issues no ID cards.
var (
	zhang = Facts{IDNumber: "330501198503070016", Phone: "13957268140", CardNo: "K40582917"}
	li    = Facts{IDNumber: "33050119621124102X", Phone: "18605720493", CardNo: "6217211206003958174"}
)

func newJudge(t testing.TB, r Rules) *Judge {
	t.Helper()
	j, err := NewJudge(r)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func rulesOf(found []Finding) []Rule {
	var out []Rule
	for _, f := range found {
		out = append(out, f.Rule)
	}
	return out
}

// personalAndPatterns leaves the common list out, which overlaps with all.
func personalAndPatterns() Rules {
	r := NationalRules()
	r.Common = false
	return r
}

func TestJudgeSixDigits(t *testing.T) {
	j := newJudge(t, personalAndPatterns())
	for _, c := range []struct {
		pin  string
		want []Rule
	}{
		// Birthday, 1985-03-07, in every order.
		{"850307", []Rule{RuleBirthday, RuleIDNumber}},
		{"850703", []Rule{RuleBirthday}},
		{"030785", []Rule{RuleBirthday}},
		{"038507", []Rule{RuleBirthday}},
		{"070385", []Rule{RuleBirthday}},
		{"078503", []Rule{RuleBirthday}},
		{"198503", []Rule{RuleBirthday, RuleIDNumber}},
		{"031985", []Rule{RuleBirthday}},
		{"198507", []Rule{RuleBirthday}},
		{"071985", []Rule{RuleBirthday}},
		{"198537", []Rule{RuleBirthday}},
		{"198573", []Rule{RuleBirthday}},
		{"371985", []Rule{RuleBirthday}},
		{"731985", []Rule{RuleBirthday}},
		{"319857", []Rule{RuleBirthday}},
		{"719853", []Rule{RuleBirthday}},
		{"850308", nil}, // the day after
		{"840307", nil}, // the year before

		// Six in a row, forwards and backwards.
		{"330501", []Rule{RuleIDNumber}},
		{"070016", []Rule{RuleIDNumber}},
		{"610070", []Rule{RuleIDNumber}},
		{"050119", []Rule{RuleIDNumber}},
		{"139572", []Rule{RulePhone}},
		{"268140", []Rule{RulePhone}},
		{"041862", []Rule{RulePhone}},
		{"572681", []Rule{RulePhone}},
		{"405829", []Rule{RuleCardNumber}},
		{"582917", []Rule{RuleCardNumber}},
		{"719285", []Rule{RuleCardNumber}},
		{"258291", nil},

		// Patterns.
		{"000000", []Rule{RuleRepeat, RuleHalves, RulePairs, RuleTriples, RuleMirror}},
		{"777772", []Rule{RuleRepeat}},
		{"277779", []Rule{RuleRepeat}},
		{"700707", []Rule{RuleRepeat}},
		{"277729", nil},
		{"123456", []Rule{RuleSteps, RuleKeypad}},
		{"890123", []Rule{RuleSteps}},
		{"246802", []Rule{RuleSteps}},
		{"987654", []Rule{RuleSteps, RuleKeypad}},
		{"369258", []Rule{RuleSteps, RuleKeypad}}, // a step of 3, and two columns
		{"505050", []Rule{RuleRepeat, RuleSteps, RulePairs}},
		{"741852", []Rule{RuleSteps, RuleKeypad}}, // a step of 7
		{"101112", []Rule{RuleSteps}},
		{"102030", []Rule{RuleSteps}},
		{"989900", []Rule{RuleSteps}},
		{"302010", []Rule{RuleSteps}},
		{"123789", []Rule{RuleHalves, RuleKeypad}},
		{"234876", []Rule{RuleHalves}},
		{"111234", []Rule{RuleHalves}},
		{"333234", []Rule{RuleHalves}},
		{"102031", nil},
		{"118844", []Rule{RulePairs}},
		{"112233", []Rule{RuleSteps, RulePairs}},
		{"757575", []Rule{RuleRepeat, RulePairs}},
		{"777333", []Rule{RuleRepeat, RuleHalves, RuleTriples}},
		{"472472", []Rule{RuleTriples}},
		{"481184", []Rule{RuleMirror}},
		{"123321", []Rule{RuleHalves, RuleMirror, RuleKeypad}},
		{"147258", []Rule{RuleKeypad}},
		{"159753", []Rule{RuleKeypad}},
		{"789456", []Rule{RuleHalves, RuleKeypad}},
		{"258025", []Rule{RuleKeypad}},
		{"258031", nil}, // 3 and 1 do not touch
		{"258036", []Rule{RuleKeypad}},
		{"142580", []Rule{RuleKeypad}},
		{"085263", []Rule{RuleKeypad}},
		{"147896", []Rule{RuleKeypad}},
		{"258085", []Rule{RuleKeypad}},
		{"137913", []Rule{RuleKeypad}},
		{"193719", []Rule{RuleKeypad}},
		{"580159", []Rule{RuleKeypad}},
		{"495172", nil},
		{"620594", nil},
	} {
		p := mustPIN(t, c.pin)
		if got := rulesOf(j.Check(p, zhang, nil)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.pin, got, c.want)
		}
	}
}

func TestFactsInOtherSpellings(t *testing.T) {
	j := newJudge(t, personalAndPatterns())
	for _, c := range []struct {
		pin  string
		f    Facts
		want []Rule
	}{
		{"621124", li, []Rule{RuleBirthday, RuleIDNumber}},
		{"241162", li, []Rule{RuleBirthday}},
		{"196211", li, []Rule{RuleBirthday, RuleIDNumber}},
		{"196224", li, []Rule{RuleBirthday}},
		{"124102", li, []Rule{RuleIDNumber}},
		{"201421", li, []Rule{RuleIDNumber}}, // 124102 backwards: X is no digit
		{"058174", li, nil},
		{"958174", li, []Rule{RuleCardNumber}},
		{"138001", Facts{Phone: "138 0013-8000"}, []Rule{RulePhone}},
		{"138001", Facts{Phone: "１３８００１３８０００"}, []Rule{RulePhone}},
		{"613800", Facts{Phone: "+86 138 0013 8000"}, []Rule{RulePhone}},
		{"495172", Facts{IDNumber: "49517"}, nil},
		{"495172", Facts{IDNumber: "E495172"}, []Rule{RuleIDNumber}}, // another kind of document
		{"517249", Facts{CardNo: "517X249"}, nil},
	} {
		p := mustPIN(t, c.pin)
		if got := rulesOf(j.Check(p, c.f, nil)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.pin, got, c.want)
		}
		if got := j.Check(p, Facts{}, nil); len(got) != 0 {
			t.Errorf("%s without facts: %v", c.pin, rulesOf(got))
		}
	}
}

func TestShorterRunsRefuseMore(t *testing.T) {
	r := personalAndPatterns()
	r.Run = 4
	j := newJudge(t, r)
	for pin, want := range map[string][]Rule{
		"957204": {RulePhone}, "041863": {RulePhone}, "300163": {RuleIDNumber}, "620594": nil,
	} {
		if got := rulesOf(j.Check(mustPIN(t, pin), zhang, nil)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", pin, got, want)
		}
	}
}

func TestJudgeCurrent(t *testing.T) {
	j := newJudge(t, NationalRules())
	current := mustPIN(t, canary)
	if got := rulesOf(j.Check(mustPIN(t, canary), zhang, &current)); !slices.Equal(got, []Rule{RuleCurrent}) {
		t.Errorf("the same PIN again: %v", got)
	}
	if got := j.Check(mustPIN(t, "495173"), zhang, &current); len(got) != 0 {
		t.Errorf("another PIN: %v", rulesOf(got))
	}
	pass := mustPIN(t, "four unrelated words")
	if got := rulesOf(j.Check(mustPIN(t, "four unrelated words"), zhang, &pass)); !slices.Equal(got, []Rule{RuleCurrent}) {
		t.Errorf("the same passphrase again: %v", got)
	}
}

func TestJudgeFailsClosed(t *testing.T) {
	j := newJudge(t, NationalRules())
	good, wiped := mustPIN(t, canary), mustPIN(t, canary)
	wiped.Wipe()
	for name, got := range map[string][]Finding{
		"zero":            j.Check(PIN{}, zhang, nil),
		"wiped":           j.Check(wiped, zhang, nil),
		"current wiped":   j.Check(good, zhang, &wiped),
		"current is zero": j.Check(good, zhang, &PIN{}),
	} {
		if !slices.Equal(rulesOf(got), []Rule{RuleUnreadable}) {
			t.Errorf("%s: %v", name, rulesOf(got))
		}
	}
	for _, r := range []Rules{{}, {Run: 3}, {Run: 7}, {Run: -1}} {
		if _, err := NewJudge(r); err == nil {
			t.Errorf("rules with a run of %d were taken", r.Run)
		}
	}
}

func TestJudgePassphrase(t *testing.T) {
	j := newJudge(t, NationalRules())
	for _, c := range []struct {
		pass string
		want []Rule
	}{
		{"four unrelated words", nil},
		{"春眠不觉晓处处闻啼鸟", nil},
		{"83920471", nil},
		{"born 1985-03-07 here", []Rule{RuleBirthday, RuleIDNumber}},
		{"生于1985年3月7日啊", []Rule{RuleBirthday}},
		{"horse 7.3.1985 green", []Rule{RuleBirthday}},
		{"horse ８５０３０７ green", []Rule{RuleBirthday, RuleIDNumber}},
		{"horse 330501 green", []Rule{RuleIDNumber}},
		{"horse 139 5726 green", []Rule{RulePhone}},
		{"horse 627593 green", []Rule{RulePhone}},
		{"horse 405829 green", []Rule{RuleCardNumber}},
		{"vvvvvvvvvvv", []Rule{RuleRepeat, RuleSteps}},
		{"ｖｖｖｖｖｖｖｖｖｖｖ", []Rule{RuleRepeat, RuleSteps}},
		{"xkxxkkxkxx", []Rule{RuleRepeat}},
		{"tpwtpwtpwt", []Rule{RuleRepeat}},
		{"zebrazebra", []Rule{RuleRepeat}},
		{"bcdefghijk", []Rule{RuleSteps}},
		{"ZyXwVuTsRq", []Rule{RuleSteps}},
		{"24681357", []Rule{RuleSteps, RuleCommon}},
		{"qwertyuiopas", []Rule{RuleSteps, RuleCommon}},
		{"7890lkjhg", []Rule{RuleSteps}},
		{"Password1", []Rule{RuleCommon}},
		{"iloveyou", []Rule{RuleCommon}},
		{"Ｐassword1", []Rule{RuleCommon}},
	} {
		if got := rulesOf(j.Check(mustPIN(t, c.pass), zhang, nil)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.pass, got, c.want)
		}
	}
}

// allRules has every rule that can be switched, by the name of its field in
// Rules.
var allRules = map[string]Rule{
	"Birthday": RuleBirthday, "IDNumber": RuleIDNumber, "Phone": RulePhone, "CardNumber": RuleCardNumber,
	"Current": RuleCurrent, "Repeat": RuleRepeat, "Steps": RuleSteps, "Pairs": RulePairs,
	"Triples": RuleTriples, "Mirror": RuleMirror, "Keypad": RuleKeypad, "Common": RuleCommon,
}

func TestEveryRuleHasASwitchOfItsOwn(t *testing.T) {
	examples := map[Rule]string{
		RuleBirthday: "850703", RuleIDNumber: "330501", RulePhone: "268140", RuleCardNumber: "405829",
		RuleCurrent: canary, RuleRepeat: "777772", RuleSteps: "890123", RulePairs: "118844",
		RuleTriples: "472472", RuleMirror: "481184", RuleKeypad: "159753", RuleCommon: "201314",
	}
	typ := reflect.TypeFor[Rules]()
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		if name == "Run" || name == "List" {
			continue
		}
		rule, ok := allRules[name]
		if !ok {
			t.Errorf("the switch %s has no row here", name)
			continue
		}
		only := Rules{Run: Digits, List: ListBasic}
		reflect.ValueOf(&only).Elem().Field(i).SetBool(true)
		all := NationalRules()
		if !reflect.ValueOf(all).Field(i).Bool() {
			t.Errorf("%s is not in the national rules", name)
		}
		reflect.ValueOf(&all).Elem().Field(i).SetBool(false)

		p, current := mustPIN(t, examples[rule]), mustPIN(t, canary)
		if got := rulesOf(newJudge(t, only).Check(p, zhang, &current)); !slices.Equal(got, []Rule{rule}) {
			t.Errorf("%s alone: %v", name, got)
		}
		if got := rulesOf(newJudge(t, all).Check(p, zhang, &current)); slices.Contains(got, rule) {
			t.Errorf("all but %s: %v", name, got)
		}
		if only.Covers(NationalRules()) || all.Covers(NationalRules()) || !NationalRules().Covers(only) {
			t.Errorf("%s: Covers is off", name)
		}
		if only.Tighten(all) != NationalRules() {
			t.Errorf("%s: Tighten is off", name)
		}
	}
	loose, tight := NationalRules(), NationalRules()
	tight.Run = 5
	if loose.Covers(tight) || !tight.Covers(loose) || loose.Tighten(tight) != tight {
		t.Error("Run: Covers or Tighten is off")
	}
}

// TestReasons has examples of each reason, as the holder is told it: the first one that
// applies. 333234 was once told that it simply counts up.
func TestReasons(t *testing.T) {
	j := newJudge(t, NationalRules())
	for rule, all := range map[Rule][]string{
		RuleRepeat:  {"111111", "277779", "700707", "888889"},
		RuleSteps:   {"123456", "987654", "890123", "246802", "101112", "102030", "989900", "112233"},
		RuleHalves:  {"333234", "123789", "111234", "456654", "234876"},
		RulePairs:   {"118844", "995577"},
		RuleTriples: {"472472", "683683", "520520"},
		RuleMirror:  {"481184", "520025"},
		RuleKeypad:  {"147258", "159753", "258036", "137913", "147896"},
		RuleLove:    {"520477", "777520", "521849", "867521", "131478", "861314", "201314", "131452"},
		RuleYear:    {"195047", "199088", "202947", "198537", "200812"},
		RuleDate:    {"850307", "300101", "991231", "000229", "291231", "640930"},
		RuleCommon:  {"753214", "134567", "101088"},
	} {
		for _, pin := range all {
			got := rulesOf(j.Check(mustPIN(t, pin), Facts{}, nil))
			if len(got) == 0 || got[0] != rule {
				t.Errorf("%s: %v, want %s first", pin, got, rule)
			}
		}
	}
	for _, pin := range []string{"495172", "850230", "850229", "851307", "203047", "194947", "352077", "413147", "302931"} {
		if got := rulesOf(j.Check(mustPIN(t, pin), Facts{}, nil)); len(got) != 0 {
			t.Errorf("%s: %v", pin, got)
		}
	}
}

// TestSentencesAreTrue: what the sentence of a reason claims of the digits is so for all of
// the million PINs that get the reason.
func TestSentencesAreTrue(t *testing.T) {
	listed := make(map[string]bool)
	for _, r := range readCounts(t) {
		listed[r.pin] = true
	}
	count := func(s string) (most, run int) {
		here := 0
		for i := range s {
			most = max(most, strings.Count(s, s[i:i+1]))
			if here++; i > 0 && s[i] != s[i-1] {
				here = 1
			}
			run = max(run, here)
		}
		return most, run
	}
	by := func(modulus int, parts ...string) (step int, equal bool) {
		var n []int
		for _, p := range parts {
			v, err := strconv.Atoi(p)
			if err != nil {
				t.Fatal(err)
			}
			n = append(n, v)
		}
		step, equal = (n[1]-n[0]+modulus)%modulus, true
		for i := 1; i < len(n); i++ {
			equal = equal && (n[i]-n[i-1]+modulus)%modulus == step
		}
		return step, equal
	}
	claims := map[Rule]func(s string) bool{
		// "uses the same digit too often: at least three different, none four times in a row"
		RuleRepeat: func(s string) bool {
			most, run := count(s)
			different := make(map[rune]bool)
			for _, c := range s {
				different[c] = true
			}
			return most >= 3 && (run >= 4 || len(different) < 3)
		},
		// "count on in equal steps"
		RuleSteps: func(s string) bool {
			one, digits := by(10, strings.Split(s, "")...)
			two, pairs := by(100, s[:2], s[2:4], s[4:])
			return digits && one != 0 || pairs && two != 0
		},
		// "the first three are the same or next to each other in order, and so are the last three"
		RuleHalves: func(s string) bool {
			for _, half := range []string{s[:3], s[3:]} {
				if step, equal := by(10, strings.Split(half, "")...); !equal || step > 1 && step < 9 {
					return false
				}
			}
			return true
		},
		// "three doubled digits, or the same two digits three times"
		RulePairs: func(s string) bool {
			return s[0] == s[1] && s[2] == s[3] && s[4] == s[5] || s == strings.Repeat(s[:2], 3)
		},
		// "in threes that repeat"
		RuleTriples: func(s string) bool {
			return s == strings.Repeat(s[:3], 2) || s == strings.Repeat(s[:1], 3)+strings.Repeat(s[3:4], 3)
		},
		// "the last three are the first three backwards"
		RuleMirror: func(s string) bool { return s[0] == s[5] && s[1] == s[4] && s[2] == s[3] },
		// "begins or ends with 520, 521 or 1314"
		RuleLove: func(s string) bool {
			return slices.ContainsFunc([]string{"520", "521", "1314"}, func(w string) bool { return strings.HasPrefix(s, w) || strings.HasSuffix(s, w) })
		},
		// "the first four digits are a year"
		RuleYear: func(s string) bool { return s[:4] >= "1950" && s[:4] <= "2029" },
		// "these six digits are a date: year, month and day"
		RuleDate: isDay,
		// "many people choose such numbers": they are among the counts, or trivial patterns, which
		// other reasons name too
		RuleCommon: func(s string) bool { return listed[s] },
	}
	j := newJudge(t, NationalRules())
	for n := range 1_000_000 {
		s := sixes(n)
		rules := j.sixDigits((*[Digits]byte)([]byte(s)), &holder{}, false)
		for _, r := range rules {
			claim, ok := claims[r]
			if r == RuleKeypad { // its shapes are those of TestJudgeSixDigits
				continue
			}
			if r == RuleCommon && len(rules) > 1 {
				continue
			}
			if !ok || !claim(s) {
				t.Fatalf("%s: the sentence of %s is not true", s, r)
			}
		}
	}
}

func TestEverySentenceHelps(t *testing.T) {
	seen := make(map[liuma.Text]string)
	all := append([]Rule{RuleUnreadable}, order()...)
	for _, r := range all {
		for _, passphrase := range []bool{false, true} {
			s := Sentence(r, passphrase)
			wantSentence(t, string(r), s)
			if other, ok := seen[s]; ok && other != string(r) {
				t.Errorf("%s and %s say the same", r, other)
			}
			seen[s] = string(r)
		}
	}
	for _, reason := range []string{ReasonNotSixDigits, ReasonTooShort, ReasonTooLong, ReasonTooWide, ReasonCharacter, ReasonEncoding} {
		wantSentence(t, reason, FormatSentence(reason))
		if same := FormatSentence(reason) == FormatSentence(""); same != (reason == ReasonNotSixDigits) {
			t.Errorf("%s: reads as an unknown reason: %v", reason, same)
		}
	}
	if Sentence("no such rule", false) != Sentence(RuleUnreadable, false) {
		t.Error("an unknown rule does not read as unreadable")
	}
}

func wantSentence(t *testing.T, code string, s liuma.Text) {
	t.Helper()
	if !strings.HasSuffix(s.ZH, "。") || !strings.HasSuffix(s.EN, ".") || len(s.EN) < 40 {
		t.Errorf("%s: not whole sentences: %+v", code, s)
	}
	han := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	if !strings.ContainsFunc(s.ZH, han) || strings.ContainsFunc(s.EN, han) {
		t.Errorf("%s: languages mixed up: %+v", code, s)
	}
}

// order is the order of findings.
func order() []Rule {
	return []Rule{
		RuleBirthday, RuleIDNumber, RulePhone, RuleCardNumber, RuleCurrent, RuleRepeat,
		RuleSteps, RuleHalves, RulePairs, RuleTriples, RuleMirror, RuleKeypad, RuleLove, RuleYear, RuleDate, RuleCommon,
	}
}

// TestAllMillion judges every possible PIN. The findings are in order and the
// same each time, facts of a holder never turn a refusal into an acceptance,
// and it takes less than two seconds.
func TestAllMillion(t *testing.T) {
	j := newJudge(t, NationalRules())
	h, nobody := newHolder(zhang), newHolder(Facts{})
	rank := make(map[Rule]int)
	for i, r := range order() {
		rank[r] = i
	}
	accepted := 0
	fastest, begun := time.Hour, time.Now()
	for n := range 1_000_000 {
		if n%100_000 == 0 {
			begun = time.Now()
		}
		d := (*[Digits]byte)(fmt.Appendf(nil, "%06d", n))
		with, without := j.sixDigits(d, h, false), j.sixDigits(d, nobody, false)
		if !slices.IsSortedFunc(with, func(a, b Rule) int { return rank[a] - rank[b] }) {
			t.Fatalf("%06d: out of order: %v", n, with)
		}
		personal := len(with) - len(without)
		if personal < 0 || !slices.Equal(with[personal:], without) {
			t.Fatalf("%06d: %v with facts, %v without", n, with, without)
		}
		for _, r := range with[:personal] {
			if rank[r] > rank[RuleCardNumber] {
				t.Fatalf("%06d: %s only with facts", n, r)
			}
		}
		if len(with) == 0 {
			accepted++
		}
		if n%100_000 == 99_999 {
			fastest = min(fastest, time.Since(begun))
		}
	}
	// Only the fastest tenth is measured: the machine may be busy with other
	// work.
	if took := 10 * fastest; took > 2*time.Second && !raceEnabled {
		t.Errorf("a million PINs, twice, take %v", took)
	}
	if accepted < 930_000 || accepted > 945_000 {
		t.Errorf("%d PINs are accepted: the rules have changed a lot", accepted)
	}
}

// BenchmarkCheck: the rules of the strong list beside those of the basic one.
func BenchmarkCheck(b *testing.B) {
	for _, list := range Lists() {
		b.Run(string(list), func(b *testing.B) {
			r := NationalRules()
			r.List = list
			j := newJudge(b, r)
			p := mustPIN(b, canary)
			b.ReportAllocs()
			for b.Loop() {
				if len(j.Check(p, zhang, nil)) != 0 {
					b.Fatal("refused")
				}
			}
		})
	}
}

// TestStrongCoversBasic: layers may only tighten, so the strong list refuses whatever the
// basic one does, and the other way round it does not.
func TestStrongCoversBasic(t *testing.T) {
	strong, basic := newJudge(t, NationalRules()), newJudge(t, Floor())
	more := 0
	for n := range 1_000_000 {
		switch s, b := strong.RefusesToAll(n), basic.RefusesToAll(n); {
		case b && !s:
			t.Fatalf("%06d is refused by the basic list alone", n)
		case s && !b:
			more++
		}
	}
	if more == 0 || !NationalRules().Covers(Floor()) || Floor().Covers(NationalRules()) || Floor().Tighten(NationalRules()) != NationalRules() {
		t.Errorf("%d more; Covers or Tighten is off", more)
	}
	if (Rules{Run: Digits, List: "sturdy"}).Validate() == nil {
		t.Error("a list that there is not is taken")
	}
}
