package liuma_test

import (
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
