package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// clockTick is the kernel's unit for processor time, 100 a second on Linux.
const clockTick = 10 * time.Millisecond

// CPU is the processor time of all processes of the server since it was started: those
// that run, and those that ended.
func (c *Cluster) CPU() (total time.Duration, err error) {
	root, err := c.postmaster()
	if err != nil {
		return 0, err
	}
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, path := range all {
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it ended meanwhile
		}
		if err != nil {
			return 0, err
		}
		var parent int
		var own, ended [2]int64
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
		if len(fields) < 15 {
			return 0, fmt.Errorf("cluster: %s: %d fields", path, len(fields))
		}
		if _, err := fmt.Sscan(strings.Join([]string{fields[1], fields[11], fields[12], fields[13], fields[14]}, " "),
			&parent, &own[0], &own[1], &ended[0], &ended[1]); err != nil {
			return 0, err
		}
		switch {
		case path == fmt.Sprintf("/proc/%d/stat", root):
			total += time.Duration(own[0]+own[1]+ended[0]+ended[1]) * clockTick
		case parent == root:
			total += time.Duration(own[0]+own[1]) * clockTick
		}
	}
	return total, nil
}
