//go:build !linux && !darwin

package admin

import (
	"net"
	"os"
)

// receive reads the stream. No door is opened on this system (tellsCallers), so
// nothing comes beside it.
func receive(c *net.UnixConn, p []byte) (n int, files []*os.File, cut bool, err error) {
	n, err = c.Read(p)
	return n, nil, false, err
}

// send refuses, since this system passes no open descriptors on.
func send(*net.UnixConn, []byte, *os.File) error { return ErrPlatform }
