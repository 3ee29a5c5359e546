package p256

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
)

// wideSize is the number of uniform bytes for one number modulo the field's
// prime or the group's order: 256 bits and 128 more, so that reducing them
// leaves no bias (RFC 9380, section 5.1).
const wideSize = 48

// errExpand can only come from a bug in this program: separation tags and
// lengths are its own constants.
var errExpand = errors.New("p256: a domain separation tag has 1 to 255 bytes, and expanding gives up to 8160")

// HashToCurve is hash_to_curve of RFC 9380's suite P256_XMD:SHA-256_SSWU_RO_,
// under the domain separation tag dst. The caller wipes the point.
func HashToCurve(message []byte, dst string) (*Point, error) {
	uniform, err := expand(message, dst, 2*wideSize)
	if err != nil {
		return nil, err
	}
	defer clear(uniform)
	m := newMapping()
	defer m.wipe()
	for i := range m.half {
		m.half[i].u.setWide((*[wideSize]byte)(uniform[i*wideSize:]))
	}
	m.run()
	sum := NewPoint()
	for i := range m.half {
		m.encode(i)
		if _, err := m.point.p.SetBytes(m.encoded[:]); err != nil {
			return nil, ErrPoint // the map left the curve: the arithmetic is wrong
		}
		sum.Add(sum, m.point)
	}
	return sum, nil
}

// expand is expand_message_xmd of RFC 9380, section 5.3.1, with SHA-256. The
// caller wipes the result.
func expand(message []byte, dst string, size int) ([]byte, error) {
	rounds := (size + sha256.Size - 1) / sha256.Size
	if len(dst) == 0 || len(dst) > 255 || size < 1 || rounds > 255 {
		return nil, errExpand
	}
	tag := append([]byte(dst), byte(len(dst)))
	zeros := make([]byte, sha256.BlockSize)
	first := hashed(zeros, message, []byte{byte(size >> 8), byte(size), 0}, tag)
	defer clear(first)
	out := make([]byte, 0, rounds*sha256.Size)
	// Round i hashes the exclusive or of the first sum and the round before.
	mixed := append([]byte(nil), first...)
	defer clear(mixed)
	for i := 1; i <= rounds; i++ {
		sum := hashed(mixed, []byte{byte(i)}, tag)
		out = append(out, sum...)
		subtle.XORBytes(mixed, first, sum)
		clear(sum)
	}
	clear(out[size:])
	return out[:size], nil
}
