//go:build !unix

package diskfile

import "os"

// Flags are the flags for opening a file for reading.
const Flags = os.O_RDONLY
