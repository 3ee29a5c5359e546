package evidence

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/store"
)

// maxKeys is the largest key set of a provider: the current key, the next, and some
// old ones.
const maxKeys = 8

// ParseKeys reads a provider's JWK set (RFC 7517): one to eight public P-256
// keys for ES256, each with its own kid. Private keys are refused, so that none
// is stored by mistake.
func ParseKeys(set []byte) (jose.JSONWebKeySet, error) {
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(set, &keys); err != nil {
		return jose.JSONWebKeySet{}, fmt.Errorf("evidence: key set: %w", err)
	}
	if len(keys.Keys) == 0 || len(keys.Keys) > maxKeys {
		return jose.JSONWebKeySet{}, fmt.Errorf("evidence: key set: %d keys, want 1 to %d", len(keys.Keys), maxKeys)
	}
	ids := make(map[string]bool, len(keys.Keys))
	for _, k := range keys.Keys {
		public, ok := k.Key.(*ecdsa.PublicKey)
		if !ok || public.Curve != elliptic.P256() || !k.Valid() {
			return jose.JSONWebKeySet{}, errors.New("evidence: key set: a key is not a public P-256 key")
		}
		if k.Algorithm != "" && k.Algorithm != string(jose.ES256) || k.Use != "" && k.Use != "sig" {
			return jose.JSONWebKeySet{}, errors.New("evidence: key set: a key is not for ES256 signatures")
		}
		if k.KeyID == "" || ids[k.KeyID] {
			return jose.JSONWebKeySet{}, errors.New("evidence: key set: a kid is missing or comes twice")
		}
		ids[k.KeyID] = true
	}
	return keys, nil
}

// PublicKeys returns a registered client's keys by kid, with which a door checks the
// client's signatures. If the keys cannot be read, it returns an error and the client
// is refused.
func PublicKeys(c store.Client) (map[string]*ecdsa.PublicKey, error) {
	set, err := ParseKeys(c.Keys)
	if err != nil {
		return nil, fmt.Errorf("keys of %s: %w", c.ID, err)
	}
	out := make(map[string]*ecdsa.PublicKey, len(set.Keys))
	for _, k := range set.Keys {
		public, ok := k.Key.(*ecdsa.PublicKey)
		if !ok {
			return nil, fmt.Errorf("keys of %s: not a public key on P-256", c.ID)
		}
		out[k.KeyID] = public
	}
	return out, nil
}
