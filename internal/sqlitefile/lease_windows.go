package sqlitefile

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the whole file for this process, or says ErrInUse at once. The
// system gives it back when the process ends, however it ends.
func lock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrInUse
	}
	return err
}
