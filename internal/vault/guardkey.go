package vault

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// GuardKey is the key with which guessed values are counted in one epoch of a
// span of time (package guard). Every authority with this key file gets the same
// key, so that their counts can be added up. A rotation of the root key does not
// change it.
func (v *Vault) GuardKey(span string, epoch int64) (key [32]byte, err error) {
	err = v.read(func(k *keys) error {
		b, err := hkdf.Key(sha256.New, k.guard, nil, fmt.Sprintf("guard/%s/%d", span, epoch), len(key))
		copy(key[:], b)
		clear(b)
		return err
	})
	if err != nil {
		return [32]byte{}, fmt.Errorf("vault: guard key: %w", err)
	}
	return key, nil
}
