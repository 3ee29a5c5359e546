package keeper

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma/internal/split"
)

// Custodian is where keepers' identities and share keys are kept: in keeper.json, where
// a nil one is given, or in a device.
type Custodian interface {
	// Make makes the identity of a keeper.
	Make(id ID) (Custody, error)
	// Find finds an identity again by what its Save gave.
	Find(saved []byte) (Custody, error)
}

// DeviceMark begins what is saved, and what is shown, of an identity whose share keys are
// in a device.
const DeviceMark = "liuma-token-identity/1\n"

// Errors of custody.
var (
	// ErrMixed: of the members of a key set, some have their share keys in tokens and
	// some in files. Each share key is held by several of them, so that a copy in a
	// file would make the token of another one worth nothing.
	ErrMixed = errors.New("keeper: share keys in tokens and in files do not go together in one key set")
	// ErrKept: a share key in use does not leave its token, not for another keeper either.
	ErrKept = errors.New("keeper: the share keys are in a token, which does not give them away")
	// ErrElsewhere: keeper.json is of another custody than the one that was named.
	ErrElsewhere = errors.New("keeper: keeper.json and host.json do not agree on where the share keys are")
)

// Slot is the place of a share key: its key set and subset.
type Slot struct {
	KeySet uint32
	Subset split.Subset
}

// Custody is where a keeper's identity and share keys are: in this process's
// memory and in keeper.json, or in a device that keeps them to itself. Whoever
// works with share keys otherwise only names them, so that a device takes the
// place of memory by this interface alone.
type Custody interface {
	// Public is the identity, to which other members seal share keys.
	Public() []byte
	// Check is an error for an identity of another member to which no share key can
	// be sealed here.
	Check(public []byte) error
	// Generate makes a share key. A key of its slot that was never locked gives way.
	Generate(Slot) (HeldKey, error)
	// Open takes in a share key that was sealed to the identity, with the text that it
	// is bound to. A key of its slot that was never locked gives way.
	Open(sealed, info []byte, to Slot) (HeldKey, error)
	// Load finds a share key again by what its Save gave.
	Load(saved []byte) (HeldKey, error)
	// Save is what keeper.json keeps of the identity. The caller wipes it.
	Save() ([]byte, error)
	// Gives reports whether share keys that are in use can be sealed to others.
	Gives() bool
}

// HeldKey is one share key in custody.
type HeldKey interface {
	split.ShareMAC
	// Seal seals the key to a member's identity, bound to a text.
	Seal(to, info []byte) ([]byte, error)
	// Save is what keeper.json keeps of the key: the key, or its name in a device. The
	// caller wipes it.
	Save() ([]byte, error)
	// Lock ends that a device seals the key to anybody. It is done before the key is
	// taken into use, and may be repeated.
	Lock() error
	// Check is an error for a key that was not locked, or is another one in its place.
	Check() error
	// Drop destroys a key that is not taken into use.
	Drop() error
	// Wipe ends the use of the key by this process.
	Wipe()
}

// Stored traffic may be read many years later, while share keys are still in
// use. So they are sealed with the hybrid of ML-KEM-768 and X25519.
func identityKEM() hpke.KEM { return hpke.MLKEM768X25519() }
func offerKDF() hpke.KDF    { return hpke.HKDFSHA256() }
func offerAEAD() hpke.AEAD  { return hpke.AES256GCM() }

// Identity is the key pair to which other members seal.
type Identity struct{ private hpke.PrivateKey }

// NewIdentity makes one.
func NewIdentity() (Identity, error) {
	private, err := identityKEM().GenerateKey()
	if err != nil {
		return Identity{}, fmt.Errorf("keeper: make identity: %w", err)
	}
	return Identity{private}, nil
}

// LoadIdentity reads what Save gave.
func LoadIdentity(saved []byte) (Identity, error) {
	private, err := identityKEM().NewPrivateKey(saved)
	if err != nil {
		return Identity{}, ErrFile // the cause could quote the key
	}
	return Identity{private}, nil
}

// Public is what others seal to.
func (i Identity) Public() []byte { return i.private.PublicKey().Bytes() }

// Save is the private key. The caller wipes it.
func (i Identity) Save() ([]byte, error) { return i.private.Bytes() }

// Unseal opens what was sealed to the identity, bound to a text.
func (i Identity) Unseal(sealed, info []byte) ([]byte, error) {
	return hpke.Open(i.private, offerKDF(), offerAEAD(), info, sealed)
}

// CheckIdentity is an error for what is no public half of an identity.
func CheckIdentity(public []byte) error {
	_, err := identityKEM().NewPublicKey(public)
	return err
}

// SealTo seals to an identity, bound to a text.
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

// orMemory is c, or the custodian of who names none.
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

// memoryKey is a share key in memory. It prints redacted, as what it embeds.
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

// Lock, Check and Drop have nothing to do: the key is where its bytes are.
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
