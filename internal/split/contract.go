// Package split is the mathematics of the split check: an oblivious pseudo-random
// function (RFC 9497, OPRF mode, P-256 with SHA-256) whose key is the sum of
// replicated shares. Its functions are pure. It guarantees that the shares of any
// t keepers give the same key pair, that any t-1 keepers lack a share, and that
// the identity and non-canonical points are neither accepted nor returned, not
// even as a sum. It trusts the caller to count before evaluating; package keeper
// makes that impossible to forget. RFC 9497 itself is in package p256, whose
// comment says which of its values are wiped. The values of this package are
// wiped by their Wipe methods.
//
// The formulas are in docs/ARCHITECTURE.md ("Walk 1: an attempt, from thumb to
// verdict"); docs/decisions/0001-oprf-key-per-card-and-version.md and
// docs/decisions/0002-replicated-secret-sharing.md say why.
//
// Start here: Guess and Share, then shape.go.
package split

import (
	"errors"

	"github.com/liuma-pin/liuma/internal/split/p256"
)

// PointSize is the length of a compressed P-256 point.
const PointSize = p256.CompressedSize

// It keeps both coordinates (4, x, y), so that a point is decompressed once,
// when it is parsed, and not at each use.
type Point struct{ b [p256.UncompressedSize]byte }

// Subset is a set of keepers as a bitmask: bit i-1 is keeper number i.
type Subset uint8

// Share is one keeper's evaluation under the share key of a subset.
type Share struct {
	Subset Subset
	Point  Point
}

// Shape says how many keepers there are and how many make a quorum.
type Shape struct{ T, N int }

// Errors of this package. None reveals anything about the secret.
var (
	ErrPoint   = errors.New("split: not the 33-byte compressed encoding of a P-256 point other than the identity")
	ErrShape   = errors.New("split: shape is not 1 of 1, 2 of 3 or 3 of 5")
	ErrShares  = errors.New("split: want exactly one share for each subset of the shape")
	ErrZero    = errors.New("split: a sum of shares or a derived scalar is zero")
	ErrWiped   = errors.New("split: used after it was wiped")
	ErrSecret  = errors.New("split: secret is empty or longer than 65535 bytes")
	ErrKeySize = errors.New("split: a share key has 32 bytes")
)
