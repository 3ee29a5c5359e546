// Package sqlitefile opens the SQLite files of Liuma: the authority's database
// and each keeper's ledger. It guarantees that one process at a time has the
// file (a lock on a file beside it, which the operating system releases when
// the process ends, also by a crash), that the file and its companions are
// readable by their owner only, that every connection has the settings that
// make it durable (write-ahead log, one sync a commit), and that a program
// opens only a schema that is its own and that it knows. It trusts the file
// system to keep synced data, and everyone who can write in the directory.
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

// Errors that callers act on.
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
	// as are the watched files as they were when Watch was called; written by
	// Watch only, before others use the File.
	as []os.FileInfo
}

// Take takes the lease on the database at path and makes the file, if there is
// none, readable and writable by its owner only. ErrInUse: another process or
// File has the lease. A crash afterwards leaves an empty file, which is an
// empty database.
func Take(path string) (_ *File, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// The lock file is never removed: removing it would let a second process
	// lock a new file of the same name.
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

// Hold takes a lease without a database: on the work with other files of a
// directory. ErrInUse: another process, or another Hold, has it.
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
// others out; SQLite gives the same mode to companions that it makes.
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

// watched are the files that must stay in their places: the database and its
// log hold what was committed; by the index of the log (shared memory) every
// connection finds it; and a lock file that was removed keeps nobody out.
func (f *File) watched() []string {
	return []string{f.path, f.path + "-wal", f.path + "-shm", f.lease.Name()}
}

// Watch remembers which files are open, for Check. It is called once, when a
// connection has made the log and its index.
func (f *File) Watch() error {
	for _, name := range f.watched() {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		f.as = append(f.as, info)
	}
	return nil
}

// Check returns ErrMoved if one of the files is not where it was at Watch. It is
// asked after every commit and before anybody is told of it: SQLite goes on
// writing to files that were removed or replaced, and what is written there is
// gone at the next start. Without the lock file, or its own index of the log, a
// second process would write beside this one. Whoever gets an error serves
// nobody until the file was opened again.
func (f *File) Check() error {
	for i, name := range f.watched() {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMoved, err)
		}
		if i >= len(f.as) || !os.SameFile(info, f.as[i]) {
			return ErrMoved
		}
	}
	return nil
}

// Release gives the lease back. It is called last, when every connection is
// closed.
func (f *File) Release() error { return f.lease.Close() }
