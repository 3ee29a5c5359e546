package keeper

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma/internal/split"
)

// Custodian stores keepers' identities and share keys: in a device or, if the Custodian
// is nil, in keeper.json.
type Custodian interface {
	// Make makes the identity of a keeper.
	Make(id ID) (Custody, error)
	// Find finds an identity again by the value that Custody.Save returned.
	Find(saved []byte) (Custody, error)
}

// DeviceMark is the first line of the saved and the shown form of an identity whose share
// keys are in a device.
const DeviceMark = "liuma-token-identity/1\n"

// Errors of custody.
var (
	// ErrMixed: some members of a key set keep their share keys in tokens and some in
	// files. Several members hold each share key, so a copy in a file would make
	// another member's token worthless.
	ErrMixed = errors.New("keeper: share keys in tokens and in files do not go together in one key set")
	// ErrKept: a share key in use does not leave its token, not even for another keeper.
	ErrKept = errors.New("keeper: the share keys are in a token, which does not give them away")
	// ErrElsewhere: keeper.json was made with another kind of custody than the
	// configured one.
	ErrElsewhere = errors.New("keeper: keeper.json and host.json do not agree on where the share keys are")
)

// Slot is the place of a share key: its key set and subset.
type Slot struct {
	KeySet uint32
	Subset split.Subset
}

// Custody holds a keeper's identity and share keys: in this process's memory and in
// keeper.json, or in a device that does not give them out. All other code refers to
// share keys by this interface only, so a device can take the place of memory.
type Custody interface {
	// Public returns the public half of the identity. Other members seal share keys to
	// it.
	Public() []byte
	// Check returns an error if no share key can be sealed to this identity of another
	// member.
	Check(public []byte) error
	// Generate makes a share key. It replaces a key of the same slot that was never
	// locked.
	Generate(Slot) (HeldKey, error)
	// Open takes in a share key that was sealed to the identity and bound to the text
	// info. It replaces a key of the same slot that was never locked.
	Open(sealed, info []byte, to Slot) (HeldKey, error)
	// Load finds a share key again by the value that HeldKey.Save returned.
	Load(saved []byte) (HeldKey, error)
	// Save returns the form of the identity that keeper.json stores. The caller wipes
	// it.
	Save() ([]byte, error)
	// Gives reports whether share keys that are in use can be sealed to other members.
	Gives() bool
	// BeginReceiving returns the custody to use in a ceremony: share keys can be sealed to
	// its public half, and it can open them. It may differ from this one, and must then be
	// saved. It may be repeated.
	BeginReceiving() (Custody, error)
	// EndReceiving makes sure that nothing that was sealed to the identity so far is ever
	// opened again, if the share keys are in a device. It may be repeated.
	EndReceiving() error
}

// HeldKey is one share key in custody.
type HeldKey interface {
	split.ShareMAC
	// Seal seals the key to a member's identity, bound to the text info.
	Seal(to, info []byte) ([]byte, error)
	// Save returns the form of the key that keeper.json stores: the key itself, or its
	// name in a device. The caller wipes it.
	Save() ([]byte, error)
	// Lock makes a device refuse from now on to seal the key to anybody. It is called
	// before the key is used, and may be repeated.
	Lock() error
	// Check returns an error if the key was not locked, or if another key is in its
	// place.
	Check() error
	// Drop destroys a key that will not be used.
	Drop() error
	// Wipe ends this process's use of the key.
	Wipe()
}

// Stored traffic may be read many years later, while share keys are still in
// use. So they are sealed with the hybrid of ML-KEM-768 and X25519.
func identityKEM() hpke.KEM { return hpke.MLKEM768X25519() }
func offerKDF() hpke.KDF    { return hpke.HKDFSHA256() }
func offerAEAD() hpke.AEAD  { return hpke.AES256GCM() }

// Identity is the key pair to which other members seal.
type Identity struct{ private hpke.PrivateKey }

// NewIdentity makes a new key pair.
func NewIdentity() (Identity, error) {
	private, err := identityKEM().GenerateKey()
	if err != nil {
		return Identity{}, fmt.Errorf("keeper: make identity: %w", err)
	}
	return Identity{private}, nil
}

