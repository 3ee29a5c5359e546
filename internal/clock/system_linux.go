package clock

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// system is this machine. Where the kernel does not say which start it is, or
// has no boot clock, it is like a machine that is started anew with every
// process: H then goes on from what was kept.
type system struct{ bootID string }

// System reads this machine's clocks.
func System() Machine {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	id := strings.TrimSpace(string(raw))
	if _, ok := bootTime(); err != nil || id == "" || !ok {
		return newPortable()
	}
	return system{bootID: id}
}

func (s system) Read() Reading {
	// The boot clock is read first: if the process is held up in between, H
	// begins a little ahead of W, and W then bounds it.
	boot, _ := bootTime()
	return Reading{Wall: time.Now(), Boot: boot, BootID: s.bootID}
}

func bootTime() (time.Duration, bool) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return time.Duration(t.Nano()), err == nil
}
