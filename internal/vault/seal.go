package vault

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/liuma-pin/liuma"
)

// Purpose is the kind of data that is sealed; each kind has its own key.
type Purpose string

// The purposes. Each comment ends with the id to which a value is bound.
const (
	CardFacts   Purpose = "card-facts"   // holder's facts in a card row of 0.1.0; card id
	PersonFacts Purpose = "person-facts" // facts in a registry row; blind index of the ID number
	SealKey     Purpose = "seal-key"     // private half of a seal key; its id
	// CeremonyDetails are the personal details of a hosted ceremony; its id.
	CeremonyDetails Purpose = "ceremony-details"
	// ContactPhone is a bound phone, and NoticePhone one that only gets notices; card id.
	// MessageText is a message until it is sent; its id. LetterText holds the parameters of a
	// letter until it is posted; its id.
	ContactPhone Purpose = "contact-phone"
	NoticePhone  Purpose = "notice-phone"
	MessageText  Purpose = "message-text"
	LetterText   Purpose = "letter-text"
)

// A sealed value begins with a version byte, the id of its root key (4 bytes,
// big endian) and a 24-byte random nonce. The cipher's tag covers version and id.
const (
	sealVersion = 2
	nonceStart  = 1 + idSize
	cipherStart = nonceStart + chacha20poly1305.NonceSizeX
)

// Errors of a sealed value that does not open.
var (
	// ErrUnseal means that a sealed value is damaged, or belongs to another row.
	ErrUnseal = errors.New("vault: sealed value does not open for this row")
	// ErrSealKey means that a sealed value names a root key that this vault does not
	// hold.
	ErrSealKey = errors.New("vault: sealed value names an unknown root key")
)

var errPurpose = errors.New("vault: unknown purpose")

// Seal encrypts plain for one purpose and one row, under the newest root key.
// The result is 45 bytes longer than plain.
//
// The cipher is XChaCha20-Poly1305: under one key AES-GCM allows about 2^32
// random nonces, and every import of a national registry takes 1.1 billion.
// With 192-bit nonces there is no such limit to watch.
func (v *Vault) Seal(purpose Purpose, id, plain []byte) ([]byte, error) {
	var sealed []byte
	err := v.read(func(k *keys) (err error) { sealed, err = k.sealValue(purpose, id, plain); return err })
	return sealed, err
}

// Unseal opens a value that Seal made for the same purpose and id; the caller wipes the
// result.
func (v *Vault) Unseal(purpose Purpose, id, sealed []byte) ([]byte, error) {
	var plain []byte
	err := v.read(func(k *keys) (err error) { plain, err = k.unsealValue(purpose, id, sealed); return err })
	return plain, err
}

