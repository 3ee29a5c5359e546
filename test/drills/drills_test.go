// Package drills plays the runbooks: each script of scripts/ causes what a runbook is about
// on a real server process, waits until the metric of its alert, the alarm or the doctor
// says so, types the runbook's commands, and sees it healed.
//
// It guarantees that a script types no command that does not stand in its runbook, letter
// by letter, and that it types every command that stands there or says why not, so that
// document and script cannot drift apart; and that docs/RUNBOOKS.md names each runbook with
// its alerts and its drill, none of which is missing anywhere. It trusts the trials beside
// it that play the other runbooks. What a script may say is in words_test.go.
//
// Start here: TestDrills, then scripts/keeper-gone.txtar.
package drills

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// root is the repository.
const root = "../.."

var (
	play = flag.Bool("drills", false, "play every drill; make drills does")
	bin  = flag.String("bin", "", "directory with the programs to play with; by default they are built")
	only = flag.String("drill", "", "play the drills whose names contain this")
)

// programs makes the real commands, once.
var programs = sync.OnceValues(func() (string, error) {
	if *bin != "" {
		return *bin, nil
	}
	out, err := exec.Command("go", "build", "-o", buildDir+"/", "github.com/liuma-pin/liuma/cmd/liuma").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return buildDir, nil
})

var buildDir string // set once by TestMain

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if buildDir, err = os.MkdirTemp("", "ld"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(buildDir)
	os.Exit(code)
}

// scripts are the files of the drills.
func scripts(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("scripts/*.txtar")
	if err != nil || len(all) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	return all
}

// TestDrills plays each script, one after the other, each on a world of its own.
func TestDrills(t *testing.T) {
	if !*play && *only == "" {
		t.Skip("make drills plays them")
	}
	made, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range scripts(t) {
		if !strings.Contains(file, *only) {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			h := &house{t: t, placed: map[string]string{}}
			t.Cleanup(func() { // runs after the script
				if want := commandsIn(t, file); h.typed != want && !t.Failed() {
					t.Errorf("typed %d commands of %d: the script was not played to its end", h.typed, want)
				}
			})
			testscript.Run(t, testscript.Params{Files: []string{file}, Cmds: h.words(), RequireExplicitExec: true, WorkdirRoot: short(t),
				Setup: func(e *testscript.Env) error {
					e.Setenv("PATH", made+string(os.PathListSeparator)+os.Getenv("PATH"))
					e.Setenv("LC_ALL", "C")
					e.Defer(h.end)
					return nil
				}})
		})
	}
}

// commandsIn counts the commands that a script types.
func commandsIn(t *testing.T, file string) int {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return len(regexp.MustCompile(`(?m)^(! )?types `).FindAll(raw, -1))
}

// TestWordsAreOurOwn: no word has a name that testscript takes for its own.
func TestWordsAreOurOwn(t *testing.T) {
	theirs := strings.Fields("cd chmod cmp cmpenv cp env exec exists grep kill mkdir mv rm skip stderr stdin stdout stop symlink ttyin ttyout unix2dos unquote wait")
	for word := range (&house{t: t}).words() {
		if slices.Contains(theirs, word) {
			t.Errorf("%s is a word of testscript, and ours is never called", word)
		}
	}
}

// short is a directory with a short name: the path of a socket has bounds.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
