package vault

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/token"
)

// Wrap is a seal key for one authority: the private half, wrapped to that authority's day
// key. It is part of the seal key's row, which is sealed, so that nobody who writes to
// the database can insert their own key (I-13).
type Wrap struct {
	To    []byte // public half of the day key
	Given []byte // the private half, wrapped to To; empty: asked for, but not given yet
}

// SealedKey is a seal key as the store keeps it.
type SealedKey struct {
	ID     string
	Public []byte
	Sealed []byte // from releases before day keys: the private half, sealed by the vault alone
	Wraps  []Wrap
}

// ErrNoWrap means that a seal key is not wrapped for this authority.
var ErrNoWrap = errors.New("vault: the seal key is not wrapped for this authority")

// ErrDayKeyKind means that a value is not the public half of a day key.
var ErrDayKeyKind = errors.New("vault: not the public half of a day key")

// wrapLabel separates wraps from every other use of HPKE.
const wrapLabel = "liuma/1/vault/seal-key-wrap"

func wrapKEM() hpke.KEM { return hpke.DHKEM(ecdh.P256()) }

// wrapInfo binds a wrap to its seal key. HPKE itself binds it to the day key, and so to
// one authority and one day.
func wrapInfo(k SealedKey) []byte {
	info := appendField(nil, []byte(wrapLabel))
	return appendField(appendField(info, []byte(k.ID)), k.Public)
}

// The public half of a day key is a point of P-256 or, for a key in a token, the number
// of the OAEP hash and the key as PKIX.
func tokenPublic(w token.WrappingKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(w.Public)
	if err != nil {
		return nil, fmt.Errorf("vault: day key: %w", err)
	}
	for i, h := range hashes() {
		if i > 0 && h == w.Hash {
			return append([]byte{byte(i)}, der...), nil
		}
	}
	return nil, ErrDayKeyKind
}

func parseTokenPublic(to []byte) (token.WrappingKey, error) {
	if len(to) < 2 || to[0] == 0 || int(to[0]) >= len(hashes()) {
		return token.WrappingKey{}, ErrDayKeyKind
	}
	key, err := x509.ParsePKIXPublicKey(to[1:])
	if err != nil {
		return token.WrappingKey{}, ErrDayKeyKind
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < 2048 {
		return token.WrappingKey{}, ErrDayKeyKind
	}
	return token.WrappingKey{Public: public, Hash: hashes()[to[0]]}, nil
}

// wrap wraps the private half of a seal key to the public half of a day key.
func wrap(k SealedKey, scalar, to []byte) ([]byte, error) {
	if len(to) == envelope.PublicSize && to[0] == 4 {
		public, err := wrapKEM().NewPublicKey(to)
		if err != nil {
			return nil, ErrDayKeyKind
		}
		sealed, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.AES256GCM(), wrapInfo(k), scalar)
		if err != nil {
			return nil, fmt.Errorf("vault: wrap seal key: %w", err)
		}
		return sealed, nil
	}
	public, err := parseTokenPublic(to)
	if err != nil {
		return nil, err
	}
	key := make([]byte, fileKeySize)
	rand.Read(key)
	defer clear(key)
	wrapped, err := public.Encrypt(key)
	if err != nil {
		return nil, fmt.Errorf("vault: wrap seal key: %w", err)
	}
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, err
	}
	sealed := appendShort(nil, wrapped)
	return aead.Seal(sealed, make([]byte, aead.NonceSize()), scalar, wrapInfo(k)), nil // the key is used once
}

// public returns the public half of the day key. If a crash prevented the token from
// making the key, it is made here.
func (k *rawDayKey) public(t Token) ([]byte, error) {
	if k.kind == dayKeyInFile {
		private, err := wrapKEM().NewPrivateKey(k.secret[:])
		if err != nil {
			return nil, ErrDayKey
		}
		return private.PublicKey().Bytes(), nil
	}
	if t == nil {
		return nil, ErrSealed
	}
	w, err := t.WrappingKey(k.name())
	if err != nil {
		return nil, fmt.Errorf("vault: day key: %w", err)
	}
	return tokenPublic(w)
}

// unwrap opens a wrap; the caller wipes the result.
func (k *rawDayKey) unwrap(t Token, key SealedKey, w Wrap) ([]byte, error) {
	if k.kind == dayKeyInFile {
		private, err := wrapKEM().NewPrivateKey(k.secret[:])
		if err != nil {
			return nil, ErrDayKey
		}
		scalar, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), wrapInfo(key), w.Given)
		if err != nil {
			return nil, ErrUnseal
		}
		return scalar, nil
	}
	if t == nil {
		return nil, ErrSealed
	}
	wrapped, sealed, ok := cutShort(w.Given)
	if !ok || len(w.To) == 0 || int(w.To[0]) >= len(hashes()) {
		return nil, ErrUnseal
	}
	once, err := t.Decrypt(k.name(), hashes()[w.To[0]], wrapped)
	if err != nil {
		return nil, fmt.Errorf("vault: unwrap seal key: %w", err)
	}
	defer clear(once)
	aead, err := chacha20poly1305.New(once)
	if err != nil {
		return nil, ErrUnseal
	}
	scalar, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed, wrapInfo(key))
	if err != nil {
		return nil, ErrUnseal
	}
	return scalar, nil
}

// private opens a seal key with this authority's day key; the caller wipes the result.
func (v *Vault) private(k SealedKey) ([]byte, error) {
	if len(k.Sealed) > 0 {
		scalar, err := v.Unseal(SealKey, []byte(k.ID), k.Sealed)
		if err != nil {
			return nil, fmt.Errorf("vault: seal key: %w", err)
		}
		return scalar, nil
	}
	day, err := v.readDayKey(k.ID)
	if err != nil {
		return nil, err
	}
	defer day.wipe()
	own, err := day.public(v.file.Token)
	if err != nil {
		return nil, err
	}
	for _, w := range k.Wraps {
		if len(w.Given) > 0 && bytes.Equal(w.To, own) {
			return day.unwrap(v.file.Token, k, w)
		}
	}
	return nil, ErrNoWrap
}
