// Package diskfile replaces, opens and removes files of a directory so that nothing is
// half done: a reader finds the old file or the new one, after a crash too, and a pipe that
// somebody put in the place of a file makes nobody wait.
//
// It trusts the file system to make a rename one step and to keep what it has synced.
// Locks between writers of one file are theirs.
//
// Start here: Disk.Write and Open.
package diskfile

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrNoFile: in the place of a file is a pipe, a device or a directory.
var ErrNoFile = errors.New("diskfile: a pipe, a device or a directory is in the place of the file; give a file itself")

// Open opens a file that somebody brought, or that lies where others can put one. A pipe or
// a device is ErrNoFile: it would be waited for, or have no end. The caller closes the file,
// and bounds how much is read of it.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, Flags, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s", ErrNoFile, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Read reads a file as Open opens it. Of one that is longer than most bytes, or has no end, it
// returns one byte more, which shows that it is none of the caller's.
func Read(path string, most int64) (content []byte, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // closing after reading loses nothing
	return io.ReadAll(io.LimitReader(f, most+1))
}
