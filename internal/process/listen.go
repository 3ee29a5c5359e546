package process

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
)

// ListenError means that a listener of this process cannot be opened, and says which
// one.
type ListenError struct {
	Setting string // name of the address in the configuration, such as metrics.listen
	Address string // host:port, as written there
	Err     error
}

// Error implements error.
func (e *ListenError) Error() string { return fmt.Sprintf("%s %s: %v", e.Setting, e.Address, e.Err) }

// Unwrap returns the operating system's error.
func (e *ListenError) Unwrap() error { return e.Err }

// Taken reports that another program listens at the address.
func (e *ListenError) Taken() bool { return errors.Is(e.Err, syscall.EADDRINUSE) }

// Elsewhere reports that this machine does not have the address.
func (e *ListenError) Elsewhere() bool { return errors.Is(e.Err, syscall.EADDRNOTAVAIL) }

// Forbidden reports that this account may not listen at the port.
func (e *ListenError) Forbidden() bool { return errors.Is(e.Err, fs.ErrPermission) }

// Listen opens a listener; its error is a *ListenError, so that the command can say what
// to do.
func Listen(setting, address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &ListenError{Setting: setting, Address: address, Err: err}
	}
	return ln, nil
}
