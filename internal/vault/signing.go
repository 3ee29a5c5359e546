package vault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/token"
)

// signingKeys are the ES256 keys of receipts, ID tokens and digests and archives of the
// record: one signs, all are published. The type in the header (typ) distinguishes the
// four. Signers are built once, because making one costs more than signing.
type signingKeys struct {
	receipts signer // typ "liuma-receipt+jwt"
	idTokens signer // typ "JWT"
	digests  signer // typ audit.DigestType
	archives signer // typ audit.ArchiveType
	signs    string // kid of the signing key in use
	key      any    // the signing key in use: *ecdsa.PrivateKey or *tokenSigner
	public   []jose.JSONWebKey
	elder    elderKey // signs for clients in a server's first minutes
}

// elderKey is the previous signing key, if it still exists.
type elderKey struct {
	kid      string // empty if there is none
	receipts signer
	idTokens signer
}

// signer signs JWS of one type. If the key is in this process, signer uses it directly:
// the header is always the same, and jose would encode it each time.
type signer struct {
	jose   jose.Signer
	key    *ecdsa.PrivateKey // nil: in a token
	header string            // first part of the JWS, as jose writes it
}

const (
	// PublishedFor is how long a server publishes a signing key before it signs with
	// it: twice as long as clients may keep the published keys, because it is possible
	// that no server published the new key before.
	PublishedFor = 10 * time.Minute
	// tokensLive is the longest life of receipts and ID tokens, plus a minute for
	// clocks that are behind.
	tokensLive = 2 * time.Minute
)

// PublishFirst makes a server's vault publish its signing key for PublishedFor before
// it signs anything that clients check. Until then the previous key signs, if it was
// not dropped. Digests and archives are signed with the new key at once. A server calls
// it once, before it serves; now must not go back.
func (v *Vault) PublishFirst(now func() time.Time) {
	from := now()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.published = func() time.Duration { return now().Sub(from) }
}

// forClients returns the signers of receipts and ID tokens.
func (v *Vault) forClients() (receipts, idTokens signer) {
	s := v.signing.Load()
	if elder := s.elder; elder.kid != "" && v.publishedFor() < PublishedFor {
		return elder.receipts, elder.idTokens
	}
	return s.receipts, s.idTokens
}

func (v *Vault) publishedFor() time.Duration {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.published == nil {
		return PublishedFor + tokensLive // no server
	}
	return v.published()
}

// SignedLately reports whether this server has signed, or may have signed, something
// with the key that has not expired: then the key must stay published.
func (v *Vault) SignedLately(kid string) bool {
	s, now := v.signing.Load(), v.publishedFor()
	v.mu.RLock()
	left, signed := v.signed[kid]
	v.mu.RUnlock()
	return kid == s.signs || kid != "" && kid == s.elder.kid && now < PublishedFor+tokensLive || signed && now-left < tokensLive
}

func newSigningKeys(raw *rawKeys, t Token) (signingKeys, error) {
	var s signingKeys
	seen := make(map[string]bool)
	for i := range raw.signing {
		key, public, err := parseSigningKey(&raw.signing[i], t)
		if err != nil {
			return signingKeys{}, err
		}
		if seen[public.KeyID] {
			return signingKeys{}, ErrKeyFileFormat
		}
		seen[public.KeyID] = true
		s.public = append(s.public, public)
		switch i {
		case raw.signs - 1:
			err = s.setElder(key, public.KeyID)
		case raw.signs:
			err = s.setSigning(key, public.KeyID)
		}
		if err != nil {
			return signingKeys{}, err
		}
	}
	return s, nil
}

// setSigning makes the signers for the signing key in use.
func (s *signingKeys) setSigning(key any, kid string) error {
	s.signs, s.key = kid, key
	for _, m := range []struct {
		signer *signer
		typ    string
	}{{&s.receipts, receiptType}, {&s.idTokens, idTokenType}, {&s.digests, audit.DigestType}, {&s.archives, audit.ArchiveType}} {
		var err error
		if *m.signer, err = newSigner(key, kid, m.typ); err != nil {
			return err
		}
	}
	return nil
}

