package clock

import (
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// bootEvery is how long the boot clock is reckoned from the process's monotonic clock before
// it is asked again. The two differ only by the time for which the machine was suspended, so
// a Reading may miss a suspension that ended less than bootEvery ago, and is behind then,
// never ahead. Asking is a system call, and a verification wants some twenty readings.
const bootEvery = 5 * time.Millisecond

// system is this machine. If the kernel does not identify its start or has no boot
// clock, each process counts as a new start: H then continues from the stored value.
type system struct {
	bootID string
	began  time.Time // with the monotonic clock's reading; asked and ahead count from it
	boot   func() (time.Duration, bool)
	last   atomic.Pointer[asked]
}

// asked is one reading of the boot clock.
type asked struct {
	at    time.Duration // since began
	ahead time.Duration // how far the boot clock is ahead of the time since began
}

// System reads this machine's clocks.
func System() Machine {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	id := strings.TrimSpace(string(raw))
	if _, ok := bootTime(); err != nil || id == "" || !ok {
		return newPortable()
	}
	return newSystem(id, bootTime)
}

func newSystem(bootID string, boot func() (time.Duration, bool)) *system {
	return &system{bootID: bootID, began: time.Now(), boot: boot}
}

func (s *system) Read() Reading {
	now := time.Now()
	last := s.last.Load()
	if last == nil || now.Sub(s.began)-last.at >= bootEvery {
		now, last = s.ask(last)
	}
	return Reading{Wall: now, Boot: now.Sub(s.began) + last.ahead, BootID: s.bootID}
}

// ask reads the boot clock, and then the process's own clock. If the process is delayed in
// between, the boot clock seems less far ahead than it is; so of two answers the larger is
// nearer to the truth, and neither is too large.
func (s *system) ask(last *asked) (time.Time, *asked) {
	boot, ok := s.boot()
	now := time.Now()
	passed := now.Sub(s.began)
	next := &asked{at: passed}
	if ok {
		next.ahead = boot - passed
	}
	if last != nil {
		next.ahead = max(next.ahead, last.ahead)
	}
	s.last.Store(next)
	return now, next
}

func bootTime() (time.Duration, bool) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return time.Duration(t.Nano()), err == nil
}
