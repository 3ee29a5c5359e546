package liuma_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/modfile"
)

const module = "github.com/liuma-pin/liuma"

// levels orders the rooms: a package may import only rooms of a lower level.
// A new room must be given its place here.
var levels = map[string]int{
	"":                                -1, // the words of the domain
	"internal/process":                0,
	"internal/clock":                  0,
	"internal/progress":               0,
	"internal/upkeep":                 0,
	"internal/gathering":              0,
	"internal/strictjson":             0,
	"internal/diskfile":               0,
	"internal/softkey":                0,
	"internal/token":                  1,
	"internal/token/tokentest":        2,
	"internal/written":                0,
	"locale":                          0,
	"locale/genwords":                 9,
	"internal/admin/genguarded":       9,
	"internal/directory":              1,
	"internal/directory/genregions":   9,
	"web":                             1,
	"internal/pin":                    1,
	"internal/split":                  1,
	"internal/split/p256":             0,
	"internal/split/pinkey":           0,
	"internal/audit":                  1,
	"internal/ledger":                 1,
	"internal/envelope":               1,
	"internal/visitor":                2,
	"internal/pin/gencommon":          9,
	"internal/pin/genpassphrases":     9,
	"internal/sqlitefile":             1,
	"internal/sqlitefile/mishap":      2,
	"internal/ledger/sqlite":          2,
	"internal/ledger/ledgertest":      3,
	"internal/vault":                  2,
	"internal/policy":                 2,
	"internal/guard":                  2,
	"internal/simulate":               6,
	"internal/store":                  3,
	"internal/keeper":                 3,
	"internal/keeper/wire":            4,
	"internal/keeper/keys":            4,
	"internal/keeper/tokenkeys":       4,
	"internal/keeper/admission":       5,
	"internal/keeper/remote":          6,
	"internal/testkit/keepers":        8,
	"internal/testkit/patience":       0,
	"internal/keeper/host":            6,
	"internal/store/rows":             4,
	"internal/store/sqlite":           5,
	"internal/store/storetest":        5,
	"internal/ration":                 4,
	"internal/registry":               4,
	"internal/sheet":                  1,
	"internal/agency":                 4,
	"internal/consent":                0,
	"internal/proposal":               4,
	"internal/staff":                  5,
	"internal/edition":                5,
	"internal/evidence":               4,
	"internal/evidence/standin":       8,
	"internal/notify":                 4,
	"internal/letter":                 5,
	"internal/tally":                  4,
	"internal/chart":                  1,
	"internal/qr":                     0,
	"internal/genuine":                4,
	"internal/keyring":                4,
	"internal/record":                 5,
	"internal/admin":                  6,
	"internal/authority":              5,
	"internal/counter":                5,
	"client":                          5,
	"internal/door":                   5,
	"internal/door/console":           7,
	"internal/door/gateway":           7,
	"internal/ceremony":               6,
	"internal/door/api":               7,
	"internal/door/oidc":              7,
	"internal/door/holder":            7,
	"internal/door/api/apitest":       8,
	"internal/door/doortest":          8,
	"internal/config":                 7,
	"internal/backup":                 8,
	"internal/server":                 8,
	"internal/admin/admintest":        8,
	"internal/door/admin":             7,
	"internal/demo/window":            11,
	"internal/testkit/world":          9,
	"internal/testkit":                10,
	"internal/demo":                   12,
	"internal/bench":                  10,
	"internal/rehearsal":              10,
	"examples/channel":                9,
	"examples/policy":                 0,
	"examples/agencies":               0,
	"examples/channel/miniapp":        8,
	"cmd/liuma":                       13,
	"cmd/liuma-keeper":                12,
	"internal/demo/posts":             10,
	"internal/store/postgres":         5,
	"internal/store/postgres/cluster": 1,
	"internal/store/postgres/pgtest":  2,
	"internal/metrics":                7,
	"internal/store/postgres/homes":   6,
}

type pkg struct {
	dir   string // below the module, slash-separated
	files map[string]*ast.File
	tests map[string]*ast.File
	fset  *token.FileSet
}

