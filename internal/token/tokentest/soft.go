package tokentest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma/internal/token"
)

// Soft is a token in memory, which tests can make unreachable or full. It has what a
// vault and a keeper need of a token.
type Soft struct {
	label string
	hash  crypto.Hash
	wraps *rsa.PrivateKey // with the name "liuma vault"; other keys are made when they are asked for

	mu    sync.Mutex
	more  map[string]*rsa.PrivateKey   // guarded by mu: wrapping keys of other names
	away  error                        // guarded by mu
	signs map[string]*ecdsa.PrivateKey // guarded by mu
	asked int                          // guarded by mu: number of signatures

	shares map[string]*softShare // guarded by mu
	room   int                   // guarded by mu: room for more share keys; below 0: unlimited
	used   int                   // guarded by mu: number of calls about share keys
}

// NewSoft makes a token. No two of a test have the same key.
func NewSoft(t testing.TB, label string) *Soft {
	t.Helper()
	key, err := made.next(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return &Soft{label: label, hash: crypto.SHA256, wraps: key, more: map[string]*rsa.PrivateKey{}, signs: map[string]*ecdsa.PrivateKey{}, shares: map[string]*softShare{}, room: -1}
}

// made are the RSA keys of this process: finding one is most of the work of such a test, so
// the next test takes those of the one before.
var made rsaKeys

type rsaKeys struct {
	mu    sync.Mutex
	keys  []*rsa.PrivateKey // guarded by mu
	taken map[string]int    // guarded by mu: by test, without its parts
}

// next returns a key that the test has not had.
func (r *rsaKeys) next(test string) (*rsa.PrivateKey, error) {
	test, _, _ = strings.Cut(test, "/")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken == nil {
		r.taken = map[string]int{}
	}
	n := r.taken[test]
	if n == len(r.keys) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, key)
	}
	r.taken[test] = n + 1
	return r.keys[n], nil
}

// TakeOut makes the token unreachable, so that it answers with err; nil makes it
// reachable again.
func (s *Soft) TakeOut(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = err
}

// Label returns the name of the token.
func (s *Soft) Label() string { return s.label }

// WrappingKey returns the wrapping key with a name; wrapping keys of day keys and of
// keepers' ceremonies are made when they are asked for.
func (s *Soft) WrappingKey(name string) (token.WrappingKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return token.WrappingKey{}, s.away
	}
	key := s.wrapping(name)
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return token.WrappingKey{}, err
		}
		s.more[name] = key
	}
	return token.WrappingKey{Token: s.label, Public: &key.PublicKey, Hash: s.hash}, nil
}

// wrapping returns the wrapping key with a name; nil: it was not made. The caller holds
// mu.
func (s *Soft) wrapping(name string) *rsa.PrivateKey {
	if strings.HasPrefix(name, "liuma day ") || strings.HasSuffix(name, " wrapping") {
		return s.more[name]
	}
	return s.wraps
}

// Wrapping counts the wrapping keys in the token.
func (s *Soft) Wrapping() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 1 + len(s.more)
}

// Decrypt opens a secret that was encrypted to the wrapping key.
func (s *Soft) Decrypt(name string, hash crypto.Hash, sealed []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return nil, s.away
	}
	key := s.wrapping(name)
	if key == nil {
		return nil, token.ErrNoKey
	}
	out, err := rsa.DecryptOAEP(hash.New(), nil, key, sealed, nil)
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

// Sign signs a digest, and counts the call.
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

// Destroy removes the keys with a name.
func (s *Soft) Destroy(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return s.away
	}
	delete(s.signs, name)
	delete(s.more, name)
	delete(s.shares, name)
	return nil
}

// Keys counts the signing keys in the token.
func (s *Soft) Keys() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.signs)
}

// Asked counts the signatures that were asked for.
func (s *Soft) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}
