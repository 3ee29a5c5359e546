//go:build unix

package vault

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// TestKeysInAPipe: a pipe in the place of a file of keys is refused, and nobody waits for who
// writes to it.
func TestKeysInAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.key")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrKeyFileFormat) {
		t.Errorf("%v, want %v", err, ErrKeyFileFormat)
	}
	if _, err := readHeads(path); !errors.Is(err, ErrHeads) {
		t.Errorf("%v, want %v", err, ErrHeads)
	}
}
