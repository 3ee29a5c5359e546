package liuma

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPurposeInTheReadersLanguage(t *testing.T) {
	both, zh, plain := PurposeIn("查询社保缴费年限", "See the years"), PurposeIn("查询", ""), Purpose("查询 years")
	for _, c := range []struct {
		p              Purpose
		language, want string
	}{
		{both, "zh-CN", "查询社保缴费年限"}, {both, "en", "See the years"}, {both, "ug", "查询社保缴费年限"}, {both, "", "查询社保缴费年限"},
		{zh, "en", "查询"}, {zh, "zh-CN", "查询"}, {plain, "en", "查询 years"}, {plain, "zh-CN", "查询 years"},
	} {
		if got := c.p.In(c.language); got != c.want {
			t.Errorf("%q in %q: %q, want %q", c.p, c.language, got, c.want)
		}
		if err := c.p.Check(); err != nil {
			t.Errorf("%q: %v", c.p, err)
		}
	}
}

func TestPurposeAsJSON(t *testing.T) {
	for p, want := range map[Purpose]string{
		"查询":                      `"查询"`,
		PurposeIn("查询", ""):       `{"zh-CN":"查询"}`,
		PurposeIn("查询", "See"):    `{"zh-CN":"查询","en":"See"}`,
		PurposeIn("查", "en:b: c"): `{"zh-CN":"查","en":"en:b: c"}`,
		"zh-CN:查":                 `"zh-CN:查"`, // one text that looks like the other form
	} {
		b, err := json.Marshal(p)
		if err != nil || string(b) != want {
			t.Errorf("%q: %s, %v", p, b, err)
		}
		var back Purpose
		if err := json.Unmarshal(b, &back); err != nil || back != p {
			t.Errorf("%s: %q, %v", b, back, err)
		}
	}
	for _, bad := range []string{`{}`, `{"en":"x"}`, `1`, `["x"]`, `null1`} {
		var p Purpose
		if err := json.Unmarshal([]byte(bad), &p); err == nil {
			t.Errorf("%s was read as %q", bad, p)
		}
	}
}

func TestPurposesThatCannotBeShown(t *testing.T) {
	long := strings.Repeat("办", 61)
	for _, p := range []Purpose{"", " 查", "查 ", "查\n询", "查\u202e询", "\xff", Purpose(long), PurposeIn("", "x"), PurposeIn(long, "x"), PurposeIn("x", long),
		PurposeIn("x", "a\nb"), PurposeIn("a\nb", ""), PurposeIn("a\nen:b", "c"), PurposeIn("x", " "), "x\n", "en:x\n", "zh-CN:a\nen:b\nug:c\n"} {
		if err := p.Check(); err == nil {
			t.Errorf("%q passes", p)
		}
	}
}
