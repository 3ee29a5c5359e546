package process

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
)

// ListenError says that a listener of this process cannot be opened, and which one.
type ListenError struct {
	Setting string // what names its address in the configuration, such as metrics.listen
	Address string // host:port, as it is written there
	Err     error
}

// Error implements error.
func (e *ListenError) Error() string { return fmt.Sprintf("%s %s: %v", e.Setting, e.Address, e.Err) }

// Unwrap returns what the system said.
func (e *ListenError) Unwrap() error { return e.Err }

// Taken says that another program listens at the address.
func (e *ListenError) Taken() bool { return errors.Is(e.Err, syscall.EADDRINUSE) }

// Elsewhere says that this machine does not have the address.
func (e *ListenError) Elsewhere() bool { return errors.Is(e.Err, syscall.EADDRNOTAVAIL) }

// Forbidden says that this account may not listen at the port.
func (e *ListenError) Forbidden() bool { return errors.Is(e.Err, fs.ErrPermission) }

// Listen opens a listener; its error is a *ListenError, so that the command can say what
// comes next.
func Listen(setting, address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &ListenError{Setting: setting, Address: address, Err: err}
	}
	return ln, nil
}
