// Package pinkey is the key pair that a guess yields; if the guess is right, it is the
// PIN's key pair. It guarantees that whoever made a Proof of a message and a verifier
// held the verifier's private key: New takes a seed and makes both halves of the pair
// from it, and there is no other way to get a Key or a Proof that is not zero. It trusts
// crypto/ed25519, and that no other program writes to the process's memory.
//
// A signature and a Proof prove the same. A keeper on another machine gets the signature.
// A keeper in this process gets the Proof, because it shares memory with the holder of
// the key anyway: making and checking a signature there cost a fifth of a verification's
// cryptography and shows nothing that the type does not show
// (docs/decisions/0092-proofs-within-a-process.md).
//
// Start here: Key and Proof.
package pinkey

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/liuma-pin/liuma"
)

// SeedSize is the length of a seed in bytes.
const SeedSize = ed25519.SeedSize

// Key is a key pair. It prints redacted.
type Key struct {
	redacted
	private ed25519.PrivateKey
}

// New makes the key pair from a seed of SeedSize bytes, which the caller wipes. It
// panics at another length, as crypto/ed25519 does. The caller wipes the Key.
func New(seed []byte) *Key { return &Key{private: ed25519.NewKeyFromSeed(seed)} }

// Verifier is the public key. It is the zero Verifier after Wipe.
func (k *Key) Verifier() liuma.Verifier {
	if k.private == nil {
		return liuma.Verifier{}
	}
	return liuma.Verifier(k.private[ed25519.SeedSize:])
}

// Sign makes an Ed25519 signature. After Wipe it panics: signing with a wiped
// key is always a mistake.
func (k *Key) Sign(message []byte) [ed25519.SignatureSize]byte {
	return [ed25519.SignatureSize]byte(ed25519.Sign(k.private, message))
}

// Prove replaces Sign for a receiver in this process. After Wipe it panics as Sign
// does.
func (k *Key) Prove(message []byte) Proof {
	if k.private == nil {
		panic("pinkey: a proof by a wiped key")
	}
	return Proof{verifier: k.Verifier(), message: sha256.Sum256(message)}
}

// Wipe clears the private key. Proofs made with it stay valid.
func (k *Key) Wipe() {
	clear(k.private)
	k.private = nil
}

// Proof shows that the code that proved a message held the private key of a verifier.
// The zero Proof proves nothing. A Proof is never encoded or stored: if it were read
// from bytes, it would prove nothing. Proofs compare with ==.
type Proof struct {
	verifier liuma.Verifier
	message  [sha256.Size]byte
}

// Proves reports whether p was made for this message with this verifier's key.
func (p Proof) Proves(v liuma.Verifier, message []byte) bool {
	return !p.verifier.IsZero() && p.verifier == v && p.message == sha256.Sum256(message)
}

const hidden = "[redacted]"

// redacted is embedded in the secret types of this package. It has no state.
type redacted struct{}

// Format writes the same words under every verb and flag.
func (redacted) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, hidden) // writing to a fmt.State never fails
}

// LogValue implements slog.LogValuer.
func (redacted) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText covers JSON, XML and every other text encoder.
func (redacted) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// GobEncode always fails: a secret is sealed before it is sent anywhere.
func (redacted) GobEncode() ([]byte, error) {
	return nil, errors.New("pinkey: a secret is not encoded")
}
