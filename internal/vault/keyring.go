package vault

import (
	"crypto/hmac"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/token"
)

// Keyring holds the keys that all authorities on one database share: the root keys and
// the signing keys, and which of them are in use. The index root is not part of it,
// because it never changes. The caller wipes it.
type Keyring struct{ raw *rawKeys }

// Errors of keyrings.
var (
	// ErrKeyring means that a value is no keyring, or does not open for this authority.
	ErrKeyring = errors.New("vault: the keys that were handed over do not open here")
	// ErrTokenKey means that a signing key is in a token, and this authority's token
	// cannot sign with it.
	ErrTokenKey = errors.New("vault: the new signing key is in a token, which lets no key out, and the token of this authority does not have it: use one network HSM for all, or none")
	// ErrNothingNext means that there is no next key to use.
	ErrNothingNext = errors.New("vault: there is no next key")
)

const (
	keyringVersion = 1
	keyringLabel   = "liuma/1/vault/keyring"
)

// KeyringStep changes a keyring; see KeyFile.Plan.
type KeyringStep func(KeyFile, *rawKeys) error

// NextRoot adds a root key that does not seal yet.
func NextRoot(now time.Time) KeyringStep {
	return func(_ KeyFile, r *rawKeys) error { return r.addRoot(now) }
}

// UseRoot makes the newest root key seal.
func UseRoot() KeyringStep {
	return func(_ KeyFile, r *rawKeys) error {
		if r.seals == len(r.roots)-1 {
			return ErrNothingNext
		}
		r.seals = len(r.roots) - 1
		return nil
	}
}

// DropRoot removes an older root key.
func DropRoot(id uint32) KeyringStep {
	return func(_ KeyFile, r *rawKeys) error { return r.dropRoot(id) }
}

// NextSigning adds a signing key that does not sign yet, unless one is prepared.
func NextSigning(now time.Time) KeyringStep {
	return func(f KeyFile, r *rawKeys) error {
		if r.signs != len(r.signing)-1 {
			return nil
		}
		return f.add(r, now)
	}
}

// UseSigning makes the next signing key sign.
func UseSigning() KeyringStep {
	return func(_ KeyFile, r *rawKeys) error {
		if r.signs == len(r.signing)-1 {
			return ErrNothingNext
		}
		r.signs++
		return nil
	}
}

// DropSigning removes a signing key that is not in use.
func DropSigning(kid string) KeyringStep {
	return func(_ KeyFile, r *rawKeys) error { return r.dropSigning(kid) }
}

// Keyring reads the keyring of a key file.
func (f KeyFile) Keyring() (*Keyring, error) { return f.Plan() }

// Plan returns the keyring of a key file after some steps. The file does not change: the
// keyring is first given to all authorities, and then put into each one's file (Put). A
// signing key that a step made in the token stays there, unless Discard destroys it.
func (f KeyFile) Plan(steps ...KeyringStep) (*Keyring, error) {
	raw, _, err := f.read()
	if err != nil {
		return nil, err
	}
	clear(raw.index[:])
	k := &Keyring{raw: raw}
	for _, step := range steps {
		if err := step(f, raw); err != nil {
			return nil, errors.Join(err, k.Discard(f))
		}
	}
	return k, nil
}

// Discard wipes a keyring that was not given to others, and destroys the keys that Plan
// made in the token for it.
func (k *Keyring) Discard(f KeyFile) error {
	err := f.destroy(k.raw.made)
	k.Wipe()
	return err
}

// Wipe overwrites the keys.
func (k *Keyring) Wipe() { k.raw.wipe() }

// RootKeys lists the root keys, oldest first.
func (k *Keyring) RootKeys() []RootKey { return k.raw.listRoots() }

// SigningKeys lists the signing keys, oldest first.
func (k *Keyring) SigningKeys() ([]SigningKey, error) { return k.raw.list() }

// encode writes the keyring; the caller wipes it.
func (k *Keyring) encode() []byte {
	size := 3 + maxRootKeys*rootKeySize + 3 + maxSigningKeys*sealedKeySize
	next := byte(0)
	if k.raw.seals < len(k.raw.roots)-1 {
		next = 1
	}
	content := append(make([]byte, 0, size), keyringVersion, next)
	return k.raw.appendSealedSigning(k.raw.appendRootKeys(content))
}

func parseKeyring(content []byte) (*Keyring, error) {
	if len(content) < 2 || content[0] != keyringVersion || content[1] > 1 {
		return nil, ErrKeyring
	}
	raw := new(rawKeys)
	rest, ok := raw.parseRootKeys(content[2:], content[1] == 1)
	if !ok || !raw.parseSealedSigning(rest) {
		raw.wipe()
		return nil, ErrKeyring
	}
	return &Keyring{raw: raw}, nil
}

// KeyringDigest is equal for equal keyrings. It is keyed, and reveals nothing else.
func (v *Vault) KeyringDigest(k *Keyring) (digest [32]byte, err error) {
	content := k.encode()
	defer clear(content)
	err = v.read(func(keys *keys) error {
		mac := hmac.New(sha256.New, keys.steady)
		mac.Write(appendField(appendField(nil, []byte(keyringLabel)), content))
		mac.Sum(digest[:0])
		return nil
	})
	return digest, err
}

