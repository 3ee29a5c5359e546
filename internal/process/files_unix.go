//go:build unix

package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Files returns how many files, and so connections, the process may have open at once;
// zero means that there is no limit that is known. (Go has already raised the soft
// limit to the hard one.)
func Files() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	files := uint64(limit.Cur) //nolint:unconvert // signed on some systems
	if files > 1<<40 {         // no limit, as different systems express it
		return 0, nil
	}
	return files, nil
}

// Space returns how much of a directory's disk is free for this account, and how large the
// disk is, in bytes.
func Space(dir string) (free, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("disk of %s: %w", dir, err)
	}
	block := uint64(s.Bsize) //nolint:gosec // a size
	return s.Bavail * block, s.Blocks * block, nil
}
