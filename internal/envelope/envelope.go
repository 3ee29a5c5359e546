// Package envelope is the format in which a PIN travels from the holder's
// device to the authority: HPKE (RFC 9180) to a seal key of the authority, the
// plaintext padded to one length, and the whole request bound in as associated
// data. It guarantees that an envelope opens only for the exact request for
// which it was sealed, and that its length reveals nothing about the PIN. It
// trusts the holder of the private seal key, and no data that it parses. It
// keeps no keys; the vault does.
//
// docs/SEALING.md has the format byte by byte, for other platforms;
// docs/decisions/0007-sealed-envelopes.md says why.
//
// Start here: Binding, then Open.
package envelope

import (
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
)

// Sizes of the format, in bytes.
const (
	PublicSize     = 65                 // seal key: uncompressed P-256 point
	PrivateSize    = 32                 // P-256 scalar
	EncSize        = 65                 // encapsulated key: uncompressed P-256 point
	PlainSize      = 256                // padded plaintext
	CiphertextSize = PlainSize + 16     // with the tag of AES-128-GCM
	MaxSecret      = PlainSize - prefix // longest PIN or passphrase, in UTF-8
)

const (
	// label separates these envelopes from every other use of HPKE; it is
	// HPKE's info, and the first field of the associated data.
	label = "liuma/1/pin-envelope"
	// formatVersion changes with any change of AAD, padding or suite.
	formatVersion = 1
	// prefix is the length of the plaintext's length field.
	prefix = 2
	// maxKeyID bounds the seal key's name.
	maxKeyID = 64
)

// Envelope is one sealed PIN.
type Envelope struct {
	SealKeyID  string // 1 to 64 of A-Z, a-z, 0-9, '-' and '_'
	Enc        []byte // EncSize
	Ciphertext []byte // CiphertextSize
}

// Errors behind CodeEnvelopeInvalid, for the log. They contain nothing of the
// envelope's content.
var (
	errShape   = errors.New("envelope: wrong shape")
	errKeyID   = errors.New("envelope: sealed to another key than the request names")
	errOpen    = errors.New("envelope: does not open for this request")
	errPadding = errors.New("envelope: padding is not canonical")
)

func invalid(cause error) error { return liuma.Fail(liuma.CodeEnvelopeInvalid, cause) }

// Seal encrypts a PIN or passphrase of 1 to MaxSecret bytes to a seal key's
// public half (PublicSize bytes) for the request that b describes. It neither
// keeps nor wipes secret.
func Seal(public []byte, b Binding, secret []byte) (Envelope, error) {
	return SealAAD(public, b.SealKeyID, b.AAD(), secret)
}

// SealAAD is Seal for a device that gets the bytes of Binding.AAD instead of
// the Binding, like the pad on a hosted page.
func SealAAD(public []byte, keyID string, aad, secret []byte) (Envelope, error) {
	if !validKeyID(keyID) {
		return Envelope{}, fmt.Errorf("seal: %w: key id", errShape)
	}
	key, err := kem().NewPublicKey(public)
	if err != nil {
		return Envelope{}, fmt.Errorf("seal: public key: %w", err)
	}
	plain, err := pad(secret)
	if err != nil {
		return Envelope{}, fmt.Errorf("seal: %w", err)
	}
	defer clear(plain)
	enc, sender, err := hpke.NewSender(key, hpke.HKDFSHA256(), hpke.AES128GCM(), []byte(label))
	if err != nil {
		return Envelope{}, fmt.Errorf("seal: %w", err)
	}
	ct, err := sender.Seal(aad, plain)
	if err != nil {
		return Envelope{}, fmt.Errorf("seal: %w", err)
	}
	return Envelope{SealKeyID: keyID, Enc: enc, Ciphertext: ct}, nil
}

// Open decrypts e with a seal key's private half, if it was sealed for exactly
// the request that b describes. The caller wipes the result. Every failure is
// a *liuma.Error with CodeEnvelopeInvalid.
func Open(private hpke.PrivateKey, b Binding, e Envelope) ([]byte, error) {
	if err := e.validate(); err != nil {
		return nil, invalid(err)
	}
	if e.SealKeyID != b.SealKeyID {
		return nil, invalid(errKeyID)
	}
	r, err := recipient(private, e.Enc, []byte(label))
	if err != nil {
		return nil, invalid(errShape)
	}
	plain, err := r.Open(b.AAD(), e.Ciphertext)
	if err != nil {
		return nil, invalid(errOpen)
	}
	defer clear(plain)
	secret, err := unpad(plain)
	if err != nil {
		return nil, invalid(err)
	}
	return secret, nil
}

// recipient is the receiving half of the suite. Tests call it with RFC 9180's
// own info string.
func recipient(private hpke.PrivateKey, enc, info []byte) (*hpke.Recipient, error) {
	return hpke.NewRecipient(enc, private, hpke.HKDFSHA256(), hpke.AES128GCM(), info)
}

func kem() hpke.KEM { return hpke.DHKEM(ecdh.P256()) }

// ParsePrivate reads the PrivateSize bytes of a seal key's private half.
func ParsePrivate(scalar []byte) (hpke.PrivateKey, error) {
	key, err := kem().NewPrivateKey(scalar)
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	return key, nil
}

// GenerateKey makes a seal key pair: the private scalar, which the caller
// seals and wipes, and the public point.
func GenerateKey() (private, public []byte, err error) {
	key, err := kem().GenerateKey()
	if err != nil {
		return nil, nil, fmt.Errorf("seal key: %w", err)
	}
	private, err = key.Bytes()
	if err != nil {
		return nil, nil, fmt.Errorf("seal key: %w", err)
	}
	return private, key.PublicKey().Bytes(), nil
}
