package p256

import (
	"encoding/binary"
	"math/bits"
)

// ScalarSize is the length of a scalar's encoding.
const ScalarSize = 32

// Scalar is a number below the group's order. The zero Scalar is zero.
type Scalar struct{ b [ScalarSize]byte }

// order is the group's order, n.
func order() [ScalarSize]byte {
	return [ScalarSize]byte{
		0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
	}
}

// SetBytes reads the 32-byte big-endian encoding of a number below the order.
// If b is no such encoding, s stays unchanged.
func (s *Scalar) SetBytes(b []byte) error {
	if len(b) != ScalarSize {
		return ErrScalar
	}
	n := order()
	var borrow uint64
	for i := ScalarSize - 8; i >= 0; i -= 8 {
		_, borrow = bits.Sub64(binary.BigEndian.Uint64(b[i:]), binary.BigEndian.Uint64(n[i:]), borrow)
	}
	if borrow == 0 {
		return ErrScalar
	}
	copy(s.b[:], b)
	return nil
}

// IsZero reports whether s is zero.
func (s *Scalar) IsZero() bool {
	var all byte
	for _, v := range s.b {
		all |= v
	}
	return all == 0
}

// Wipe sets s to zero.
func (s *Scalar) Wipe() { clear(s.b[:]) }

// Hash sets s to RFC 9497's HashToScalar for P-256, which is RFC 9380's
// hash_to_field to one number modulo the group's order. It may give zero, with
// negligible chance.
func (s *Scalar) Hash(message []byte, dst string) error {
	uniform, err := expand(message, dst, wideSize)
	if err != nil {
		return err
	}
	defer clear(uniform)
	s.setWide((*[wideSize]byte)(uniform))
	return nil
}
