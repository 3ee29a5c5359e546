package admin

import (
	"context"
	"errors"
	"slices"

	"github.com/liuma-pin/liuma/internal/vault"
)

// ErrKeyInUse says that a running server signs with the key.
var ErrKeyInUse = errors.New("the running server may still sign with this key, or did a moment ago: it goes on with it until it is started again, and for ten minutes more, so that clients have the new one; drop it a quarter of an hour after that start")

// ErrLastDigestKey says that without the key no further digest could be made: the next
// digest is made only after the last one was checked with it.
var ErrLastDigestKey = errors.New("the last digest of the record is signed with this key, and without it no other could follow; make one with the key that signs now, 'liuma audit digest', then drop this one")

// RotatedKey is the answer to a rotation: the new signing key.
type RotatedKey struct {
	KID string `json:"kid"`
	// Restart says that a running server does not know the key yet.
	Restart bool `json:"restart"`
	// Follows says that the key will sign once all authorities on the database have
	// published it for ten minutes.
	Follows bool `json:"follows,omitempty"`
}

// DroppedKey is the answer to dropping a key.
type DroppedKey struct {
	// Published says that a running server publishes the key until it is started
	// again.
	Published bool `json:"published"`
}

// RotateSigningKey makes the prepared key, or else a new one, the signing key from the next
// start of a server on; the key before it stays published. The key file is not part of the
// database, so the audit record has no entry of it.
func (a *Admin) RotateSigningKey(ctx context.Context) (RotatedKey, error) {
	shared, err := a.c.Keyring.Shared(ctx)
	if err != nil {
		return RotatedKey{}, err
	}
	if shared {
		kid, err := a.c.Keyring.NewSigningKey(ctx, ActorOf(ctx))
		return RotatedKey{KID: kid, Follows: a.c.Server != nil}, err
	}
	key, err := a.c.Vault.KeyFile().RotateSigningKey(a.c.Clock.Now())
	return RotatedKey{KID: key.ID, Restart: err == nil && a.c.Server != nil}, err
}

// DropSigningKey destroys a key that nothing signs with. The key file knows the key that
// will sign from the next start on, and the vault the key that signs now. Digests that are
// made meanwhile need no lock here, since they are signed with the vault's key, which
// cannot be dropped.
func (a *Admin) DropSigningKey(ctx context.Context, kid string) (DroppedKey, error) {
	serving := a.c.Server != nil
	if serving && a.c.Vault.SignedLately(kid) {
		return DroppedKey{}, ErrKeyInUse
	}
	keys, err := a.c.Vault.KeyFile().SigningKeys()
	if err != nil {
		return DroppedKey{}, err
	}
	// If the key signs, or is not there, the key file returns the error.
	if slices.ContainsFunc(keys, func(k vault.SigningKey) bool { return k.ID == kid && k.State != vault.KeySigning }) {
		needs, err := a.c.Record.Needs(ctx, kid)
		if err != nil {
			return DroppedKey{}, err
		}
		if needs {
			return DroppedKey{}, ErrLastDigestKey
		}
	}
	shared, err := a.c.Keyring.Shared(ctx)
	switch {
	case err != nil:
	case shared:
		err = a.c.Keyring.DropSigningKey(ctx, ActorOf(ctx), kid)
	default:
		err = a.c.Vault.KeyFile().DropSigningKey(kid)
	}
	if err != nil {
		return DroppedKey{}, err
	}
	return DroppedKey{Published: serving && slices.Contains(a.publishes(), kid)}, nil
}

// publishes lists the kids that the vault publishes, oldest first.
func (a *Admin) publishes() []string {
	var out []string
	for _, k := range a.c.Vault.ReceiptKeys().Keys {
		out = append(out, k.KeyID)
	}
	return out
}

// otherKeys reports whether the key file differs from the vault's keys: in its signing
// keys, or in the root key that seals.
func (a *Admin) otherKeys() (bool, error) {
	keys, err := a.c.Vault.KeyFile().SigningKeys()
	if err != nil {
		return false, err
	}
	var there []string
	for _, k := range keys {
		if k.State == vault.KeySigning && k.ID != a.c.Vault.SignsWith() {
			return true, nil
		}
		there = append(there, k.ID)
	}
	roots, err := a.c.Vault.KeyFile().RootKeys()
	if err != nil {
		return false, err
	}
	return !slices.Equal(there, a.publishes()) || sealing(roots).ID != a.c.Vault.SealsWith(), nil
}

// sealing is the root key that seals.
func sealing(keys []vault.RootKey) vault.RootKey {
	i := slices.IndexFunc(keys, func(k vault.RootKey) bool { return k.Seals })
	return keys[i] // each key file has one
}
