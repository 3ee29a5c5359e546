//go:build !linux

package bench

import (
	"errors"
	"os/exec"
	"time"
)

func endWithUs(*exec.Cmd) {}

// processorTime refuses: only Linux has a clock of another process.
func processorTime(int) (time.Duration, error) {
	return 0, errors.New("bench: processor times need Linux")
}
