package client

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keySet holds the published keys of one address, from the last fetch. The native and the
// hosted door publish the same keys, each at its own address.
type keySet struct {
	mu        sync.Mutex
	keys      jose.JSONWebKeySet // guarded by mu
	fetchedAt time.Time          // guarded by mu
}

var errUnknownKey = errors.New("signed with an unknown key")

// find returns the key of a kid. It fetches the set when there is none, when it is old,
// and, not too often, when the kid is unknown, because the authority's keys rotate. Keys
// fetched before stay in use while the authority cannot be reached.
func (s *keySet) find(ctx context.Context, c *Client, address, kid string) (*ecdsa.PublicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := c.now().Sub(s.fetchedAt)
	known := len(s.keys.Key(kid)) == 1
	if s.fetchedAt.IsZero() || age > keysFresh || age < 0 || !known && age > keysPause {
		set, err := c.fetchKeys(ctx, address)
		if err != nil && !known {
			return nil, err
		}
		if err == nil {
			s.keys, s.fetchedAt = set, c.now()
		}
	}
	found := s.keys.Key(kid)
	if kid == "" || len(found) != 1 {
		return nil, errUnknownKey
	}
	public, ok := found[0].Key.(*ecdsa.PublicKey)
	if !ok {
		return nil, errUnknownKey
	}
	return public, nil
}

// verified checks the signature of a compact JWS of a type, by the key of the set that it
// names, and returns its payload. An error about the JWS itself wraps bad; an error
// because keys could not be fetched does not.
func (s *keySet) verified(ctx context.Context, c *Client, address, raw, typ string, bad error) ([]byte, error) {
	if len(raw) > receiptLongest {
		return nil, fmt.Errorf("%w: too long", bad)
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(jws.Signatures) != 1 {
		return nil, fmt.Errorf("%w: not a compact JWS with ES256", bad)
	}
	header := jws.Signatures[0].Protected
	// Receipts and ID tokens are signed with the same keys; only their type tells them
	// apart.
	if is, _ := header.ExtraHeaders[jose.HeaderType].(string); is != typ {
		return nil, fmt.Errorf("%w: wrong type", bad)
	}
	key, err := s.find(ctx, c, address, header.KeyID)
	if errors.Is(err, errUnknownKey) {
		return nil, fmt.Errorf("%w: %w", bad, err)
	}
	if err != nil {
		return nil, err
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, fmt.Errorf("%w: signature", bad)
	}
	return payload, nil
}

// renew fetches the set even if it is fresh.
func (s *keySet) renew(ctx context.Context, c *Client, address string) (jose.JSONWebKeySet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, err := c.fetchKeys(ctx, address)
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	s.keys, s.fetchedAt = set, c.now()
	return set, nil
}

func (c *Client) fetchKeys(ctx context.Context, address string) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if err := c.fetch(ctx, address, &set); err != nil {
		return jose.JSONWebKeySet{}, fmt.Errorf("client: receipt keys: %w", err)
	}
	if len(set.Keys) == 0 {
		return jose.JSONWebKeySet{}, errors.New("client: receipt keys: not a key set")
	}
	return set, nil
}
