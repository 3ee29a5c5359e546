//go:build !linux

package cluster

import (
	"errors"
	"time"
)

// CPU is known on Linux only.
func (c *Cluster) CPU() (time.Duration, error) {
	return 0, errors.New("cluster: processor time is measured on Linux only")
}
