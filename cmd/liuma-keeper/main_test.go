package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/keys"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/test/port"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"liuma-keeper": main})
}

// The scripts run the real program, each in a directory of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "quorum": quorum, "freeport": freeport, "awaitserved": awaitServed, "terminate": terminate, "mode": mode, "digits": digits, "heard": heardAloud, "spread": spread,
		},
	})
}

// exits STATUS|STATUS… COMMAND… runs a command that must end with one of the statuses.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if !slices.Contains(strings.Split(args[0], "|"), strconv.Itoa(got)) {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// quorum DIR… gives the directories the keys of 2 of 3.
func quorum(ts *testscript.TestScript, neg bool, args []string) {
	for i := range args {
		args[i] = ts.MkAbs(args[i])
	}
	_, err := keeper.CreateQuorum(context.Background(), args, split.Shape{T: 2, N: 3})
	ts.Check(err)
}

// freeport VARIABLE sets a variable to a free port on loopback.
func freeport(ts *testscript.TestScript, neg bool, args []string) {
	at, release, err := port.Take()
	ts.Check(err)
	ts.Defer(release)
	_, number, err := net.SplitHostPort(at)
	ts.Check(err)
	ts.Setenv(args[0], number)
}

// freeAddress is of loopback, and the test's to its end.
func freeAddress(t *testing.T) string {
	t.Helper()
	at, release, err := port.Take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return at
}

// awaitserved DIR waits until a keeper serves there.
func awaitServed(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(served(ts.MkAbs(args[0])))
}

// served waits until a keeper serves a directory.
func served(dir string) error {
	var last error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		d, err := host.Open(dir)
		if err != nil {
			return err
		}
		if _, last = d.Ask().Status(context.Background()); last == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return last
}

// terminate sends SIGTERM to the processes in the background.
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

// mode OCTAL FILE… checks permissions.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", file, got, args[0])
		}
	}
}

// heard VARIABLE [FILE] sets a variable to the forty digits that the last command printed,
// or that are in a file.
func heardAloud(ts *testscript.TestScript, neg bool, args []string) {
	found := regexp.MustCompile(`\d{4}( \d{4}){9}`).FindString(ts.ReadFile(append(args, "stdout")[1]))
	if found == "" {
		ts.Fatalf("no digits")
	}
	ts.Setenv(args[0], found)
}

// spread COMMAND… runs a command with every group of digits as a word of its own, as the
// shell passes them on without quotes.
func spread(ts *testscript.TestScript, neg bool, args []string) {
	words := strings.Fields(strings.Join(args, " "))
	ts.Check(ts.Exec(words[0], words[1:]...))
}

// digits VARIABLE FILE sets a variable to what is read aloud of a request or an admission.
func digits(ts *testscript.TestScript, neg bool, args []string) {
	data := []byte(ts.ReadFile(args[1]))
	if r, err := admission.ParseRequest(data); err == nil {
		ts.Setenv(args[0], r.Fingerprint().String())
		return
	}
	a, err := admission.ParseAdmission(data)
	ts.Check(err)
	ts.Setenv(args[0], a.Fingerprint().String())
}

