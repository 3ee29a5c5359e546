package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/liuma-pin/liuma/internal/strictjson"
)

// request is read by shapeOfRequest.
type request struct {
	Number  string  `json:"number"`
	Subject subject `json:"subject"`
	Region  string  `json:"region,omitempty"`
	Status  string  `json:"status,omitempty"`
	About   about   `json:"about,omitzero"`
}

// about is a member that is a string or an object.
type about struct {
	Plain string `json:"-"`
	ZH    string `json:"zh-CN"`
}

func (a *about) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &a.Plain)
	}
	type object about
	return json.Unmarshal(b, (*object)(a))
}

type subject struct {
	Card string `json:"card"`
}

func text(t testing.TB, shortest, longest int, pattern string, choices ...string) strictjson.Text {
	t.Helper()
	made, err := strictjson.NewText(shortest, longest, pattern, choices)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func shape(t testing.TB, members ...strictjson.Member) *strictjson.Shape {
	t.Helper()
	s, err := strictjson.NewShape(members)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shapeOfRequest(t testing.TB) *strictjson.Shape {
	card := shape(t, strictjson.Member{Name: "card", Required: true, Text: text(t, 4, 4, "^[a-z0-9]+$")})
	zh := shape(t, strictjson.Member{Name: "zh-CN", Field: 1, Required: true, Text: text(t, 1, 4, "")})
	return shape(t,
		strictjson.Member{Name: "number", Field: 0, Required: true, Text: text(t, 1, 8, "")},
		strictjson.Member{Name: "subject", Field: 1, Required: true, Object: card},
		strictjson.Member{Name: "region", Field: 2, Text: text(t, 2, 6, "^[1-9][0-9](?:[0-9]{2}){0,2}$")},
		strictjson.Member{Name: "status", Field: 3, Text: text(t, 0, 9, "", "on", "off")},
		strictjson.Member{Name: "about", Field: 4, Text: text(t, 1, 4, ""), Object: zh, Plain: 0},
	)
}

// FuzzStrict compares every reader with encoding/json: a document that a reader
// accepts is accepted there too, with the same values.
func FuzzStrict(f *testing.F) {
	for _, seed := range []string{
		`{"number":"a","subject":{"card":"0123"},"region":"3305","status":"on"}`,
		`{"number":"a","subject":{"card":"0123"},"subject":{}}`,
		`{"number":"a","subject":{"card":"0123"},"about":"x"}`, `{"number":"a","subject":{"card":"0123"},"about":{"zh-CN":"x"}}`,
		`{"number":"a","subject":{"card":"0123"},"about":{"zh-CN":"x","zh-CN":"y"}}`, `{"number":"a","subject":{"card":"0123"},"about":["x"]}`,
		` { "number" : "\u0061\/\ud83d\ude00" , "subject" : { "card" : "abcd" } } `,
		`{"number":"\ud800","subject":{"card":"x"}}`,
		`{"Number":"a"}`, `{"number":1}`, `{"number":"a",}`, `{}`, `{}{}`, "{\"number\":\"\xff\"}", `[`, `"`, `{"`, `{"a\`, `{"\u00`,
		`{"number":"a","subject":{"card":"0123","card":"0123"}}`,
		`[1,-2.5e3,true,false,null,"x",[],{},{"a":[{"b":1}]}]`, `[{"a":1,"a":2}]`, `[{"a":1,"\u0061":2}]`, `["\ufffd"]`, `[[[[[]]]]]`, `[1e400]`, `null`, `{"":null}`, ``, ` `,
		`{"kid":"k","enc":"e"}`, `{"kid":"k","enc":"e","ct":1}`, `{"kid":null}`,
	} {
		f.Add([]byte(seed))
	}
	s := shapeOfRequest(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var got request
		if fault := s.Decode(data, &got); fault == nil {
			same(t, data, got)
			if got.Number == "" || len(got.Subject.Card) != 4 {
				t.Fatalf("accepted %q without what is required", data)
			}
			if _, fault := strictjson.Parse(data, 2); fault != nil && fault.Kind != strictjson.UTF8 {
				t.Fatalf("Decode takes %q, Parse says %v", data, fault)
			}
		}
		if value, fault := strictjson.Parse(data, 4); fault == nil {
			var want any
			dec := json.NewDecoder(bytes.NewReader(data))
			dec.UseNumber()
			if err := dec.Decode(&want); err != nil || !reflect.DeepEqual(value, want) {
				t.Fatalf("read %v from %q, encoding/json %v, %v", value, data, want, err)
			}
			if _, err := dec.Token(); err != io.EOF || !utf8.Valid(data) || depth(value) > 4 {
				t.Fatalf("accepted %q", data)
			}
		}
		if texts, fault := strictjson.Object(data, "kid", "enc"); fault == nil {
			var want map[string]string
			if err := json.Unmarshal(data, &want); err != nil || !reflect.DeepEqual(texts, want) || len(texts) != 2 {
				t.Fatalf("read %v from %q, encoding/json %v, %v", texts, data, want, err)
			}
		}
		if v, err := strictjson.Canonical[request](data); err == nil {
			if again, err := json.Marshal(v); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("%q was taken as %q", data, again)
			}
		}
	})
}

func same[T comparable](t *testing.T, data []byte, got T) {
	t.Helper()
	var want T
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&want); err != nil || got != want {
		t.Fatalf("read %+v from %q, encoding/json %+v, %v", got, data, want, err)
	}
}