// parse reads every package of the module. The result is shared by all tests,
// which must not change it.
func parse(t *testing.T) map[string]*pkg {
	t.Helper()
	pkgs, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

var parsed = sync.OnceValues(func() (map[string]*pkg, error) {
	pkgs := map[string]*pkg{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && p != ".") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(filepath.ToSlash(p))
		if dir == "." {
			dir = ""
		}
		if pkgs[dir] == nil {
			pkgs[dir] = &pkg{dir: dir, files: map[string]*ast.File{}, tests: map[string]*ast.File{}, fset: fset}
		}
		if strings.HasSuffix(p, "_test.go") {
			pkgs[dir].tests[p] = f
		} else {
			pkgs[dir].files[p] = f
		}
		return nil
	})
	return pkgs, err
})

func houseImports(f *ast.File) []string {
	var in []string
	for _, s := range f.Imports {
		p := strings.Trim(s.Path.Value, `"`)
		if p == module {
			in = append(in, "")
		} else if rest, ok := strings.CutPrefix(p, module+"/"); ok {
			in = append(in, rest)
		}
	}
	return in
}

func TestImportsPointDownward(t *testing.T) {
	for dir, p := range parse(t) {
		if len(p.files) == 0 || strings.HasPrefix(dir, "test/") {
			continue
		}
		level, ok := levels[dir]
		if !ok {
			t.Errorf("package %q has no place in levels", dir)
			continue
		}
		for name, f := range p.files {
			for _, in := range houseImports(f) {
				if below, ok := levels[in]; !ok || below >= level {
					t.Errorf("%s imports %q, which is not below it", name, in)
				}
			}
		}
	}
}

// TestKeeperStaysSmall keeps whatever knows holders or channels out of the
// keeper, directly and at one remove.
func TestKeeperStaysSmall(t *testing.T) {
	pkgs := parse(t)
	allowed := []string{"", "internal/clock", "internal/gathering", "internal/split", "internal/split/p256", "internal/split/pinkey", "internal/diskfile", "internal/sqlitefile", "internal/ledger", "internal/ledger/sqlite", "internal/keeper"}
	for _, dir := range allowed {
		for name, f := range pkgs[dir].files {
			for _, in := range houseImports(f) {
				if !slices.Contains(allowed, in) {
					t.Errorf("%s imports %q into the keeper", name, in)
				}
			}
		}
	}
}

// TestProgramHoldsNoTests keeps package testing, and with it every room that is
// for tests alone, out of the program.
func TestProgramHoldsNoTests(t *testing.T) {
	pkgs := parse(t)
	seen := map[string]bool{}
	var visit func(dir string)
	visit = func(dir string) {
		if seen[dir] {
			return
		}
		seen[dir] = true
		for name, f := range pkgs[dir].files {
			for _, s := range f.Imports {
				if s.Path.Value == `"testing"` {
					t.Errorf("%s brings testing into the program", name)
				}
			}
			for _, in := range houseImports(f) {
				visit(in)
			}
		}
	}
	visit("cmd/liuma")
	visit("cmd/liuma-keeper")
	if !seen["internal/testkit/world"] || !seen["internal/server"] {
		t.Error("the walk missed rooms that the program has")
	}
}

