package admission

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// The types of PEM blocks.
const (
	keyBlock         = "PRIVATE KEY"
	certificateBlock = "CERTIFICATE"
)

// NewKey makes a key for a caller, an issuer or a keeper's door.
func NewKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("admission: make a key: %w", err)
	}
	return key, nil
}

// EncodeKey writes a key as PEM (PKCS #8). It is a secret.
func EncodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("admission: encode a key: %w", err)
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), nil
}

// ParseKey reads a key that EncodeKey wrote.
func ParseKey(data []byte) (*ecdsa.PrivateKey, error) {
	der, err := onlyBlock(data, keyBlock)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: no private key", ErrFormat) // the cause could quote the key
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, ErrKey
	}
	return key, nil
}

// onlyBlock returns the content of a file that holds one PEM block and nothing
// else.
func onlyBlock(data []byte, kind string) ([]byte, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != kind || len(block.Headers) != 0 || len(rest) != 0 {
		return nil, fmt.Errorf("%w: want one PEM block %q", ErrFormat, kind)
	}
	return block.Bytes, nil
}

// publicKey returns the bytes of the P-256 key of a certificate, a request or a
// signer.
func publicKey(key crypto.PublicKey) ([]byte, error) {
	ec, ok := key.(*ecdsa.PublicKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, ErrKey
	}
	raw, err := ec.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return raw, nil
}
