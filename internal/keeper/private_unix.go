//go:build unix

package keeper

import (
	"io/fs"
	"os"
	"syscall"
)

// openFlags: a pipe in the place of a file is refused, and not waited for; a terminal does
// not become this process's.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY

// ownedHere reports whether a file belongs to this process's user.
func ownedHere(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(s.Uid) == int64(os.Geteuid())
}
