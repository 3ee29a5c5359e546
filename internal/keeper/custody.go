package keeper

import (
	"bytes"
	"crypto/hpke"
	"fmt"

	"github.com/liuma-pin/liuma/internal/split"
)

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
	// Generate makes a share key.
	Generate() (HeldKey, error)
	// Open takes in a share key that was sealed to the identity, with the text that it
	// is bound to.
	Open(sealed, info []byte) (HeldKey, error)
	// Load finds a share key again by what its Save gave.
	Load(saved []byte) (HeldKey, error)
	// Save is what keeper.json keeps of the identity. The caller wipes it.
	Save() ([]byte, error)
}

// HeldKey is one share key in custody.
type HeldKey interface {
	split.ShareMAC
	// Seal seals the key to a member's identity, bound to a text.
	Seal(to, info []byte) ([]byte, error)
	// Save is what keeper.json keeps of the key: the key, or its name in a device. The
	// caller wipes it.
	Save() ([]byte, error)
	// Wipe ends the use of the key by this process.
	Wipe()
}

// Stored traffic may be read many years later, while share keys are still in
// use. So they are sealed with the hybrid of ML-KEM-768 and X25519.
func identityKEM() hpke.KEM { return hpke.MLKEM768X25519() }
func offerKDF() hpke.KDF    { return hpke.HKDFSHA256() }
func offerAEAD() hpke.AEAD  { return hpke.AES256GCM() }

// memory is the custody of a process that holds the keys itself.
type memory struct{ identity hpke.PrivateKey }

// newMemory makes an identity.
func newMemory() (memory, error) {
	identity, err := identityKEM().GenerateKey()
	if err != nil {
		return memory{}, fmt.Errorf("keeper: make identity: %w", err)
	}
	return memory{identity}, nil
}

// loadMemory reads an identity from keeper.json.
func loadMemory(saved []byte) (memory, error) {
	identity, err := identityKEM().NewPrivateKey(saved)
	if err != nil {
		return memory{}, ErrFile // the cause could quote the key
	}
	return memory{identity}, nil
}

func (m memory) Public() []byte { return m.identity.PublicKey().Bytes() }

func (memory) Check(public []byte) error {
	_, err := identityKEM().NewPublicKey(public)
	return err
}

func (memory) Generate() (HeldKey, error) { return memoryKey{split.NewShareKey()}, nil }

func (m memory) Open(sealed, info []byte) (HeldKey, error) {
	key, err := hpke.Open(m.identity, offerKDF(), offerAEAD(), info, sealed)
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

func (m memory) Save() ([]byte, error) { return m.identity.Bytes() }

// memoryKey is a share key in memory. It prints redacted, as what it embeds.
type memoryKey struct{ split.ShareKey }

func (k memoryKey) Seal(to, info []byte) (sealed []byte, err error) {
	public, err := identityKEM().NewPublicKey(to)
	if err != nil {
		return nil, err
	}
	err = k.Use(func(key []byte) (err error) {
		sealed, err = hpke.Seal(public, offerKDF(), offerAEAD(), info, key)
		return err
	})
	return sealed, err
}

func (k memoryKey) Save() (saved []byte, err error) {
	err = k.Use(func(key []byte) error {
		saved = bytes.Clone(key)
		return nil
	})
	return saved, err
}
