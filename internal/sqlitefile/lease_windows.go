package sqlitefile

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lock locks the whole file for this process, or returns ErrInUse at once. The
// operating system releases the lock when the process ends, also by a crash.
func lock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrInUse
	}
	return err
}
