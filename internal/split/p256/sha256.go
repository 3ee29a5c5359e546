package p256

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
)

// The layout of crypto/sha256's marshalled state: a name, the eight words of
// the chaining value, a block that is not full, and the length so far.
const (
	stateName  = "sha\x03"
	stateWords = len(stateName)
	stateSize  = stateWords + sha256.Size + sha256.BlockSize + 8
)

// hashed returns SHA-256 of the concatenated parts. The caller wipes the sum.
//
// crypto/sha256 copies input that does not fill a block into its state, and Sum
// copies the state to the stack. Nothing wipes either, so a short input would
// stay in memory in the clear. Therefore this function appends the padding of
// FIPS 180-4 (section 5.1.1) to the input in its own buffer. The library then
// gets only whole blocks, keeps none of them, and its chaining value is the sum.
func hashed(parts ...[]byte) []byte {
	length := 0
	for _, p := range parts {
		length += len(p)
	}
	blocks := (length + 1 + 8 + sha256.BlockSize - 1) / sha256.BlockSize
	padded := make([]byte, 0, blocks*sha256.BlockSize)
	for _, p := range parts {
		padded = append(padded, p...)
	}
	padded = append(padded, 0x80)
	padded = padded[:cap(padded)]
	binary.BigEndian.PutUint64(padded[len(padded)-8:], uint64(length)*8)
	defer clear(padded)

	h := sha256.New()
	defer h.Reset() // the chaining value
	h.Write(padded) // writing to a hash never fails
	appender, ok := h.(encoding.BinaryAppender)
	if !ok {
		panic("p256: crypto/sha256 does not give its state, which its documentation promises")
	}
	state, err := appender.AppendBinary(make([]byte, 0, stateSize))
	defer clear(state)
	if err != nil || len(state) != stateSize || string(state[:stateWords]) != stateName {
		panic("p256: crypto/sha256 gives its state in another layout") // TestHashed fails first
	}
	return append([]byte(nil), state[stateWords:stateWords+sha256.Size]...)
}
