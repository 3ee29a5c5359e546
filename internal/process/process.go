// Package process keeps this process's memory from being written to disk or
// read by others. It guarantees, on Linux, that after KeepPrivate no core dump
// is written, and that no other process of the same user attaches to this one
// or reads its memory (root still does). Elsewhere it does nothing. It trusts
// the kernel; swap is the operator's (docs/SECURITY.md).
// It also says how many files the process may have open, of which release it is, and for
// the doctors of both programs what the machine's disk and its limits are, and sets how
// often a server's garbage is collected.
//
// Start here: KeepPrivate.
package process

import (
	"os"
	"runtime/debug"
)

// Release is the version of the module that the program was built from; (devel) where the
// build does not say.
func Release() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// collectAt is how far the heap of a server grows, in percent of what is in use, before
// garbage is collected; Go's default is 100.
const collectAt = 200

// CollectSeldom has garbage collected half as often as Go would, for a server, whose heap
// is small beside the caches of its databases: the memory of the heap is then at most
// three times what is in use, and not twice. Where the operator set GOGC or GOMEMLIMIT,
// that is kept, and false returned. It is for the whole process.
func CollectSeldom() bool {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if os.Getenv(name) != "" {
			return false
		}
	}
	debug.SetGCPercent(collectAt)
	return true
}
