// Command slowest shows a run of tests as go test shows it, and then the ten
// packages that took longest. It guarantees that every package has its line
// ("ok", "FAIL" or "?"), that a failure is shown with all output of the failed
// tests and their package, and that lines which it cannot parse are shown
// unchanged. It exits with 1 if a test, a build or the run as a whole failed.
// It trusts go test to describe its run truly.
//
//	go test -json ./... | go run ./test/slowest
//
// Start here: run.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// shown is how many packages the closing list has.
const shown = 10

func main() {
	failed, err := run(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "slowest:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

// event is a line of go test -json; see go doc test2json and go help buildjson.
type event struct {
	Action  string
	Package string // empty where the compiler speaks
	Test    string
	Elapsed float64 // seconds
	Output  string
}

// run reads the events of go test -json and writes what people read. It
// reports whether anything failed.
func run(r io.Reader, w io.Writer) (failed bool, err error) {
	c := &console{w: bufio.NewWriter(w), open: map[string]*outcome{}}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n') // of any length: a test may print much
		if line != "" {
			c.line(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return true, err
		}
	}
	c.close()
	return c.failed, c.w.Flush()
}

// outcome is the result of one package's tests so far.
type outcome struct {
	name    string
	took    time.Duration
	cached  bool
	summary string              // the line that begins with "ok", "FAIL" or "?"
	said    strings.Builder     // the package's output outside of tests
	tests   []string            // in the order in which they began
	output  map[string][]string // by test
	state   map[string]string   // by test: "", "pass", "fail" or "skip"
}

type console struct {
	w       *bufio.Writer
	open    map[string]*outcome // packages that still run
	done    []*outcome
	passed  int
	skipped []string
	broken  int // tests that failed
	failed  bool
}

func (c *console) line(line string) {
	var e event
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		fmt.Fprint(c.w, line)
		return
	}
	switch e.Action {
	case "build-output":
		fmt.Fprint(c.w, e.Output)
		return
	case "build-fail":
		c.failed = true
		return
	}
	p := c.open[e.Package]
	if p == nil {
		p = &outcome{name: e.Package, output: map[string][]string{}, state: map[string]string{}}
		c.open[e.Package] = p
	}
	if e.Test != "" {
		c.test(p, e)
		return
	}
	switch e.Action {
	case "output":
		p.print(e.Output)
	case "pass", "fail", "skip":
		p.took = time.Duration(e.Elapsed * float64(time.Second))
		delete(c.open, e.Package)
		c.end(p, e.Action == "fail")
	}
}

// test takes an event of one test.
func (c *console) test(p *outcome, e event) {
	if _, known := p.state[e.Test]; !known {
		p.state[e.Test] = ""
		p.tests = append(p.tests, e.Test)
	}
	switch e.Action {
	case "output":
		if !strings.HasPrefix(e.Output, "=== ") {
			p.output[e.Test] = append(p.output[e.Test], e.Output)
		}
		return
	case "pass":
		c.passed++
		delete(p.output, e.Test)
	case "skip":
		c.skipped = append(c.skipped, p.name+" "+e.Test)
	case "fail":
		c.broken++
	default:
		return
	}
	p.state[e.Test] = e.Action
}

// print keeps the output of a package outside of its tests.
func (p *outcome) print(output string) {
	switch {
	case strings.HasPrefix(output, "ok  \t"), strings.HasPrefix(output, "FAIL\t"), strings.HasPrefix(output, "?   \t"):
		p.summary = output
		p.cached = strings.Contains(output, "(cached)")
	case output == "PASS\n", output == "FAIL\n", strings.HasPrefix(output, "=== "):
	default:
		p.said.WriteString(output)
	}
}

// end shows a package whose tests are over. Tests that passed say nothing; of a
// package that died, the tests that were running are shown as well.
func (c *console) end(p *outcome, failed bool) {
	c.done = append(c.done, p)
	if failed {
		c.failed = true
		for _, name := range p.tests {
			if s := p.state[name]; s == "fail" || s == "" {
				fmt.Fprint(c.w, verdictFirst(p.output[name]))
			}
		}
		fmt.Fprint(c.w, p.said.String())
		if p.summary == "" {
			p.summary = fmt.Sprintf("FAIL\t%s\t%.3fs\n", p.name, p.took.Seconds())
		}
	}
	fmt.Fprint(c.w, p.summary)
	c.w.Flush() // shown at once; a write error is reported at the end
}

// verdictFirst puts the line "--- FAIL" above the test's output, where go test
// has it when it is not asked for events.
func verdictFirst(lines []string) string {
	verdict := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "--- FAIL: ") })
	if verdict < 0 {
		return strings.Join(lines, "")
	}
	return lines[verdict] + strings.Join(slices.Delete(slices.Clone(lines), verdict, verdict+1), "")
}

// close shows the packages that go test began and never ended, as failed, and
// then the closing lists.
func (c *console) close() {
	for _, name := range slices.Sorted(maps.Keys(c.open)) {
		c.end(c.open[name], true)
	}
	ran := slices.DeleteFunc(slices.Clone(c.done), func(p *outcome) bool { return p.cached || p.took == 0 })
	slices.SortStableFunc(ran, func(a, b *outcome) int { return cmp.Compare(b.took, a.took) })
	if len(ran) > 0 {
		fmt.Fprintln(c.w, "\nslowest packages:")
	}
	for _, p := range ran[:min(shown, len(ran))] {
		fmt.Fprintf(c.w, "%8.1fs  %s\n", p.took.Seconds(), p.name)
	}
	for _, name := range c.skipped {
		fmt.Fprintf(c.w, "skipped: %s\n", name)
	}
	fmt.Fprintf(c.w, "%d tests passed, %d failed, %d skipped, in %d packages\n", c.passed, c.broken, len(c.skipped), len(c.done))
}
