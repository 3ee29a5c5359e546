// Package diskfile replaces, opens and removes files of a directory safely: a reader finds
// the old file or the new one, even after a crash, and nobody waits for a pipe that
// somebody put in the place of a file.
//
// It trusts the file system to rename in one step and to keep synced data. Callers that
// write the same file must lock one another out themselves.
//
// Start here: Disk.Write and Open.
package diskfile

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrNoFile: a pipe, a device or a directory is in the place of a file.
var ErrNoFile = errors.New("diskfile: a pipe, a device or a directory is in the place of the file; give a file itself")

// Open opens a file that somebody brought, or that is where others can put files. For a pipe
// or a device it returns ErrNoFile, because reading it could wait, or never end. The caller
// closes the file, and limits how much it reads.
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

// Read opens a file as Open does and reads it. If the file is longer than most bytes, or never
// ends, it returns one byte more than most, so that the caller can refuse it.
func Read(path string, most int64) (content []byte, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // closing after reading loses nothing
	return io.ReadAll(io.LimitReader(f, most+1))
}
