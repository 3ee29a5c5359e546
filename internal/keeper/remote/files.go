package remote

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
)

// maxFile is larger than any key or admission.
const maxFile = 64 << 10

// ReadAdmission reads an admission's file.
func ReadAdmission(path string) (*admission.Admission, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	a, err := admission.ParseAdmission(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// ReadKey reads the authority's key. Only its owner may be able to read the file
// (keeper.ErrMode). It checks the open file, so the checked file is the one that is
// read. Root may read it for its owner.
func ReadKey(path string) (*ecdsa.PrivateKey, error) {
	f, err := diskfile.Open(path)
	if err != nil {
		return nil, fmt.Errorf("remote: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%w: %s has mode %s", keeper.ErrMode, path, info.Mode())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	data, err := readAll(f)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	key, err := admission.ParseKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// MakeKey reads the authority's key, or makes it if there is none yet.
func MakeKey(path string) (key *ecdsa.PrivateKey, made bool, err error) {
	if key, err = ReadKey(path); !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	if key, err = admission.NewKey(); err != nil {
		return nil, false, err
	}
	data, err := admission.EncodeKey(key)
	if err != nil {
		return nil, false, err
	}
	defer clear(data)
	return key, true, WriteFile(path, data)
}

// WriteFile writes a file of mode 0600, in one step and durably, and replaces an
// existing one. It makes the directory if it is missing.
func WriteFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	return diskfile.Disk{}.Write(dir, filepath.Base(path), data)
}

func read(path string) ([]byte, error) {
	f, err := diskfile.Open(path)
	if err != nil {
		return nil, fmt.Errorf("remote: %w", err)
	}
	return readAll(f)
}

// readAll reads a file, and closes it.
func readAll(f *os.File) ([]byte, error) {
	path := f.Name()
	defer func() { _ = f.Close() }() // closing after reading loses nothing
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("remote: %w", err)
	case len(data) > maxFile:
		return nil, fmt.Errorf("remote: %s is longer than %d bytes", path, maxFile)
	}
	return data, nil
}
