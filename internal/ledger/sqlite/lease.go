//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/liuma-pin/liuma/internal/ledger"
)

// lease locks the file at path, which is never removed: removing it would let
// a second process lock a new file of the same name. A process that dies
// leaves the file and no lock.
func lease(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ledger lease: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ledger.ErrLeased
	}
	return nil, errors.Join(fmt.Errorf("ledger lease: %w", err), f.Close())
}
