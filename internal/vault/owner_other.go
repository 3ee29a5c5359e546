//go:build !unix

package vault

import (
	"io/fs"
	"os"
)

// keepOwner does nothing on systems where a new file belongs to its directory's
// owner or has inherited access rules.
func keepOwner(*os.File, fs.FileInfo) error { return nil }
