package vault

import (
	"bytes"
	"crypto/hpke"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/liuma-pin/liuma/internal/envelope"
)

// maxCachedSealKeys is more than the number of seal keys in use at any time: one is
// given out, and the one before it is still accepted for a while.
const maxCachedSealKeys = 8

// NewSealKey makes an envelope key pair, wrapped to a new day key of this authority.
// The id is 22 characters of base64url; the public half is envelope.PublicSize bytes.
// If the row is not saved, the caller destroys the key (DestroySealKey); a crash before
// that leaves a day key to which nothing is wrapped.
func (v *Vault) NewSealKey() (SealedKey, error) {
	var raw [16]byte
	rand.Read(raw[:])
	k := SealedKey{ID: base64.RawURLEncoding.EncodeToString(raw[:])}
	scalar, public, err := envelope.GenerateKey()
	if err != nil {
		return SealedKey{}, fmt.Errorf("vault: %w", err)
	}
	defer clear(scalar)
	k.Public = public
	to, err := v.DayKey(k.ID)
	if err != nil {
		return SealedKey{}, err
	}
	sealed, err := wrap(k, scalar, to)
	if err != nil {
		return SealedKey{}, errors.Join(err, v.destroyDayKey(k.ID))
	}
	k.Wraps = []Wrap{{To: to, Given: sealed}}
	return k, nil
}

// DayKey returns the public half of this authority's day key for a seal key, and makes
// the day key if it is missing. Other authorities wrap the seal key to it (WrapFor).
func (v *Vault) DayKey(id string) (public []byte, err error) {
	day, err := v.makeDayKey(id)
	if err != nil {
		return nil, err
	}
	defer day.wipe()
	return day.public(v.file.Token)
}

// Opens reports whether this authority can open envelopes that are sealed to k: nil, or
// the reason why not, such as ErrNoDayKey, ErrNoWrap, or the error of a token that is
// not reachable.
func (v *Vault) Opens(k SealedKey) error {
	_, err := v.sealKey(k)
	return err
}

// WrapFor wraps a seal key that this authority can open to the public half of another
// authority's day key. The caller takes that from the key's row, which is sealed
// (I-13).
func (v *Vault) WrapFor(k SealedKey, to []byte) ([]byte, error) {
	key, err := v.sealKey(k)
	if err != nil {
		return nil, err
	}
	scalar, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("vault: wrap seal key: %w", err)
	}
	defer clear(scalar)
	return wrap(k, scalar, to)
}

// DestroySealKey forgets the seal key, and destroys this authority's day key for it.
// From then on nobody can open the seal key, not even with everything that this
// authority has and every row that its database ever had.
func (v *Vault) DestroySealKey(id string) error {
	v.pins.forget(id)
	return v.destroyDayKey(id)
}

// KeepSealKeys forgets all unwrapped seal keys except those for which kept returns
// true.
func (v *Vault) KeepSealKeys(kept func(id string) bool) {
	for _, id := range v.pins.ids() {
		if !kept(id) {
			v.pins.forget(id)
		}
	}
}

// sealKey returns the seal key, from the cache if possible: unwrapping costs two scalar
// multiplications, which would be needed for every PIN.
func (v *Vault) sealKey(k SealedKey) (hpke.PrivateKey, error) {
	if key, ok := v.pins.get(k.ID); ok {
		return key, nil
	}
	scalar, err := v.private(k)
	if err != nil {
		return nil, err
	}
	defer clear(scalar)
	key, err := envelope.ParsePrivate(scalar)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	if len(k.Wraps) > 0 && !bytes.Equal(key.PublicKey().Bytes(), k.Public) {
		return nil, ErrUnseal
	}
	// Under the read lock, so that Close cannot empty the cache just before this key is
	// put into it.
	err = v.read(func(*keys) error { v.pins.put(k.ID, key); return nil })
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

func (c *sealKeyCache) ids() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.order)
}

func (c *sealKeyCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.keys)
	c.order = nil
}
