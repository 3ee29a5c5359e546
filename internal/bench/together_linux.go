package bench

import (
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endWithUs has a process that is about to start end with this one, however this one
// ends: a server that is left over would hold the lease on its database against the next run.
// The kernel means the thread that starts it, so no thread may end meanwhile.
func endWithUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// processorTime is the processor time of a process so far, user and system, by its clock
// (clock_getcpuclockid): the ticks of /proc are too coarse for a short slice.
func processorTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED
	var at unix.Timespec
	err := unix.ClockGettime(int32(^pid<<3|scheduled), &at)
	return time.Duration(at.Nano()), err
}
