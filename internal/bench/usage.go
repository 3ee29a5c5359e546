package bench

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// used is the processor time and memory of a process so far.
type used struct {
	cpu    time.Duration
	rssMiB float64 // the most so far
	nowMiB float64
}

// usages are those of several processes.
func usages(pids []int) ([]used, error) {
	out := make([]used, len(pids))
	for i, pid := range pids {
		var err error
		if out[i], err = usage(pid); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func usage(pid int) (u used, err error) {
	if u.cpu, err = processorTime(pid); err != nil {
		return u, fmt.Errorf("bench: processor time of process %d: %w", pid, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		into := map[string]*float64{"VmHWM": &u.rssMiB, "VmRSS": &u.nowMiB}[name]
		if into == nil {
			continue
		}
		if _, err := fmt.Sscan(rest, into); err != nil {
			return u, err
		}
		*into /= 1024
	}
	return u, nil
}
