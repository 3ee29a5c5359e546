//go:build !linux && !darwin

package admin

import "net"

// tellsCallers says that callerOf knows nothing, so that no door is opened.
const tellsCallers = false

// callerOf lets nobody in where the system cannot tell who calls.
func callerOf(*net.UnixConn) (uid int, err error) { return -1, ErrPlatform }
