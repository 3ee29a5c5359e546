// Package process keeps this process's memory from being written to disk or
// read by others. It guarantees, on Linux, that after KeepPrivate no core dump
// is written, and that no other process of the same user attaches to this one
// or reads its memory (root still does). Elsewhere it does nothing. It trusts
// the kernel; swap is the operator's (docs/SECURITY.md).
// It also says how many files the process may have open, of which release it is, and for
// the doctors of both programs what the machine's disk and its limits are.
//
// Start here: KeepPrivate.
package process

import "runtime/debug"

// Release is the version of the module that the program was built from; (devel) where the
// build does not say.
func Release() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
