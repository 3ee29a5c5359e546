//go:build unix

package config

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestASecretInAPipe: a pipe in the place of a secret is refused, and nobody waits for who
// writes to it.
func TestASecretInAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := ReadSecret(path); err == nil {
		t.Errorf("a secret of %d bytes is read", len(s))
	}
}
