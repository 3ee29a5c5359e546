package api

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"pgregory.net/rapid"
)

func shapeOf[B any](t testing.TB) *shape {
	t.Helper()
	s, err := compile(reflect.TypeFor[B](), huma.NewMapRegistry("#/", huma.DefaultSchemaNamer))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// FuzzStrict holds the strict decoder to encoding/json: what it accepts, that
// accepts too, without unknown members, and reads the same from it.
func FuzzStrict(f *testing.F) {
	for _, seed := range []string{
		`{"business_no":"a","subject":{"card":"0123456789abcdef0123456789abcdef"},"region":"3305"}`,
		`{"business_no":"a","subject":{"card":"0123456789abcdef0123456789abcdef"},"subject":{}}`,
		` { "business_no" : "\u0061\/\ud83d\ude00" , "subject" : { } } `,
		`{"business_no":"\ud800","subject":{"card":"x"}}`,
		`{"Business_No":"a"}`, `{"business_no":1}`, `{"business_no":"a",}`, `{}`, `{}{}`, "{\"business_no\":\"\xff\"}", `[`, `"`, `{"`, `{"a\`, `{"\u00`,
		`{"business_no":"a","subject":{"card":"0123456789abcdef0123456789abcdef","card":"0123456789abcdef0123456789abcdef"}}`,
	} {
		f.Add([]byte(seed))
	}
	s := shapeOf[freezeRequest](f)
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want freezeRequest
		if err := s.decode(body, &got); err != nil {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("accepted %q, which encoding/json refuses: %v", body, err)
		}
		if got != want {
			t.Fatalf("read %+v from %q, encoding/json %+v", got, body, want)
		}
		if got.BusinessNo == "" || len(got.Subject.Card) != 32 {
			t.Fatalf("accepted %q without what is required", body)
		}
	})
}

// TestStrictReadsAllText: every text that fits comes out as it went in,
// however it is written.
func TestStrictReadsAllText(t *testing.T) {
	type one struct {
		Text string `json:"text" maxLength:"1000"`
	}
	s := shapeOf[one](t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[^\x00-\x1f\x7f]{0,50}`).Draw(t, "text")
		var body bytes.Buffer
		enc := json.NewEncoder(&body)
		enc.SetEscapeHTML(rapid.Bool().Draw(t, "escape"))
		if err := enc.Encode(one{text}); err != nil {
			t.Fatal(err)
		}
		raw := body.Bytes()
		if rapid.Bool().Draw(t, "ascii") {
			raw = asciiOnly(raw)
		}
		var got one
		if err := s.decode(raw, &got); err != nil || got.Text != text {
			t.Fatalf("%q came out as %q, %v", text, got.Text, err)
		}
	})
}

// asciiOnly escapes everything that is not ASCII.
func asciiOnly(raw []byte) []byte {
	var out strings.Builder
	const hex = "0123456789ABCDEF"
	unit := func(u rune) {
		out.WriteString(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			out.WriteByte(hex[u>>shift&15])
		}
	}
	for _, c := range string(raw) {
		switch {
		case c < 0x80:
			out.WriteRune(c)
		case c < 0x10000:
			unit(c)
		default:
			unit(0xd800 + (c-0x10000)>>10)
			unit(0xdc00 + (c-0x10000)&0x3ff)
		}
	}
	return []byte(out.String())
}

// TestCompileRefuses: a body type that the decoder would not hold to its
// published schema must not come up.
func TestCompileRefuses(t *testing.T) {
	registry := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	type number struct {
		N int `json:"n"`
	}
	type unbounded struct {
		S string `json:"s"`
	}
	type list struct {
		L []string `json:"l" maxLength:"3"`
	}
	for _, v := range []any{number{}, unbounded{}, list{}} {
		if _, err := compile(reflect.TypeOf(v), registry); err == nil {
			t.Errorf("%T: accepted", v)
		}
	}
}

// TestSchemaIsEnforced drives every limit of every published body from the
// schema itself.
func TestSchemaIsEnforced(t *testing.T) {
	s := shapeOf[verifyRequest](t)
	for _, m := range s.members {
		if m.object != nil {
			continue
		}
		if got := m.check(strings.Repeat("x", m.max+1)); got != reasonLong {
			t.Errorf("%s of %d characters: %q", m.name, m.max+1, got)
		}
		if got := m.check(strings.Repeat("中", m.max+1)); got != reasonLong {
			t.Errorf("%s of %d wide characters: %q", m.name, m.max+1, got)
		}
		if m.min > 0 {
			if got := m.check(strings.Repeat("x", m.min-1)); got != reasonShort {
				t.Errorf("%s of %d characters: %q", m.name, m.min-1, got)
			}
		}
	}
	digits := member{min: 2, max: 3}
	for text, want := range map[string]reason{"中": reasonShort, "中中": "", "中中中": "", "中中中中": reasonLong, "a\x1f": reasonForm, "a\x7f": reasonForm} {
		if got := digits.check(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestShowable(t *testing.T) {
	for text, want := range map[string]bool{
		"查询社保缴费年限": true, "Contribution years": true, "": true, "A　B": true,
		" a": false, "a ": false, "a\u00a0b": false, "a\u200bb": false, "a\u202eb": false, "a\u2066b": false, "a\nb": false, "a\ue000": false, "　a": false, "\ufeffa": false,
	} {
		if showable(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}

func BenchmarkStrict(b *testing.B) {
	s := shapeOf[verifyRequest](b)
	body, err := json.Marshal(verifyRequest{BusinessNo: "ZJ20260401-000019", Subject: anySubject{Card: "0123456789abcdef0123456789abcdef"}, Region: "3305",
		Purpose: "查询社保缴费年限", Challenge: strings.Repeat("c", 54), PIN: sealedPIN{KID: "k1", Enc: strings.Repeat("e", 87), CT: strings.Repeat("c", 363)}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var into verifyRequest
		if err := s.decode(body, &into); err != nil {
			b.Fatal(err)
		}
	}
}
