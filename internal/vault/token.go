package vault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/token"
)

// Token is the part of a hardware token that a vault needs. A token.Token is a Token.
type Token interface {
	Label() string
	WrappingKey(name string) (token.WrappingKey, error)
	Decrypt(name string, hash crypto.Hash, sealed []byte) ([]byte, error)
	NewSigningKey(name string) (*ecdsa.PublicKey, error)
	Sign(name string, digest []byte) ([]byte, error)
	Destroy(name string) error
}

// WrappingKeyName is the name, in a token, of the key that key files are sealed to.
const WrappingKeyName = "liuma vault"

// Errors of a key file that is sealed to a token.
var (
	ErrSealed     = errors.New("vault: the key file is sealed to a token, and none is configured")
	ErrOtherToken = errors.New("vault: the key file is not sealed to this token")
	ErrNoToken    = errors.New("vault: sealing a key file takes a token")
)

// tokenKey is a signing key in the token: its name there and its public half, so that
// it can still be published when the token is gone. The zero value is no key.
type tokenKey struct {
	id    [16]byte
	point [pointSize]byte // uncompressed
}

func (k tokenKey) is() bool { return k.id != [16]byte{} }

func (k tokenKey) name() string { return "liuma sign " + hex.EncodeToString(k.id[:]) }

func newTokenKey(t Token) (tokenKey, error) {
	if t == nil {
		return tokenKey{}, ErrSealed
	}
	var k tokenKey
	rand.Read(k.id[:])
	public, err := t.NewSigningKey(k.name())
	if err != nil {
		return tokenKey{}, err
	}
	point, err := public.Bytes()
	if err != nil || len(point) != pointSize {
		return tokenKey{}, errors.Join(err, t.Destroy(k.name()), token.ErrWeakKey)
	}
	copy(k.point[:], point)
	return k, nil
}

// tokenSigner signs JWS with a key in a token. It implements jose.OpaqueSigner.
type tokenSigner struct {
	token  Token
	name   string
	public jose.JSONWebKey
}

func (s *tokenSigner) Public() *jose.JSONWebKey { return &s.public }

func (s *tokenSigner) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256}
}

// SignPayload implements jose.OpaqueSigner. Every error is reported as unavailable,
// whatever the token's reason.
func (s *tokenSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	digest := sha256.Sum256(payload)
	signature, err := s.token.Sign(s.name, digest[:])
	if err != nil {
		return nil, liuma.Fail(liuma.CodeUnavailable, err)
	}
	return signature, nil
}

// trial signs a text that is not a token of any kind, to see whether the key is there.
func (s *tokenSigner) trial() error {
	digest := sha256.Sum256([]byte("liuma/1/vault/ready"))
	_, err := s.token.Sign(s.name, digest[:])
	return err
}

// readyFor is how long the token's answer counts.
const readyFor = time.Second

// readiness remembers the token's last answer.
type readiness struct {
	asking sync.Mutex // held by the caller that asks the token

	mu  sync.Mutex
	at  time.Time // guarded by mu
	err error     // guarded by mu
}

// Ready reports whether the vault can sign: nil, or the reason why not. Without a token
// it always can. The token is asked at most once a second, by one caller at a time; the
// others use its last answer.
func (v *Vault) Ready() error {
	signer, ok := v.signing.Load().key.(*tokenSigner)
	if !ok {
		return nil
	}
	r := &v.ready
	if r.fresh() || !r.asking.TryLock() {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.err
	}
	defer r.asking.Unlock()
	err := signer.trial()
	if err != nil {
		err = liuma.Fail(liuma.CodeUnavailable, fmt.Errorf("vault: the token does not sign: %w", err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.err = time.Now(), err
	return err
}

func (r *readiness) fresh() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.at) < readyFor
}

func (k tokenKey) public() (*ecdsa.PublicKey, error) {
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), k.point[:])
}
