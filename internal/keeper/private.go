package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrOwner: a file or directory of a keeper belongs to another user than who works on it.
// What root wrote there the keeper could not read any more; and who owns the directory
// could read, or exchange, what root trusts.
var ErrOwner = errors.New("keeper: it belongs to another account than the one that runs this; run it as its owner")

// OpenPrivate opens a file, or with kind fs.ModeDir a directory, that only its owner can
// reach, who is the user of this process. ErrMode, ErrOwner. The caller closes it.
func OpenPrivate(path string, kind fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, openFlags, 0)
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
