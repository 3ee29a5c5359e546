package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
)

// goodID is the example in GB 11643 itself.
const goodID = "11010519491231002X"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, name string, err error, code liuma.Code) {
	t.Helper()
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Code != code {
		t.Errorf("%s: error %v, want code %s", name, err, code)
	}
}

func TestEverySpellingIsOneIDNumber(t *testing.T) {
	for _, s := range []string{
		goodID,
		"11010519491231002x",
		" 11010519491231002X\n",
		"110105 19491231 002X",
		"１１０１０５１９４９１２３１００２Ｘ",
		"１１０１０５１９４９１２３１００２ｘ",
		"110105　19491231　002X",           // U+3000
		"110105\u00a019491231\u2009002X", // no-break and thin space
		"\t110105194912310 02 x",
		"11010519491231002Ⅹ", // the Roman numeral
		"110105-19491231-002X", "110105—19491231−002X",
		"110105\u200b1949\ufeff1231\u00ad002X\u202c", "110105\ue5e519491231\u3164002x\u2029",
	} {
		id, err := ParseIDNumber(s)
		if err != nil || id.Canonical() != goodID {
			t.Errorf("%q: %q, %v", s, id.Canonical(), err)
		}
	}
}

func TestIDNumberParts(t *testing.T) {
	id, err := ParseIDNumber(goodID)
	must(t, err)
	y, m, d := id.Birthday()
	if y != 1949 || m != time.December || d != 31 || id.Region() != "110105" || id.Masked() != "1101**********002X" {
		t.Errorf("%d-%d-%d, region %s, %s", y, m, d, id.Region(), id.Masked())
	}
	var zero IDNumber
	y, m, d = zero.Birthday()
	if !zero.IsZero() || zero.Canonical() != "" || zero.Region() != "" || y != 0 || m != 0 || d != 0 {
		t.Error("the zero IDNumber says something")
	}
}

// withCheck completes 17 digits.
func withCheck(digits string) string { return digits + string(checkCharacter(digits)) }

func TestIDNumberRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		s    string
		code liuma.Code
	}{
		"empty":               {"", liuma.CodeIDNumberInvalid},
		"15 digits":           {"110105491231002", liuma.CodeIDNumber15},
		"15 digits, wide":     {"１１０１０５ 491231 002", liuma.CodeIDNumber15},
		"15 characters":       {"11010549123100X", liuma.CodeIDNumberInvalid},
		"17 digits":           {goodID[:17], liuma.CodeIDNumberInvalid},
		"19 characters":       {goodID + "0", liuma.CodeIDNumberInvalid},
		"wrong check":         {"110105194912310021", liuma.CodeIDNumberInvalid},
		"X for a digit":       {"1101051949123100X2", liuma.CodeIDNumberInvalid},
		"leading zero":        {withCheck("01010519491231002"), liuma.CodeIDNumberInvalid},
		"31 April":            {withCheck("11010519900431002"), liuma.CodeIDNumberInvalid},
		"29 Feb 1900":         {withCheck("11010519000229002"), liuma.CodeIDNumberInvalid},
		"month 13":            {withCheck("11010519901301002"), liuma.CodeIDNumberInvalid},
		"day 0":               {withCheck("11010519901200002"), liuma.CodeIDNumberInvalid},
		"year 1849":           {withCheck("11010518491231002"), liuma.CodeIDNumberInvalid},
		"year 2101":           {withCheck("11010521010101002"), liuma.CodeIDNumberInvalid},
		"letters":             {"ABCDEFGHIJKLMNOPQR", liuma.CodeIDNumberInvalid},
		"Cyrillic letter":     {"11010519491231002Х", liuma.CodeIDNumberInvalid},
		"not UTF-8":           {"11010519491231002\xff", liuma.CodeIDNumberInvalid},
		"long":                {strings.Repeat(" ", 300) + goodID, liuma.CodeIDNumberInvalid},
		"other digits, check": {"११०१०५१९४९१२३१००२X", liuma.CodeIDNumberInvalid},
	} {
		id, err := ParseIDNumber(c.s)
		wantCode(t, name, err, c.code)
		if !id.IsZero() {
			t.Errorf("%s: a number beside the error", name)
		}
		if err != nil && c.s != "" && strings.Contains(err.Error(), c.s) {
			t.Errorf("%s: the error repeats the number", name)
		}
	}
	for _, good := range []string{withCheck("11010519000228002"), withCheck("11010520000229002"), withCheck("65010218500101001"), withCheck("11010521001231002")} {
		if _, err := ParseIDNumber(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

// MOD 11-2 always finds one wrong digit, or two neighbours swapped.
func TestCheckCharacterFindsSlips(t *testing.T) {
	base := goodID[:17]
	for i := range base {
		for d := byte('0'); d <= '9'; d++ {
			slip := base[:i] + string(d) + base[i+1:]
			if slip != base && checkCharacter(slip) == 'X' {
				t.Errorf("digit %d as %c is not found", i, d)
			}
		}
		if i > 0 && base[i] != base[i-1] {
			swap := base[:i-1] + string(base[i]) + string(base[i-1]) + base[i+1:]
			if checkCharacter(swap) == 'X' {
				t.Errorf("swap at %d is not found", i)
			}
		}
	}
}

func FuzzParseIDNumber(f *testing.F) {
	f.Add(goodID)
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseIDNumber(s)
		if err != nil {
			if c := liuma.CodeOf(err); c != liuma.CodeIDNumberInvalid && c != liuma.CodeIDNumber15 {
				t.Errorf("code %s", c)
			}
			return
		}
		again, err := ParseIDNumber(id.Canonical())
		if err != nil || again.Canonical() != id.Canonical() {
			t.Errorf("%q is not canonical: %q, %v", id.Canonical(), again.Canonical(), err)
		}
		if id.Document().Type != liuma.DocumentIDNumber {
			return // FuzzParseDocument
		}
		if y, m, d := id.Birthday(); y < 1850 || y > 2100 || m < 1 || d < 1 || len(id.Region()) < 2 && id.Canonical()[0] != '9' {
			t.Errorf("%q: born %d-%d-%d in %q", id.Canonical(), y, m, d, id.Region())
		}
	})
}

