//go:build !linux && !darwin

package admin

import (
	"net"
	"os"
)

// receive reads the stream. No door is opened on this system (tellsCallers), so no
// descriptors come.
func receive(c *net.UnixConn, p []byte) (n int, files []*os.File, cut bool, err error) {
	n, err = c.Read(p)
	return n, nil, false, err
}

// send refuses, since this system cannot pass open descriptors.
func send(*net.UnixConn, []byte, *os.File) error { return ErrPlatform }
