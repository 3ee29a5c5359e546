package mishap

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Disk is a small separate file system.
type Disk struct {
	Dir string // where it is mounted
	t   testing.TB
}

// SmallDisk mounts a file system of so many MiB until the test ends. It needs
// root; without root the test is skipped.
func SmallDisk(t testing.TB, mib int) *Disk {
	t.Helper()
	d := &Disk{Dir: t.TempDir(), t: t}
	err := syscall.Mount("tmpfs", d.Dir, "tmpfs", 0, "mode=0700,size="+strconv.Itoa(mib)+"m")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("a small disk takes root: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.Dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *Disk) filler() string { return filepath.Join(d.Dir, "filler") }

// Fill takes all the remaining room, to the last page.
func (d *Disk) Fill() {
	d.t.Helper()
	f, err := os.OpenFile(d.filler(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	for size := 1 << 20; size >= 1; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			d.t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		d.t.Fatal(err)
	}
}

// Free releases the room that Fill took.
func (d *Disk) Free() {
	d.t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		d.t.Fatal(err)
	}
}
