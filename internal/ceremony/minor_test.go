package ceremony_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// people are in the registry by documents of all kinds. The clock stands at 1 March
// 2026, 16:00 in China.
func documented(t *testing.T, p *policy.Policy) (*testkit.Env, authority.Caller, map[string]registry.Facts) {
	t.Helper()
	x := testkit.New(t, testkit.Options{Policy: p, Phones: true})
	lines := []string{"document_type,document_number,birth_date,name,phone,card_no"}
	people := map[string]registry.Facts{}
	for i, who := range []struct{ name, kind, number, born string }{
		{"leapling", "passport", "DEU-C01X00T01", "20120229"}, // 14 since today
		{"thirteen", "passport", "DEU-C01X00T02", "20120301"}, // 14 tomorrow
		{"fifteen", "passport", "DEU-C01X00T03", "20110228"},
		{"sixteen", "passport", "DEU-C01X00T04", "20100228"},
		{"nobody knows", "taiwan_permit", "01234567", ""},
		{"grown up", "hk_macao_permit", "H01234567", "19800808"},
		{"foreigner", "foreigner_number", "DEU0C01X00T47", "19800808"},
	} {
		phone, card := "1380000010"+string(rune('0'+i)), "Z0000000"+string(rune('0'+i))
		lines = append(lines, strings.Join([]string{who.kind, who.number, who.born, "Anna Schmidt", phone, card}, ","))
		people[who.name] = registry.Facts{IDNumber: who.kind + ":" + who.number, Name: "Anna Schmidt", Phone: phone, CardNo: card}
	}
	if _, err := x.Import(t.Context(), strings.NewReader(strings.Join(lines, "\n")), nil); err != nil {
		t.Fatal(err)
	}
	return x, x.Channel("documents"), people
}

var ages = map[string]liuma.Code{
	"leapling": "", "thirteen": liuma.CodeGuardian, "fifteen": "", "sixteen": "", "nobody knows": liuma.CodeBirthdayUnknown,
	"grown up": "", "foreigner": "",
}

func TestWhoNeedsAGuardian(t *testing.T) {
	strict := policy.National()
	strict.AllowStandInEvidence, strict.Minors.Alone = true, 16
	t.Run("the nation's rule", func(t *testing.T) { tryAges(t, nil, ages) })
	t.Run("refused until 16", func(t *testing.T) {
		want := map[string]liuma.Code{}
		for who, code := range ages {
			want[who] = code
		}
		want["leapling"], want["fifteen"] = liuma.CodeGuardian, liuma.CodeGuardian
		tryAges(t, &strict, want)
	})
}

func tryAges(t *testing.T, p *policy.Policy, want map[string]liuma.Code) {
	x, c, people := documented(t, p)
	for who, code := range want {
		f := people[who]
		v, err := x.Authority().Enroll(t.Context(), c, x.EnrollRequest(c, f, goodPIN))
		if got := codeOf(err); got != code || err == nil && v.Verdict != liuma.Right {
			t.Errorf("%s enrolls: %q, want %q, %+v", who, got, code, v)
		}
	}
}

