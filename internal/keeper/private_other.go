//go:build !unix

package keeper

import "io/fs"

// ownedHere does not know: this system is for trying Liuma out.
func ownedHere(fs.FileInfo) bool { return true }
