package split

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"math"

	"github.com/liuma-pin/liuma/internal/split/p256"
	"github.com/liuma-pin/liuma/internal/split/pinkey"
)

// verifierInfo is the HKDF info of the seed.
const verifierInfo = "liuma/1/verifier"

// maxDraws bounds the search for a blind: each draw fails with a chance of
// 2^-32, so a second one is rare and a ninth is a broken random source.
const maxDraws = 8

// Guess is a secret, blinded. It holds the secret and the blind until Wipe.
// It prints redacted. A Guess is used by one goroutine at a time.
type Guess struct {
	redacted
	secret  []byte
	blind   p256.Scalar
	blinded Point
}

// Blind hashes a copy of the secret to the curve and blinds it with a fresh
// non-zero scalar from random, which is crypto/rand.Reader outside of tests.
// The caller wipes its own copy, and the Guess when it is done.
func Blind(secret []byte, random io.Reader) (*Guess, error) {
	if len(secret) == 0 || len(secret) > math.MaxUint16 {
		return nil, ErrSecret
	}
	g := &Guess{}
	if err := drawScalar(&g.blind, random); err != nil {
		return nil, err
	}
	g.secret = append([]byte(nil), secret...)
	blinded, err := p256.Blind(g.secret, &g.blind)
	if err != nil {
		g.Wipe()
		return nil, fmt.Errorf("split: blind: %w", err)
	}
	if g.blinded, err = fromElement(blinded); err != nil {
		g.Wipe()
		return nil, err
	}
	return g, nil
}

// drawScalar draws uniformly from 1 to the group's order less one, into s.
func drawScalar(s *p256.Scalar, random io.Reader) error {
	var b [p256.ScalarSize]byte
	defer clear(b[:])
	for range maxDraws {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return fmt.Errorf("split: random source: %w", err)
		}
		if s.SetBytes(b[:]) == nil && !s.IsZero() {
			return nil
		}
	}
	return fmt.Errorf("split: random source gave no scalar in %d draws", maxDraws)
}

// Blinded returns the blinded point, which is all that a keeper ever sees of
// the guess.
func (g *Guess) Blinded() Point { return g.blinded }

// Finalize adds the shares up, removes the blind and derives the key pair. It
// needs exactly one share for each subset of the shape, and refuses a sum that
// is the identity. The caller wipes the Key. It may be called again, with other
// shares, until Wipe.
func (g *Guess) Finalize(shape Shape, shares []Share) (*Key, error) {
	y, err := g.output(shape, shares)
	if err != nil {
		return nil, err
	}
	defer clear(y)
	return newKey(y)
}

// output returns y, RFC 9497's OPRF of the secret under the sum of all k_S.
func (g *Guess) output(shape Shape, shares []Share) ([]byte, error) {
	if g.secret == nil {
		return nil, ErrWiped
	}
	sum, err := add(shape, shares)
	if err != nil {
		return nil, err
	}
	out, err := p256.Finalize(g.secret, &g.blind, sum)
	if err != nil {
		return nil, fmt.Errorf("split: finalize: %w", err)
	}
	return out, nil
}

// add sums one share per subset.
func add(shape Shape, shares []Share) (*p256.Point, error) {
	if err := shape.Validate(); err != nil {
		return nil, err
	}
	subsets := shape.Subsets()
	if len(shares) != len(subsets) {
		return nil, ErrShares
	}
	sum := p256.NewPoint()
	for _, m := range subsets {
		i := indexOf(shares, m)
		if i < 0 {
			return nil, ErrShares
		}
		e, err := shares[i].Point.element()
		if err != nil {
			return nil, err
		}
		sum.Add(sum, e)
	}
	if sum.IsIdentity() {
		return nil, ErrZero
	}
	return sum, nil
}

func indexOf(shares []Share, m Subset) int {
	for i := range shares {
		if shares[i].Subset == m {
			return i
		}
	}
	return -1
}

// Wipe clears the secret and the blind.
func (g *Guess) Wipe() {
	clear(g.secret)
	g.blind.Wipe()
	g.secret = nil
}

// Key is the key pair that a guess yields. It is the PIN's key pair if the
// guess is right. It prints redacted.
type Key = pinkey.Key

// newKey derives the pair from the function's output y.
func newKey(y []byte) (*Key, error) {
	seed, err := hkdf.Key(sha256.New, y, nil, verifierInfo, pinkey.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("split: derive seed: %w", err)
	}
	defer clear(seed)
	return pinkey.New(seed), nil
}
