package bench

import (
	"os/exec"
	"runtime"
	"syscall"
)

// lowest is the nice value of a process that lets all others go first.
const lowest = 19

// startLow starts a process at the lowest priority: an attacker's work is done
// elsewhere, and the server's processors are its own. A process inherits the
// priority of the thread that starts it, so that thread is used for nothing
// else, and ends with its goroutine, which stays locked to it. If the priority
// is refused, the flood costs the server more than it would.
func startLow(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowest)
		started <- cmd.Start()
	}()
	return <-started
}