// Reseal returns the value sealed under the newest root key, and whether that changed
// it. A value already sealed under that key is returned unchanged, after it was opened
// to check that it is whole.
func (v *Vault) Reseal(purpose Purpose, id, sealed []byte) (fresh []byte, changed bool, err error) {
	err = v.read(func(k *keys) error {
		plain, err := k.unsealValue(purpose, id, sealed)
		if err != nil {
			return err
		}
		defer clear(plain)
		if sealedUnder(sealed) == k.seals {
			fresh = sealed
			return nil
		}
		changed = true
		fresh, err = k.sealValue(purpose, id, plain)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return fresh, changed, nil
}

// SealedUnder returns the id of the root key that a sealed value names; false if the
// value does not have the form of Seal. It opens nothing, so it does not prove who
// sealed the value.
func SealedUnder(sealed []byte) (uint32, bool) {
	if len(sealed) < cipherStart+chacha20poly1305.Overhead || sealed[0] != sealVersion {
		return 0, false
	}
	return sealedUnder(sealed), true
}

// sealedUnder returns the id of the root key that a sealed value names; the value must
// be at least as long as the header.
func sealedUnder(sealed []byte) uint32 { return binary.BigEndian.Uint32(sealed[1:]) }

func (k *keys) sealValue(purpose Purpose, id, plain []byte) ([]byte, error) {
	key, ok := k.roots[k.seals].seal[purpose]
	if !ok {
		return nil, fmt.Errorf("%w %q", errPurpose, purpose)
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("vault: seal: %w", err)
	}
	sealed := make([]byte, cipherStart, cipherStart+len(plain)+chacha20poly1305.Overhead)
	sealed[0] = sealVersion
	binary.BigEndian.PutUint32(sealed[1:], k.seals)
	rand.Read(sealed[nonceStart:])
	return aead.Seal(sealed, sealed[nonceStart:cipherStart], plain, sealAAD(sealed[:nonceStart], purpose, id)), nil
}

func (k *keys) unsealValue(purpose Purpose, id, sealed []byte) ([]byte, error) {
	if len(sealed) < cipherStart+chacha20poly1305.Overhead || sealed[0] != sealVersion {
		return nil, ErrUnseal
	}
	root, ok := k.roots[sealedUnder(sealed)]
	if !ok {
		return nil, fmt.Errorf("%w: %d", ErrSealKey, sealedUnder(sealed))
	}
	key, ok := root.seal[purpose]
	if !ok {
		return nil, fmt.Errorf("%w %q", errPurpose, purpose)
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("vault: unseal: %w", err)
	}
	plain, err := aead.Open(nil, sealed[nonceStart:cipherStart], sealed[cipherStart:], sealAAD(sealed[:nonceStart], purpose, id))
	if err != nil {
		return nil, ErrUnseal
	}
	return plain, nil
}

// sealAAD binds a value to its header (version and key id), purpose and row.
func sealAAD(header []byte, purpose Purpose, id []byte) []byte {
	aad := appendField(nil, []byte("liuma/1/vault/seal"))
	aad = appendField(aad, header)
	aad = appendField(aad, []byte(purpose))
	return appendField(aad, id)
}

// appendField appends the field preceded by its length (uint32, big endian), so that no
// two lists of fields have the same encoding.
func appendField(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

// IndexKind is the kind of value that an index is for. Each kind has its own key, so an
// ID number and a card number with the same digits have unrelated indexes.
type IndexKind string

// The kinds.
const (
	IndexIDNumber IndexKind = "id-number"
	IndexCardNo   IndexKind = "card-no"
	IndexEvidence IndexKind = "evidence"
	IndexPhone    IndexKind = "phone"
	IndexTicket   IndexKind = "ticket" // of codes, sources and members of staff at a counter
	IndexTag      IndexKind = "tag"    // of a holder at the keepers, who must not learn IndexIDNumber
	IndexRoute    IndexKind = "route"  // of a token: the mask of its route
)

// Index returns the blind index of a value in its canonical spelling. It panics on an
// unknown kind, which is a programmer's mistake, and after Close.
func (v *Vault) Index(kind IndexKind, value string) Index {
	var index Index
	v.mustRead(func(k *keys) {
		key, ok := k.index[kind]
		if !ok {
			panic(fmt.Sprintf("vault: unknown index kind %q", kind))
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(value))
		mac.Sum(index[:0])
	})
	return index
}

// RowMAC is a keyed hash of fields under a name, by which a freeze code, a one-time
// code or a message is found. Its key is derived from the index root, so a rotation
// does not change it and rows can still be found. It panics after Close. Whole rows are
// sealed by SealRow.
func (v *Vault) RowMAC(table string, fields ...[]byte) MAC {
	size := 4 + len(table) + 4
	for _, f := range fields {
		size += 4 + len(f)
	}
	message := appendField(make([]byte, 0, size), []byte(table))
	message = binary.BigEndian.AppendUint32(message, uint32(len(fields)))
	for _, f := range fields {
		message = appendField(message, f)
	}
	var m MAC
	v.mustRead(func(k *keys) {
		mac := hmac.New(sha256.New, k.lookup)
		mac.Write(message)
		mac.Sum(m[:0])
	})
	return m
}

// Equal compares in constant time.
func (m MAC) Equal(other MAC) bool { return hmac.Equal(m[:], other[:]) }

// handleBytes is the number of bytes in 32 characters of base32.
const handleBytes = 20

// Handle names a card in one channel: 32 characters of a-z and 2-7. Two channels cannot
// find out that their handles name the same card. It panics after Close.
func (v *Vault) Handle(channel liuma.ChannelID, card liuma.CardID) string {
	var sum [sha256.Size]byte
	v.mustRead(func(k *keys) {
		mac := hmac.New(sha256.New, k.handle)
		mac.Write(appendField(appendField(nil, []byte(channel)), card[:]))
		mac.Sum(sum[:0])
	})
	return handleEncoding().EncodeToString(sum[:handleBytes])
}

func handleEncoding() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}
