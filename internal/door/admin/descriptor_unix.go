//go:build linux || darwin

package admin

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// descriptorRoom is the number of descriptors that a read has room for: enough to see
// that more than one came. The kernel closes those that do not fit, and says that
// there were more.
const descriptorRoom = 4

// receive reads the stream, and the open descriptors that come with the bytes
// that it returns. cut says that there were more descriptors than are returned.
func receive(c *net.UnixConn, p []byte) (n int, files []*os.File, cut bool, err error) {
	if len(p) == 0 {
		return 0, nil, false, nil // ReadMsgUnix would take a byte off the stream
	}
	beside := make([]byte, unix.CmsgSpace(4*descriptorRoom))
	n, size, flags, _, err := c.ReadMsgUnix(p, beside)
	n = max(n, 0) // -1 if the caller went away; a reader must not return that
	cut = flags&unix.MSG_CTRUNC != 0
	if size == 0 {
		return n, nil, cut, err
	}
	messages, bad := unix.ParseSocketControlMessage(beside[:size])
	if bad != nil {
		return n, nil, true, err
	}
	for _, m := range messages {
		fds, bad := unix.ParseUnixRights(&m)
		if bad != nil {
			continue // another kind of control message
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "registry file"))
		}
	}
	return n, files, cut, err
}

// send writes the beginning of a stream and passes a file with it as an open
// descriptor. The caller keeps the file as well.
func send(c *net.UnixConn, stream []byte, file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var sent error
	err = raw.Control(func(fd uintptr) { n, _, sent = c.WriteMsgUnix(stream, unix.UnixRights(int(fd)), nil) })
	if err == nil {
		err = sent
	}
	if err == nil && n < len(stream) {
		_, err = c.Write(stream[n:])
	}
	return err
}
