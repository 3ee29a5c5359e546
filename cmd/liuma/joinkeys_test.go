package main

import (
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"
)

// digits VARIABLE sets a variable to the 32 digits that the last command showed.
func digits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: digits VARIABLE")
	}
	shown := regexp.MustCompile(`\d{4}( +\d{4}){7}`).FindString(ts.ReadFile("stdout"))
	if shown == "" {
		ts.Fatalf("no digits were shown")
	}
	ts.Setenv(args[0], shown)
}