// TestSmallestImports: the program is made of these packages of the house and no others.
// Whatever knows holders, channels, staff, pages or configuration is not among them.
func TestSmallestImports(t *testing.T) {
	want := []string{
		"",                          // the words of the domain
		"cmd/liuma-keeper",          // wiring
		"internal/clock",            // the machine's clocks
		"internal/diskfile",         // files whole or not at all
		"internal/gathering",        // who shares a commit
		"internal/keeper",           // counting and evaluating
		"internal/keeper/admission", // who may call
		"internal/keeper/host",      // the directory and the doors
		"internal/keeper/keys",      // the key ceremony
		"internal/keeper/tokenkeys", // share keys in a token
		"internal/keeper/wire",      // frames over TLS
		"internal/ledger",           // the counts
		"internal/ledger/sqlite",    // where they lie
		"internal/process",          // no core dumps
		"internal/split",            // the split check
		"internal/split/p256",       // its curve
		"internal/split/pinkey",     // the key pair of a PIN
		"internal/sqlitefile",       // files of SQLite
		"internal/token",            // PKCS#11, with the build tag alone
		"internal/written",          // digits as people type them
		"locale",                    // the sentences
	}
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	const house = "github.com/liuma-pin/liuma"
	var got []string
	for path := range strings.FieldsSeq(string(out)) {
		if path == house || strings.HasPrefix(path, house+"/") {
			got = append(got, strings.TrimPrefix(strings.TrimPrefix(path, house), "/"))
			continue
		}
		for _, never := range []string{"yaml", "kong", "webauthn", "pgx", "grpc", "prometheus"} {
			if strings.Contains(path, never) {
				t.Errorf("the keeper's program has %s in it", path)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the keeper's program is made of\n%s\nand not of\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A file that somebody brought may have no end, or nearly none, or be none.
func TestEndlessFilesAreRefused(t *testing.T) {
	long := filepath.Join(t.TempDir(), "long.json")
	if err := errors.Join(os.WriteFile(long, nil, 0o600), os.Truncate(long, 1<<40)); err != nil {
		t.Fatal(err)
	}
	data, err := readCarried(long)
	if err != nil || len(data) > mostCarried+1 {
		t.Errorf("read %d bytes: %v", len(data), err)
	}
	if _, err := readFiles("ceremony", []string{long}); err == nil {
		t.Error("zeros are taken for a file of a ceremony")
	}
	if _, err := readCarried("/dev/zero"); !errors.Is(err, diskfile.ErrNoFile) {
		t.Errorf("a device is read: %v", err)
	}
}

// Every command and every flag has a sentence in both languages, and a row in
// docs/KEEPERS.md.
func TestEverythingIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/KEEPERS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range []locale.Lang{locale.Chinese, locale.English} {
		for _, c := range commands() {
			var out bytes.Buffer
			if err := c.help(&terminal{out: &out, words: locale.In(lang)}); err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(doc, []byte("`liuma-keeper "+c.name)) {
				t.Errorf("docs/KEEPERS.md has no `liuma-keeper %s`", c.name)
			}
			for _, flag := range regexp.MustCompile(`(?m)^  (--[a-z]+)\S* +(.*)$`).FindAllStringSubmatch(out.String(), -1) {
				if len(flag[2]) < 8 || !strings.HasSuffix(flag[2], ".") && !strings.HasSuffix(flag[2], "。") {
					t.Errorf("%s %s: help %q", c.name, flag[1], flag[2])
				}
				if flag[1] != "--dir" && !bytes.Contains(doc, []byte(flag[1])) {
					t.Errorf("docs/KEEPERS.md does not name %s of %s", flag[1], c.name)
				}
			}
		}
	}
}

// Every error of the packages below that a person may meet has a sentence of its own.
func TestKnownErrorsAreTold(t *testing.T) {
	for _, lang := range []locale.Lang{locale.Chinese, locale.English} {
		for _, k := range known() {
			if got := told(locale.In(lang), fmt.Errorf("somewhere: %w", k.err)); got == "" || strings.Contains(got, k.err.Error()) {
				t.Errorf("%s: %v is told as %q", lang, k.err, got)
			}
		}
	}
	for file, name := range map[string]string{"admission.go": "admission", "dir.go": "host", "keys.go": "keys"} {
		source, err := os.ReadFile(filepath.Join("../../internal/keeper", name, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`errors\.New\("([^"]+)"\)`).FindAllSubmatch(source, -1) {
			if string(m[1]) == keys.ErrOrder.Error() {
				continue // said with the next step: outOfOrder
			}
			if !slices.ContainsFunc(known(), func(k saying) bool { return k.err.Error() == string(m[1]) }) {
				t.Errorf("%q has no sentence", m[1])
			}
		}
	}
}