// TestAChildsOwnRegionCounts, whatever region a channel's request names.
func TestAChildsOwnRegionCounts(t *testing.T) {
	file, err := policy.ParseFile("huzhou.yaml", []byte("layer: region 3305\nminors.alone: 16\n"))
	if err != nil {
		t.Fatal(err)
	}
	nation := policy.National()
	nation.AllowStandInEvidence = true
	rules, err := policy.NewLayers(nation, file)
	if err != nil {
		t.Fatal(err)
	}
	x := testkit.New(t, testkit.Options{Rules: rules, Phones: true})
	c := x.Channel("documents")
	_, err = x.Import(t.Context(), strings.NewReader("document_type,document_number,birth_date,name,phone,card_no,region\n"+
		"passport,DEU-C01X00T03,20110228,Anna Schmidt,13800001001,Z00000001,330502\n"+
		"passport,DEU-C01X00T04,20110228,Anna Schmidt,13800001002,Z00000002,110101\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range map[string]liuma.Code{"3": liuma.CodeGuardian, "4": ""} {
		f := registry.Facts{IDNumber: "passport:DEU-C01X00T0" + number, Name: "Anna Schmidt", Phone: "1380000100" + string(number[0]-2)}
		for _, region := range []liuma.Region{"440300", ""} {
			q := x.EnrollRequest(c, f, goodPIN)
			q.Region = region
			v, err := x.Authority().Enroll(t.Context(), c, q)
			if got := codeOf(err); got != want && got != liuma.CodeAlreadyEnrolled {
				t.Errorf("%s by a request from %q: %q, want %q; %+v", number, region, got, want, v)
			}
			push := x.PushFor(c, liuma.ActionEnroll, testkit.Subject(f), &f)
			push.Region = region
			if p, _ := x.OpenPage(c, push); want != "" && p.Code != want {
				t.Errorf("%s on a page from %q: %q", number, region, p.Code)
			}
		}
	}
	_, err = x.Import(t.Context(), strings.NewReader("document_type,document_number,birth_date,name,card_no,region\npassport,DEU-C01X00T04,20110228,Anna Schmidt,Z00000002,330502\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	q := x.LinkRequest(c, registry.Facts{IDNumber: "passport:DEU-C01X00T04", Name: "Anna Schmidt"}, goodPIN)
	q.Region = "440300"
	if v, err := x.Authority().Link(t.Context(), c, q); err == nil && v.Verdict == liuma.Right {
		t.Errorf("who moved to that region links: %+v", v)
	}
}

func codeOf(err error) liuma.Code {
	if err == nil {
		return ""
	}
	return liuma.CodeOf(err)
}

// On the page a child is told before a code is sent.
func TestAChildOnThePage(t *testing.T) {
	x, c, people := documented(t, nil)
	for who, code := range map[string]liuma.Code{"thirteen": liuma.CodeGuardian, "nobody knows": liuma.CodeBirthdayUnknown} {
		f := people[who]
		p, _ := x.OpenPage(c, x.PushFor(c, liuma.ActionEnroll, testkit.Subject(f), &f))
		if p.Code != code || p.Step != ceremony.StepRefused {
			t.Errorf("%s: %q at %s, want %q", who, p.Code, p.Step, code)
		}
		if texts := x.Texts(f.Phone); len(texts) > 0 {
			t.Errorf("%s: a code was sent", who)
		}
	}
}

// A link by an ID number is refused by the birthday in it, whoever has it; by any
// other document with the one refusal, because only the registry knows the age.
func TestAChildsLink(t *testing.T) {
	x, c, people := documented(t, nil)
	child := registry.Facts{IDNumber: "330502201501011231", Name: "王小明"}
	child.IDNumber = withCheckOf(t, child.IDNumber[:17])
	if _, err := x.Authority().Link(t.Context(), c, x.LinkRequest(c, child, goodPIN)); liuma.CodeOf(err) != liuma.CodeGuardian {
		t.Errorf("a number of a child: %v", err)
	}
	f := people["grown up"]
	x.Enroll(c, f, goodPIN)
	card := x.Enroll(c, people["leapling"], goodPIN)
	if v, err := x.Authority().Link(t.Context(), c, x.LinkRequest(c, f, goodPIN)); err != nil || v.Verdict != liuma.Right {
		t.Errorf("a grown-up's: %+v, %v", v, err)
	}
	// The registry corrects a birthday: the card stays, and gets no further link.
	_, err := x.Import(t.Context(), strings.NewReader("document_type,document_number,birth_date,name,card_no\npassport,DEU-C01X00T01,20130101,Anna Schmidt,Z00000000\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.Authority().Link(t.Context(), c, x.LinkRequest(c, people["leapling"], goodPIN))
	if (err == nil || liuma.CodeOf(err) != liuma.CodeRefused) && v.Code != liuma.CodeRefused {
		t.Errorf("a child's link: %+v, %v", v, err)
	}
	if v := x.Verify(c, card, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("a child's card serves no more: %+v", v)
	}
}

// A page shows a number masked, however it was written, and says what it is.
func TestADocumentOnThePage(t *testing.T) {
	x, c, people := documented(t, nil)
	f := people["grown up"]
	for typed, want := range map[string]string{"passport:deu c01x00t47": "DEU-C******47", "hk_macao_permit: h012 34567": "H******67"} {
		q := x.PushFor(c, liuma.ActionLink, envelope.Subject{IDNumber: typed, Name: f.Name}, nil)
		p, _ := x.OpenPage(c, q)
		if p.IDMasked != want || !strings.HasPrefix(typed, string(p.Document)+":") {
			t.Errorf("%s: %q of %q", typed, p.IDMasked, p.Document)
		}
	}
}

// withCheckOf finds the check character that makes 17 digits a number.
func withCheckOf(t *testing.T, digits string) string {
	for _, c := range "0123456789X" {
		if _, err := registry.ParseIDNumber(digits + string(c)); err == nil {
			return digits + string(c)
		}
	}
	t.Fatal("no check character")
	return ""
}

// The personal rules know a document's digits, and the birthday that only the
// registry has.
func TestPersonalRulesKnowDocuments(t *testing.T) {
	x, c, people := documented(t, nil)
	for who, secrets := range map[string]map[string]pin.Rule{
		"grown up":  {"800808": pin.RuleBirthday, "080880": pin.RuleBirthday, "012345": pin.RuleIDNumber, "765432": pin.RuleIDNumber}, // the permit's digits, also backwards
		"foreigner": {"800808": pin.RuleBirthday, "198008": pin.RuleBirthday},
	} {
		for secret, want := range secrets { // which other rules may refuse as well
			v, err := x.Authority().Enroll(t.Context(), c, x.EnrollRequest(c, people[who], secret))
			if e, ok := errors.AsType[*liuma.Error](err); !ok || e.Code != liuma.CodeWeakPIN || e.Reason != string(want) {
				t.Errorf("%s, %s: %+v, %v", who, secret, v, err)
			}
		}
	}
}
