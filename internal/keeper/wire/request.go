package wire

import (
	"encoding/binary"

	"github.com/liuma-pin/liuma"
)

// lowBits is the number of bits of a request's number that the connection counts with.
// They give more values than there can be pending calls, so no two pending calls have the
// same number.
const lowBits = 16

// requestNumber makes the number of a frame. The keeper accepts any number, so the number
// can also carry the id of the door's request without a new protocol version: the id's first
// six bytes are in the upper 48 bits. Without an id they are zero, as older authorities send
// them, which only counted (up to 2^48 requests on one connection, which never happen).
func requestNumber(id liuma.RequestID, n uint64) uint64 {
	if id == (liuma.RequestID{}) {
		return n
	}
	return binary.BigEndian.Uint64(id[:])&^(1<<lowBits-1) | n&(1<<lowBits-1)
}

// requestIn returns the door's request id in a number: its first six bytes, then zeros. The
// caller can send any value, so it serves only to find related log lines.
func requestIn(number uint64) (id liuma.RequestID) {
	binary.BigEndian.PutUint64(id[:], number&^(1<<lowBits-1))
	return id
}
