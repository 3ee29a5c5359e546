package process

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// CoreLimit is how large a core dump of programs may be that are started as this one was, in
// bytes. It is the limit of the process that started this one: KeepPrivate has set our own to
// nothing, whatever it was.
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
