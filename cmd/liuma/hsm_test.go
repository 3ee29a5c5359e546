//go:build pkcs11

package main

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/liuma-pin/liuma/internal/token/tokentest"
)

// TestHSMScripts runs the real program beside tokens of SoftHSM: "one" that serves, and
// "spare" that lies in a safe.
func TestHSMScripts(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	hsm.Init("spare")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/hsm",
		Setup: func(e *testscript.Env) error {
			e.Setenv("SOFTHSM2_CONF", os.Getenv("SOFTHSM2_CONF"))
			e.Setenv("MODULE", hsm.Module)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport": freeport, "await": await, "terminate": terminate, "configure": configure,
		},
		RequireExplicitExec: true,
	})
}

// configure LIUMA.YAML TOKEN PINFILE writes the member hsm of a configuration in place of an empty one.
func configure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: configure LIUMA.YAML TOKEN PINFILE")
	}
	was := ts.ReadFile(args[0])
	group := regexp.MustCompile(`(?m)^hsm:\n(  .*\n)*`)
	if !group.MatchString(was) {
		ts.Fatalf("%s has no hsm", args[0])
	}
	said := fmt.Sprintf("hsm:\n  module: %s\n  token: %s\n  pin_file: %s\n", ts.Getenv("MODULE"), args[1], args[2])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(group.ReplaceAllString(was, said)), 0o600))
}
