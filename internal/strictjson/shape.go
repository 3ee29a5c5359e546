package strictjson

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Shape is an object with known members: strings, objects of the same kind, and
// members that may be either. It is immutable.
type Shape struct {
	members  []Member
	required uint64 // bit i: members[i] is required
}

// Member is one member of a Shape.
type Member struct {
	Name     string
	Field    int // index of its field in the Go struct
	Required bool
	Object   *Shape // nil for a string
	Text     Text   // of a string
	Plain    int    // for a member that may be either: the field of its struct that takes a string
}

// NewShape checks the members.
func NewShape(members []Member) (*Shape, error) {
	if len(members) > 64 {
		return nil, fmt.Errorf("%d members", len(members))
	}
	s := &Shape{members: slices.Clone(members)}
	for i, m := range members {
		if m.Object == nil && m.Text.max == 0 {
			return nil, fmt.Errorf("member %q: neither an object nor a bounded text", m.Name)
		}
		if m.Required {
			s.required |= 1 << i
		}
	}
	return s, nil
}

// Text is the set of strings that a member may have. The zero Text allows none.
type Text struct {
	min, max int // characters
	charset  *[utf8.RuneSelf]uint8
	pattern  *regexp.Regexp
	choices  []string
}

// In a Text's charset.
const (
	atFirst uint8 = 1 << iota // the character may be the first
	later                     // it may come after the first
)

// Patterns that only limit the characters, and those that also limit the first one. They are
// checked with a table, because an envelope is long, and because a regular expression takes
// longer.
var (
	simpleClass = regexp.MustCompile(`^\^\[[^\]]+\]\+\$$`)
	firstClass  = regexp.MustCompile(`^\^\[[^\^\]\\][^\]\\]*\](\[[^\^\]\\][^\]\\]*\])\{0,([0-9]{1,3})\}\$$`)
)

// NewText makes a Text of shortest to longest characters that match a pattern,
// if there is one, and are one of the choices, if there are any. Control
// characters are always refused.
func NewText(shortest, longest int, pattern string, choices []string) (Text, error) {
	if shortest < 0 || longest < 1 || shortest > longest {
		return Text{}, errors.New("want bounds")
	}
	t := Text{min: shortest, max: longest, choices: slices.Clone(choices)}
	if pattern == "" {
		return t, nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return Text{}, err
	}
	if simpleClass.MatchString(pattern) {
		t.charset = tableOf(re, re)
		return t, nil
	}
	if parts := firstClass.FindStringSubmatch(pattern); parts != nil {
		rest, err := regexp.Compile("^" + parts[1] + "$")
		if err != nil {
			return Text{}, err
		}
		most, err := strconv.Atoi(parts[2])
		if err != nil {
			return Text{}, err
		}
		if t.min > 0 && t.max <= most+1 { // else the pattern limits the length too
			t.charset = tableOf(re, rest)
			return t, nil
		}
	}
	t.pattern = re
	return t, nil
}

// tableOf makes a charset of patterns for one character alone.
func tableOf(first, rest *regexp.Regexp) *[utf8.RuneSelf]uint8 {
	t := new([utf8.RuneSelf]uint8)
	for c := range t {
		one := string(rune(c))
		if first.MatchString(one) {
			t[c] |= atFirst
		}
		if rest.MatchString(one) {
			t[c] |= later
		}
	}
	return t
}

// Decode reads a document into the struct that into points to. The struct must
// have the fields that the members of s name.
func (s *Shape) Decode(data []byte, into any) *Fault {
	if !utf8.Valid(data) {
		return &Fault{UTF8, ""}
	}
	r := reader{data: data}
	r.space()
	if r.at == len(data) {
		return &Fault{Empty, ""}
	}
	if r.data[r.at] != '{' {
		return &Fault{Syntax, ""}
	}
	if err := r.object(s, reflect.ValueOf(into).Elem(), ""); err != nil {
		return err
	}
	r.space()
	if r.at != len(data) {
		return &Fault{Trailing, ""}
	}
	return nil
}

func (r *reader) object(s *Shape, into reflect.Value, path string) *Fault {
	r.at++ // the brace, which the caller has checked
	var seen uint64
	for first := true; ; first = false {
		if r.take('}') {
			break
		}
		if !first && !r.take(',') {
			return &Fault{Syntax, path}
		}
		i, err := r.name(s, path)
		if err != nil {
			return err
		}
		m := &s.members[i]
		if seen&(1<<i) != 0 {
			return &Fault{Duplicate, join(path, m.Name)}
		}
		seen |= 1 << i
		if err := r.value(m, into.Field(m.Field), path); err != nil {
			return err
		}
	}
	if lacking := s.required &^ seen; lacking != 0 {
		for i := range s.members {
			if lacking&(1<<i) != 0 {
				return &Fault{Missing, join(path, s.members[i].Name)}
			}
		}
	}
	return nil
}

// name reads a member's name and the colon, and finds the member.
func (r *reader) name(s *Shape, path string) (int, *Fault) {
	r.space()
	name, ok := r.text()
	if !ok || !r.take(':') {
		return 0, &Fault{Syntax, path}
	}
	for i := range s.members {
		if s.members[i].Name == name {
			return i, nil
		}
	}
	return 0, &Fault{Unknown, join(path, SafeName(name))}
}

func (r *reader) value(m *Member, into reflect.Value, path string) *Fault {
	r.space()
	if r.at == len(r.data) {
		return &Fault{Syntax, join(path, m.Name)}
	}
	c := r.data[r.at]
	if m.Object != nil && c == '{' {
		return r.object(m.Object, into, join(path, m.Name))
	}
	if m.Object != nil && !m.either() || c != '"' {
		return &Fault{r.otherwise(c), join(path, m.Name)}
	}
	text, ok := r.text()
	if !ok {
		return &Fault{Syntax, join(path, m.Name)}
	}
	if why := m.Text.Check(text); why != "" {
		return &Fault{why, join(path, m.Name)}
	}
	if m.Object != nil {
		into = into.Field(m.Plain)
	}
	into.SetString(text)
	return nil
}

// either reports whether a member may be an object or a string.
func (m *Member) either() bool { return m.Object != nil && m.Text.max > 0 }

// otherwise distinguishes a value of the wrong type from malformed input.
func (r *reader) otherwise(c byte) Kind {
	switch {
	case strings.IndexByte(`"{[-tfn`, c) >= 0, c >= '0' && c <= '9':
		return Type
	}
	return Syntax
}

// Check returns the fault of a string, or an empty Kind.
func (t *Text) Check(text string) Kind {
	n := len(text)
	if n > t.max || n < 4*t.min {
		n = utf8.RuneCountInString(text)
	}
	switch {
	case n < t.min:
		return Short
	case n > t.max:
		return Long
	}
	want := atFirst
	for i := range len(text) {
		c := text[i]
		if c < 0x20 || c == 0x7f || t.charset != nil && (c >= utf8.RuneSelf || t.charset[c]&want == 0) {
			return Form
		}
		want = later
	}
	if t.pattern != nil && !t.pattern.MatchString(text) {
		return Form
	}
	if t.choices != nil && !slices.Contains(t.choices, text) {
		return Choice
	}
	return ""
}
