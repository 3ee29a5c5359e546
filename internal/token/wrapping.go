package token

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // some tokens support OAEP only with it; see Encrypt
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

// WrappingKey is the public half of a token's RSA key, and the hash with which the
// token can do OAEP: SHA-256, or SHA-1 if the token supports nothing else
// (SoftHSM). OAEP is not known to be weak with either, because it does not need a
// collision-resistant hash. Which of the two it is was tried with the token, not
// configured, and is stored in the file in which the key travels.
type WrappingKey struct {
	Token  string // label of the token
	Public *rsa.PublicKey
	Hash   crypto.Hash
}

const (
	wrappingBlock = "LIUMA TOKEN KEY"
	minBits       = 2048
)

// ErrWrappingKey: the file holds no wrapping key.
var ErrWrappingKey = errors.New("token: not the public wrapping key of a token")

// Encode writes the key as PEM, to be carried to another machine.
func (k WrappingKey) Encode() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		return nil, fmt.Errorf("token: encode wrapping key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: wrappingBlock, Bytes: der, Headers: map[string]string{"Token": k.Token, "OAEP": k.Hash.String()}}), nil
}

// ParseWrappingKey reads a key that Encode wrote.
func ParseWrappingKey(b []byte) (WrappingKey, error) {
	block, rest := pem.Decode(b)
	if block == nil || block.Type != wrappingBlock || len(block.Headers) != 2 || len(rest) != 0 {
		return WrappingKey{}, ErrWrappingKey
	}
	h, ok := HashNamed(block.Headers["OAEP"])
	if !ok {
		return WrappingKey{}, ErrWrappingKey
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return WrappingKey{}, ErrWrappingKey
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < minBits {
		return WrappingKey{}, ErrWrappingKey
	}
	return WrappingKey{Token: block.Headers["Token"], Public: public, Hash: h}, nil
}

// HashNamed returns the hash of OAEP with this name.
func HashNamed(name string) (crypto.Hash, bool) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA1} {
		if h.String() == name {
			return h, true
		}
	}
	return 0, false
}

// Encrypt encrypts a secret to the key.
func (k WrappingKey) Encrypt(secret []byte) ([]byte, error) {
	if k.Public == nil {
		return nil, ErrWrappingKey
	}
	var h hash.Hash
	switch k.Hash {
	case crypto.SHA256:
		h = sha256.New()
	case crypto.SHA1:
		h = sha1.New() //nolint:gosec // chosen by what the token can
	default:
		return nil, ErrWrappingKey
	}
	return rsa.EncryptOAEP(h, rand.Reader, k.Public, secret, nil)
}

// Fingerprint identifies the key. People read it aloud to compare it.
func (k WrappingKey) Fingerprint() string {
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:8])
}
