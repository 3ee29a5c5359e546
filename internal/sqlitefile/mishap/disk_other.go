//go:build !linux

package mishap

import "testing"

// Disk is a small file system of its own; there is none here.
type Disk struct{ Dir string }

// SmallDisk skips the test: only Linux mounts one at once.
func SmallDisk(t testing.TB, _ int) *Disk {
	t.Skip("a small disk takes Linux and root")
	return nil
}

// Fill is never called: SmallDisk gives none.
func (d *Disk) Fill() {}

// Free is never called: SmallDisk gives none.
func (d *Disk) Free() {}
