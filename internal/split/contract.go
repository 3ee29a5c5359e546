// Package split is the mathematics of the split check: an oblivious
// pseudo-random function (RFC 9497, OPRF mode, P-256 with SHA-256) whose key is
// the sum of replicated shares. Its functions are pure. It guarantees that any
// t keepers' shares give the same key pair, that any t-1 miss a share, and
// that no identity or non-canonical point is taken in or handed out, also as a
// sum. It trusts the caller to count before evaluating; package keeper makes
// that impossible to forget.
//
// DESIGN section 4.
package split

// PointSize is the length of a compressed P-256 point.
const PointSize = 33

// Point is a compressed P-256 point that is not the identity. Only ParsePoint
// and this package's own computations make one; the zero Point is invalid and
// refused everywhere.
type Point struct{ b [PointSize]byte }

// Subset is a set of keepers as a bitmask: bit i-1 is keeper number i.
type Subset uint8

// Share is one keeper's evaluation under the share key of a subset.
type Share struct {
	Subset Subset
	Point  Point
}

// Shape says how many keepers there are and how many make a quorum.
type Shape struct{ T, N int }
