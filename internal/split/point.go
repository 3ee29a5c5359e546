package split

import (
	"fmt"

	"github.com/cloudflare/circl/group"
)

const uncompressedSize = 65

// The first byte of the encodings of a point (SEC 1, section 2.3.3).
const (
	evenY        = 2
	oddY         = 3
	uncompressed = 4
)

// ParsePoint reads a compressed point of 33 bytes. Every other encoding, every
// x that is not on the curve and the identity are refused with ErrPoint.
func ParsePoint(b []byte) (Point, error) {
	// The library also takes the identity (one zero byte) and uncompressed
	// points, so the form is checked first: one point, one spelling.
	if len(b) != PointSize || (b[0] != evenY && b[0] != oddY) {
		return Point{}, ErrPoint
	}
	e := group.P256.NewElement()
	if err := e.UnmarshalBinary(b); err != nil {
		return Point{}, ErrPoint
	}
	return fromElement(e)
}

// Bytes returns the compressed encoding, 33 bytes; nil for the zero Point.
func (p Point) Bytes() []byte {
	if p.IsZero() {
		return nil
	}
	out := make([]byte, PointSize)
	out[0] = evenY | p.b[uncompressedSize-1]&1
	copy(out[1:], p.b[1:PointSize])
	return out
}

// IsZero reports whether p is the zero Point, which is not valid.
func (p Point) IsZero() bool { return p == Point{} }

// element gives the library's form of p. It refuses the zero Point.
func (p Point) element() (group.Element, error) {
	if p.b[0] != uncompressed {
		return nil, ErrPoint
	}
	e := group.P256.NewElement()
	if err := e.UnmarshalBinary(p.b[:]); err != nil {
		return nil, ErrPoint
	}
	return e, nil
}

// fromElement is the only way out of a computation; it refuses the identity.
func fromElement(e group.Element) (Point, error) {
	if e.IsIdentity() {
		return Point{}, ErrPoint
	}
	b, err := e.MarshalBinary()
	if err != nil {
		return Point{}, fmt.Errorf("split: encode point: %w", err)
	}
	var p Point
	if len(b) != len(p.b) || b[0] != uncompressed {
		return Point{}, ErrPoint
	}
	copy(p.b[:], b)
	return p, nil
}
