package split

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/split/p256"
)

// ShareKeySize is the length of a share key in bytes.
const ShareKeySize = 32

const (
	// shareLabel opens the message that k_S is derived from.
	shareLabel = "liuma/1/share"
	// scalarDST separates these scalars from every other hash to P-256.
	scalarDST = "liuma/1/HashToScalar-P256-SHA256"
)

// ShareMAC computes HMAC-SHA256 under one share key. A ShareKey is a ShareMAC.
// A hardware module can be one too, without ever giving its key out.
type ShareMAC interface {
	MAC(message []byte) ([sha256.Size]byte, error)
}

// ShareKey is the share key of one subset, held in memory. Copies share the
// same memory, so that one Wipe clears all of them. It prints redacted.
type ShareKey struct {
	redacted
	k *[ShareKeySize]byte
}

// NewShareKey draws a share key from the system's random source.
func NewShareKey() ShareKey {
	k := ShareKey{k: new([ShareKeySize]byte)}
	rand.Read(k.k[:]) // never fails since Go 1.24
	return k
}

// ParseShareKey copies 32 bytes; the caller wipes its own copy.
func ParseShareKey(b []byte) (ShareKey, error) {
	if len(b) != ShareKeySize {
		return ShareKey{}, ErrKeySize
	}
	if [ShareKeySize]byte(b) == ([ShareKeySize]byte{}) {
		return ShareKey{}, ErrWiped // b came from a key that was wiped
	}
	k := ShareKey{k: new([ShareKeySize]byte)}
	copy(k.k[:], b)
	return k, nil
}

// Use lends the key's bytes to f, which seals them to another member or writes
// them to disk. f must not keep them.
func (k ShareKey) Use(f func([]byte) error) error {
	if k.wiped() {
		return ErrWiped
	}
	return f(k.k[:])
}

// MAC implements ShareMAC.
func (k ShareKey) MAC(message []byte) (out [sha256.Size]byte, err error) {
	if k.wiped() {
		return out, ErrWiped
	}
	h := hmac.New(sha256.New, k.k[:])
	h.Write(message) // writing to a hash never fails
	h.Sum(out[:0])
	return out, nil
}

// Wipe clears the key in all its copies.
func (k ShareKey) Wipe() {
	if k.k != nil {
		clear(k.k[:])
	}
}

func (k ShareKey) wiped() bool { return k.k == nil || *k.k == [ShareKeySize]byte{} }

// Scope is what one k_S is for: one version of one card's PIN, under one key
// set and one subset.
type Scope struct {
	KeySet  uint32
	Subset  Subset
	Card    liuma.CardID
	Version liuma.Version
}

// message is the input of the MAC: each member preceded by its length, so that
// no two scopes give the same bytes.
func (s Scope) message() []byte {
	b := make([]byte, 0, 5*4+len(shareLabel)+4+1+len(s.Card)+4)
	b = appendField(b, []byte(shareLabel))
	b = appendField(b, binary.BigEndian.AppendUint32(nil, s.KeySet))
	b = appendField(b, []byte{byte(s.Subset)})
	b = appendField(b, s.Card[:])
	return appendField(b, binary.BigEndian.AppendUint32(nil, uint32(s.Version)))
}

func appendField(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

// Scalar is k_S, the factor by which a keeper multiplies a blinded point. It
// prints redacted and is wiped after use.
type Scalar struct {
	redacted
	subset Subset
	k      p256.Scalar
}

// Derive makes the k_S of a scope. It fails only if the MAC does, or, with
// negligible chance, if the scalar is zero.
func Derive(mac ShareMAC, s Scope) (*Scalar, error) {
	sum, err := mac.MAC(s.message())
	if err != nil {
		return nil, fmt.Errorf("split: derive scalar: %w", err)
	}
	defer clear(sum[:])
	k := &Scalar{subset: s.Subset}
	if err := k.k.Hash(sum[:], scalarDST); err != nil {
		return nil, fmt.Errorf("split: derive scalar: %w", err)
	}
	if k.k.IsZero() {
		return nil, ErrZero
	}
	return k, nil
}

// Evaluate computes k_S times the blinded point. For a committed version the
// caller must have counted the guess before (I-1).
func (k *Scalar) Evaluate(blinded Point) (Share, error) {
	if k.k.IsZero() {
		return Share{}, ErrWiped
	}
	e, err := blinded.element()
	if err != nil {
		return Share{}, err
	}
	p, err := fromElement(e.Mult(e, &k.k))
	if err != nil {
		return Share{}, err
	}
	return Share{Subset: k.subset, Point: p}, nil
}

// Wipe clears the scalar.
func (k *Scalar) Wipe() { k.k.Wipe() }
