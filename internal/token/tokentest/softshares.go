package tokentest

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/liuma-pin/liuma/internal/token"
)

// softShare is a share key in a Soft.
type softShare struct {
	key    []byte
	sealed bool
}

// SetRoom sets for how many more share keys the token has room; below 0: unlimited.
func (s *Soft) SetRoom(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room = n
}

// ShareNames lists the share keys in the token.
func (s *Soft) ShareNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.shares))
}

// Bytes returns the bytes of a share key, which a real token shows to nobody: for tests
// that check that they are nowhere else.
func (s *Soft) Bytes(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.shares[name].key)
}

// Used counts the calls about share keys.
func (s *Soft) Used() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// put stores a share key.
func (s *Soft) put(name string, key []byte) error {
	switch {
	case s.shares[name] != nil:
		return token.ErrExists
	case s.room == 0:
		return token.ErrFull
	}
	s.room--
	s.shares[name] = &softShare{key: key}
	return nil
}

// share finds a share key. The caller holds mu.
func (s *Soft) share(name string) (*softShare, error) {
	s.used++
	if s.away != nil {
		return nil, s.away
	}
	k := s.shares[name]
	if k == nil {
		return nil, token.ErrNoKey
	}
	return k, nil
}

// NewShareKey makes a share key.
func (s *Soft) NewShareKey(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return s.away
	}
	key := make([]byte, sha256.Size)
	rand.Read(key)
	return s.put(name, key)
}

// WrapShareKey encrypts a share key, unless it was sealed.
func (s *Soft) WrapShareKey(name string, to token.WrappingKey) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.share(name)
	if err != nil {
		return nil, err
	}
	if k.sealed {
		return nil, token.ErrUnextractable
	}
	return to.Encrypt(k.key)
}

// UnwrapShareKey imports a share key.
func (s *Soft) UnwrapShareKey(name, wrappingKey string, hash crypto.Hash, wrapped []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return s.away
	}
	by := s.wrapping(wrappingKey)
	if by == nil {
		return token.ErrNoKey
	}
	key, err := rsa.DecryptOAEP(hash.New(), nil, by, wrapped, nil)
	if err != nil {
		return token.ErrCannot
	}
	return s.put(name, key)
}

// SealShareKey seals a share key.
func (s *Soft) SealShareKey(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.share(name)
	if err == nil {
		k.sealed = true
	}
	return err
}

// Sealed reports whether a share key was sealed.
func (s *Soft) Sealed(name string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.share(name)
	return err == nil && k.sealed, err
}

// MAC is HMAC-SHA256 under a share key.
func (s *Soft) MAC(name string, message []byte) (out [sha256.Size]byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.share(name)
	if err != nil {
		return out, err
	}
	h := hmac.New(sha256.New, k.key)
	h.Write(message)
	copy(out[:], h.Sum(nil))
	return out, nil
}
