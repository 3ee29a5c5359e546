package vault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/liuma-pin/liuma/internal/written"
)

// IdentityFile is the name of the file of an authority's identity, beside the key file.
const IdentityFile = "identity.key"

// An authority's identity is two key pairs of P-256: one opens what other authorities send
// to it, the other signs what it sends to them. It belongs to one authority, by its name,
// is made there, and never leaves the directory. The file has: magic, version, nonce, and
// both scalars and the name under XChaCha20-Poly1305 with a key of the vault.
const (
	identityMagic   = "liuma-identity"
	identityVersion = 1
	identityHeader  = len(identityMagic) + 1
	identityScalars = 2 * scalarSize
	maxIdentity     = 512
	identityLabel   = "liuma/1/vault/identity"
)

// Errors of identities.
var (
	// ErrNoIdentity means that there is no identity of that name here.
	ErrNoIdentity = errors.New("vault: this authority has no identity yet; it makes one when it serves")
	// ErrIdentity means that the identity's file is damaged, or another vault's.
	ErrIdentity = errors.New("vault: the file of the identity is damaged, or is another vault's; delete it, start the authority, and have its new identity confirmed")
	// ErrIdentityForm means that a value is not the public half of an identity.
	ErrIdentityForm = errors.New("vault: not the public half of an identity")
)

// Identity is the public half, which the other authorities know.
type Identity struct {
	Name  string
	Opens []byte // uncompressed points
	Signs []byte
}

// Fingerprint identifies an identity. People read it aloud to compare it.
type Fingerprint = written.Fingerprint

// Fingerprint covers name and both keys.
func (i Identity) Fingerprint() Fingerprint {
	return signedDigest(identityLabel, [][]byte{[]byte(i.Name), i.Opens, i.Signs})
}

// IdentityKey is an identity with its private halves.
type IdentityKey struct {
	Identity
	opens hpke.PrivateKey
	signs *ecdsa.PrivateKey
}

// IdentityKey reads an authority's identity. It returns ErrNoIdentity if there is none
// of that name; for example, a file in a copied directory has another name.
func (v *Vault) IdentityKey(name string) (*IdentityKey, error) {
	content, _, err := readPrivate(v.identityPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoIdentity
	}
	if errors.Is(err, ErrKeyFileFormat) {
		return nil, ErrIdentity
	}
	if err != nil {
		return nil, fmt.Errorf("vault: identity: %w", err)
	}
	k, err := v.openIdentity(content)
	if err == nil && k.Name != name {
		return nil, ErrNoIdentity
	}
	return k, err
}

// MakeIdentityKey reads the identity, or makes one if there is none. A crash leaves no
// identity, or the new one.
func (v *Vault) MakeIdentityKey(name string) (*IdentityKey, error) {
	k, err := v.IdentityKey(name)
	if !errors.Is(err, ErrNoIdentity) {
		return k, err
	}
	scalars := make([]byte, 0, identityScalars)
	defer func() { clear(scalars[:cap(scalars)]) }()
	opens, err := wrapKEM().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("vault: make identity: %w", err)
	}
	signs, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("vault: make identity: %w", err)
	}
	one, err1 := opens.Bytes()
	two, err2 := signs.Bytes()
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("vault: make identity: %w", err)
	}
	scalars = append(append(scalars, one...), two...)
	clear(one)
	clear(two)
	if k, err = newIdentityKey(name, scalars); err != nil {
		return nil, err
	}
	return k, v.writeIdentity(name, scalars)
}

func newIdentityKey(name string, scalars []byte) (*IdentityKey, error) {
	opens, err := wrapKEM().NewPrivateKey(scalars[:scalarSize])
	if err != nil {
		return nil, ErrIdentity
	}
	signs, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalars[scalarSize:identityScalars])
	if err != nil {
		return nil, ErrIdentity
	}
	point, err := signs.PublicKey.Bytes()
	if err != nil {
		return nil, ErrIdentity
	}
	return &IdentityKey{Identity: Identity{Name: name, Opens: opens.PublicKey().Bytes(), Signs: point}, opens: opens, signs: signs}, nil
}

