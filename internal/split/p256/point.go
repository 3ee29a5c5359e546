package p256

import "filippo.io/nistec"

// The lengths of a point's two encodings (SEC 1, section 2.3.3).
const (
	CompressedSize   = 33
	UncompressedSize = 65
)

// Point is an element of the group, the identity included. NewPoint makes one.
type Point struct{ p *nistec.P256Point }

// NewPoint returns the identity.
func NewPoint() *Point { return &Point{nistec.NewP256Point()} }

// ParsePoint reads the compressed or uncompressed encoding of a point. It
// refuses the identity, coordinates that are not below the field's prime, and
// points that are not on the curve.
func ParsePoint(b []byte) (*Point, error) {
	if len(b) != CompressedSize && len(b) != UncompressedSize {
		return nil, ErrPoint // also the identity, whose encoding is one byte
	}
	p, err := nistec.NewP256Point().SetBytes(b)
	if err != nil {
		return nil, ErrPoint
	}
	return &Point{p}, nil
}

// Uncompressed returns the encoding 4, x, y. It refuses the identity.
func (p *Point) Uncompressed() (out [UncompressedSize]byte, err error) {
	if p.IsIdentity() {
		return out, ErrIdentity
	}
	copy(out[:], p.p.Bytes())
	return out, nil
}

// compressed writes the encoding to out, and leaves no other copy. p is not the
// identity.
func (p *Point) compressed(out *[CompressedSize]byte) {
	b := p.p.BytesCompressed()
	copy(out[:], b)
	clear(b)
}

// IsIdentity reports whether p is the identity.
func (p *Point) IsIdentity() bool { return p.p.IsInfinity() == 1 }

// Add sets p to the sum of a and b, and returns p.
func (p *Point) Add(a, b *Point) *Point {
	p.p.Add(a.p, b.p)
	return p
}

// Mult sets p to k times q, and returns p.
func (p *Point) Mult(q *Point, k *Scalar) *Point {
	if _, err := p.p.ScalarMult(q.p, k.b[:]); err != nil {
		panic("p256: a scalar that is not 32 bytes") // its type says 32
	}
	return p
}

// Wipe sets p to the identity.
func (p *Point) Wipe() { p.p.Set(nistec.NewP256Point()) }