func TestParseName(t *testing.T) {
	for s, want := range map[string]string{
		"王秀英":                   "王秀英",
		" 王 秀　英 ":               "王秀英",
		"欧阳娜":                   "欧阳娜",
		"李〇":                    "李〇",
		"𠮷田":                    "𠮷田", // beyond the basic plane
		"阿依古丽·买买提":              "阿依古丽·买买提",
		"阿依古丽•买买提":              "阿依古丽·买买提",
		"阿依古丽‧买买提":              "阿依古丽·买买提",
		"阿依古丽.买买提":              "阿依古丽·买买提",
		"阿依古丽．买买提":              "阿依古丽·买买提",
		"阿依古丽・买买提":              "阿依古丽·买买提",
		"阿依古丽 · 买买提":            "阿依古丽·买买提",
		"迪丽·热巴·买":               "迪丽·热巴·买",
		"John  Smith":           "John Smith",
		"ＪＯＨＮ　ｓｍｉｔｈ":            "JOHN smith",
		"Zoe\u0308 Li":          "Zoë Li",
		"王\u200b英":              "王英",
		"王\u202e英":              "王英",
		"张\ue863":               "张䶮",
		"李𮯰":                    "李𮯰",
		"Anne-Marie O’Brien":    "Anne-Marie O'Brien",
		strings.Repeat("王", 80): strings.Repeat("王", 80),
	} {
		got, err := ParseName(s)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", s, got, err, want)
		}
		again, err := ParseName(got)
		if err != nil || again != got {
			t.Errorf("%q is not canonical: %q, %v", got, again, err)
		}
	}
	for name, s := range map[string]string{
		"empty": "", "one": "王", "81": strings.Repeat("王", 81), "long": strings.Repeat(" ", 1200) + "王秀英",
		"digit": "王1英", "leading dot": "·王英", "trailing dot": "王英·", "two dots": "王··英", "dots alone": "··",
		"emoji": "王😀", "control": "王\x00英", "marks alone": "\u0301\u0302", "private use": "王\ue000",
		"not UTF-8": "王\xff英", "markup": "<b>", "quote": `王"英`, "comma": "王，英",
	} {
		_, err := ParseName(s)
		wantCode(t, name, err, liuma.CodeBadRequest)
	}
}

