package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/diskfile"
)

// PutArchive writes an archive's file to a directory, with write, and reads it
// back from there. If the file already exists, written earlier but never recorded
// because of a crash, it reads and returns that file instead (taken). A crash in
// PutArchive leaves at most a file whose name begins with a dot, which the next
// call overwrites; the record has lost nothing (I-16).
func PutArchive(dir string, number uint64, write func(io.Writer) error) (a audit.SignedArchive, taken bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return a, false, fmt.Errorf("directory of archives: %w", err)
	}
	path := filepath.Join(dir, ArchiveName(number))
	switch _, err := os.Lstat(path); {
	case err == nil:
		a, err = readBack(path, number)
		return a, true, err
	case !errors.Is(err, fs.ErrNotExist):
		return a, false, err
	}
	temp := filepath.Join(dir, "."+ArchiveName(number)+".tmp")
	if err := fill(temp, write); err != nil {
		return a, false, errors.Join(err, removed(temp))
	}
	if a, err = readBack(temp, number); err != nil {
		return a, false, errors.Join(err, removed(temp))
	}
	if err := errors.Join(os.Rename(temp, path), diskfile.SyncDir(dir)); err != nil {
		return a, false, err
	}
	return a, false, nil
}

// fill makes a file whole and durable.
func fill(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// readBack reads an archive as ReadArchive does. Keep checks whether the
// signature is the authority's.
func readBack(path string, number uint64) (audit.SignedArchive, error) {
	f, err := os.Open(path)
	if err != nil {
		return audit.SignedArchive{}, err
	}
	a, err := audit.ReadArchive(f, nil)
	err = errors.Join(err, f.Close())
	if err == nil && a.Number != number {
		err = fmt.Errorf("it holds archive %d", a.Number)
	}
	if err != nil {
		return a, fmt.Errorf("%s, read back: %w", filepath.Base(path), err)
	}
	return a, nil
}