// LoadIdentity reads the value that Save returned.
func LoadIdentity(saved []byte) (Identity, error) {
	private, err := identityKEM().NewPrivateKey(saved)
	if err != nil {
		return Identity{}, ErrFile // the cause could quote the key
	}
	return Identity{private}, nil
}

// Public returns the public key that others seal to.
func (i Identity) Public() []byte { return i.private.PublicKey().Bytes() }

// Save returns the private key. The caller wipes it.
func (i Identity) Save() ([]byte, error) {
	seed, err := i.private.Bytes() // not a copy: wiped, the identity would be another one
	return bytes.Clone(seed), err
}

// Unseal opens a secret that was sealed to the identity and bound to the text info.
func (i Identity) Unseal(sealed, info []byte) ([]byte, error) {
	return hpke.Open(i.private, offerKDF(), offerAEAD(), info, sealed)
}

// CheckIdentity returns an error if public is not the public half of an identity.
func CheckIdentity(public []byte) error {
	_, err := identityKEM().NewPublicKey(public)
	return err
}

// SealTo seals a secret to an identity, bound to the text info.
func SealTo(public, info, secret []byte) ([]byte, error) {
	to, err := identityKEM().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	return hpke.Seal(to, offerKDF(), offerAEAD(), info, secret)
}

// inMemory is the custodian of keepers whose keys are in keeper.json.
type inMemory struct{}

func (inMemory) Make(ID) (Custody, error) { return newMemory() }

func (inMemory) Find(saved []byte) (Custody, error) {
	if bytes.HasPrefix(saved, []byte(DeviceMark)) {
		return nil, ErrElsewhere
	}
	return loadMemory(saved)
}

// orMemory returns c, or the in-memory custodian if c is nil.
func orMemory(c Custodian) Custodian {
	if c == nil {
		return inMemory{}
	}
	return c
}

// memory is the custody of a process that holds the keys itself.
type memory struct{ Identity }

// newMemory makes an identity.
func newMemory() (memory, error) {
	identity, err := NewIdentity()
	return memory{identity}, err
}

// loadMemory reads an identity from keeper.json.
func loadMemory(saved []byte) (memory, error) {
	identity, err := LoadIdentity(saved)
	return memory{identity}, err
}

func (memory) Check(public []byte) error {
	if bytes.HasPrefix(public, []byte(DeviceMark)) {
		return ErrMixed
	}
	return CheckIdentity(public)
}

func (memory) Generate(Slot) (HeldKey, error) { return memoryKey{split.NewShareKey()}, nil }

func (m memory) Open(sealed, info []byte, _ Slot) (HeldKey, error) {
	key, err := m.Unseal(sealed, info)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return m.Load(key)
}

func (memory) Load(saved []byte) (HeldKey, error) {
	k, err := split.ParseShareKey(saved)
	if err != nil {
		return nil, err
	}
	return memoryKey{k}, nil
}

func (memory) Gives() bool { return true }

func (m memory) BeginReceiving() (Custody, error) { return m, nil }

// EndReceiving has nothing to do: who reads the identity in keeper.json reads the share
// keys beside it.
func (memory) EndReceiving() error { return nil }

// memoryKey is a share key in memory. It prints redacted, like the split.ShareKey in
// it.
type memoryKey struct{ split.ShareKey }

func (k memoryKey) Seal(to, info []byte) (sealed []byte, err error) {
	if bytes.HasPrefix(to, []byte(DeviceMark)) {
		return nil, ErrMixed
	}
	err = k.Use(func(key []byte) (err error) {
		sealed, err = SealTo(to, info, key)
		return err
	})
	return sealed, err
}

// Lock, Check and Drop do nothing: a key in memory has no protection to change.
func (memoryKey) Lock() error  { return nil }
func (memoryKey) Check() error { return nil }
func (memoryKey) Drop() error  { return nil }

func (k memoryKey) Save() (saved []byte, err error) {
	err = k.Use(func(key []byte) error {
		saved = bytes.Clone(key)
		return nil
	})
	return saved, err
}
