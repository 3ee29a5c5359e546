package liuma_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// makeTargets reads the Makefile: each target with its line of help, which is
// empty if it has none.
func makeTargets(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):[^=\n#]*(?:## *(.*))?$`).FindAllStringSubmatch(string(b), -1) {
		targets[m[1]] = m[2]
	}
	if len(targets) < 10 || targets["test"] == "" {
		t.Fatalf("read %v", targets)
	}
	return targets
}

// TestDocumentsNameTargetsThatExist looks for "make TARGET" wherever people and
// CI are told to run it.
func TestDocumentsNameTargetsThatExist(t *testing.T) {
	targets := makeTargets(t)
	files := []string{"README.md", "README.zh-CN.md", "CONTRIBUTING.md", ".ci/run", ".github/pull_request_template.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md", ".github/workflows/*.yml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	command := regexp.MustCompile("(?m)(?:^ {0,4}|`|run: )make ([a-z-]+)")
	seen := map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(b), -1) {
			seen[m[1]] = true
			if _, ok := targets[m[1]]; !ok {
				t.Errorf("%s says make %s, and there is no such target", file, m[1])
			}
		}
	}
	for _, tier := range []string{"quick", "test", "ci", "nightly", "update", "release"} {
		if !seen[tier] {
			t.Errorf("no document names make %s", tier)
		}
		if targets[tier] == "" {
			t.Errorf("make help does not explain %s", tier)
		}
	}
}

// TestWorkflowRunsTheNightlyTargets: the job runs side by side what make
// nightly runs one after the other.
func TestWorkflowRunsTheNightlyTargets(t *testing.T) {
	targets := makeTargets(t)
	b, err := os.ReadFile(".github/workflows/ci.yml")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^ +target: \[([a-z, -]+)\]`).FindStringSubmatch(string(b))
	if m == nil {
		t.Fatal("the workflow has no list of targets")
	}
	listed := map[string]bool{}
	for _, name := range strings.Split(m[1], ", ") {
		listed[name] = true
		if _, ok := targets[name]; !ok {
			t.Errorf("the workflow runs make %s, and there is no such target", name)
		}
	}
	raw, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	nightly := regexp.MustCompile(`(?m)^nightly: prepare ([a-z -]+) ##`).FindStringSubmatch(string(raw))
	if nightly == nil {
		t.Fatal("the Makefile has no nightly")
	}
	for _, name := range strings.Fields(nightly[1]) {
		if !listed[name] {
			t.Errorf("make nightly runs %s, the workflow does not", name)
		}
	}
}

// TestWhatIsNotRacedDoesOneThingAtATime: the packages that make race leaves out start nothing
// that could race, in the code or in a test.
func TestWhatIsNotRacedDoesOneThingAtATime(t *testing.T) {
	b, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^ONE_BY_ONE := (.+)$`).FindSubmatch(b)
	if m == nil {
		t.Fatal("the Makefile has no ONE_BY_ONE")
	}
	starts := map[string]bool{"Go": true, "Parallel": true, "Serve": true, "AfterFunc": true}
	for dir := range strings.FieldsSeq(string(m[1])) {
		p := parse(t)[strings.TrimPrefix(dir, "./")]
		if p == nil {
			t.Errorf("there is no %s", dir)
			continue
		}
		for _, files := range []map[string]*ast.File{p.files, p.tests} {
			for name, f := range files {
				ast.Inspect(f, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.GoStmt:
						t.Errorf("%s starts a goroutine: take %s out of ONE_BY_ONE", name, dir)
					case *ast.CallExpr:
						s, ok := n.Fun.(*ast.SelectorExpr)
						if !ok {
							break
						}
						of, _ := s.X.(*ast.Ident)
						if starts[s.Sel.Name] || of != nil && of.Name == "httptest" && strings.HasSuffix(s.Sel.Name, "Server") {
							t.Errorf("%s calls %s: take %s out of ONE_BY_ONE", name, s.Sel.Name, dir)
						}
					}
					return true
				})
			}
		}
	}
}
