//go:build unix && !linux

package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// CoreLimit returns how large, in bytes, a core dump may be for programs that are started in
// the same way as this one.
func CoreLimit() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return 0, fmt.Errorf("limit of core dumps: %w", err)
	}
	return uint64(limit.Cur), nil //nolint:unconvert // signed on some systems
}