func (v *Vault) identityPath() string { return filepath.Join(filepath.Dir(v.file.Path), IdentityFile) }

func (v *Vault) writeIdentity(name string, scalars []byte) error {
	content := append([]byte(identityMagic), identityVersion)
	err := v.read(func(keys *keys) error {
		aead, err := chacha20poly1305.NewX(keys.identity)
		if err != nil {
			return err
		}
		nonce := make([]byte, chacha20poly1305.NonceSizeX)
		rand.Read(nonce)
		plain := append(append(make([]byte, 0, identityScalars+len(name)), scalars...), name...)
		defer clear(plain)
		content = aead.Seal(append(content, nonce...), nonce, plain, []byte(identityLabel))
		return nil
	})
	if err != nil {
		return fmt.Errorf("vault: make identity: %w", err)
	}
	owner, err := os.Stat(v.file.Path)
	if err != nil {
		return fmt.Errorf("vault: make identity: %w", err)
	}
	fresh := v.identityPath() + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("vault: make identity: %w", err)
	}
	out, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("vault: make identity: %w", err)
	}
	if err := keepOwner(out, owner); err != nil {
		return errors.Join(fmt.Errorf("vault: make identity: %w", err), out.Close(), os.Remove(fresh))
	}
	if err := v.disk.write(out, content); err != nil {
		return errors.Join(fmt.Errorf("vault: make identity: %w", err), os.Remove(fresh))
	}
	if err := os.Rename(fresh, v.identityPath()); err != nil {
		return errors.Join(fmt.Errorf("vault: make identity: %w", err), os.Remove(fresh))
	}
	if err := v.disk.sync(filepath.Dir(fresh)); err != nil {
		return fmt.Errorf("vault: make identity: %w", err)
	}
	return nil
}

func (v *Vault) openIdentity(content []byte) (k *IdentityKey, err error) {
	least := identityHeader + chacha20poly1305.NonceSizeX + identityScalars + chacha20poly1305.Overhead
	if len(content) < least || len(content) > maxIdentity || string(content[:len(identityMagic)]) != identityMagic || content[len(identityMagic)] != identityVersion {
		return nil, ErrIdentity
	}
	err = v.read(func(keys *keys) error {
		aead, err := chacha20poly1305.NewX(keys.identity)
		if err != nil {
			return err
		}
		nonce := content[identityHeader : identityHeader+chacha20poly1305.NonceSizeX]
		plain, err := aead.Open(nil, nonce, content[identityHeader+len(nonce):], []byte(identityLabel))
		if err != nil {
			return ErrIdentity
		}
		defer clear(plain)
		k, err = newIdentityKey(string(plain[identityScalars:]), plain)
		return err
	})
	return k, err
}

// Sign signs fields under a label, for Verify.
func (k *IdentityKey) Sign(label string, fields ...[]byte) ([]byte, error) {
	digest := signedDigest(label, fields)
	signature, err := ecdsa.SignASN1(rand.Reader, k.signs, digest[:])
	if err != nil {
		return nil, fmt.Errorf("vault: sign: %w", err)
	}
	return signature, nil
}

// Verify reports whether the identity signed the fields under the label.
func (i Identity) Verify(label string, signature []byte, fields ...[]byte) bool {
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), i.Signs)
	if err != nil {
		return false
	}
	digest := signedDigest(label, fields)
	return ecdsa.VerifyASN1(public, digest[:], signature)
}

func signedDigest(label string, fields [][]byte) [sha256.Size]byte {
	text := appendField(nil, []byte(label))
	for _, f := range fields {
		text = appendField(text, f)
	}
	return sha256.Sum256(text)
}
