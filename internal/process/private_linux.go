package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// KeepPrivate turns core dumps off, also for processes that this one starts,
// and makes the process not dumpable. It is called before any secret is read,
// and cannot be undone by an unprivileged process.
func KeepPrivate() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("turn core dumps off: %w", err)
	}
	// The limit alone does not help on systems that pipe dumps to a program.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make the process not dumpable: %w", err)
	}
	return nil
}
