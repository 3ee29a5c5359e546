package api

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/liuma-pin/liuma"
)

// shape is a request body as the published schema describes it, compiled for
// decoding. What is published is what is enforced, because both come from the
// one huma.Schema. Bodies hold strings and objects only. Immutable.
type shape struct {
	members  []member
	required uint64 // bit i: members[i] must be there
}

type member struct {
	name    string
	field   int    // index in the Go struct
	object  *shape // nil for a string
	min     int    // characters
	max     int    // characters
	charset *[utf8.RuneSelf]bool
	pattern *regexp.Regexp
	choices []string
}

// simpleClass matches patterns that only limit the characters; they are
// enforced by a table, since an envelope is long.
var simpleClass = regexp.MustCompile(`^\^\[[^\]]+\]\+\$$`)

// compile makes the shape of a body type from its schema in the registry. It
// refuses whatever the decoder would not enforce.
func compile(t reflect.Type, registry huma.Registry) (*shape, error) {
	schema := registry.Schema(t, false, "")
	required := map[string]bool{}
	for _, name := range schema.Required {
		required[name] = true
	}
	if extra, ok := schema.AdditionalProperties.(bool); !ok || extra {
		return nil, fmt.Errorf("schema of %s allows unknown members", t.Name())
	}
	s := &shape{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		m, err := compileMember(name, f, schema.Properties[name], registry)
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", t.Name(), err)
		}
		m.field = i
		if required[name] {
			s.required |= 1 << len(s.members)
		}
		s.members = append(s.members, m)
	}
	if len(s.members) > 64 {
		return nil, fmt.Errorf("schema of %s: %d members", t.Name(), len(s.members))
	}
	return s, nil
}

func compileMember(name string, f reflect.StructField, p *huma.Schema, registry huma.Registry) (member, error) {
	if p == nil {
		return member{}, fmt.Errorf("member %q is not published", name)
	}
	m := member{name: name}
	if f.Type.Kind() == reflect.Struct {
		var err error
		m.object, err = compile(f.Type, registry)
		return m, err
	}
	if f.Type.Kind() != reflect.String || p.MaxLength == nil {
		return member{}, fmt.Errorf("member %q: want a string with a maxLength", name)
	}
	m.max = *p.MaxLength
	if p.MinLength != nil {
		m.min = *p.MinLength
	}
	for _, e := range p.Enum {
		m.choices = append(m.choices, fmt.Sprint(e))
	}
	if p.Pattern == "" {
		return m, nil
	}
	re, err := regexp.Compile(p.Pattern)
	if err != nil {
		return member{}, fmt.Errorf("member %q: %w", name, err)
	}
	if simpleClass.MatchString(p.Pattern) {
		m.charset = new([utf8.RuneSelf]bool)
		for c := range m.charset {
			m.charset[c] = re.MatchString(string(rune(c)))
		}
		return m, nil
	}
	m.pattern = re
	return m, nil
}

// decode reads body into the struct that into points to, whose type s was
// compiled from. Everything it accepts is UTF-8, has each member once and by
// its exact name, and fits the schema.
func (s *shape) decode(body []byte, into any) *liuma.Error {
	if !utf8.Valid(body) {
		return badRequest(reasonUTF8, "")
	}
	r := reader{data: body}
	r.space()
	if r.at == len(body) {
		return badRequest(reasonEmpty, "")
	}
	if r.data[r.at] != '{' {
		return badRequest(reasonSyntax, "")
	}
	if err := r.object(s, reflect.ValueOf(into).Elem(), ""); err != nil {
		return err
	}
	r.space()
	if r.at != len(body) {
		return badRequest(reasonTrailing, "")
	}
	return nil
}

// reader walks one body. It goes only as deep as the shape does.
type reader struct {
	data []byte
	at   int
}

