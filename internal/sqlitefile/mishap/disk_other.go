//go:build !linux

package mishap

import "testing"

// Disk is a small separate file system; this system has none.
type Disk struct{ Dir string }

// SmallDisk skips the test: only Linux can mount one quickly.
func SmallDisk(t testing.TB, _ int) *Disk {
	t.Skip("a small disk takes Linux and root")
	return nil
}

// Fill is never called: SmallDisk gives none.
func (d *Disk) Fill() {}

// Free is never called: SmallDisk gives none.
func (d *Disk) Free() {}
