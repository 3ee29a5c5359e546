package vault

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"
)

// firstKey is the id of the first root key. Ids rise and are never used again.
const firstKey uint32 = 1

// Errors of changing the root keys.
var (
	ErrRootKeys  = fmt.Errorf("vault: a key file holds at most %d root keys; drop an old one first", maxRootKeys)
	ErrRootSeals = errors.New("vault: this root key seals; rotate first, and drop it when nothing is sealed under it any more")
	ErrNoRootKey = errors.New("vault: no such root key")
	// ErrOtherVault means that a key file belongs to another vault than the open one.
	ErrOtherVault = errors.New("vault: the key file is another vault's")
)

// RootKey describes a root key; it holds nothing secret.
type RootKey struct {
	ID    uint32
	Seals bool // it seals; the other keys only open what they sealed
	Next  bool // it does not seal yet: first all authorities on the database must have it
	Made  time.Time
	Until time.Time // when the next key took over; zero for the key that seals
}

// RootKeys lists the root keys of a key file, oldest first.
func (f KeyFile) RootKeys() ([]RootKey, error) {
	raw, _, err := f.read()
	if err != nil {
		return nil, err
	}
	defer raw.wipe()
	return raw.listRoots(), nil
}

func (r *rawKeys) listRoots() []RootKey {
	out := make([]RootKey, len(r.roots))
	for i := range r.roots {
		out[i] = RootKey{ID: r.roots[i].id, Seals: i == r.seals, Next: i > r.seals, Made: time.Unix(r.roots[i].made, 0).UTC()}
		if i > 0 && i <= r.seals {
			out[i-1].Until = out[i].Made
		}
	}
	return out
}

// RotateRootKey adds a root key to the file, which seals from now on; earlier keys only
// open. An open vault takes the new key over with Reload. The index root and the
// signing keys do not change.
func (f KeyFile) RotateRootKey(now time.Time) (RootKey, error) {
	var made RootKey
	_, err := f.change(func(r *rawKeys) error {
		if err := r.addRoot(now); err != nil {
			return err
		}
		r.seals = len(r.roots) - 1
		made = r.listRoots()[r.seals]
		return nil
	})
	if err != nil {
		return RootKey{}, err
	}
	return made, nil
}

// addRoot makes a root key, which does not seal yet.
func (r *rawKeys) addRoot(now time.Time) error {
	if len(r.roots) >= maxRootKeys {
		return ErrRootKeys
	}
	if r.seals != len(r.roots)-1 {
		return ErrKeyPrepared
	}
	grown := make([]rawRootKey, len(r.roots)+1)
	copy(grown, r.roots)
	clear(r.roots) // append would have left a copy of the secrets
	r.roots = grown
	fresh := &grown[len(grown)-1]
	fresh.id, fresh.made = grown[len(grown)-2].id+1, now.Unix()
	rand.Read(fresh.root[:])
	return nil
}

// DropRootKey destroys an old root key: nobody can open any more what is still sealed
// under it. The caller has checked that nothing is.
func (f KeyFile) DropRootKey(id uint32) error {
	_, err := f.change(func(r *rawKeys) error { return r.dropRoot(id) })
	return err
}

// dropRoot removes an older root key. The newest key stays, so that no id is used twice.
func (r *rawKeys) dropRoot(id uint32) error {
	last := len(r.roots) - 1
	if r.roots[r.seals].id == id || r.roots[last].id == id {
		return ErrRootSeals
	}
	for i := range last {
		if r.roots[i].id != id {
			continue
		}
		copy(r.roots[i:], r.roots[i+1:])
		clear(r.roots[last:])
		r.roots = r.roots[:last]
		if i < r.seals {
			r.seals--
		}
		return nil
	}
	return ErrNoRootKey
}

// Reload takes over the root keys from the vault's file, after a rotation or a drop.
// After it has returned, the vault seals with the root key that the file names for
// sealing. The signing keys stay the ones that Open read. It refuses another vault's
// file, and then changes nothing.
func (v *Vault) Reload() error {
	raw, _, err := v.file.read()
	if err != nil {
		return err
	}
	defer raw.wipe()
	return v.reload(raw)
}

func (v *Vault) reload(raw *rawKeys) error {
	fresh, err := deriveKeys(raw)
	if err != nil {
		return fmt.Errorf("vault: derive keys: %w", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil {
		fresh.wipe()
		return ErrClosed
	}
	if subtle.ConstantTimeCompare(v.keys.lookup, fresh.lookup) != 1 {
		fresh.wipe()
		return ErrOtherVault
	}
	v.keys.wipe()
	v.keys = fresh
	return nil
}

// OpensWith lists the ids of the older root keys, which only open; none after Close.
func (v *Vault) OpensWith() (ids []uint32) {
	_ = v.read(func(k *keys) error { // after Close there is none
		for id := range k.roots {
			if id < k.seals { // a higher key does not seal yet
				ids = append(ids, id)
			}
		}
		return nil
	})
	slices.Sort(ids)
	return ids
}

// SealsWith returns the id of the root key that seals; zero after Close.
func (v *Vault) SealsWith() (id uint32) {
	if v.read(func(k *keys) error { id = k.seals; return nil }) != nil {
		return 0
	}
	return id
}
