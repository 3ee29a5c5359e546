//go:build unix

package keeper

import (
	"io/fs"
	"os"
	"syscall"
)

// ownedHere reports whether a file belongs to this process's user.
func ownedHere(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(s.Uid) == int64(os.Geteuid())
}
