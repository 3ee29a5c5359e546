package policy

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/liuma-pin/liuma"
)

// Bounds of a layer's file and of one of its lines, in bytes, and of the nesting and
// indentation of its members. A region's sentence needs the longest line.
const (
	maxFile   = 256 << 10
	maxLine   = 1 << 10
	maxDepth  = 3
	maxIndent = 40
)

// Scope says to what a layer applies: the nation, one region or one channel.
type Scope struct {
	Layer Layer
	Of    string // a region's code or a channel's ID; empty for the nation
}

// String returns the scope as a file writes it: "region 3305".
func (s Scope) String() string {
	switch {
	case s.Layer == LayerNational, s.Layer == LayerRegion && s.Of == "":
		return string(LayerNational)
	}
	return string(s.Layer) + " " + s.Of
}

// depth orders layers from the top down.
func (s Scope) depth() int {
	switch s.Layer {
	case LayerRegion:
		return len(s.Of)
	case LayerChannel:
		return 100
	}
	return 0
}

// File is one layer: its scope, and the values that it sets. It is not changed after it
// was read.
type File struct {
	Name     string   // for errors and explanations
	Sum      [32]byte // SHA-256 of the file
	Text     []byte   // as it was read; must not be changed
	Scope    Scope
	settings []setting // in the order of the file
}

// setting is one value that a file sets.
type setting struct {
	value
	line   int
	policy Policy // only the value's own member is filled
}

// setting returns the file's setting of a value.
func (f File) setting(name string) (*setting, bool) {
	for i := range f.settings {
		if f.settings[i].name == name {
			return &f.settings[i], true
		}
	}
	return nil, false
}

// Sets returns the value that the file sets, as text.
func (f File) Sets(name string) (string, bool) {
	s, ok := f.setting(name)
	if !ok {
		return "", false
	}
	return s.text(&s.policy), true
}

// ErrFile means that a layer's file cannot be read. The error names every fault up to
// MaxFaults, with its line.
var ErrFile = errors.New("policy file")

// ParseFile reads one layer in YAML: a member "layer" with its scope, and only the
// values that it sets itself. A value that is unknown, repeated or unreadable refuses
// the whole file, with the line.
func ParseFile(name string, text []byte) (File, error) {
	f := File{Name: name, Sum: sha256.Sum256(text), Text: text}
	if strings.ContainsFunc(name, hidden) {
		return File{}, fmt.Errorf("%w %q: want a name without letters that are not seen", ErrFile, name)
	}
	if len(text) > maxFile {
		return f, fmt.Errorf("%w %s: more than %d bytes", ErrFile, name, maxFile)
	}
	r := reader{file: &f, known: values(), faults: Faults{kind: ErrFile}}
	r.read(string(text))
	if err := r.faults.err(); err != nil {
		return File{Name: name}, err
	}
	return f, nil
}

// read checks the text before the parser does. The parser is not made for strangers'
// files: very long lines, brackets or members take it seconds, or all of the machine's
// memory.
func (r *reader) read(text string) {
	if r.plain(text); r.faulty() {
		return
	}
	tokens := lexer.Tokenize(text)
	if r.nested(tokens); r.faulty() {
		return
	}
	tree, err := parser.Parse(tokens, 0)
	switch {
	case err != nil:
		r.faults.add(r.file.Name, 0, err)
	case len(tree.Docs) != 1 || tree.Docs[0].Body == nil:
		r.fail(1, "want one document that begins with \"layer:\"")
	default:
		r.members(tree.Docs[0].Body, "", 0)
		if r.file.Scope == (Scope{}) && !r.faulty() {
			r.fail(1, "no \"layer:\"; want \"layer: national\", \"layer: region 3305\" or \"layer: channel ID\"")
		}
	}
}

// reader reads one file, and collects its faults.
type reader struct {
	file   *File
	known  []value
	faults Faults
}

func (r *reader) fail(line int, format string, a ...any) {
	r.faults.add(r.file.Name, line, fmt.Errorf(format, a...))
}

func (r *reader) faulty() bool { return len(r.faults.all) > 0 }

// hidden reports characters that control a terminal, or that hide or reorder the text
// beside them.
func hidden(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) }

// plain refuses a text with invisible characters (the member who approves a layer reads
// it, and its name before each line of the difference, on a terminal or a page), with a
// line that is too long, or with members that are indented too far.
func (r *reader) plain(text string) {
	n := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") { // some editors begin a file with this UTF-8 mark
		n++
		line = strings.TrimSuffix(line, "\r")
		switch indent := len(line) - len(strings.TrimLeft(line, " \t")); {
		case len(line) > maxLine:
			r.fail(n, "the line is longer than %d bytes", maxLine)
		case !utf8.ValidString(line) || strings.ContainsFunc(line, func(c rune) bool { return c != '\t' && hidden(c) }):
			r.fail(n, "a letter that is not seen, or no UTF-8")
		case indent > maxIndent && indent < len(line):
			r.fail(n, "members lie too deep")
		default:
			continue
		}
		return
	}
}

