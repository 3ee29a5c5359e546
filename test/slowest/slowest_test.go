package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealRun reads the events of the real go command for packages with every
// kind of result, and prints the same as go test would.
func TestRealRun(t *testing.T) {
	dir := t.TempDir()
	const head = "import (\n\t\"fmt\"\n\t\"os\"\n\t\"testing\"\n\t\"time\"\n)\n\nvar _, _, _ = fmt.Sprint, os.Exit, time.Sleep\n\n"
	for name, text := range map[string]string{
		"go.mod":               "module example.org/x\n\ngo 1.26\n",
		"good/x_test.go":       "package good\n" + head + "func TestGood(t *testing.T) { t.Log(\"quiet\"); time.Sleep(30 * time.Millisecond) }\nfunc TestAside(t *testing.T) { t.Skip() }\n",
		"bad/x_test.go":        "package bad\n" + head + "func TestBad(t *testing.T) {\n\tt.Run(\"sub\", func(t *testing.T) { t.Error(\"sub is bad\") })\n\tt.Run(\"fine\", func(t *testing.T) { t.Log(\"unheard\") })\n}\n",
		"panics/x_test.go":     "package panics\n" + head + "func TestPanics(t *testing.T) { t.Log(\"before it\"); panic(\"oh no\") }\n",
		"dies/x_test.go":       "package dies\n" + head + "func TestDies(t *testing.T) { fmt.Println(\"last words\"); os.Exit(3) }\n",
		"main/x_test.go":       "package main\n" + head + "func TestMain(m *testing.M) { fmt.Fprintln(os.Stderr, \"needs a thing\"); os.Exit(3) }\nfunc TestX(*testing.T) {}\n",
		"untested/x.go":        "package untested\n",
		"uncompiled/x_test.go": "package uncompiled\n\nvar x int = \"\"\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "./...")
	cmd.Dir = dir
	events, _ := cmd.Output() // it fails; the events say why
	var out strings.Builder
	failed, err := run(strings.NewReader(string(events)), &out)
	if err != nil || !failed {
		t.Errorf("failed is %v, %v", failed, err)
	}
	for _, want := range []string{
		"ok  \texample.org/x/good\t", "FAIL\texample.org/x/bad\t", "FAIL\texample.org/x/panics\t", "FAIL\texample.org/x/dies\t",
		"FAIL\texample.org/x/main\t", "FAIL\texample.org/x/uncompiled [build failed]", "?   \texample.org/x/untested\t[no test files]",
		"--- FAIL: TestBad/sub (0.00s)\n    x_test.go:12: sub is bad\n", "before it", "panic: oh no", "goroutine ", "last words", "needs a thing", "cannot use",
		"skipped: example.org/x/good TestAside\n", "2 tests passed, 3 failed, 1 skipped, in 7 packages\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing says %q", want)
		}
	}
	for _, unwanted := range []string{"quiet", "unheard", "=== RUN", "{\""} {
		if strings.Contains(out.String(), unwanted) {
			t.Errorf("it says %q", unwanted)
		}
	}
	if t.Failed() {
		t.Log("all that it says:\n" + out.String())
	}
}

// ended is the events of a package whose tests passed.
func ended(name string, seconds float64, cached bool) string {
	how := fmt.Sprintf("%.3fs", seconds)
	if cached {
		how = "(cached)"
	}
	return fmt.Sprintf(`{"Action":"start","Package":%[1]q}
{"Action":"output","Package":%[1]q,"Output":"ok  \t%[1]s\t%[2]s\n"}
{"Action":"pass","Package":%[1]q,"Elapsed":%[3]f}
`, name, how, seconds)
}

func TestTenSlowestInOrder(t *testing.T) {
	var in strings.Builder
	for n := range 12 {
		in.WriteString(ended(fmt.Sprintf("p%02d", n), float64(n*7%12+1), false))
	}
	in.WriteString(ended("kept", 99, true))
	var out strings.Builder
	if failed, err := run(strings.NewReader(in.String()), &out); failed || err != nil {
		t.Fatalf("%v, %v", failed, err)
	}
	_, list, found := strings.Cut(out.String(), "\nslowest packages:\n")
	if !found {
		t.Fatal(out.String())
	}
	lines := strings.Split(list, "\n")
	for n := range shown {
		if want := fmt.Sprintf("%8.1fs  p", float64(12-n)); !strings.HasPrefix(lines[n], want) {
			t.Errorf("line %d is %q, want %q", n, lines[n], want)
		}
	}
	if !strings.HasPrefix(lines[shown], "0 tests passed") || !strings.Contains(out.String(), "ok  \tkept\t(cached)\n") {
		t.Errorf("%s", out.String())
	}
}

// TestNothingIsTakenForSuccess: a run that was cut off counts as failed, and
// lines that are no event are shown.
func TestNothingIsTakenForSuccess(t *testing.T) {
	for what, tt := range map[string]struct {
		in     string
		failed bool
		says   string
	}{
		"began and never ended":  {`{"Action":"start","Package":"p"}` + "\n", true, "FAIL\tp\t"},
		"cut off inside a test":  {`{"Action":"run","Package":"p","Test":"TestX"}` + "\n" + `{"Action":"output","Package":"p","Test":"TestX","Output":"half\n"}`, true, "half"},
		"a build that failed":    {`{"ImportPath":"p","Action":"build-output","Output":"broken.go:1: no\n"}` + "\n" + `{"ImportPath":"p","Action":"build-fail"}` + "\n", true, "broken.go:1: no"},
		"a package that failed":  {`{"Action":"fail","Package":"p","Elapsed":1}` + "\n", true, "FAIL\tp\t1.000s\n"},
		"no event":               {"go: cannot find main module\n", false, "go: cannot find main module\n"},
		"an object of no action": {"{\"a\":1}\n", false, "{\"a\":1}\n"},
		"half an event":          {"{\"Action\":\"pa", false, "{\"Action\":\"pa"},
	} {
		var out strings.Builder
		failed, err := run(strings.NewReader(tt.in), &out)
		if err != nil || failed != tt.failed || !strings.Contains(out.String(), tt.says) {
			t.Errorf("%s: %v, %v\n%s", what, failed, err, out.String())
		}
	}
}