func depth(value any) int {
	deepest := 0
	switch v := value.(type) {
	case []any:
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	case map[string]any:
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	default:
		return 0
	}
	return deepest + 1
}

func TestDecodeNamesTheFault(t *testing.T) {
	s := shapeOfRequest(t)
	for data, want := range map[string]strictjson.Fault{
		"":                               {Kind: strictjson.Empty},
		" \n":                            {Kind: strictjson.Empty},
		"\xff":                           {Kind: strictjson.UTF8},
		"[]":                             {Kind: strictjson.Syntax},
		"null":                           {Kind: strictjson.Syntax},
		`{"number":"a"`:                  {Kind: strictjson.Syntax},
		`{"number" "a"}`:                 {Kind: strictjson.Syntax},
		`{"number":}`:                    {Kind: strictjson.Syntax, Path: "number"},
		`{"number":"\ud800"}`:            {Kind: strictjson.Syntax, Path: "number"},
		`{"number":"\udc00\ud800"}`:      {Kind: strictjson.Syntax, Path: "number"},
		"{\"number\":\"\n\"}":            {Kind: strictjson.Syntax, Path: "number"},
		`{"number":null}`:                {Kind: strictjson.Type, Path: "number"},
		`{"number":1}`:                   {Kind: strictjson.Type, Path: "number"},
		`{"number":{}}`:                  {Kind: strictjson.Type, Path: "number"},
		`{"number":""}`:                  {Kind: strictjson.Short, Path: "number"},
		`{"number":"123456789"}`:         {Kind: strictjson.Long, Path: "number"},
		`{"number":"a\u0000"}`:           {Kind: strictjson.Form, Path: "number"},
		`{"Number":"a"}`:                 {Kind: strictjson.Unknown, Path: "Number"},
		`{"33050119500307612X":"a"}`:     {Kind: strictjson.Unknown, Path: "?"},
		`{"number":"a","\u006eumber":1}`: {Kind: strictjson.Duplicate, Path: "number"},
		`{"number":"a"}`:                 {Kind: strictjson.Missing, Path: "subject"},
		`{"subject":{"card":"abcd"}}`:    {Kind: strictjson.Missing, Path: "number"},
		`{"subject":"x"}`:                {Kind: strictjson.Type, Path: "subject"},
		`{"subject":{}}`:                 {Kind: strictjson.Missing, Path: "subject.card"},
		`{"subject":{"card":"ABCD"}}`:    {Kind: strictjson.Form, Path: "subject.card"},
		`{"subject":{"pin":"1"}}`:        {Kind: strictjson.Unknown, Path: "subject.pin"},
		`{"subject":{"card":"abcd",}}`:   {Kind: strictjson.Syntax, Path: "subject"},
		`{"region":"0333"}`:              {Kind: strictjson.Form, Path: "region"},
		`{"status":"ON"}`:                {Kind: strictjson.Choice, Path: "status"},
		`{"number":"a","subject":{"card":"abcd"}}{}`: {Kind: strictjson.Trailing},
	} {
		var got request
		if fault := s.Decode([]byte(data), &got); fault == nil || *fault != want {
			t.Errorf("%q: %v, want %v", data, fault, &want)
		}
	}
}

