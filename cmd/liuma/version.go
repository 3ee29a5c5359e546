package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma/internal/process"
)

// versionCmd is "liuma version".
type versionCmd struct{}

// Run prints the module's version, its commit where it is known, and Go's.
func (versionCmd) Run(t *terminal) error {
	commit := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = " " + s.Value
			}
		}
	}
	_, err := fmt.Fprintf(t.out, "liuma %s%s %s %s/%s\n", release(), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// release is the module's version.
func release() string { return process.Release() }

// versionFlag is --version, which does what "liuma version" does.
type versionFlag bool

// BeforeReset prints the version and ends, before any command on the command line is
// run.
func (versionFlag) BeforeReset(app *kong.Kong, t *terminal) error {
	if err := (versionCmd{}).Run(t); err != nil {
		return err
	}
	app.Exit(exitOK)
	return nil
}
