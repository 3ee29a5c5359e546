// Package sqlitefile opens the SQLite files of Liuma: the authority's database
// and each keeper's ledger. It guarantees that one process at a time has the
// file (by a lock on a file beside it, which the operating system releases when
// the process ends, even by a crash), that only the owner can read the file and
// SQLite's files beside it, that every connection has the settings that make it
// durable (write-ahead log, one sync for each commit), and that a program opens
// only a schema of its own that it knows. It trusts the file system to keep
// synced data, and everyone who can write in the directory.
//
// Start here: Take, then Connect.
package sqlitefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/diskfile"
)

// Errors that callers handle.
var (
	// ErrInUse means that another process, or another File, has the lease.
	ErrInUse = errors.New("database file: in use by another process")
	// ErrTooNew means that a later release has changed the schema.
	ErrTooNew = errors.New("database file: written by a later release")
	// ErrForeign means that the file is a database of another program.
	ErrForeign = errors.New("database file: a database of something else")
	// ErrMoved means that a file was removed or replaced while it was open.
	ErrMoved = errors.New("database file: removed or replaced while it was open")
)

// File is a database file that no other process opens for writing until
// Release.
type File struct {
	path  string
	lease *os.File
	// names and as hold the watched files and their state when Watch was called; only
	// Watch writes them, before others use the File.
	names []string
	as    []os.FileInfo
}

// Take takes the lease on the database at path and makes the file, if there is
// none, readable and writable by its owner only. It returns ErrInUse if another
// process or File has the lease. A crash afterwards leaves an empty file, which
// is an empty database.
func Take(path string) (_ *File, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// The lock file is never removed: otherwise a second process could lock a
	// new file of the same name.
	lease, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(lease); err != nil {
		return nil, errors.Join(err, lease.Close())
	}
	if err := makePrivate(path); err != nil {
		return nil, errors.Join(err, lease.Close())
	}
	return &File{path: path, lease: lease}, nil
}

// Hold takes a lease without a database, for work on other files of a
// directory. It returns ErrInUse if another process, or another Hold, has it.
func Hold(path string) (release func() error, err error) {
	lease, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(lease); err != nil {
		return nil, errors.Join(err, lease.Close())
	}
	return lease.Close, nil
}

// makePrivate creates the file before SQLite does, with a mode that keeps
// others out; SQLite gives the files that it makes beside it the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	for _, companion := range []string{path + "-wal", path + "-shm"} {
		if err := os.Chmod(companion, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return diskfile.SyncDir(filepath.Dir(path))
}

// Path is the absolute path of the database.
func (f *File) Path() string { return f.path }

// watched returns the files that must stay in their places: the database and
// its log hold the committed data; every connection finds the log by its index
// (shared memory); and a lock file that was removed keeps nobody out.
func (f *File) watched() []string {
	return []string{f.path, f.path + "-wal", f.path + "-shm", f.lease.Name()}
}

// Watch records which files are open, for Check. It is called once, after a
// connection has made the log and its index.
func (f *File) Watch() error {
	names := f.watched()
	as := make([]os.FileInfo, len(names))
	for i, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		as[i] = info
	}
	f.names, f.as = names, as
	return nil
}

// Check returns ErrMoved if one of the files is no longer where it was at Watch.
// It is called after every commit, before anybody is told of the commit: SQLite
// goes on writing to files that were removed or replaced, and that data would be
// missing at the next start. Without the lock file or the log's index, a second
// process could write at the same time. After an error the caller must serve
// nobody until it has opened the file again.
func (f *File) Check() error {
	if len(f.names) == 0 {
		return ErrMoved // nothing was watched, so nothing is known
	}
	for i, name := range f.names {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMoved, err)
		}
		if !os.SameFile(info, f.as[i]) {
			return ErrMoved
		}
	}
	return nil
}

// Release gives the lease back. It is called last, when every connection is
// closed.
func (f *File) Release() error { return f.lease.Close() }
