// Package p256 is the oblivious pseudo-random function that the split check is
// made of: RFC 9497, OPRF mode, P-256 with SHA-256, and beneath it the hash to
// the curve of RFC 9380 (P256_XMD:SHA-256_SSWU_RO_).
//
// It guarantees that no branch, no memory access and no loop depends on a secret,
// except on the length of the input and on whether a scalar is zero or a point is the
// identity, which ends the call; that only canonical encodings of scalars and encodings
// of points on the curve are accepted; that only Point.Add and Point.Mult can return
// the identity, whose callers check IsIdentity; and that its own buffers that held an
// input, the point that an input hashes to, or the unblinded point are on the heap and
// wiped before the call returns.
//
// It trusts filippo.io/nistec for the group, and crypto/sha256. Values that those packages
// keep on the stack, or that the compiler stores there, are not wiped. They never include
// the input itself (sha256.go says how), but they include multiples of a point and limbs of
// a blind.
//
// Start here: Blind and Finalize, in oprf.go; then hash.go.
package p256

import "errors"

// Errors of this package. None reveals anything about a secret.
var (
	ErrInput    = errors.New("p256: an input has 1 to 65535 bytes")
	ErrPoint    = errors.New("p256: not the encoding of a P-256 point other than the identity")
	ErrIdentity = errors.New("p256: the identity where a point is needed")
	ErrScalar   = errors.New("p256: not the 32-byte encoding of a scalar below the order")
	ErrZero     = errors.New("p256: zero has no inverse")
)
