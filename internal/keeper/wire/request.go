package wire

import (
	"encoding/binary"

	"github.com/liuma-pin/liuma"
)

// lowBits are those of a request's number that the connection counts by: more values than
// there are calls under way, so that no number is under way twice.
const lowBits = 16

// requestNumber is the number of a frame. The keeper takes any number, so it has room for
// the door's request without another version of the frames: its first six bytes stand in
// the upper 48 bits. Without a request they are zero, as they were of authorities that only
// counted (and would be again after 2^48 requests on one connection, which there never are).
func requestNumber(id liuma.RequestID, n uint64) uint64 {
	if id == (liuma.RequestID{}) {
		return n
	}
	return binary.BigEndian.Uint64(id[:])&^(1<<lowBits-1) | n&(1<<lowBits-1)
}

// requestIn is what a number says of the door's request: its first six bytes, and zeros. It
// is the caller's word, and good for nothing but to find two lines of log together.
func requestIn(number uint64) (id liuma.RequestID) {
	binary.BigEndian.PutUint64(id[:], number&^(1<<lowBits-1))
	return id
}
