// Command mutants breaks the program on purpose and checks whether a test
// notices. It guarantees that a mutant counts as caught only if its patch
// applies, the patched tree still compiles, the test named in the patch fails
// by its own judgement, and the same test passes on the unchanged tree. It
// trusts the go command, and changes no file of the tree: patched files are
// laid over it.
//
// docs/INVARIANTS.md lists the patches: for each invariant, one or more that
// break it and a test that fails.
//
// Start here: Mutant, then runner.kill.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

// patchDir holds the patches, below the module.
const patchDir = "test/mutants/patches"

// options are the command line.
type options struct {
	only    string        // a pattern of names
	changed bool          // only mutants that the files on standard input concern
	seed    string        // decides the order with -changed
	list    bool          // list, and run nothing
	verbose bool          // show what the failing tests print
	timeout time.Duration // for one test
	budget  time.Duration // begin no mutant after this; zero: no end
	jobs    int           // mutants at the same time
	passed  bool          // take the tests to pass on the unchanged tree
}

func main() {
	var o options
	flag.StringVar(&o.only, "only", "", "run only mutants whose name matches this regular expression")
	flag.BoolVar(&o.changed, "changed", false, "run only mutants whose patch, tests or patched files are among those that standard input lists")
	flag.StringVar(&o.seed, "seed", "", "with -changed: another seed, another order")
	flag.BoolVar(&o.list, "list", false, "list the mutants and run nothing")
	flag.BoolVar(&o.verbose, "v", false, "show what the failing tests print")
	flag.DurationVar(&o.timeout, "timeout", 3*time.Minute, "for one test")
	flag.DurationVar(&o.budget, "for", 0, "begin no mutant after this time; 0: run all")
	flag.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "mutants at the same time")
	flag.BoolVar(&o.passed, "passed", false, "make test has just passed: do not run each test on the unchanged tree too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdin, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, r io.Reader, w io.Writer, o options) error {
	chosen := selection{seed: o.seed}
	var err error
	if chosen.only, err = regexp.Compile(o.only); err != nil {
		return err
	}
	if o.changed {
		if chosen.changed, err = readFiles(r); err != nil {
			return err
		}
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	all, err := ReadMutants(filepath.Join(root, filepath.FromSlash(patchDir)))
	if err != nil {
		return err
	}
	picked, err := chosen.of(all, root)
	switch {
	case err != nil:
		return err
	case len(picked) == 0 && o.changed:
		fmt.Fprintln(w, "no mutant has to do with what changed")
		return nil
	case len(picked) == 0:
		return errors.New("no such mutant")
	case o.list:
		for _, m := range picked {
			fmt.Fprintf(w, "%-5s %-40s %s\n", m.Invariant, m.Name, m.Breaks)
		}
		return nil
	}
	temp, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	return killAll(ctx, w, &runner{root: root, temp: temp, timeout: o.timeout, passed: o.passed}, picked, o)
}

// killAll runs mutants, o.jobs at a time, until the time is up, reports the
// result of each as it ends, and lists at the end those that were not caught.
func killAll(ctx context.Context, w io.Writer, r *runner, mutants []Mutant, o options) error {
	var (
		begun = time.Now()
		mu    sync.Mutex // guards bad and w
		bad   []string
		ran   int // this goroutine's
		slots = make(chan struct{}, max(o.jobs, 1))
		group sync.WaitGroup
	)
	for _, m := range mutants {
		slots <- struct{}{}
		if ctx.Err() != nil || o.budget > 0 && time.Since(begun) > o.budget {
			break
		}
		ran++
		group.Go(func() {
			defer func() { <-slots }()
			start := time.Now()
			said, err := r.kill(ctx, m)
			result := "caught"
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				result = err.Error()
				bad = append(bad, m.Name+": "+result)
			}
			fmt.Fprintf(w, "%-5s %-40s %5.1fs  %s\n", m.Invariant, m.Name, time.Since(start).Seconds(), result)
			if o.verbose {
				fmt.Fprintf(w, "%s\n", said)
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(bad) > 0 {
		return fmt.Errorf("%d of %d mutants were not caught:\n%s", len(bad), ran, strings.Join(bad, "\n"))
	}
	fmt.Fprintf(w, "all %d mutants were caught\n", ran)
	if left := len(mutants) - ran; left > 0 {
		fmt.Fprintf(w, "%d more had to do with it and found no time: go run ./test/mutants runs all\n", left)
	}
	return nil
}

// moduleRoot is the directory of go.mod, at or above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("not inside the module")
		}
		dir = up
	}
}

// runner runs tests on the unchanged tree and on mutated ones.
type runner struct {
	root    string
	temp    string
	timeout time.Duration
	passed  bool     // every test passes on the unchanged tree
	sound   sync.Map // of Catch: func() error, the test's result on the unchanged tree, found once
}

var errSurvived = errors.New("SURVIVED")

// kill returns nil if every test that the mutant names fails on it, and what
// the tests printed.
func (r *runner) kill(ctx context.Context, m Mutant) (said []byte, err error) {
	overlay, err := r.overlay(m)
	if err != nil {
		return nil, err
	}
	for _, c := range m.CaughtBy {
		if err := r.soundness(ctx, c); err != nil {
			return said, fmt.Errorf("%s: %w", c, err)
		}
		failed, out, err := r.test(ctx, c, overlay)
		said = append(said, out...)
		if err != nil {
			return said, fmt.Errorf("%s: %w", c, err)
		}
		if !failed {
			return said, fmt.Errorf("%w %s", errSurvived, c)
		}
	}
	return said, nil
}

// soundness is nil if the test passes on the unchanged tree.
func (r *runner) soundness(ctx context.Context, c Catch) error {
	if r.passed {
		return nil
	}
	once, _ := r.sound.LoadOrStore(c, sync.OnceValue(func() error {
		failed, _, err := r.test(ctx, c, "")
		if err == nil && failed {
			err = errors.New("fails without the mutant, too")
		}
		return err
	}))
	return once.(func() error)()
}

// overlay writes the patched files, and the list with which the go command
// reads them in place of the tree's files.
func (r *runner) overlay(m Mutant) (string, error) {
	replace := map[string]string{}
	for i, f := range m.Files {
		path := filepath.Join(r.root, filepath.FromSlash(f.Path))
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		text, err := f.Apply(string(b))
		if err != nil {
			return "", err
		}
		patched := filepath.Join(r.temp, fmt.Sprintf("%s-%d%s", m.Name, i, filepath.Ext(path)))
		if err := os.WriteFile(patched, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[path] = patched
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(r.temp, m.Name+".json")
	return file, os.WriteFile(file, b, 0o600)
}

// test builds a package's tests and runs one of them. An error is anything but
// the test's own verdict: the package does not compile, or has no such test.
func (r *runner) test(ctx context.Context, c Catch, overlay string) (failed bool, said []byte, err error) {
	dir, err := os.MkdirTemp(r.temp, "test-")
	if err != nil {
		return false, nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "tests")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "-overlay", overlay, "./"+c.Dir)
	build.Dir = r.root
	if out, err := build.CombinedOutput(); err != nil {
		return false, out, fmt.Errorf("does not compile: %s", firstLine(out))
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.v", "-test.failfast", "-test.run", c.run())
	cmd.Dir = filepath.Join(r.root, filepath.FromSlash(c.Dir))
	cmd.Env = append(os.Environ(), "RAPID_NOFAILFILE=1", "LIUMA_EVERY_STORY=1", // else failing draws would be kept in the tree
		strings.TrimSpace("GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+overlay)) // for programs that the test builds
	out, err := cmd.CombinedOutput()
	name, _, _ := strings.Cut(c.Test, "/")
	switch {
	case ctx.Err() != nil:
		return false, out, fmt.Errorf("not done after %s", r.timeout)
	case bytes.Contains(out, []byte("--- FAIL: "+name+" ")):
		return true, out, nil
	case err != nil:
		return false, out, fmt.Errorf("ended without a verdict: %w", err)
	case !bytes.Contains(out, []byte("--- PASS: "+c.Test+" ")):
		return false, out, errors.New("no such test, or it was skipped")
	}
	return false, out, nil
}

// firstLine is the first line of a compiler's complaint, without its heading.
func firstLine(out []byte) string {
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	return ""
}
