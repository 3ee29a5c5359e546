//go:build !unix

package diskfile

import "os"

// Flags opens for reading.
const Flags = os.O_RDONLY
