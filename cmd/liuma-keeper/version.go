package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version prints the module's version, its commit if it is known, and Go's
// version.
func version(*flags) runner {
	return func(_ context.Context, c *call) error {
		commit := ""
		if info, ok := debug.ReadBuildInfo(); ok {
			for _, s := range info.Settings {
				if s.Key == "vcs.revision" {
					commit = " " + s.Value
				}
			}
		}
		return c.line(fmt.Sprintf("liuma-keeper %s%s %s %s/%s", release(), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH))
	}
}

// release returns the module's version.
func release() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
