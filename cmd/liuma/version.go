package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd is "liuma version".
type versionCmd struct{}

// Run prints the module's version, its commit where it is known, and Go's.
func (versionCmd) Run(t *terminal) error {
	version, commit := "(devel)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = " " + s.Value
			}
		}
	}
	_, err := fmt.Fprintf(t.out, "liuma %s%s %s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