func TestEveryPackageSaysWhatItGuarantees(t *testing.T) {
	for dir, p := range parse(t) {
		if len(p.files) == 0 {
			continue
		}
		var doc string
		for _, f := range p.files {
			if f.Doc != nil && len(f.Doc.Text()) > len(doc) {
				doc = f.Doc.Text()
			}
		}
		base := path.Base(dir)
		if len(doc) < 80 || !strings.HasPrefix(doc, "Package ") && !strings.HasPrefix(doc, "Command ") {
			t.Errorf("package %q has no proper comment", dir)
		}
		for _, banned := range []string{"util", "utils", "common", "types", "manager", "impl", "helpers", "misc"} {
			if base == banned {
				t.Errorf("package %q is named after nothing", dir)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	const maxFunc, maxFile = 65, 500
	for _, p := range parse(t) {
		for name, f := range p.files {
			if lines := p.fset.Position(f.End()).Line; lines > maxFile && !ast.IsGenerated(f) {
				t.Errorf("%s has %d lines, more than %d", name, lines, maxFile)
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				if fn.Name.Name == "init" && fn.Recv == nil {
					t.Errorf("%s has an init function", name)
				}
				if strings.HasSuffix(path.Dir(filepath.ToSlash(name)), "test") {
					continue // a suite's tables may be as long as they are clear
				}
				if n := p.fset.Position(fn.End()).Line - p.fset.Position(fn.Pos()).Line + 1; n > maxFunc {
					t.Errorf("%s: %s has %d lines, more than %d", name, fn.Name.Name, n, maxFunc)
				}
			}
		}
	}
}

// declared lists what a package declares: "Name" and "Type.Method".
func declared(files map[string]*ast.File) map[string]bool {
	names := map[string]bool{}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					typ := d.Recv.List[0].Type
					if star, ok := typ.(*ast.StarExpr); ok {
						typ = star.X
					}
					name = fmt.Sprint(typ) + "." + name
				}
				names[name] = true
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						names[s.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range s.Names {
							names[n.Name] = true
						}
					}
				}
			}
		}
	}
	return names
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

var ruleID = regexp.MustCompile(`^[A-Z]-[0-9]+$`)