func TestParseNamesTheFault(t *testing.T) {
	for data, want := range map[string]strictjson.Fault{
		"":                           {Kind: strictjson.Syntax},
		"\xff":                       {Kind: strictjson.UTF8},
		"[] []":                      {Kind: strictjson.Syntax},
		"[1,]":                       {Kind: strictjson.Syntax},
		"[01]":                       {Kind: strictjson.Syntax},
		`["\ud800"]`:                 {Kind: strictjson.UTF8},
		`["\ufffd"]`:                 {Kind: strictjson.UTF8},
		`{"\ud800":1}`:               {Kind: strictjson.UTF8},
		`{"a":{"b":1,"\u0062":2}}`:   {Kind: strictjson.Duplicate, Path: "a.b"},
		`{"a":1,"a":2,`:              {Kind: strictjson.Syntax},
		`{"a":[[[1]]]}`:              {Kind: strictjson.Deep, Path: "a"},
		strings.Repeat("[", 100_000): {Kind: strictjson.Syntax},
		`{"王":{"a":"\udfff\ud800"}}`: {Kind: strictjson.UTF8, Path: "?.a"},
	} {
		if value, fault := strictjson.Parse([]byte(data), 3); fault == nil || *fault != want || value != nil {
			t.Errorf("%.40q: %v, %v, want %v", data, value, fault, &want)
		}
	}
	want := []any{json.Number("-1.5e3"), true, false, nil, "中😀", map[string]any{"a": []any{}}}
	if got, fault := strictjson.Parse([]byte(" [ -1.5e3 , true,false ,null,\"\\u4e2d\\ud83d\\ude00\",{ \"a\" : [ ] } ]\n"), 3); fault != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, fault)
	}
}

func TestObject(t *testing.T) {
	if got, fault := strictjson.Object([]byte(`{"b":"2","a":"1"}`), "a", "b"); fault != nil || got["a"] != "1" || got["b"] != "2" {
		t.Errorf("%v, %v", got, fault)
	}
	for data, want := range map[string]strictjson.Fault{
		`[]`:                        {Kind: strictjson.Type},
		`{"a":"1"}`:                 {Kind: strictjson.Missing, Path: "b"},
		`{"a":"1","b":null}`:        {Kind: strictjson.Type, Path: "b"},
		`{"a":"1","b":{}}`:          {Kind: strictjson.Deep, Path: "b"},
		`{"a":"1","b":"2","c":"3"}`: {Kind: strictjson.Unknown, Path: "c"},
		`{"a":"1","b":"2","b":"3"}`: {Kind: strictjson.Duplicate, Path: "b"},
		`{"a":"1","b":"2"}{}`:       {Kind: strictjson.Syntax},
	} {
		if got, fault := strictjson.Object([]byte(data), "a", "b"); fault == nil || *fault != want || got != nil {
			t.Errorf("%s: %v, %v, want %v", data, got, fault, &want)
		}
	}
}