// nested refuses lists and mappings that are nested too deeply, before the parser reads
// them: the parser keeps the whole path of every node, so a file of nothing but opening
// brackets would take all of the machine's memory. plain bounds nesting by indentation.
func (r *reader) nested(tokens token.Tokens) {
	brackets, dashes, line := 0, 0, 0 // dashes on this line
	for _, t := range tokens {
		if t.Position.Line != line {
			dashes, line = 0, t.Position.Line
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType:
			dashes++
		}
		if brackets > maxDepth || dashes > maxDepth {
			r.fail(line, "members lie too deep")
			return
		}
	}
}

// members reads a mapping whose members' names begin with prefix.
func (r *reader) members(n ast.Node, prefix string, depth int) {
	line := n.GetToken().Position.Line
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		r.fail(line, "want members such as \"%sname: value\"", prefix)
		return
	}
	if depth > maxDepth {
		r.fail(line, "members lie too deep")
		return
	}
	for _, pair := range pairs {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			r.fail(pair.Key.GetToken().Position.Line, "want the name of a value")
			continue
		}
		r.member(key, pair.Value, prefix+key.Value, depth)
	}
}

func (r *reader) member(key *ast.StringNode, n ast.Node, name string, depth int) {
	line := key.GetToken().Position.Line
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		if !r.group(name + ".") {
			r.unknown(line, name)
			return
		}
		r.members(n, name+".", depth+1)
		return
	case *ast.StringNode, *ast.IntegerNode, *ast.BoolNode:
	default:
		r.fail(line, "%s: want a value on the same line", name)
		return
	}
	text := n.GetToken().Value
	if name == "layer" {
		r.layer(line, text)
		return
	}
	for _, v := range r.known {
		if v.name == name && v.stricter != onlyCode {
			r.set(line, v, text)
			return
		}
	}
	r.unknown(line, name)
}

// set records a setting.
func (r *reader) set(line int, v value, text string) {
	if s, twice := r.file.setting(v.name); twice {
		r.fail(line, "%s: there already, on line %d", v.name, s.line)
		return
	}
	s := setting{value: v, line: line}
	if err := v.set(&s.policy, text); err != nil {
		r.fail(line, "%s: %v", v.name, err)
		return
	}
	r.file.settings = append(r.file.settings, s)
}

// layer reads the layer's scope.
func (r *reader) layer(line int, text string) {
	kind, of, _ := strings.Cut(text, " ")
	of = strings.TrimSpace(of)
	var err error
	switch Layer(kind) {
	case LayerNational:
		if of != "" {
			err = errors.New("nothing follows \"national\"")
		}
	case LayerRegion:
		var region liuma.Region
		if region, err = liuma.ParseRegion(of); err == nil && region == "" {
			err = errors.New("want the region's code of 2, 4 or 6 digits")
		}
		of = string(region)
	case LayerChannel:
		_, err = liuma.ParseChannelID(of)
	default:
		err = fmt.Errorf("%q, want national, region CODE or channel ID", text)
	}
	if err == nil && r.file.Scope != (Scope{}) {
		err = errors.New("there already")
	}
	if err != nil {
		r.fail(line, "layer: %v", err)
		return
	}
	r.file.Scope = Scope{Layer: Layer(kind), Of: of}
}

// group reports whether names of values begin with prefix.
func (r *reader) group(prefix string) bool {
	for _, v := range r.known {
		if strings.HasPrefix(v.name, prefix) {
			return true
		}
	}
	return false
}

// unknown refuses a name, and suggests the most similar known name.
func (r *reader) unknown(line int, name string) {
	best, distance := "", 4
	for _, v := range r.known {
		if len(r.faults.all) == MaxFaults || max(len(name)-len(v.name), len(v.name)-len(name)) >= distance {
			continue // nobody reads the suggestion, or the name is too different to be worth comparing
		}
		if d := edits(name, v.name); d < distance && v.stricter != onlyCode {
			best, distance = v.name, d
		}
	}
	if best != "" {
		r.fail(line, "%s: no such value; did you mean %s?", name, best)
		return
	}
	r.fail(line, "%s: no such value; docs/POLICY.md lists them", name)
}

// edits returns how many letters must be inserted, removed or replaced to turn a into
// b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, last+cost)
			last, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