// TestInvariantsNameWhatExists reads docs/INVARIANTS.md: for each invariant,
// and each rule beside them, a row with the symbols that enforce it, the tests that try to break it, and
// the mutants that show the tests failing.
func TestInvariantsNameWhatExists(t *testing.T) {
	f, err := os.Open("docs/INVARIANTS.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pkgs := parse(t)
	seen := map[string]bool{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		cells := strings.Split(sc.Text(), "|")
		if len(cells) < 2 || !ruleID.MatchString(strings.TrimSpace(cells[1])) {
			continue
		}
		id := strings.TrimSpace(cells[1])
		if seen[id] {
			t.Errorf("%s has two rows", id)
		}
		seen[id] = true
		for _, fault := range rowFaults(pkgs, cells) {
			t.Errorf("%s %s", id, fault)
		}
	}
	for _, kind := range []struct {
		letter string
		least  int
	}{{"I", 12}, {"R", 4}} {
		most := kind.least
		for id := range seen {
			n, err := strconv.Atoi(strings.TrimPrefix(id, kind.letter+"-"))
			if err == nil {
				most = max(most, n)
			}
		}
		for n := 1; n <= most; n++ {
			if id := fmt.Sprintf("%s-%d", kind.letter, n); !seen[id] {
				t.Errorf("docs/INVARIANTS.md has no row for %s", id)
			}
		}
	}
}

// rowFaults says what is missing or false in a row of docs/INVARIANTS.md, whose
// cells are: number, sentence, symbols, tests, mutants.
func rowFaults(pkgs map[string]*pkg, cells []string) []string {
	if len(cells) != 7 {
		return []string{fmt.Sprintf("has a row of %d cells, not 5", len(cells)-2)}
	}
	var faults []string
	if strings.TrimSpace(cells[2]) == "" {
		faults = append(faults, "says nothing that always holds")
	}
	faults = append(faults, nameFaults("symbol", cells[3], func(dir, name string) bool {
		return pkgs[dir] != nil && declared(pkgs[dir].files)[name]
	})...)
	faults = append(faults, nameFaults("test", cells[4], func(dir, name string) bool {
		return pkgs[dir] != nil && (declared(pkgs[dir].tests)[name] || declared(pkgs[dir].files)[name])
	})...)
	mutants := codeSpan.FindAllStringSubmatch(cells[5], -1)
	if len(mutants) == 0 {
		faults = append(faults, "names no mutant")
	}
	for _, m := range mutants {
		if _, err := os.Stat(filepath.Join("test/mutants/patches", m[1])); err != nil {
			faults = append(faults, "names the mutant "+m[1]+", which does not exist")
		}
	}
	return faults
}

// nameFaults checks names written as dir.Name, such as internal/ledger.Spent
// or internal/ledger.Ledger.Spend.
func nameFaults(what, cell string, exists func(dir, name string) bool) []string {
	found := codeSpan.FindAllStringSubmatch(cell, -1)
	if len(found) == 0 {
		return []string{"names no " + what}
	}
	var faults []string
	for _, m := range found {
		slash := strings.LastIndex(m[1], "/")
		dir, name, ok := strings.Cut(m[1][slash+1:], ".")
		if dir = m[1][:slash+1] + dir; dir == "liuma" {
			dir = "" // the root
		}
		if !ok || !exists(dir, name) {
			faults = append(faults, fmt.Sprintf("names the %s %s, which does not exist", what, m[1]))
		}
	}
	return faults
}

// TestInvariantsWithoutEvidenceAreRefused shows that the check of the table
// notices rows that promise more than they show.
func TestInvariantsWithoutEvidenceAreRefused(t *testing.T) {
	pkgs := parse(t)
	symbol, test, mutant := "`internal/ledger.Ledger.Spend`", "`internal/ledger.TestCountsOnlyRise`", "`i01-sync-off.patch`"
	for _, row := range []struct{ cells, want string }{
		{"I-1|x|" + symbol + "|" + test + "|" + mutant, ""},
		{"I-1|x|`liuma.Outward`|" + test + "|" + mutant, ""},
		{"I-1||" + symbol + "|" + test + "|" + mutant, "says nothing that always holds"},
		{"I-1|x||" + test + "|" + mutant, "names no symbol"},
		{"I-1|x|" + symbol + "||" + mutant, "names no test"},
		{"I-1|x|" + symbol + "|" + test + "|", "names no mutant"},
		{"I-1|x|" + symbol + "|" + test, "has a row of 4 cells, not 5"},
		{"I-1|x|`internal/ledger.Ledger.Gone`|" + test + "|" + mutant, "names the symbol internal/ledger.Ledger.Gone, which does not exist"},
		{"I-1|x|" + symbol + "|`internal/ledger.TestGone`|" + mutant, "names the test internal/ledger.TestGone, which does not exist"},
		{"I-1|x|" + symbol + "|" + test + "|`gone.patch`", "names the mutant gone.patch, which does not exist"},
	} {
		got := strings.Join(rowFaults(pkgs, strings.Split("|"+row.cells+"|", "|")), "; ")
		if got != row.want {
			t.Errorf("%s: %q, want %q", row.cells, got, row.want)
		}
	}
}

// TestDependenciesAreJustified holds docs/DEPENDENCIES.md against go.mod.
func TestDependenciesAreJustified(t *testing.T) {
	b, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", b, nil)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("docs/DEPENDENCIES.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(string(doc), -1) {
		rows[m[1]] = true
	}
	for _, r := range mod.Require {
		if !r.Indirect && !rows[r.Mod.Path] {
			t.Errorf("docs/DEPENDENCIES.md does not justify %s", r.Mod.Path)
		}
		if !r.Indirect {
			delete(rows, r.Mod.Path)
		}
	}
	for p := range rows {
		t.Errorf("docs/DEPENDENCIES.md justifies %s, which go.mod does not require directly", p)
	}
}

// TestReleasedMigrationsStay: the data of a release is migrated by later ones, so
// a migration that was released never changes; another file follows it.
func TestReleasedMigrationsStay(t *testing.T) {
	for file, want := range map[string]string{ // since 0.1.0
		"internal/store/sqlite/migrations/00001_first.sql":   "7f8fdcb4e9f0ab26ce51ec500725c62f7674e690dd30e5e2b50478e8a22ace7b",
		"internal/ledger/sqlite/migrations/00001_ledger.sql": "d8415ef05bc7bd5cd52ba675833eca20d291898cca52645567ce560addc53f37",
	} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(content)); got != want {
			t.Errorf("%s was released and has changed (%s): add a migration instead", file, got)
		}
	}
}
