package admin

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/locale"
)

// kidPattern is the form of a kid, which appears in tokens, in commands and in
// the audit record.
var kidPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ParseKey reads one public P-256 key: a PEM "PUBLIC KEY", or a JWK. A private
// key is refused, with a hint that it must not leave its owner. The kid comes
// from the JWK or, if it has none, is the key's thumbprint (RFC 7638).
func ParseKey(raw []byte) (jose.JSONWebKey, error) {
	raw = bytes.TrimSpace(raw)
	if block, rest := pem.Decode(raw); block != nil {
		return parsePEM(block, rest)
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(raw, &key); err != nil {
		return jose.JSONWebKey{}, locale.RefuseFor(ErrKey, func(w *locale.Words, why string) string { return w.Refused.AdminKeyForm(why) })
	}
	if !key.IsPublic() {
		return jose.JSONWebKey{}, locale.RefuseFor(ErrKey, func(w *locale.Words, why string) string { return w.Refused.AdminKeyPrivate(why) })
	}
	public, ok := key.Key.(*ecdsa.PublicKey)
	if !ok {
		return jose.JSONWebKey{}, locale.RefuseFor(ErrKey, func(w *locale.Words, why string) string { return w.Refused.AdminKeyKind(why) })
	}
	return publicJWK(public, key.KeyID)
}

func parsePEM(block *pem.Block, rest []byte) (jose.JSONWebKey, error) {
	if block.Type != "PUBLIC KEY" {
		return jose.JSONWebKey{}, locale.RefuseFor(ErrKey, func(w *locale.Words, why string) string { return w.Refused.AdminKeyPem(why, strconv.Quote(block.Type)) })
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return jose.JSONWebKey{}, locale.RefuseFor(ErrKey, func(w *locale.Words, why string) string { return w.Refused.AdminKeySeveral(why) })
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return jose.JSONWebKey{}, locale.RefuseFor(ErrKey, func(w *locale.Words, why string) string { return w.Refused.AdminKeyDamaged(why) })
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return jose.JSONWebKey{}, locale.RefuseFor(ErrKey, func(w *locale.Words, why string) string { return w.Refused.AdminKeyKind(why) })
	}
	return publicJWK(public, "")
}

func publicJWK(public *ecdsa.PublicKey, kid string) (jose.JSONWebKey, error) {
	if public.Curve != elliptic.P256() {
		return jose.JSONWebKey{}, locale.RefuseFor(ErrKey, func(w *locale.Words, why string) string { return w.Refused.AdminKeyCurve(why) })
	}
	key := jose.JSONWebKey{Key: public, KeyID: kid, Algorithm: string(jose.ES256), Use: "sig"}
	if !key.Valid() {
		return jose.JSONWebKey{}, locale.RefuseFor(ErrKey, func(w *locale.Words, why string) string { return w.Refused.AdminKeyPoint(why) })
	}
	if kid == "" {
		sum, err := key.Thumbprint(crypto.SHA256)
		if err != nil {
			return jose.JSONWebKey{}, fmt.Errorf("%w: %w", ErrKey, err)
		}
		key.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	}
	if !kidPattern.MatchString(key.KeyID) {
		return jose.JSONWebKey{}, locale.RefuseFor(ErrKey, func(w *locale.Words, why string) string { return w.Refused.AdminKeyKid(why) })
	}
	return key, nil
}

// KeyPair is a new key pair of a client. Only Public is ever given to an authority.
type KeyPair struct {
	Private *ecdsa.PrivateKey
	Public  jose.JSONWebKey
}

// ErrPrivateKey means that a file does not hold a private key of a client.
var ErrPrivateKey = errors.New("not a private key on P-256 in PEM")

// ParseKeyPair reads a private P-256 key as NewKeyPair, or OpenSSL, writes it:
// one PEM block, "PRIVATE KEY" (PKCS #8) or "EC PRIVATE KEY". Its kid is kid or,
// if that is empty, the thumbprint. No error carries anything of the key.
func ParseKeyPair(raw []byte, kid string) (KeyPair, error) {
	var block *pem.Block
	for rest := raw; ; {
		if block, rest = pem.Decode(rest); block == nil {
			return KeyPair{}, ErrPrivateKey
		}
		if block.Type != "EC PARAMETERS" { // which OpenSSL writes before the key
			break
		}
	}
	defer clear(block.Bytes)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return KeyPair{}, ErrPrivateKey
	}
	public, err := publicJWK(&private.PublicKey, kid)
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{Private: private, Public: public}, nil
}

// NewKeyPair draws a P-256 key pair; its kid is the thumbprint.
func NewKeyPair() (KeyPair, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, fmt.Errorf("admin: new key: %w", err)
	}
	public, err := publicJWK(&private.PublicKey, "")
	return KeyPair{Private: private, Public: public}, err
}

// PrivatePEM is the private key in PKCS #8; the caller wipes it.
func (p KeyPair) PrivatePEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(p.Private)
	if err != nil {
		return nil, fmt.Errorf("admin: new key: %w", err)
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// PublicJWK is the public key as a JWK with its kid.
func (p KeyPair) PublicJWK() ([]byte, error) { return json.MarshalIndent(p.Public, "", "  ") }
