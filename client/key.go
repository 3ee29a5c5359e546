package client

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/go-jose/go-jose/v4"
)

// ErrKey means that a file holds no private key with which a client could sign.
var ErrKey = errors.New("client: not a private key on P-256 in PEM")

// ReadKey reads the private key of a client: one PEM block, "PRIVATE KEY" (PKCS
// #8), as 'liuma channel keygen' writes it, or "EC PRIVATE KEY". No error carries
// anything of the key. The caller wipes raw.
func ReadKey(raw []byte) (*ecdsa.PrivateKey, error) {
	block, rest := pem.Decode(raw)
	if block != nil && block.Type == "EC PARAMETERS" { // OpenSSL writes them first
		block, rest = pem.Decode(rest)
	}
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, ErrKey
	}
	defer clear(block.Bytes)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, ErrKey
	}
	return key, nil
}

// LoadKey reads the private key of a client from a file.
func LoadKey(path string) (*ecdsa.PrivateKey, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("client: key: %w", err)
	}
	defer clear(raw)
	key, err := ReadKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// KeyID is the kid of a key that was registered without one: its thumbprint (RFC
// 7638), as 'liuma channel keygen' and 'liuma channel add' print it.
func KeyID(key crypto.Signer) (string, error) {
	if key == nil {
		return "", ErrKey
	}
	jwk := jose.JSONWebKey{Key: key.Public()}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("client: key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
