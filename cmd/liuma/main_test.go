package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/test/port"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"liuma": main})
}

var update = flag.Bool("update", false, "write what the scripts compare with anew")

// The scripts run the real program, each in a directory of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "freeport": freeport, "await": await, "mode": mode,
			"terminate": terminate, "leftover": leftover, "awaitfile": awaitfile, "knock": knock, "kid": kid, "signingkey": signingKey,
			"letters": letters, "letter": deadText, "written": wroteLetters, "batch": batch, "awaittexts": awaitTexts, "gateway": gateway, "audited": audited,
			"nocore": noCore, "fetched": fetched, "signs": signs, "accepts": accepts, "finds": finds, "killed": killed,
			"samplechannel": sampleChannel, "copied": copied, "applies": applies, "presses": presses, "member": member, "fromtree": fromTree, "postgres": onPostgres, "digits": digits,
		},
		RequireExplicitExec: true,
		UpdateScripts:       *update,
	})
}

// exits STATUS COMMAND… runs a command that must end with that status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND…")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// fetched URL FILE writes what is at the address to a file.
func fetched(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fetched URL FILE")
	}
	resp, err := http.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), raw, 0o600))
}

// freeport VARIABLE sets a variable to a free port on loopback.
func freeport(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport VARIABLE")
	}
	at, release, err := port.Take()
	ts.Check(err)
	ts.Defer(release)
	_, number, err := net.SplitHostPort(at)
	ts.Check(err)
	ts.Setenv(args[0], number)
}

// await URL waits until it answers 200.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await URL")
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		resp, err := http.Get(args[0])
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%s does not answer", args[0])
}

// terminate sends SIGTERM to the processes in the background.
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: terminate")
	}
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

// nocore checks that whatever runs in the background can write no core dump,
// where the system shows it: the limit of 0 is its own, not the test's.
func noCore(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: nocore")
	}
	if runtime.GOOS != "linux" {
		return
	}
	none := regexp.MustCompile(`Max core file size +0 +0 `)
	ours, err := os.ReadFile("/proc/self/limits")
	ts.Check(err)
	if none.Match(ours) {
		ts.Fatalf("the test itself may write no core dump, so that nothing is shown; run it without a hard limit (ulimit -Hc)")
	}
	for _, cmd := range ts.BackgroundCmds() {
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", cmd.Process.Pid))
		ts.Check(err)
		if !none.Match(limits) {
			ts.Fatalf("a core dump may be written:\n%s", limits)
		}
	}
}

// mode OCTAL FILE… checks permissions.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode OCTAL FILE…")
	}
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", file, got, args[0])
		}
	}
}

// Every command and every flag has a sentence of help.
func TestEverythingIsDocumented(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Name("liuma"), sayWhatCommandsDo(locale.In(locale.English)))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	var visit func(n *kong.Node)
	visit = func(n *kong.Node) {
		for _, child := range n.Children {
			seen++
			if !sentence(child.Help) {
				t.Errorf("command %s: help %q", child.FullPath(), child.Help)
			}
			visit(child)
		}
		for _, f := range n.Flags {
			if f.Name != "help" && !sentence(f.Help) {
				t.Errorf("%s --%s: help %q", n.FullPath(), f.Name, f.Help)
			}
		}
		for _, p := range n.Positional {
			if !sentence(p.Help) {
				t.Errorf("%s <%s>: help %q", n.FullPath(), p.Name, p.Help)
			}
		}
	}
	visit(parser.Model.Node)
	if seen < 20 {
		t.Errorf("only %d commands were looked at", seen)
	}
}

func sentence(s string) bool { return len(s) > 8 && strings.HasSuffix(s, ".") }

// docs/OPERATIONS.md has a row for every command.
func TestCommandsAreInOperations(t *testing.T) {
	doc, err := os.ReadFile("../../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&cli{}, kong.Name("liuma"))
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(true) {
		if path := strings.TrimSpace(leaf.Path()); !bytes.Contains(doc, []byte("`liuma "+path+"`")) {
			t.Errorf("docs/OPERATIONS.md has no `liuma %s`", path)
		}
	}
}

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		line   string
	}{
		{nil, 0, ""},
		{errors.New("a\nb"), 1, "liuma: a; b\n"},
		{badUsage("liuma x", "no y"), 2, "liuma: no y; see 'liuma x --help'\n"},
	} {
		var out bytes.Buffer
		if got := report(&terminal{err: &out}, tt.err); got != tt.status || out.String() != tt.line {
			t.Errorf("%v: status %d, %q", tt.err, got, out.String())
		}
	}
}

func TestLoggerRefusesUnknownLevels(t *testing.T) {
	if _, err := newLogger(&bytes.Buffer{}, "loud"); err == nil {
		t.Error("took level loud")
	}
	var out bytes.Buffer
	l, err := newLogger(&out, "warn")
	if err != nil {
		t.Fatal(err)
	}
	l.Warn("said")
	if !json.Valid(out.Bytes()) || out.Len() == 0 {
		t.Errorf("a log that nobody watches is no JSON: %q", &out)
	}
}

// docs/OPERATIONS.md has a row for every audit event.
func TestOperationsIsComplete(t *testing.T) {
	doc, err := os.ReadFile("../../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	entry, err := os.ReadFile("../../internal/audit/entry.go")
	if err != nil {
		t.Fatal(err)
	}
	events := regexp.MustCompile(`Event\s+= "([a-z]+\.[a-z]+)"`).FindAllSubmatch(entry, -1)
	if len(events) < 10 {
		t.Fatalf("only %d events were read", len(events))
	}
	for _, e := range events {
		if !bytes.Contains(doc, []byte("\n| `"+string(e[1])+"` |")) {
			t.Errorf("docs/OPERATIONS.md has no row for the event %s", e[1])
		}
	}
}

// docs/OPERATIONS.md names every act that has a ration, and every reason for which
// an import leaves something out.
func TestOperationsNamesActsAndReasons(t *testing.T) {
	doc, err := os.ReadFile("../../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	for file, name := range map[string]*regexp.Regexp{
		"../../internal/authority/ration.go": regexp.MustCompile(`Act[A-Z]\w+\s+Act = "([a-z_]+)"`),
		"../../internal/registry/reasons.go": regexp.MustCompile(`Reason[A-Z]\w+\s+= "([a-z_0-9]+)"`),
	} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := name.FindAllSubmatch(source, -1)
		if len(names) < 10 {
			t.Fatalf("%s: only %d names were read", file, len(names))
		}
		for _, n := range names {
			if row := "| `" + string(n[1]) + "`"; !bytes.Contains(doc, []byte("`"+string(n[1])+"`, `")) && !bytes.Contains(doc, []byte(", `"+string(n[1])+"`")) && !bytes.Contains(doc, []byte(row)) {
				t.Errorf("docs/OPERATIONS.md does not name %s of %s", n[1], file)
			}
		}
	}
}
