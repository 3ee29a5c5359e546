package diskfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Disk writes the files of a directory, each in one step. The zero Disk is used by programs.
type Disk struct {
	// At, if a test sets it, is called at each moment of a write with the file's name;
	// its error counts as an error of the disk.
	At func(file, moment string) error
}

func (d Disk) at(file, moment string) error {
	if d.At == nil {
		return nil
	}
	return d.At(file, moment)
}

// Write replaces a file, which only its owner can read, in one step: a crash
// leaves the old file or the new one, and at worst a temporary one beside it (see
// Sweep).
func (d Disk) Write(dir, name string, data []byte) error { return d.WriteMode(dir, name, data, 0o600) }

// WriteMode is Write for a file with another mode, which the umask does not restrict.
func (d Disk) WriteMode(dir, name string, data []byte, mode fs.FileMode) error {
	temp, err := d.temporary(dir, name, data, mode)
	if err == nil {
		err = d.at(name, "before rename")
	}
	if err == nil {
		err = os.Rename(temp, filepath.Join(dir, name))
	}
	if err != nil {
		if temp != "" {
			err = errors.Join(err, os.Remove(temp))
		}
		return fmt.Errorf("write %s: %w", name, err)
	}
	// Until the directory is synced, a power cut may undo the rename.
	err = d.at(name, "after rename")
	if err == nil {
		err = SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// temporary writes a durable file beside name. It returns the file's path even with an
// error, if the file was made.
func (d Disk) temporary(dir, name string, data []byte, mode fs.FileMode) (path string, err error) {
	if err := d.at(name, "before"); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return "", err
	}
	half := len(data) / 2
	if mode != 0o600 { // CreateTemp already gives 0600
		err = f.Chmod(mode)
	}
	if err == nil {
		_, err = f.Write(data[:half])
	}
	if err == nil {
		err = d.at(name, "half written")
	}
	if err == nil {
		_, err = f.Write(data[half:])
	}
	if err == nil {
		err = f.Sync()
	}
	return f.Name(), errors.Join(err, f.Close())
}

// Remove removes a file durably; it is no error if the file does not exist.
func (d Disk) Remove(dir, name string) error {
	err := d.at(name, "before removing")
	if err == nil {
		err = os.Remove(filepath.Join(dir, name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = d.at(name, "after removing")
	}
	if err == nil {
		err = SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// Sweep removes temporary files of these names that a crash left. Nobody may write them
// meanwhile.
func (d Disk) Sweep(dir string, names ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, e := range entries {
		for _, name := range names {
			if !strings.HasPrefix(e.Name(), "."+name+".") {
				continue
			}
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
		}
	}
	return nil
}