func TestCanonical(t *testing.T) {
	const good = `{"number":"a","subject":{"card":"b"}}`
	if v, err := strictjson.Canonical[request]([]byte(good)); err != nil || v.Subject.Card != "b" {
		t.Errorf("%+v, %v", v, err)
	}
	for _, data := range []string{"", "null", good + "\n", good + good, `{"subject":{"card":"b"},"number":"a"}`, `{"number":"a","number":"a","subject":{"card":"b"}}`,
		`{"Number":"a","subject":{"card":"b"}}`, `{"number":"\u0061","subject":{"card":"b"}}`, `{"number":"a","subject":{"card":"b","x":1}}`} {
		if _, err := strictjson.Canonical[request]([]byte(data)); !errors.Is(err, strictjson.ErrNotCanonical) {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// TestReadsAllText: every string that fits is read unchanged, in every
// spelling.
func TestReadsAllText(t *testing.T) {
	type one struct {
		Text string `json:"text"`
	}
	s := shape(t, strictjson.Member{Name: "text", Text: text(t, 0, 1000, "")})
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[^\x00-\x1f\x7f]{0,50}`).Draw(t, "text")
		var data bytes.Buffer
		enc := json.NewEncoder(&data)
		enc.SetEscapeHTML(rapid.Bool().Draw(t, "escape"))
		if err := enc.Encode(one{text}); err != nil {
			t.Fatal(err)
		}
		raw := data.Bytes()
		if rapid.Bool().Draw(t, "ascii") {
			raw = asciiOnly(raw)
		}
		var got one
		if fault := s.Decode(raw, &got); fault != nil || got.Text != text {
			t.Fatalf("%q came out as %q, %v", text, got.Text, fault)
		}
	})
}

// asciiOnly escapes all characters outside ASCII.
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

// TestTextCountsCharacters: bounds are characters, and control characters are
// never text.
func TestTextCountsCharacters(t *testing.T) {
	digits := text(t, 2, 3, "")
	for text, want := range map[string]strictjson.Kind{"中": strictjson.Short, "中中": "", "中中中": "", "中中中中": strictjson.Long, "a\x1f": strictjson.Form, "a\x7f": strictjson.Form} {
		if got := digits.Check(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestWhatCannotBeEnforcedIsRefused: a shape without bounds must not come up.
func TestWhatCannotBeEnforcedIsRefused(t *testing.T) {
	if _, err := strictjson.NewShape([]strictjson.Member{{Name: "free"}}); err == nil {
		t.Error("a member without bounds was accepted")
	}
	many := make([]strictjson.Member, 65)
	for i := range many {
		many[i] = strictjson.Member{Name: "m", Text: text(t, 0, 1, "")}
	}
	if _, err := strictjson.NewShape(many); err == nil {
		t.Error("65 members were accepted")
	}
	for _, c := range []struct {
		shortest, longest int
		pattern           string
	}{{0, 0, ""}, {-1, 1, ""}, {3, 2, ""}, {0, 1, "("}} {
		if _, err := strictjson.NewText(c.shortest, c.longest, c.pattern, nil); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

// TestPatternsByTable: a text is accepted exactly if the regular expression matches it, whether
// that is checked with a table or not. Non-ASCII characters are in none of the classes.
func TestPatternsByTable(t *testing.T) {
	letters := []string{"0", "9", "a", "Z", "-", "_", ".", "]", "^", "\\", " ", "é", "五"}
	for _, c := range []struct {
		pattern           string
		shortest, longest int
	}{
		{"^[a-z0-9]+$", 1, 8}, {"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", 1, 64}, {"^[A-Za-z0-9][A-Za-z0-9_.-]{0,2}$", 1, 8},
		{"^[A-Za-z0-9][A-Za-z0-9_.-]{0,2}$", 1, 3}, {"^[0-9][a-z]{0,2}$", 0, 3}, {"^[1-9][0-9](?:[0-9]{2}){0,2}$", 1, 6},
		{`^[\^-][^a]{0,3}$`, 1, 4}, {"^[0-9][0-9]{2,3}$", 1, 4}, {"^[0-9][0-9]{0,3}[a-z]$", 1, 4}, {"[0-9][a-z]{0,3}", 1, 4},
	} {
		re, made := regexp.MustCompile(c.pattern), text(t, c.shortest, c.longest, c.pattern)
		rapid.Check(t, func(rt *rapid.T) {
			s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(letters), 0, c.longest+1).Draw(rt, "letters"), "")
			n := utf8.RuneCountInString(s)
			want := n >= c.shortest && n <= c.longest && re.MatchString(s)
			if got := made.Check(s); (got == "") != want {
				rt.Fatalf("%s: %q: %q", c.pattern, s, got)
			}
		})
	}
}
