package vault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The key file: magic, format version, root key, receipt signing key (P-256
// scalar), and the first bytes of SHA-256 over all before it. The checksum
// finds a damaged file; it proves nothing against whoever can write one.
const (
	magic        = "liuma-vault"
	fileVersion  = 1
	rootSize     = 32
	scalarSize   = 32
	checksumSize = 8
	bodySize     = len(magic) + 1 + rootSize + scalarSize
	fileSize     = bodySize + checksumSize
)

// Errors of a key file that must not be used.
var (
	ErrKeyFileMode    = errors.New("vault: key file can be read or written by others; want mode 0600 or stricter")
	ErrKeyFileFormat  = errors.New("vault: not a vault key file, or damaged")
	ErrKeyFileVersion = errors.New("vault: key file of an unknown version")
)

// rawKeys is the content of a key file.
type rawKeys struct {
	root   [rootSize]byte
	scalar [scalarSize]byte
}

func (r *rawKeys) wipe() {
	clear(r.root[:])
	clear(r.scalar[:])
}

// Create makes a key file with fresh keys, mode 0600. It never replaces a
// file. When it fails, or in a crash, what may be left at path is a short file
// that Open refuses; nothing was sealed with it, so it can be deleted.
func Create(path string) (err error) {
	content, err := newKeyFile()
	if err != nil {
		return fmt.Errorf("vault: make keys: %w", err)
	}
	defer clear(content)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("vault: create key file: %w", err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("vault: write key file: %w", errors.Join(err, os.Remove(path)))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("vault: write key file: %w", err)
	}
	return nil
}

// syncDir makes the new name durable: data sealed under a key whose file
// vanished in a power cut could never be opened again.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func newKeyFile() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	scalar, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	defer clear(scalar)
	content := make([]byte, 0, fileSize)
	content = append(content, magic...)
	content = append(content, fileVersion)
	content = content[:len(content)+rootSize]
	rand.Read(content[len(content)-rootSize:])
	content = append(content, scalar...)
	sum := sha256.Sum256(content)
	return append(content, sum[:checksumSize]...), nil
}

// readKeyFile checks mode and size on the open file, so that the file which
// was checked is the one which is read.
func readKeyFile(path string) (*rawKeys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("vault: open key file: %w", err)
	}
	defer func() { _ = f.Close() }() // read only: nothing to lose
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("vault: open key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, ErrKeyFileFormat
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, ErrKeyFileMode
	}
	if info.Size() != int64(fileSize) {
		return nil, ErrKeyFileFormat
	}
	content := make([]byte, fileSize)
	defer clear(content)
	if _, err := io.ReadFull(f, content); err != nil {
		return nil, fmt.Errorf("vault: read key file: %w", err)
	}
	return parseKeyFile(content)
}

// parseKeyFile copies the keys out; the caller wipes content and result.
func parseKeyFile(content []byte) (*rawKeys, error) {
	if len(content) != fileSize || string(content[:len(magic)]) != magic {
		return nil, ErrKeyFileFormat
	}
	if content[len(magic)] != fileVersion {
		return nil, ErrKeyFileVersion
	}
	sum := sha256.Sum256(content[:bodySize])
	if subtle.ConstantTimeCompare(sum[:checksumSize], content[bodySize:]) != 1 {
		return nil, ErrKeyFileFormat
	}
	raw := new(rawKeys)
	copy(raw.root[:], content[len(magic)+1:])
	copy(raw.scalar[:], content[len(magic)+1+rootSize:])
	return raw, nil
}
