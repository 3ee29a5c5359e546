package split

import (
	"fmt"

	"github.com/liuma-pin/liuma/internal/split/p256"
)

// The first byte of the encodings of a point (SEC 1, section 2.3.3).
const (
	evenY        = 2
	oddY         = 3
	uncompressed = 4
)

// ParsePoint reads a compressed point of 33 bytes. It refuses every other encoding,
// every x that is not on the curve, and the identity, with ErrPoint.
func ParsePoint(b []byte) (Point, error) {
	// Uncompressed encodings are valid points too, so the form is checked first: each
	// point has one accepted spelling.
	if len(b) != PointSize || (b[0] != evenY && b[0] != oddY) {
		return Point{}, ErrPoint
	}
	e, err := p256.ParsePoint(b)
	if err != nil {
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
	out[0] = evenY | p.b[p256.UncompressedSize-1]&1
	copy(out[1:], p.b[1:PointSize])
	return out
}

// UncompressedSize is the length of an uncompressed point, as keepers on other machines
// exchange it.
const UncompressedSize = p256.UncompressedSize

// ParseUncompressed reads the uncompressed encoding (4, x, y) and checks that it is on
// the curve. Every other encoding is refused with ErrPoint.
func ParseUncompressed(b []byte) (Point, error) {
	if len(b) != UncompressedSize || b[0] != uncompressed {
		return Point{}, ErrPoint
	}
	e, err := p256.ParsePoint(b)
	if err != nil {
		return Point{}, ErrPoint
	}
	return fromElement(e)
}

// Uncompressed returns the encoding 4, x, y of 65 bytes. For the zero Point it is all
// zero, which every reader refuses.
func (p Point) Uncompressed() []byte { return append([]byte(nil), p.b[:]...) }

// IsZero reports whether p is the zero Point, which is not valid.
func (p Point) IsZero() bool { return p == Point{} }

// element returns p in the form that is used for computing. It refuses the zero Point.
func (p Point) element() (*p256.Point, error) {
	if p.b[0] != uncompressed {
		return nil, ErrPoint
	}
	e, err := p256.ParsePoint(p.b[:])
	if err != nil {
		return nil, ErrPoint
	}
	return e, nil
}

// fromElement is the only way from a computed element back to a Point; it refuses the
// identity.
func fromElement(e *p256.Point) (Point, error) {
	b, err := e.Uncompressed()
	if err != nil {
		return Point{}, fmt.Errorf("%w: %w", ErrPoint, err)
	}
	return Point{b}, nil
}