// setElder makes the signers for the previous key, unless that key was in a token that
// is lost.
func (s *signingKeys) setElder(key any, kid string) (err error) {
	if signer, ok := key.(*tokenSigner); ok && errors.Is(signer.trial(), token.ErrNoKey) {
		return nil
	}
	s.elder.kid = kid
	if s.elder.receipts, err = newSigner(key, kid, receiptType); err != nil {
		return err
	}
	s.elder.idTokens, err = newSigner(key, kid, idTokenType)
	return err
}

// parseSigningKey returns the private key or signer (an *ecdsa.PrivateKey or a
// *tokenSigner) and the public key to publish.
func parseSigningKey(raw *rawSigningKey, t Token) (key any, public jose.JSONWebKey, err error) {
	if raw.inToken.is() {
		point, err := raw.inToken.public()
		if err != nil {
			return nil, jose.JSONWebKey{}, err
		}
		public, err := published(point)
		return &tokenSigner{token: t, name: raw.inToken.name(), public: public}, public, err
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw.scalar[:])
	if err != nil {
		return nil, jose.JSONWebKey{}, err
	}
	public, err = published(&private.PublicKey)
	return private, public, err
}

// published returns a signing key in the form that clients get.
func published(key *ecdsa.PublicKey) (jose.JSONWebKey, error) {
	public := jose.JSONWebKey{Key: key, Algorithm: string(jose.ES256), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	// The first 16 bytes of the RFC 7638 thumbprint: short, and everyone who
	// has the key can compute it.
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint[:16])
	return public, nil
}

func newSigner(key any, id, typ string) (s signer, err error) {
	private, here := key.(*ecdsa.PrivateKey)
	if here {
		key = jose.JSONWebKey{Key: private, KeyID: id}
	}
	s.jose, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil || !here {
		return s, err
	}
	first, err := s.byJose(nil)
	if err != nil {
		return s, err
	}
	s.key = private
	s.header, _, _ = strings.Cut(first, ".")
	return s, nil
}

// sign returns a compact JWS. A closed vault signs nothing. The lock is not held while
// signing: a token may be slow, and signing needs no key that Close wipes.
func (v *Vault) sign(s signer, payload []byte) (string, error) {
	if err := v.read(func(*keys) error { return nil }); err != nil {
		return "", err
	}
	if s.key == nil {
		return s.byJose(payload)
	}
	text := make([]byte, 0, len(s.header)+2+base64.RawURLEncoding.EncodedLen(len(payload))+es256Text)
	text = base64.RawURLEncoding.AppendEncode(append(append(text, s.header...), '.'), payload)
	digest := sha256.Sum256(text)
	x, y, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return "", fmt.Errorf("vault: sign: %w", err)
	}
	var signature [es256Size]byte
	x.FillBytes(signature[:es256Size/2])
	y.FillBytes(signature[es256Size/2:])
	return string(base64.RawURLEncoding.AppendEncode(append(text, '.'), signature[:])), nil
}

// Sizes of an ES256 signature, in bytes and as text.
const (
	es256Size = 64
	es256Text = 86
)

func (s signer) byJose(payload []byte) (string, error) {
	jws, err := s.jose.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("vault: sign: %w", err)
	}
	return jws.CompactSerialize()
}

// ReceiptKeys returns the public keys with which receipts and ID tokens are checked,
// oldest first: old keys, the signing key, and the next one.
func (v *Vault) ReceiptKeys() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: append([]jose.JSONWebKey(nil), v.signing.Load().public...)}
}

// SignsWith returns the kid of the key that signs, or that will sign after
// PublishedFor.
func (v *Vault) SignsWith() string { return v.signing.Load().signs }
