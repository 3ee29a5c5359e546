package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
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

// TestEveryPatchApplies, and the Go files that it changes still parse. So a
// patch that no longer fits the code is noticed at once.
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
	for _, m := range mutants(t) {
		for _, c := range m.CaughtBy {
			if _, err := c.file(root); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
		}
	}
}

var patchSpan = regexp.MustCompile("`([^`]+\\.patch)`")

// TestDocumentListsEveryMutant compares docs/INVARIANTS.md with the patches:
// each patch stands in the row of the invariant that it breaks, and no row is
// without one.
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

// TestRunnerTellsVerdicts runs the runner on tests with known results: it must
// not count a broken build, a missing test or a survivor as caught.
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
		r := &runner{root: dir, temp: t.TempDir(), timeout: 30e9}
		said, err := r.kill(t.Context(), Mutant{
			Name: "i01-x.patch", CaughtBy: []Catch{{Dir: ".", Test: tt.test}},
			Files: []FilePatch{{Path: "x.go", Hunks: []Hunk{{Old: "\treturn 1\n", New: tt.new}}}},
		})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s with %q: %v, want %q\n%s", tt.test, tt.new, err, tt.want, said)
		}
	}
}

func TestListRunsNothing(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), nil, &out, options{only: "^i0[15]", list: true}); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "i01-") || !strings.Contains(s, "i05-") || strings.Contains(s, "i02-") {
		t.Errorf("listed:\n%s", s)
	}
	if err := run(t.Context(), nil, &out, options{only: "no such", list: true}); err == nil {
		t.Error("a pattern that matches nothing")
	}
	if err := run(t.Context(), nil, &out, options{only: "(", list: true}); err == nil {
		t.Error("a pattern that is none")
	}
}

// TestChangedFilesPickMutants: by patch, by test and by patched file, in that
// order, and no other mutants.
func TestChangedFilesPickMutants(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a_test.go": "package x\n\nfunc TestA() {}\n", "b_test.go": "package x\n\nfunc TestB() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var all []Mutant
	for _, name := range []string{"i01-a.patch", "i02-a.patch", "i03-b.patch", "i04-b.patch"} {
		test := "TestA/sub"
		if strings.Contains(name, "-b") {
			test = "TestB"
		}
		all = append(all, Mutant{Name: name, CaughtBy: []Catch{{Dir: ".", Test: test}}, Files: []FilePatch{{Path: name[:3] + ".go"}}})
	}
	pick := func(seed, files string) string {
		t.Helper()
		changed, err := readFiles(strings.NewReader(files))
		if err != nil {
			t.Fatal(err)
		}
		got, err := selection{only: regexp.MustCompile("patch$"), changed: changed, seed: seed}.of(all, dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range got {
			names = append(names, m.Name[:3])
		}
		return strings.Join(names, " ")
	}
	for files, want := range map[string]string{
		"":                                 "",
		"README.md\n":                      "",
		"i03.go\n":                         "i03",
		"test/mutants/patches/i02-a.patch": "i02",
		"i01.go\n\ntest/mutants/patches/i04-b.patch\n":        "i04 i01",
		"test/mutants/patches/i04-b.patch\ni01.go\nb_test.go": "i04 i03 i01",
	} {
		if got := pick("", files); got != want {
			t.Errorf("%q picks %q, want %q", files, got, want)
		}
	}
	orders := map[string]bool{}
	for _, seed := range []string{"a", "b", "c", "d", "e", "f"} {
		first, again := pick(seed, "i01.go\ni02.go\ni03.go\ni04.go"), pick(seed, "i04.go\ni03.go\ni02.go\ni01.go")
		if first != again {
			t.Errorf("seed %s: two orders, %s and %s", seed, first, again)
		}
		orders[first] = true
	}
	if len(orders) < 2 {
		t.Errorf("every seed gives the order %v", orders)
	}
	lost := Mutant{Name: "i01-x.patch", CaughtBy: []Catch{{Dir: ".", Test: "TestGone"}}}
	if _, err := (selection{only: regexp.MustCompile(""), changed: []string{"x"}}).of([]Mutant{lost}, dir); err == nil {
		t.Error("a mutant whose test is gone was left out in silence")
	}
}

func TestNothingChangedRunsNothing(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), strings.NewReader("README.md\n"), &out, options{changed: true}); err != nil || !strings.HasPrefix(out.String(), "no mutant") {
		t.Errorf("%v\n%s", err, &out)
	}
	if err := run(t.Context(), strings.NewReader("test/mutants/patches/i01-redeem-twice.patch\n"), &out, options{changed: true, list: true}); err != nil || !strings.Contains(out.String(), "i01-redeem-twice.patch") {
		t.Errorf("%v\n%s", err, &out)
	}
}

// TestTimeIsUp: no mutant begins after its time, and the output names those
// that are left.
func TestTimeIsUp(t *testing.T) {
	r := &runner{root: t.TempDir(), temp: t.TempDir(), timeout: time.Minute}
	two := []Mutant{{Name: "i01-x.patch"}, {Name: "i01-y.patch"}} // caught by no test: no time at all
	var out bytes.Buffer
	if err := killAll(t.Context(), &out, r, two, options{budget: 1}); err != nil || !strings.Contains(out.String(), "2 more had to do with it") {
		t.Errorf("%v\n%s", err, &out)
	}
	out.Reset()
	if err := killAll(t.Context(), &out, r, two, options{}); err != nil || !strings.Contains(out.String(), "all 2 mutants") {
		t.Errorf("%v\n%s", err, &out)
	}
}

// TestUncaughtAreNamedLast, since what reads the end of a long output has to
// learn which they are, and the others are tried all the same.
func TestUncaughtAreNamedLast(t *testing.T) {
	r := &runner{root: t.TempDir(), temp: t.TempDir(), timeout: time.Minute}
	lost := Mutant{Name: "i01-lost.patch", Files: []FilePatch{{Path: "gone.go"}}}
	var out bytes.Buffer
	err := killAll(t.Context(), &out, r, []Mutant{lost, {Name: "i01-x.patch"}}, options{jobs: 2})
	if err == nil || !strings.Contains(err.Error(), "1 of 2 mutants were not caught:\ni01-lost.patch: ") {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "i01-x.patch") {
		t.Errorf("the other was not tried:\n%s", &out)
	}
}
