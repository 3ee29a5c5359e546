package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/staff"
)

// signs FILE signs this script's terminal in by the code that 'liuma staff code' printed
// to a file, as a shell would with eval.
func signs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: signs FILE")
	}
	code, _, _ := strings.Cut(ts.ReadFile(args[0]), "\n")
	ts.Check(ts.Exec("liuma", "--data", "d", "staff", "sign-in", code))
	line := strings.TrimSpace(string(bytes.TrimPrefix([]byte(ts.ReadFile("stdout")), []byte("export "))))
	name, value, ok := strings.Cut(line, "=")
	if !ok || name != sessionVariable || len(value) < 40 {
		ts.Fatalf("sign-in printed no session")
	}
	ts.Setenv(name, value)
	if err := ts.Exec("liuma", "--data", "d", "staff", "sign-in", code); err == nil {
		ts.Fatalf("the code was taken twice")
	}
}

// accepts FILE ID VARIABLE accepts, in the stopped directory d, the invitation of a member
// whose code FILE has, for an account of their own, and sets VARIABLE to a session of
// theirs: a script has one account and is one person otherwise.
func accepts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: accepts FILE ID VARIABLE")
	}
	_, after, _ := strings.Cut(ts.ReadFile(args[0]), "("+args[1]+")")
	_, after, _ = strings.Cut(after, "\n")
	code, _, _ := strings.Cut(strings.TrimSpace(after), "\n")
	conf, err := config.Load(ts.MkAbs("d"))
	ts.Check(err)
	ctx := context.Background()
	data, err := server.OpenData(ctx, conf, server.Options{})
	ts.Check(err)
	defer func() { ts.Check(data.Close()) }()
	who, err := staff.New(staff.Config{Store: data.Store, Challenges: data.Vault, Now: data.Clock.Now})
	ts.Check(err)
	c, err := who.AcceptAtTerminal(ctx, code, 4_000_000_001)
	ts.Check(err)
	once, _, err := who.TerminalCode(ctx, c)
	ts.Check(err)
	in, err := who.SignInByCode(ctx, once)
	ts.Check(err)
	ts.Setenv(args[2], string(in.Token))
}

// finds VARIABLE PATTERN sets a variable to what a pattern finds in the last standard
// output.
func finds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: finds VARIABLE PATTERN")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("nothing is like %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// killed kills the background processes, as a power cut would.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: killed")
	}
	for _, cmd := range ts.BackgroundCmds() {
		_ = cmd.Process.Kill()
	}
}
