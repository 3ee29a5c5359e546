package admin

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// tellsCallers says that callerOf can tell who calls.
const tellsCallers = true

// callerOf asks the kernel whose process made the connection.
func callerOf(conn *net.UnixConn) (uid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	var cred *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) { cred, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, asked); err != nil {
		return -1, err
	}
	return int(cred.Uid), nil
}
