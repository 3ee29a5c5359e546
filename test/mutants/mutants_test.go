package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func mutants(t *testing.T) []Mutant {
	t.Helper()
	all, err := ReadMutants("patches")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("%d patches", len(all))
	}
	return all
}

// TestEveryPatchApplies, and what it makes of a Go file still parses, so that
// a patch which the code has left behind is noticed at once.
func TestEveryPatchApplies(t *testing.T) {
	for _, m := range mutants(t) {
		for _, f := range m.Files {
			b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f.Path)))
			if err != nil {
				t.Errorf("%s: %v", m.Name, err)
				continue
			}
			text, err := f.Apply(string(b))
			if err != nil {
				t.Errorf("%s: %v", m.Name, err)
				continue
			}
			if !strings.HasSuffix(f.Path, ".go") {
				continue
			}
			if _, err := parser.ParseFile(token.NewFileSet(), f.Path, text, 0); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
		}
	}
}

// TestEveryCatchExists looks for the tests that the patches name.
func TestEveryCatchExists(t *testing.T) {
	tests := map[string]map[string]bool{} // by directory, then name
	for _, m := range mutants(t) {
		for _, c := range m.CaughtBy {
			if tests[c.Dir] == nil {
				tests[c.Dir] = testsIn(t, c.Dir)
			}
			if name, _, _ := strings.Cut(c.Test, "/"); !tests[c.Dir][name] {
				t.Errorf("%s: there is no test %s", m.Name, c)
			}
		}
	}
}

func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				found[fn.Name.Name] = true
			}
		}
	}
	return found
}

var patchSpan = regexp.MustCompile("`([^`]+\\.patch)`")

// TestDocumentListsEveryMutant holds docs/INVARIANTS.md against the patches:
// each stands in the row of what it breaks, and no row is without one.
func TestDocumentListsEveryMutant(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "docs/INVARIANTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := map[string]string{} // by patch
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || !invariantPattern.MatchString(strings.TrimSpace(cells[1])) {
			continue
		}
		id, listed := strings.TrimSpace(cells[1]), patchSpan.FindAllStringSubmatch(cells[5], -1)
		if len(listed) == 0 {
			t.Errorf("%s has no mutant", id)
		}
		for _, m := range listed {
			row[m[1]] = id
		}
	}
	for _, m := range mutants(t) {
		if row[m.Name] != m.Invariant {
			t.Errorf("%s breaks %s, and stands in the row of %q", m.Name, m.Invariant, row[m.Name])
		}
		delete(row, m.Name)
	}
	for name, id := range row {
		t.Errorf("%s lists %s, which does not exist", id, name)
	}
}

const header = "Invariant: I-1\nBreaks: nothing\nCaught-by: internal/x TestX/sub case\n\n"

func TestParseMutantRefuses(t *testing.T) {
	const diff = "--- a/x.go\n+++ b/x.go\n@@ -1 +1 @@\n-a\n+b\n"
	if m, err := ParseMutant("i01-x.patch", header+diff); err == nil {
		t.Errorf("a test with a space in its name: %+v", m)
	}
	good := strings.Replace(header, " case", "", 1)
	m, err := ParseMutant("i01-x.patch", good+diff)
	if err != nil || len(m.Files) != 1 || m.CaughtBy[0].run() != "^TestX$/^sub$" {
		t.Fatalf("%+v, %v", m, err)
	}
	for what, text := range map[string]string{
		"no diff":        good,
		"no header":      "\n" + diff,
		"unknown header": "Because: of it\n" + good + diff,
		"no invariant":   strings.Replace(good, "I-1", "all", 1) + diff,
		"no test":        strings.Replace(good, "TestX/sub", "helper", 1) + diff,
		"a test changed": good + strings.ReplaceAll(diff, "x.go", "x_test.go"),
		"no hunk":        good + "--- a/x.go\n+++ b/x.go\n",
		"stray line":     good + diff + "stray\n",
	} {
		if _, err := ParseMutant("i01-x.patch", text); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	for _, name := range []string{"i02-x.patch", "r01-x.patch", "x.patch", "i01-X.patch"} {
		if _, err := ParseMutant(name, good+diff); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestApplyWantsItsPlaceOnce(t *testing.T) {
	p := FilePatch{Path: "x", Hunks: []Hunk{{Old: "a\nb\n", New: "a\nc\n"}}}
	if got, err := p.Apply("0\na\nb\n1\n"); err != nil || got != "0\na\nc\n1\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, text := range []string{"", "a\n", "a\nb\na\nb\n", "xa\nb\n"} {
		if got, err := p.Apply(text); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
	p.Hunks[0].New = p.Hunks[0].Old
	if _, err := p.Apply("a\nb\n"); err == nil {
		t.Error("a patch that changes nothing")
	}
}

// TestRunnerTellsVerdicts runs the runner on tests of known ends: it must not
// take a broken build, a missing test or a survivor for a catch.
func TestRunnerTellsVerdicts(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.org/x\n\ngo 1.26\n",
		"x.go":      "package x\n\nfunc One() int {\n\treturn 1\n}\n",
		"x_test.go": "package x\n\nimport \"testing\"\n\nfunc TestOne(t *testing.T) {\n\tif One() != 1 {\n\t\tt.Fatal(One())\n\t}\n}\n\nfunc TestNothing(t *testing.T) { One() }\n\nfunc TestSkipped(t *testing.T) { t.Skip() }\n\nfunc TestBad(t *testing.T) { t.Fatal() }\n\nfunc TestPanics(t *testing.T) {\n\tif One() != 1 {\n\t\tpanic(1)\n\t}\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ test, new, want string }{
		{"TestOne", "\treturn 2\n", ""},
		{"TestPanics", "\treturn 2\n", ""},
		{"TestNothing", "\treturn 2\n", "SURVIVED"},
		{"TestSkipped", "\treturn 2\n", "skipped"},
		{"TestMissing", "\treturn 2\n", "no such test"},
		{"TestBad", "\treturn 2\n", "fails without"},
		{"TestOne", "\treturn \"\"\n", "does not compile"},
	} {
		r := &runner{root: dir, temp: t.TempDir(), timeout: 30e9, sound: map[Catch]error{}}
		err := r.kill(t.Context(), Mutant{
			Name: "i01-x.patch", CaughtBy: []Catch{{Dir: ".", Test: tt.test}},
			Files: []FilePatch{{Path: "x.go", Hunks: []Hunk{{Old: "\treturn 1\n", New: tt.new}}}},
		})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s with %q: %v, want %q\n%s", tt.test, tt.new, err, tt.want, r.said)
		}
	}
}

func TestListRunsNothing(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, "^i0[15]", true, false, 1); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "i01-") || !strings.Contains(s, "i05-") || strings.Contains(s, "i02-") {
		t.Errorf("listed:\n%s", s)
	}
	if err := run(t.Context(), &out, "no such", true, false, 1); err == nil {
		t.Error("a pattern that matches nothing")
	}
	if err := run(t.Context(), &out, "(", true, false, 1); err == nil {
		t.Error("a pattern that is none")
	}
}
