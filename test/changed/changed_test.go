package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestConcerned(t *testing.T) {
	packages := []*pkg{
		{ImportPath: "m", Dir: ".", tests: `"docs/GLOSSARY.md"`},
		{ImportPath: "m/a", Dir: "a", GoFiles: []string{"a.go"}},
		{ImportPath: "m/a/b", Dir: "a/b", GoFiles: []string{"b.go"}, Imports: []string{"m/a"}, tests: `"../docs/API.md"`},
		{ImportPath: "m/c", Dir: "c", GoFiles: []string{"c.go"}, Imports: []string{"m/a/b"}},
		{ImportPath: "m/d", Dir: "d", GoFiles: []string{"d.go"}, TestImports: []string{"m/a"}},
		{ImportPath: "m/e", Dir: "e", GoFiles: []string{"e.go"}, XTestImports: []string{"m/a"}},
		{ImportPath: "m/test/s", Dir: "test/s", XTestImports: []string{"m/a"}},
	}
	for _, tt := range []struct{ files, want string }{
		{"a/a.go", "m/a m/a/b m/d m/e m/test/s"},
		{"a/a_test.go", "m/a"},
		{"a/data/list.csv", "m/a m/a/b m/d m/e m/test/s"}, // it may be embedded
		{"a/testdata/list.csv", "m/a"},
		{"a/gone/gone.go", "m/a"}, // who imported it changed as well, or does not compile
		{"a/b/b.go", "m/a/b m/c"},
		{"c/c.go d/d_test.go", "m/c m/d"},
		{"README.md", "m"},
		{"docs/GLOSSARY.md", "m"},
		{"docs/API.md", "m m/a/b"},
		{"go.mod", "m m/a m/a/b m/c m/d m/e m/test/s"},
	} {
		named, err := concerned(packages, strings.Fields(tt.files))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range named {
			got = append(got, p.ImportPath)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s concerns %v, want %s", tt.files, got, tt.want)
		}
	}
	if named, err := concerned(packages[1:], []string{"README.md"}); err == nil {
		t.Errorf("a file outside of all packages concerns %v", named)
	}
}

// TestRun goes through the go command, on this module.
func TestRun(t *testing.T) {
	var out, aside strings.Builder
	if err := run(t.Context(), strings.NewReader("test/changed/changed.go\n\ntest/crash/crash_test.go\n"), &out, &aside); err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(out.String()); len(got) != 1 || !strings.HasSuffix(got[0], "/test/changed") {
		t.Errorf("concerned: %v", got)
	}
	if !strings.Contains(aside.String(), "left to make test:") || !strings.Contains(aside.String(), "/test/crash\n") {
		t.Errorf("aside: %s", &aside)
	}
	out.Reset()
	if err := run(t.Context(), strings.NewReader("\n"), &out, &aside); err != nil || out.Len() > 0 {
		t.Errorf("no file concerns %s, %v", &out, err)
	}
}

// tree is a directory with a copy of .ci/changed in its place.
type tree struct {
	t   *testing.T
	dir string
}

func newTree(t *testing.T) tree {
	t.Helper()
	script, err := os.ReadFile("../../.ci/changed")
	if err != nil {
		t.Fatal(err)
	}
	tr := tree{t, t.TempDir()}
	tr.write(".ci/changed", string(script))
	if err := os.Chmod(filepath.Join(tr.dir, ".ci/changed"), 0o700); err != nil {
		t.Fatal(err)
	}
	return tr
}

func (tr tree) write(name, text string) {
	tr.t.Helper()
	file := filepath.Join(tr.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr tree) run(env []string, name string, args ...string) string {
	tr.t.Helper()
	cmd := exec.CommandContext(tr.t.Context(), name, args...)
	cmd.Dir = tr.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "LIUMA_BASE=",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.org")
	// If this test runs in a git hook, the environment points git to that
	// repository.
	cmd.Env = slices.DeleteFunc(append(cmd.Env, env...), func(e string) bool {
		return strings.HasPrefix(e, "GIT_DIR=") || strings.HasPrefix(e, "GIT_INDEX_FILE=")
	})
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tr.t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.String())
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func (tr tree) git(args ...string) { tr.t.Helper(); tr.run(nil, "git", args...) }

// commit writes a file and commits everything.
func (tr tree) commit(name string) {
	tr.t.Helper()
	tr.write(name, name)
	tr.git("add", "-A")
	tr.git("commit", "-q", "-m", name)
}

func (tr tree) changed(env string, args ...string) string {
	tr.t.Helper()
	return tr.run([]string{env}, "./.ci/changed", args...)
}

func TestWhatChanged(t *testing.T) {
	tr := newTree(t)
	if got := tr.changed("GIT_CEILING_DIRECTORIES=" + filepath.Dir(tr.dir)); got != ".ci/changed" {
		t.Errorf("without git: %q", got)
	}
	tr.git("init", "-q", "-b", "main")
	tr.commit("one")
	tr.commit("two")
	tr.commit("three")
	for _, tt := range []struct{ what, env, back, want string }{
		{"on main", "A=", "", ""},
		{"on main, two commits back", "A=", "2", "three two"},
		{"on main, further back than there are commits", "A=", "20", ".ci/changed one three two"},
		{"from a base", "LIUMA_BASE=HEAD~1", "2", "three"},
		{"from a base that is not there", "LIUMA_BASE=0000000000000000000000000000000000000000", "", ".ci/changed one three two"},
	} {
		if got := tr.changed(tt.env, strings.Fields(tt.back)...); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, got, tt.want)
		}
	}
	tr.git("checkout", "-q", "-b", "branch")
	tr.commit("four")
	tr.git("mv", "one", "uno")
	tr.write("two", "other")
	tr.write("five", "new")
	tr.write(".gitignore", "five\n")
	if got, want := tr.changed("A=", "20"), ".gitignore four one two uno"; got != want {
		t.Errorf("on a branch: %q, want %q", got, want)
	}
}
