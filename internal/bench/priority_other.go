//go:build !linux

package bench

import "os/exec"

// startLow starts a process at the usual priority: figures from here count the
// flooder's own work as well.
func startLow(cmd *exec.Cmd) error { return cmd.Start() }
