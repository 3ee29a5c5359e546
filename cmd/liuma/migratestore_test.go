package main

import (
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
)

// onPostgres puts the address of an empty database into a variable.
func onPostgres(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: postgres VARIABLE")
	}
	dsn, drop, err := pgtest.Make(nil)
	ts.Check(err)
	ts.Defer(func() { ts.Check(drop()) })
	ts.Setenv(args[0], dsn)
}
