// Package openapi holds docs/openapi.json against the rules that Redocly and Spectral
// recommend, as the developer of a client would: no error and no warning. It needs
// Node 20 and npm, and fails without them. That the document is what the door serves
// is tested in internal/door/api.
//
// Start here: TestRecommendedRules.
package openapi

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/test/npm"
)

const document = "../../docs/openapi.json"

// linters are the commands, and what each says of a document without a fault.
func linters(file string) map[string]struct {
	args  []string
	clean string
} {
	return map[string]struct {
		args  []string
		clean string
	}{
		"redocly":  {[]string{"lint", file, "--extends", "recommended", "--max-problems", "1000"}, "Your API description is valid."},
		"spectral": {[]string{"lint", file, "--ruleset", "spectral.yaml", "--fail-severity", "hint"}, "No results"},
	}
}

func prepare(t *testing.T) {
	t.Helper()
	if err := npm.Install("."); err != nil {
		t.Fatal(err)
	}
}

// lint runs a linter and reports whether it found nothing at all.
func lint(t *testing.T, name string, args []string, clean string) (bool, string) {
	t.Helper()
	cmd := exec.Command(filepath.Join("node_modules", ".bin", name), args...)
	cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	said := string(out)
	return err == nil && strings.Contains(said, clean) && !strings.Contains(said, "arning was generated"), said
}

func TestRecommendedRules(t *testing.T) {
	prepare(t)
	for name, l := range linters(document) {
		if ok, said := lint(t, name, l.args, l.clean); !ok {
			t.Errorf("%s:\n%s", name, said)
		}
	}
}

// TestTheLintersSee: each of them finds a document without servers and without a
// parameter of its path.
func TestTheLintersSee(t *testing.T) {
	prepare(t)
	raw, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{"no servers": {`"servers":`, `"x-servers":`}, "no parameter": {`"name": "handle"`, `"name": "other"`}} {
		if !strings.Contains(string(raw), change[0]) {
			t.Fatalf("%s: nothing to change", name)
		}
		file := filepath.Join(t.TempDir(), "openapi.json")
		if err := os.WriteFile(file, []byte(strings.Replace(string(raw), change[0], change[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		for linter, l := range linters(file) {
			if ok, said := lint(t, linter, l.args, l.clean); ok {
				t.Errorf("%s finds nothing (%s):\n%s", linter, name, said)
			}
		}
	}
}
