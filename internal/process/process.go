// Package process keeps this process's memory from being written to disk or
// read by others. It guarantees, on Linux, that after KeepPrivate no core dump
// is written, and that no other process of the same user attaches to this one
// or reads its memory (root still does). Elsewhere it does nothing. It trusts
// the kernel; swap is the operator's (docs/SECURITY.md).
// It also says how many files the process may have open.
//
// Start here: KeepPrivate.
package process