// keyringInfo binds a sealed keyring to its sender, its receiver, the edition and the
// keyring itself.
func keyringInfo(from, to Identity, edition uint64, digest [32]byte) []byte {
	info := appendField(nil, []byte(keyringLabel))
	one, two := from.Fingerprint(), to.Fingerprint()
	info = appendField(appendField(info, one[:]), two[:])
	info = appendField(info, binary.BigEndian.AppendUint64(nil, edition))
	return appendField(info, digest[:])
}

// GiveKeyring seals a keyring to another authority.
func (v *Vault) GiveKeyring(k *Keyring, from *IdentityKey, to Identity, edition uint64) ([]byte, error) {
	digest, err := v.KeyringDigest(k)
	if err != nil {
		return nil, err
	}
	public, err := wrapKEM().NewPublicKey(to.Opens)
	if err != nil {
		return nil, ErrIdentityForm
	}
	content := k.encode()
	defer clear(content)
	sealed, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.AES256GCM(), keyringInfo(from.Identity, to, edition, digest), content)
	if err != nil {
		return nil, fmt.Errorf("vault: give keyring: %w", err)
	}
	return sealed, nil
}

// TakeKeyring opens a keyring that GiveKeyring sealed for this authority. It must have
// that edition and that digest; otherwise the error is ErrKeyring.
func (v *Vault) TakeKeyring(me *IdentityKey, from Identity, edition uint64, digest [32]byte, sealed []byte) (*Keyring, error) {
	content, err := hpke.Open(me.opens, hpke.HKDFSHA256(), hpke.AES256GCM(), keyringInfo(from, me.Identity, edition, digest), sealed)
	if err != nil {
		return nil, ErrKeyring
	}
	defer clear(content)
	k, err := parseKeyring(content)
	if err != nil {
		return nil, err
	}
	switch is, err := v.KeyringDigest(k); {
	case err != nil:
		k.Wipe()
		return nil, err
	case is != digest:
		k.Wipe()
		return nil, ErrKeyring
	}
	return k, nil
}

// Usable reports whether this authority can sign with the signing key in use and with
// the next one: ErrTokenKey if one is in a token that is not this authority's.
func (k *Keyring) Usable(f KeyFile) error {
	for i := k.raw.signs; i < len(k.raw.signing); i++ {
		in := k.raw.signing[i].inToken
		if !in.is() {
			continue
		}
		if f.Token == nil {
			return ErrTokenKey
		}
		there, err := f.holds(in)
		if err == nil && !there {
			err = ErrTokenKey
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Put replaces the keyring in the key file, in one rename (change). The index root and the
// tokens that the file is sealed to stay. A crash leaves the old keyring or this one.
func (f KeyFile) Put(k *Keyring) error {
	_, err := f.change(func(r *rawKeys) error {
		for _, was := range r.signing {
			gone := was.inToken
			if gone.is() && !slices.ContainsFunc(k.raw.signing, func(s rawSigningKey) bool { return s.inToken == gone }) {
				r.gone = append(r.gone, gone.name())
			}
		}
		clear(r.roots)
		clear(r.signing)
		r.roots, r.seals = slices.Clone(k.raw.roots), k.raw.seals
		r.signing, r.signs = slices.Clone(k.raw.signing), k.raw.signs
		if len(r.to) > 0 {
			return nil
		}
		if slices.ContainsFunc(r.signing, func(s rawSigningKey) bool { return s.inToken.is() }) {
			return ErrTokenKey // a file that is not sealed cannot store it
		}
		return nil
	})
	if errors.Is(err, token.ErrNoKey) {
		err = nil // another authority with the same token destroyed it
	}
	return err
}

// Adopt takes over the key file as Put left it, including signing keys: from then on
// the vault signs and publishes with it. It remembers the old signing key for
// SignedLately.
func (v *Vault) Adopt() error {
	raw, _, err := v.file.read()
	if err != nil {
		return err
	}
	defer raw.wipe()
	signing, err := newSigningKeys(raw, v.file.Token)
	if err != nil {
		return fmt.Errorf("vault: signing key: %w", err)
	}
	if err := v.reload(raw); err != nil {
		return err
	}
	was, now := v.signing.Swap(&signing), v.publishedFor()
	v.mu.Lock()
	defer v.mu.Unlock()
	if was.signs != signing.signs && v.published != nil {
		v.signed[was.signs] = now
	}
	return nil
}

// HasRoots reports whether the open vault has the same root keys as a keyring, and seals
// with the same key.
func (v *Vault) HasRoots(k *Keyring) (has bool) {
	_ = v.read(func(keys *keys) error { // after Close it has none
		has = len(keys.roots) == len(k.raw.roots) && keys.seals == k.raw.roots[k.raw.seals].id
		for i := range k.raw.roots {
			has = has && keys.roots[k.raw.roots[i].id] != nil
		}
		return nil
	})
	return has
}
