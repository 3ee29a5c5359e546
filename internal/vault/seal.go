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

// Purpose is the kind of data that is sealed; each has its own key.
type Purpose string

// The purposes. Each comment ends with the id that a value is bound to.
const (
	CardFacts   Purpose = "card-facts"   // holder's facts in a card row; card id
	PersonFacts Purpose = "person-facts" // facts in a registry row; blind index of the ID number
	SealKey     Purpose = "seal-key"     // private half of a seal key; its id
	// CeremonyDetails are the personal details of a hosted ceremony; its id.
	CeremonyDetails Purpose = "ceremony-details"
	// ContactPhone is a bound phone; card id. MessageText is a message until it
	// is sent; its id.
	ContactPhone Purpose = "contact-phone"
	MessageText  Purpose = "message-text"
)

const sealVersion = 1

// ErrUnseal says that a sealed value is damaged, or belongs to another row.
var ErrUnseal = errors.New("vault: sealed value does not open for this row")

// Seal encrypts plain for one purpose and one row. The result is a version
// byte, a 24-byte random nonce, and the ciphertext with its tag: 41 bytes more
// than plain.
//
// The cipher is XChaCha20-Poly1305: under one key AES-GCM allows about 2^32
// random nonces, and every import of a national registry takes 1.1 billion.
// With 192-bit nonces there is no such limit to watch.
func (v *Vault) Seal(purpose Purpose, id, plain []byte) ([]byte, error) {
	var sealed []byte
	err := v.read(func(k *keys) error {
		key, ok := k.seal[purpose]
		if !ok {
			return fmt.Errorf("vault: seal: unknown purpose %q", purpose)
		}
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			return fmt.Errorf("vault: seal: %w", err)
		}
		head := 1 + chacha20poly1305.NonceSizeX
		sealed = make([]byte, head, head+len(plain)+chacha20poly1305.Overhead)
		sealed[0] = sealVersion
		rand.Read(sealed[1:head])
		sealed = aead.Seal(sealed, sealed[1:head], plain, sealAAD(purpose, id))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sealed, nil
}

// Unseal opens what Seal made for the same purpose and id; the caller wipes
// the result.
func (v *Vault) Unseal(purpose Purpose, id, sealed []byte) ([]byte, error) {
	var plain []byte
	err := v.read(func(k *keys) error {
		key, ok := k.seal[purpose]
		if !ok {
			return fmt.Errorf("vault: unseal: unknown purpose %q", purpose)
		}
		head := 1 + chacha20poly1305.NonceSizeX
		if len(sealed) < head+chacha20poly1305.Overhead || sealed[0] != sealVersion {
			return ErrUnseal
		}
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			return fmt.Errorf("vault: unseal: %w", err)
		}
		plain, err = aead.Open(nil, sealed[1:head], sealed[head:], sealAAD(purpose, id))
		if err != nil {
			return ErrUnseal
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return plain, nil
}

func sealAAD(purpose Purpose, id []byte) []byte {
	aad := appendField(nil, []byte("liuma/1/vault/seal"))
	aad = append(aad, sealVersion)
	aad = appendField(aad, []byte(purpose))
	return appendField(aad, id)
}

// appendField appends the field after its length (uint32, big endian), so that
// no two lists of fields have one encoding.
func appendField(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

// IndexKind is the kind of value that an index is for; each has its own key, so
// an ID number and a card number of the same digits have unrelated indexes.
type IndexKind string

// The kinds.
const (
	IndexIDNumber IndexKind = "id-number"
	IndexCardNo   IndexKind = "card-no"
	IndexEvidence IndexKind = "evidence"
	IndexPhone    IndexKind = "phone"
	IndexTag      IndexKind = "tag" // of a holder at the keepers, who must not learn IndexIDNumber
)

// Index is the blind index of a value in its canonical spelling. It panics on
// an unknown kind, which is a programmer's mistake, and after Close.
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

// RowMAC authenticates a row: the table's name and its fields, in order.
// It panics after Close.
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
		mac := hmac.New(sha256.New, k.row)
		mac.Write(message)
		mac.Sum(m[:0])
	})
	return m
}

// Equal compares in constant time.
func (m MAC) Equal(other MAC) bool { return hmac.Equal(m[:], other[:]) }

// handleBytes are as many as 32 characters of base32 hold.
const handleBytes = 20

// Handle names a card in one channel: 32 characters of a-z and 2-7. Two
// channels cannot tell that their handles name one card. It panics after
// Close.
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