func (r *reader) space() {
	for r.at < len(r.data) {
		switch r.data[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// take consumes c after any space, or reports that it is not next.
func (r *reader) take(c byte) bool {
	r.space()
	if r.at < len(r.data) && r.data[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *reader) object(s *shape, into reflect.Value, path string) *liuma.Error {
	r.at++ // the brace, seen by the caller
	var seen uint64
	for first := true; ; first = false {
		if r.take('}') {
			break
		}
		if !first && !r.take(',') {
			return badRequest(reasonSyntax, path)
		}
		i, err := r.name(s, path)
		if err != nil {
			return err
		}
		m := &s.members[i]
		if seen&(1<<i) != 0 {
			return badRequest(reasonDuplicate, join(path, m.name))
		}
		seen |= 1 << i
		if err := r.value(m, into.Field(m.field), path); err != nil {
			return err
		}
	}
	if lacking := s.required &^ seen; lacking != 0 {
		for i := range s.members {
			if lacking&(1<<i) != 0 {
				return badRequest(reasonMissing, join(path, s.members[i].name))
			}
		}
	}
	return nil
}

// name reads a member's name and the colon, and finds the member.
func (r *reader) name(s *shape, path string) (int, *liuma.Error) {
	r.space()
	name, ok := r.text()
	if !ok || !r.take(':') {
		return 0, badRequest(reasonSyntax, path)
	}
	for i := range s.members {
		if s.members[i].name == name {
			return i, nil
		}
	}
	return 0, badRequest(reasonUnknown, join(path, safeName(name)))
}

// safeName is name if it can hold nothing personal, and else a question mark:
// what a caller misplaced is not repeated to logs.
func safeName(name string) string {
	if name == "" || len(name) > 32 {
		return "?"
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' {
			return "?"
		}
	}
	return name
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (r *reader) value(m *member, into reflect.Value, path string) *liuma.Error {
	r.space()
	if r.at == len(r.data) {
		return badRequest(reasonSyntax, join(path, m.name))
	}
	c := r.data[r.at]
	if m.object != nil && c == '{' {
		return r.object(m.object, into, join(path, m.name))
	}
	if m.object != nil || c != '"' {
		return badRequest(r.otherwise(c), join(path, m.name))
	}
	text, ok := r.text()
	if !ok {
		return badRequest(reasonSyntax, join(path, m.name))
	}
	if why := m.check(text); why != "" {
		return badRequest(why, join(path, m.name))
	}
	into.SetString(text)
	return nil
}

// otherwise tells a value of the wrong type from something that is no value.
func (r *reader) otherwise(c byte) reason {
	switch {
	case strings.IndexByte(`"{[-tfn`, c) >= 0, c >= '0' && c <= '9':
		return reasonType
	}
	return reasonSyntax
}

func (m *member) check(text string) reason {
	n := len(text)
	if n > m.max || n < 4*m.min {
		n = utf8.RuneCountInString(text)
	}
	switch {
	case n < m.min:
		return reasonShort
	case n > m.max:
		return reasonLong
	}
	for i := range len(text) {
		c := text[i]
		if c < 0x20 || c == 0x7f || m.charset != nil && (c >= utf8.RuneSelf || !m.charset[c]) {
			return reasonForm
		}
	}
	if m.pattern != nil && !m.pattern.MatchString(text) {
		return reasonForm
	}
	if m.choices != nil {
		for _, choice := range m.choices {
			if choice == text {
				return ""
			}
		}
		return reasonChoice
	}
	return ""
}

// text reads a JSON string. The body is known to be UTF-8; an escaped lone
// surrogate is refused, since it stands for no text.
func (r *reader) text() (string, bool) {
	if r.at >= len(r.data) || r.data[r.at] != '"' {
		return "", false
	}
	r.at++
	begin := r.at
	for r.at < len(r.data) {
		switch c := r.data[r.at]; {
		case c == '"':
			r.at++
			return string(r.data[begin : r.at-1]), true
		case c == '\\':
			return r.escaped(begin)
		case c < 0x20:
			return "", false
		}
		r.at++
	}
	return "", false
}

// escaped goes on with a string at its first backslash.
func (r *reader) escaped(begin int) (string, bool) {
	out := append([]byte(nil), r.data[begin:r.at]...)
	for r.at < len(r.data) {
		c := r.data[r.at]
		r.at++
		switch {
		case c == '"':
			return string(out), true
		case c < 0x20:
			return "", false
		case c != '\\':
			out = append(out, c)
			continue
		}
		char, ok := r.escape()
		if !ok {
			return "", false
		}
		out = utf8.AppendRune(out, char)
	}
	return "", false
}

// escape reads what follows a backslash.
func (r *reader) escape() (rune, bool) {
	if r.at >= len(r.data) {
		return 0, false
	}
	c := r.data[r.at]
	r.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return r.unicode()
	}
	return 0, false
}

func (r *reader) unicode() (rune, bool) {
	high, ok := r.hex4()
	if !ok || high >= 0xdc00 && high <= 0xdfff {
		return 0, false
	}
	if high < 0xd800 || high > 0xdbff {
		return high, true
	}
	if r.at+1 >= len(r.data) || r.data[r.at] != '\\' || r.data[r.at+1] != 'u' {
		return 0, false
	}
	r.at += 2
	low, ok := r.hex4()
	if !ok || low < 0xdc00 || low > 0xdfff {
		return 0, false
	}
	return 0x10000 + (high-0xd800)<<10 + (low - 0xdc00), true
}

func (r *reader) hex4() (rune, bool) {
	if r.at+4 > len(r.data) {
		return 0, false
	}
	var v rune
	for _, c := range r.data[r.at : r.at+4] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	r.at += 4
	return v, true
}
