package process

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// CoreLimit returns how large, in bytes, a core dump may be for programs that are started in
// the same way as this one. It reads the limit of the parent process, because KeepPrivate has
// set this process's own limit to zero.
func CoreLimit() (uint64, error) {
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", os.Getppid()))
	if err != nil {
		return 0, fmt.Errorf("limit of core dumps: %w", err)
	}
	_, rest, found := strings.Cut(string(limits), "Max core file size")
	fields := strings.Fields(rest)
	switch {
	case !found || len(fields) == 0:
		return 0, errors.New("limit of core dumps: not among the limits of the process")
	case fields[0] == "unlimited":
		return math.MaxUint64, nil
	}
	return strconv.ParseUint(fields[0], 10, 64)
}
