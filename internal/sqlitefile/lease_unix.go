//go:build !windows

package sqlitefile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock locks the whole file for this process, or returns ErrInUse at once. The
// operating system releases the lock when the process ends, also by a crash.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}
