//go:build !windows

package sqlitefile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the whole file for this process, or says ErrInUse at once. The
// system gives it back when the process ends, however it ends.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}
