//go:build unix

package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Files is how many files, and so connections, the process may have open at
// once; zero means that nothing says how many. (Go has raised the soft limit to
// the hard one by now.)
func Files() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	files := uint64(limit.Cur) // signed on some systems
	if files > 1<<40 {         // no limit, in the ways that systems say it
		return 0, nil
	}
	return files, nil
}