func TestParsePhone(t *testing.T) {
	for _, s := range []string{
		"13800138000", "+8613800138000", "008613800138000", "+86 138 0013 8000", "138-0013-8000",
		"１３８００１３８０００", "＋86　13800138000", " 13800138000 ", "138–0013—8000", "\u202a13800138000\u202c", "(+86) 138.0013.8000", "138ー0013ー8000",
	} {
		got, err := ParsePhone(s)
		if err != nil || got != "13800138000" {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"19912345678", "17612345678", "16612345678", "15012345678"} {
		if got, err := ParsePhone(s); err != nil || got != s {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for name, s := range map[string]string{
		"empty": "", "landline": "01062345678", "landline, area": "057187654321", "short": "1380013800",
		"long": "138001380001", "hotline": "12333", "Hong Kong": "+85261234567", "USA": "+12025550123",
		"prefix 12": "12800138000", "letters": "1380013800a", "vanity": "1380013ABCD", "extension": "13800138000 ext 5",
		"semicolon": "13800138000;ext=5", "two": "13800138000,13800138001", "plus inside": "138+00138000",
		"context": "tel:13800138000", "very long": strings.Repeat("1", 300),
	} {
		got, err := ParsePhone(s)
		if err == nil {
			t.Errorf("%s: %q", name, got)
			continue
		}
		wantCode(t, name, err, liuma.CodeBadRequest)
	}
}

func TestParseCardNo(t *testing.T) {
	for s, want := range map[string]string{
		"A12345678": "A12345678", "a1234 5678": "A12345678", "Ａ１２３４５６７８": "A12345678",
		"a-12345678": "A12345678", "A\u200b1234–5678": "A12345678", "12345678": "12345678", strings.Repeat("Z", 20): strings.Repeat("Z", 20),
	} {
		if got, err := ParseCardNo(s); err != nil || got != want {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for name, s := range map[string]string{
		"empty": "", "short": "A123456", "long": strings.Repeat("1", 21), "sign": "A1234567*", "han": "甲12345678",
		"very long": strings.Repeat("1", 300), "lower sharp s": "ß12345678",
	} {
		_, err := ParseCardNo(s)
		wantCode(t, name, err, liuma.CodeBadRequest)
	}
}

func someFacts() Facts {
	return Facts{Name: "王秀英", IDNumber: goodID, Phone: "13800138000", CardNo: "A12345678", Region: "330502"}
}

func TestFactsRoundTrip(t *testing.T) {
	long := someFacts()
	long.Name = strings.Repeat("𠮷", 50)
	for _, f := range []Facts{someFacts(), {}, long, {Name: "王英"}} {
		stored, err := f.Marshal()
		must(t, err)
		if len(stored)%factsBlock != 0 {
			t.Errorf("%d bytes stored", len(stored))
		}
		got, err := ParseFacts(stored)
		if err != nil || got != f {
			t.Errorf("another person came back: %v", err)
		}
	}
	short := someFacts()
	short.Name = "王英"
	a, err := someFacts().Marshal()
	must(t, err)
	b, err := short.Marshal()
	must(t, err)
	if len(a) != len(b) {
		t.Error("the length tells a name of two from one of three characters")
	}
	if _, err := (Facts{Name: strings.Repeat("王", 86)}).Marshal(); err == nil {
		t.Error("a member of 258 bytes was stored")
	}
	if _, err := (Facts{Name: "\xff"}).Marshal(); err == nil {
		t.Error("a member that is not UTF-8 was stored")
	}
}

func TestParseFactsIsStrict(t *testing.T) {
	good, err := someFacts().Marshal()
	must(t, err)
	edit := func(i int, b byte) []byte {
		c := append([]byte{}, good...)
		c[i] = b
		return c
	}
	for name, stored := range map[string][]byte{
		"nothing":       nil,
		"version 0":     edit(0, 0),
		"version 2":     edit(0, 2),
		"cut":           good[:len(good)-1],
		"cut block":     good[:32],
		"block more":    append(append([]byte{}, good...), make([]byte, 32)...),
		"padding":       edit(len(good)-1, 1),
		"length past":   edit(1, 255),
		"length less":   edit(1, 8),
		"not UTF-8":     edit(2, 0xff),
		"region broken": edit(strings.Index(string(good), "330502"), '0'),
	} {
		if f, err := ParseFacts(stored); !errors.Is(err, ErrFacts) || f != (Facts{}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseFacts(f *testing.F) {
	good, err := someFacts().Marshal()
	must(f, err)
	f.Add(good)
	f.Fuzz(func(t *testing.T, stored []byte) {
		facts, err := ParseFacts(stored)
		if err != nil {
			return
		}
		again, err := facts.Marshal()
		must(t, err)
		if string(again) != string(stored) {
			t.Error("facts have two stored forms")
		}
	})
}

func TestMasks(t *testing.T) {
	f := someFacts()
	for got, want := range map[string]string{
		f.MaskedName():           "王*英",
		f.MaskedIDNumber():       "1101**********002X",
		f.MaskedPhone():          "138****8000",
		MaskName("王奶"):           "王*",
		MaskName("阿依·买买"):        "阿***买",
		MaskName("葛\U000e0100城"): "葛*",
		MaskName("王") + "|":      "*|",
		MaskPhone("1234567"):     "*******",
		MaskIDNumber("12345678"): "********",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if MaskName("") != "" || MaskPhone("") != "" || (IDNumber{}).Masked() != "" {
		t.Error("nothing is masked as something")
	}
}

func TestPersonalDataPrintsRedacted(t *testing.T) {
	id, err := ParseIDNumber(goodID)
	must(t, err)
	f := someFacts()
	type hidden struct{ id IDNumber }
	var out strings.Builder
	for _, v := range []any{id, &id, f, &f, []Facts{f}, map[string]IDNumber{"a": id}, struct {
		F Facts
		N IDNumber
	}{f, id}, hidden{id}, &hidden{id}, []hidden{{id}}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		data, err := json.Marshal(v)
		must(t, err)
		out.Write(data)
	}
	for _, s := range []string{goodID, f.Name, f.Phone, f.CardNo} {
		for _, spelled := range []string{s, fmt.Sprintf("%x", s), fmt.Sprintf("%X", s)} {
			if strings.Contains(out.String(), spelled) {
				t.Errorf("output holds %q", spelled)
			}
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing was printed at all")
	}
}
