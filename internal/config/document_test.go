package config

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/CONFIGURATION.md")

const documentHead = `# Configuration

[中文](CONFIGURATION.zh-CN.md)

Every member of ` + "`liuma.yaml`" + `, the one configuration of ` + "`liuma`" + `. It lies in the data directory; ` + "`liuma init`" + ` writes it with a line on
each member. It is read strictly: an unknown or doubled member is an error with its line. ` + "`liuma config check`" + ` says whether
it, and the files that it names, are in order. Paths are relative to the file. What to set first, and an example, is in
[OPERATIONS](OPERATIONS.md#configuration).

**Every change takes effect at the next start**, of members and of the files that they name. Beside a running server
change only what needs no configuration: clients, staff and the policy that two members of staff approve. ` + "`liuma keeper add`" + ` and
` + "`liuma migrate-store`" + ` change members themselves, and keep what else stands in the file.

A keeper of its own machine has no such file. ` + "`host.json`" + ` and ` + "`keeper.json`" + ` in its directory are written by
` + "`liuma-keeper`" + `, whose flags they repeat ([KEEPERS](KEEPERS.md)); nobody edits the second.

` + "`make update`" + ` writes this file from the comments on the program's structs.
`

// section is one struct of the configuration: a heading and a table.
type section struct {
	paths []string // of the groups that have this struct; the first is asked for defaults
	of    reflect.Type
	about string
}

// TestDocument: docs/CONFIGURATION.md has every member, from the comments in this package.
func TestDocument(t *testing.T) {
	said, defaults := sourceComments(t), comments()
	sections := []section{{paths: []string{""}, of: reflect.TypeFor[Config]()}}
	var out strings.Builder
	out.WriteString(documentHead)
	for i := 0; i < len(sections); i++ {
		s := sections[i]
		if i > 0 {
			about := s.about
			if len(s.paths) == 1 {
				_, about, _ = strings.Cut(about, ": ")
			}
			fmt.Fprintf(&out, "\n## %s\n\n%s\n", "`"+strings.Join(s.paths, "`, `")+"`", about)
		}
		out.WriteString("\n| member | is | default | what |\n|---|---|---|---|\n")
		var groups []section
		for _, f := range fieldsOf(s.of) {
			name := memberName(f.StructField)
			about := memberText(t, said[f.owner+"."+f.Name], f)
			path := strings.TrimPrefix(s.paths[0]+"."+name, ".")
			if f.Type.Kind() == reflect.Struct {
				at := slices.IndexFunc(groups, func(g section) bool { return g.of == f.Type })
				if at < 0 {
					groups, at = append(groups, section{of: f.Type}), len(groups)
				}
				groups[at].paths = append(groups[at].paths, path)
				groups[at].about = strings.TrimSpace(groups[at].about + "\n- `" + path + "`: " + about)
				continue
			}
			shown := path
			if len(s.paths) > 1 {
				shown = "…." + name
			}
			_, def, found := strings.Cut(defaults[path], "Default")
			if !found {
				t.Errorf("%s: %q names no default", path, defaults[path])
			}
			if s.of == reflect.TypeFor[Door]() && name == "listen" {
				def = "127.0.0.1:8600 for the channel door; no such door"
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", shown, kindOf(t, f.Type), strings.TrimLeft(def, ": "), about)
		}
		sections = slices.Insert(sections, i+1, groups...)
	}
	const path = "../../docs/CONFIGURATION.md"
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, []byte(out.String())) {
		t.Errorf("docs/CONFIGURATION.md is not what the program has (%v); write it with -update", err)
	}
}

// TestChineseDocument: docs/CONFIGURATION.zh-CN.md, which people write, has a row for every
// member too; the doors share theirs.
func TestChineseDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/CONFIGURATION.zh-CN.md")
	if err != nil {
		t.Fatal(err)
	}
	members := Members()
	for _, m := range members {
		if slices.ContainsFunc(members, func(o string) bool { return strings.HasPrefix(o, m+".") }) {
			continue
		}
		shared := regexp.MustCompile(`^(channel|hosted|gateway|console)_door\.`).ReplaceAllString(m, "….")
		if !bytes.Contains(doc, []byte("\n| `"+m+"` |")) && !bytes.Contains(doc, []byte("\n| `"+shared+"` |")) {
			t.Errorf("docs/CONFIGURATION.zh-CN.md has no row for %s", m)
		}
	}
}

// ownedField is a member with the name of the struct that declares it.
type ownedField struct {
	reflect.StructField
	owner    string
	siblings map[string]string // names in Go, and in the file
}

// fieldsOf lists the members of a struct, those of inlined ones among them.
func fieldsOf(t reflect.Type) (out []ownedField) {
	siblings := map[string]string{}
	for f := range t.Fields() {
		siblings[f.Name] = memberName(f)
	}
	for f := range t.Fields() {
		if strings.HasSuffix(f.Tag.Get("yaml"), ",inline") {
			out = append(out, fieldsOf(f.Type)...)
			continue
		}
		out = append(out, ownedField{f, t.Name(), siblings})
	}
	return out
}

func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

var (
	saysDefault = regexp.MustCompile(`(^|[.;] )Default( false:|:)? [^;]*?(\.( |$)|;)`)
	quoted      = regexp.MustCompile(`'(liuma [a-z- ]+)'`)
	goName      = regexp.MustCompile(`([a-z,;:] )([A-Z]\w+)\b`)
)

// memberText makes a comment of Go the sentences of a table: without the default, which has a
// column, and with the names that stand in the file.
func memberText(t *testing.T, comment string, f ownedField) string {
	text := strings.Join(strings.Fields(comment), " ")
	if !strings.HasPrefix(text, f.Name+" ") {
		t.Fatalf("%s.%s: %q does not begin with its name", f.owner, f.Name, text)
	}
	text = strings.TrimPrefix(text, f.Name+" ")
	plain := false
	for _, verb := range []string{"is ", "are "} {
		if rest, ok := strings.CutPrefix(text, verb); ok {
			text, plain = strings.ToUpper(rest[:1])+rest[1:], true
			break
		}
	}
	if !plain {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	text = goName.ReplaceAllStringFunc(text, func(m string) string {
		lead, name := m[:2], m[2:]
		if member, ok := f.siblings[name]; ok && member != "" {
			return lead + "`" + member + "`"
		}
		return m
	})
	text = saysDefault.ReplaceAllStringFunc(text, func(m string) string {
		if strings.HasPrefix(m, ". ") {
			return ". "
		}
		return ""
	})
	text = quoted.ReplaceAllString(text, "`$1`")
	return strings.ReplaceAll(strings.TrimSpace(text), "|", `\|`)
}

// kindOf is what a value is, for people.
func kindOf(t *testing.T, of reflect.Type) string {
	switch of {
	case reflect.TypeFor[Duration]():
		return "time: `10s`, `5m`"
	case reflect.TypeFor[Days]():
		return "days or years: `180d`, `1y` (365 days)"
	}
	switch of.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "`true` or `false`"
	case reflect.Int, reflect.Uint32:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list"
	}
	t.Fatalf("what is a %v?", of)
	return ""
}

// sourceComments are the comments on the members of this package's structs, by Type.Member.
func sourceComments(t *testing.T) map[string]string {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, file := range files {
		if name := file.Name(); !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if body, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range body.Fields.List {
					for _, name := range f.Names {
						out[spec.Name.Name+"."+name.Name] = f.Doc.Text()
					}
				}
			}
			return false
		})
	}
	return out
}
