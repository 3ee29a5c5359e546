package p256

import "math"

const (
	// hashToGroupDST is "HashToGroup-" and the context string of RFC 9497,
	// section 3.1, for mode 0 (OPRF).
	hashToGroupDST = "HashToGroup-OPRFV1-\x00-P256-SHA256"
	// finalizeLabel ends the input of the output's hash (section 3.3.1).
	finalizeLabel = "Finalize"
)

// Blind hashes the input to the curve and multiplies by the blind, which must
// not be zero: RFC 9497, section 3.3.1, Blind with a given scalar.
func Blind(input []byte, blind *Scalar) (*Point, error) {
	if len(input) == 0 || len(input) > math.MaxUint16 {
		return nil, ErrInput
	}
	if blind.IsZero() {
		return nil, ErrZero
	}
	p, err := HashToCurve(input, hashToGroupDST)
	if err != nil {
		return nil, err
	}
	defer p.Wipe()
	if p.IsIdentity() {
		return nil, ErrIdentity // nobody knows an input that hashes to the identity
	}
	return NewPoint().Mult(p, blind), nil
}

// Finalize removes the blind from the evaluated point and hashes the resulting
// point together with the input: RFC 9497, section 3.3.1. The caller wipes the
// output.
func Finalize(input []byte, blind *Scalar, evaluated *Point) ([]byte, error) {
	if len(input) == 0 || len(input) > math.MaxUint16 {
		return nil, ErrInput
	}
	if evaluated.IsIdentity() {
		return nil, ErrIdentity
	}
	w := newUnblinding()
	defer w.wipe()
	if err := w.inverse.Invert(blind); err != nil {
		return nil, err
	}
	w.point.Mult(evaluated, &w.inverse).compressed(&w.encoded)
	n := len(input)
	return hashed([]byte{byte(n >> 8), byte(n)}, input,
		[]byte{0, CompressedSize}, w.encoded[:], []byte(finalizeLabel)), nil
}

// unblinding holds the intermediate values of Finalize.
type unblinding struct {
	inverse Scalar
	point   *Point
	encoded [CompressedSize]byte
}

// newUnblinding is not inlined, so that what it returns is on the heap, where
// it stays in place until it is wiped: a stack that grows leaves a copy behind.
//
//go:noinline
func newUnblinding() *unblinding { return &unblinding{point: NewPoint()} }

func (w *unblinding) wipe() {
	w.inverse.Wipe()
	w.point.Wipe()
	clear(w.encoded[:])
}
