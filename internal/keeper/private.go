package keeper

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/liuma-pin/liuma/internal/diskfile"
)

// ErrOwner: a keeper's file or directory belongs to another user than the one that runs
// this process. If root wrote there, the keeper could not read root's files any more; and
// the directory's owner could read or exchange files that root trusts.
var ErrOwner = errors.New("keeper: it belongs to another account than the one that runs this; run it as its owner")

// MakePrivate makes a directory that only the user of this process can access, and its
// parents. It accepts an existing directory if it is already private. If it belongs to this
// user and is empty, it makes it private. Others may have put files into a directory that
// they could write to, or a link to another directory in its place; such a directory is
// refused and its mode stays. Errors: ErrMode, ErrOwner.
func MakePrivate(path string) error {
	if err := os.MkdirAll(path, dirMode); err != nil {
		return fmt.Errorf("keeper: make directory: %w", err)
	}
	f, err := os.OpenFile(path, diskfile.Flags, 0)
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("keeper: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%w: %s", ErrMode, path)
	case !ownedHere(info):
		return fmt.Errorf("%w: %s", ErrOwner, path)
	case info.Mode().Perm()&0o077 == 0:
		return nil
	}
	if err := vacant(path, f); err != nil {
		return err
	}
	if err := f.Chmod(dirMode); err != nil {
		return fmt.Errorf("keeper: make directory: %w", err)
	}
	return vacant(path, f) // nobody put anything there meanwhile
}

// vacant returns ErrMode for a directory that is not empty.
func vacant(path string, dir *os.File) error {
	if _, err := dir.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("keeper: look into directory: %w", err)
	}
	switch _, err := dir.Readdirnames(1); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("keeper: look into directory: %w", err)
	}
	return fmt.Errorf("%w: %s has files in it, and others could reach them", ErrMode, path)
}

// OpenPrivate opens a file (or, with kind fs.ModeDir, a directory) that only its owner
// can access; the owner must be the user of this process. Errors: ErrMode, ErrOwner. The
// caller closes it.
func OpenPrivate(path string, kind fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, diskfile.Flags, 0)
	if err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.Mode().Type() != kind || info.Mode().Perm()&0o077 != 0:
		err = fmt.Errorf("%w: %s has mode %s", ErrMode, path, info.Mode())
	case !ownedHere(info):
		err = fmt.Errorf("%w: %s", ErrOwner, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
