// Package process keeps this process's memory from being written to disk or read by
// others. It guarantees, on Linux, that after KeepPrivate no core dump is written, and
// that no other process of the same user can attach to this one or read its memory (root
// still can). On other systems it does nothing. It trusts the kernel; swap is the
// operator's responsibility (docs/SECURITY.md). It also reports how many files the
// process may have open, its release and, for the doctor commands of both programs, the
// machine's disk and limits, and sets how often a server collects garbage.
//
// Start here: KeepPrivate.
package process

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Release returns the version of the module that the program was built from; (devel) if
// the build does not say.
func Release() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// collectAt is how far a server's heap grows, in percent of the memory in use, before
// garbage is collected; Go's default is 100.
const collectAt = 200

// spareHeap counts as memory in use although nobody touches it, so it is never resident.
// Garbage is collected when the heap has grown to three times what is in use. A server with a
// small heap would collect often; with the spare it waits for twice as much more, 48 MiB. A
// higher percentage would do the same, and let a heap that is large already, as in a spray,
// grow by a multiple of itself; this never adds more.
const spareHeap = 24 << 20

// CollectSeldom lets garbage be collected less often, for the whole process. It is for a
// server, whose heap is small compared with its databases' caches: the heap then takes at most
// three times the memory in use, instead of twice, and 48 MiB. If the operator set GOGC or
// GOMEMLIMIT, that is kept, and nothing else happens. It holds until release is called, which
// leaves the percentage as it is.
func CollectSeldom() (release func()) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if os.Getenv(name) != "" {
			return func() {}
		}
	}
	debug.SetGCPercent(collectAt)
	spare := make([]byte, spareHeap)
	return func() { runtime.KeepAlive(spare) }
}
