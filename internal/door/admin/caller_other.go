//go:build !linux && !darwin

package admin

import "net"

// tellsCallers says that callerOf cannot tell who calls, so no door is opened.
const tellsCallers = false

// callerOf refuses every connection: this operating system cannot tell which
// account calls.
func callerOf(*net.UnixConn) (uid int, err error) { return -1, ErrPlatform }
