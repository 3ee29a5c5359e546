package tokentest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma/internal/token"
)

// Soft is a token in memory, which can be away or full. It has what a vault, and a
// keeper, ask of one.
type Soft struct {
	label string
	hash  crypto.Hash
	wraps *rsa.PrivateKey

	mu    sync.Mutex
	away  error                        // guarded by mu
	signs map[string]*ecdsa.PrivateKey // guarded by mu
	asked int                          // guarded by mu: signatures

	shares map[string]*softShare // guarded by mu
	room   int                   // guarded by mu: for how many share keys more; below 0: without end
	used   int                   // guarded by mu: calls about share keys
}

// NewSoft makes a token.
func NewSoft(t testing.TB, label string) *Soft {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &Soft{label: label, hash: crypto.SHA256, wraps: key, signs: map[string]*ecdsa.PrivateKey{}, shares: map[string]*softShare{}, room: -1}
}

// TakeOut takes the token out, so that it answers with err; nil puts it back.
func (s *Soft) TakeOut(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = err
}

// Label is the name of the token.
func (s *Soft) Label() string { return s.label }

// WrappingKey is the one wrapping key that it has.
func (s *Soft) WrappingKey(string) (token.WrappingKey, error) {
	return token.WrappingKey{Token: s.label, Public: &s.wraps.PublicKey, Hash: s.hash}, nil
}

// Decrypt opens what was encrypted to the wrapping key.
func (s *Soft) Decrypt(_ string, hash crypto.Hash, sealed []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return nil, s.away
	}
	out, err := rsa.DecryptOAEP(hash.New(), nil, s.wraps, sealed, nil)
	if err != nil {
		return nil, token.ErrCannot
	}
	return out, nil
}

// NewSigningKey makes a P-256 key.
func (s *Soft) NewSigningKey(name string) (*ecdsa.PublicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return nil, s.away
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.signs[name] = key
	return &key.PublicKey, err
}

// Sign signs a digest, and counts that it was asked to.
func (s *Soft) Sign(name string, digest []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.away != nil {
		return nil, s.away
	}
	key := s.signs[name]
	if key == nil {
		return nil, token.ErrNoKey
	}
	a, b, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	a.FillBytes(out[:32])
	b.FillBytes(out[32:])
	return out, nil
}

// Destroy removes the keys of a name.
func (s *Soft) Destroy(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return s.away
	}
	delete(s.signs, name)
	delete(s.shares, name)
	return nil
}

// Keys counts the signing keys in it.
func (s *Soft) Keys() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.signs)
}

// Asked counts the signatures that it was asked for.
func (s *Soft) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}
