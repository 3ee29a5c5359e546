//go:build unix

package diskfile

import (
	"os"
	"syscall"
)

// Flags are the flags for opening a file for reading: a pipe is opened at once, without
// waiting for a writer, so that it can be refused; a terminal does not become this
// process's controlling terminal.
const Flags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY
