package vault

import (
	"crypto/hpke"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"

	"github.com/liuma-pin/liuma/internal/envelope"
)

// maxCachedSealKeys is more than are current at any time: one is given out, and
// the one before it is still accepted for a while.
const maxCachedSealKeys = 8

// NewSealKey makes an envelope key pair. The id is 22 characters of base64url;
// public is envelope.PublicSize bytes; sealed is the private half, bound to
// id, for the store.
func (v *Vault) NewSealKey() (id string, public, sealed []byte, err error) {
	var raw [16]byte
	rand.Read(raw[:])
	id = base64.RawURLEncoding.EncodeToString(raw[:])
	private, public, err := envelope.GenerateKey()
	if err != nil {
		return "", nil, nil, fmt.Errorf("vault: %w", err)
	}
	defer clear(private)
	sealed, err = v.Seal(SealKey, []byte(id), private)
	if err != nil {
		return "", nil, nil, err
	}
	return id, public, sealed, nil
}

// DropSealKey forgets the unsealed key. The caller deletes the sealed form
// first: once that is gone, envelopes that were captured earlier stay closed.
func (v *Vault) DropSealKey(id string) { v.pins.forget(id) }

// KeepSealKeys forgets the unsealed keys that are not among the ids of those that the
// store has.
func (v *Vault) KeepSealKeys(ids map[string]bool) {
	v.pins.mu.RLock()
	known := slices.Clone(v.pins.order)
	v.pins.mu.RUnlock()
	for _, id := range known {
		if !ids[id] {
			v.pins.forget(id)
		}
	}
}

// sealKey returns the unsealed key, from the cache where possible: unsealing
// would cost a scalar multiplication for every PIN.
func (v *Vault) sealKey(id string, sealed []byte) (hpke.PrivateKey, error) {
	if key, ok := v.pins.get(id); ok {
		return key, nil
	}
	scalar, err := v.Unseal(SealKey, []byte(id), sealed)
	if err != nil {
		return nil, fmt.Errorf("vault: seal key: %w", err)
	}
	defer clear(scalar)
	key, err := envelope.ParsePrivate(scalar)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	// Under the read lock, so that Close cannot empty the cache just before
	// this key is put into it.
	err = v.read(func(*keys) error { v.pins.put(id, key); return nil })
	if err != nil {
		return nil, err
	}
	return key, nil
}

// sealKeyCache holds at most maxCachedSealKeys unsealed keys; the oldest is
// dropped first. The zero value is ready.
type sealKeyCache struct {
	mu    sync.RWMutex // guards all fields below
	keys  map[string]hpke.PrivateKey
	order []string // ids in keys, oldest first
}

func (c *sealKeyCache) get(id string) (hpke.PrivateKey, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	key, ok := c.keys[id]
	return key, ok
}

func (c *sealKeyCache) put(id string, key hpke.PrivateKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.keys[id]; ok {
		return
	}
	if c.keys == nil {
		c.keys = make(map[string]hpke.PrivateKey)
	}
	if len(c.order) >= maxCachedSealKeys {
		delete(c.keys, c.order[0])
		c.order = c.order[1:]
	}
	c.keys[id] = key
	c.order = append(c.order, id)
}

func (c *sealKeyCache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.keys, id)
	for i, have := range c.order {
		if have == id {
			c.order = append(c.order[:i:i], c.order[i+1:]...)
			return
		}
	}
}

func (c *sealKeyCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.keys)
	c.order = nil
}
