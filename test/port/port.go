// Package port finds ports of loopback for programs that must be told a number before
// they listen.
//
// It guarantees that nobody who asks here gets a port that another still has, in any
// process of the machine, and that the system gives none of them to who asks it for any
// port: between the question and the program's start nobody takes it by chance. It
// trusts that nobody else listens at a fixed port of its range.
//
// Start here: Take.
package port

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// The range is below the ports that systems give for port 0 and for outgoing connections
// (from 32768 on Linux, from 49152 elsewhere).
const (
	first = 20_000
	past  = 32_000
	tries = 1000
)

// ErrNone is a range without a free port.
var ErrNone = errors.New("port: none is free")

// Take returns an address of 127.0.0.1 at which nobody listens. It is the caller's until
// release: a UDP socket at the same number, which no program here uses, keeps others from it.
func Take() (address string, release func(), err error) {
	for range tries {
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(past-first)))
		held, err := net.ListenPacket("udp", at)
		if err != nil {
			continue
		}
		ln, err := net.Listen("tcp", at)
		if err == nil {
			err = ln.Close()
		}
		if err != nil {
			_ = held.Close() // it was only held
			continue
		}
		return at, func() { _ = held.Close() }, nil
	}
	return "", nil, ErrNone
}
