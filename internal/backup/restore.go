package backup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/diskfile"
)

// Restored is what Restore made, and what is missing from it.
type Restored struct {
	Manifest Manifest
	Config   config.Config // with the paths of the new directory
	// Missing are the files and directories that the configuration names and
	// that do not exist, because the backup does not contain them.
	Missing []string
}

// Restore puts a backup into a new or empty directory, at the places that its
// configuration names. The configuration is written last, so that a crash
// leaves a directory that nothing opens, and that a second Restore refuses
// because it is not empty. It returns ErrExists if the directory is not empty
// or if a file outside of it that the configuration names exists, and
// ErrDamaged if files differ from what was written.
func Restore(from, dir string) (r Restored, err error) {
	if r.Manifest, err = ReadManifest(from); err != nil {
		return r, err
	}
	if err := r.Manifest.compare(from); err != nil {
		return r, err
	}
	if r.Config, err = config.LoadAs(from, dir); err != nil {
		return r, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, fmt.Errorf("restore: %w", err)
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return r, errors.Join(fmt.Errorf("%w: %s is not empty; choose a new directory", ErrExists, dir), err)
	}
	for _, put := range r.plan(dir) {
		if err := vacant(put.to); err != nil {
			return r, fmt.Errorf("restore: %w", err)
		}
	}
	for _, put := range r.plan(dir) {
		if err := os.MkdirAll(filepath.Dir(put.to), 0o700); err != nil {
			return r, fmt.Errorf("restore: %w", err)
		}
		if err := copyFile(filepath.Join(from, filepath.FromSlash(put.name)), put.to); err != nil {
			return r, fmt.Errorf("restore: %w", err)
		}
	}
	if r.Missing, err = r.missing(); err != nil {
		return r, fmt.Errorf("restore: %w", err)
	}
	return r, diskfile.SyncDir(dir)
}

// put is one file and its destination.
type put struct{ name, to string }

// plan lists the files in the order in which they are written, the
// configuration last.
func (r Restored) plan(dir string) []put {
	out := []put{{databaseFile, r.Config.Database}}
	if r.Manifest.Has(vaultFile) {
		out = append(out, put{vaultFile, r.Config.Vault})
	}
	for i, k := range r.Config.Keepers.Directories {
		for _, file := range []string{keeperFile, ledgerFile} {
			if name := keeperName(i+1, file); r.Manifest.Has(name) {
				out = append(out, put{name, filepath.Join(k, file)})
			}
		}
	}
	return append(out, put{config.FileName, filepath.Join(dir, config.FileName)})
}

// missing lists the files that the configuration names and that do not exist.
func (r Restored) missing() (out []string, err error) {
	for _, name := range r.Config.Needs() {
		there, err := exists(name)
		if err != nil {
			return nil, err
		}
		if !there {
			out = append(out, name)
		}
	}
	return out, nil
}
