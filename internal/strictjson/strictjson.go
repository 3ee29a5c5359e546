// Package strictjson reads JSON that strangers send. It guarantees that an
// accepted document is UTF-8, holds one value and nothing after it, has each
// member of an object once and with its exact name, nests no deeper than the
// caller allows, and has no lone surrogate in a string: so every other reader
// of the same bytes reads the same. encoding/json does not guarantee that: it
// takes the last of two members, ignores the case of names, and turns invalid
// UTF-8 into U+FFFD. A Fault names the place by the names of members and
// repeats nothing else of the document. The package does not limit sizes: its
// callers must limit how much they read.
//
// Shape reads an object of known members into a struct; Parse reads any value,
// for callers with their own schema; Object reads a few named strings;
// Canonical accepts only the bytes that this release would have written.
//
// Start here: Shape.Decode in shape.go; Parse in value.go.
package strictjson

import "unicode/utf8"

// Kind is the kind of a fault. Kinds are stable: doors show them.
type Kind string

// The kinds.
const (
	UTF8      Kind = "json_utf8"
	Empty     Kind = "body_empty"
	Syntax    Kind = "json_syntax"
	Trailing  Kind = "json_trailing"
	Deep      Kind = "json_deep"
	Unknown   Kind = "member_unknown"
	Duplicate Kind = "member_duplicate"
	Missing   Kind = "member_missing"
	Type      Kind = "member_type"
	Short     Kind = "member_short"
	Long      Kind = "member_long"
	Form      Kind = "member_form"
	Choice    Kind = "member_choice"
)

// Fault is the first fault of a document.
type Fault struct {
	Kind Kind
	Path string // of the member at fault, dotted; empty for the whole document
}

func (f *Fault) Error() string {
	if f.Path == "" {
		return string(f.Kind)
	}
	return string(f.Kind) + " at " + f.Path
}

// SafeName returns a member's name if it cannot be personal data, and otherwise
// a question mark: a name or number in the wrong place must not be logged.
func SafeName(name string) string {
	if name == "" || len(name) > 32 {
		return "?"
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return "?"
		}
	}
	return name
}

func join(path, name string) string {
	switch "" {
	case path:
		return name
	case name:
		return path
	}
	return path + "." + name
}

// reader reads one document, which is already known to be UTF-8.
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

// take consumes c after any white space, or reports that it is not next.
func (r *reader) take(c byte) bool {
	r.space()
	if r.at < len(r.data) && r.data[r.at] == c {
		r.at++
		return true
	}
	return false
}

// text reads a JSON string. An escaped lone surrogate is refused, because it
// stands for no character.
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

// escaped continues with a string at its first backslash.
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

// escape reads the rest of an escape sequence, after its backslash.
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
