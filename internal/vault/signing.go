package vault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/audit"
)

// signingKeys are the ES256 keys of receipts, ID tokens and digests and
// archives of the record: one signs, all are published. The type in the header
// (typ) tells the four apart.
// Signers are built once, because making one costs more than signing.
type signingKeys struct {
	receipts jose.Signer // typ "liuma-receipt+jwt"
	idTokens jose.Signer // typ "JWT"
	digests  jose.Signer // typ audit.DigestType
	archives jose.Signer // typ audit.ArchiveType
	signs    string      // kid of the one that signs
	public   []jose.JSONWebKey
}

func newSigningKeys(raw *rawKeys) (signingKeys, error) {
	var s signingKeys
	seen := make(map[string]bool)
	for i := range raw.signing {
		key, public, err := parseSigningKey(&raw.signing[i])
		if err != nil {
			return signingKeys{}, err
		}
		if seen[public.KeyID] {
			return signingKeys{}, ErrKeyFileFormat
		}
		seen[public.KeyID] = true
		s.public = append(s.public, public)
		if i != raw.signs {
			continue
		}
		s.signs = public.KeyID
		if s.receipts, err = newSigner(key, public.KeyID, receiptType); err != nil {
			return signingKeys{}, err
		}
		if s.idTokens, err = newSigner(key, public.KeyID, idTokenType); err != nil {
			return signingKeys{}, err
		}
		if s.digests, err = newSigner(key, public.KeyID, audit.DigestType); err != nil {
			return signingKeys{}, err
		}
		if s.archives, err = newSigner(key, public.KeyID, audit.ArchiveType); err != nil {
			return signingKeys{}, err
		}
	}
	return s, nil
}

func parseSigningKey(raw *rawSigningKey) (*ecdsa.PrivateKey, jose.JSONWebKey, error) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw.scalar[:])
	if err != nil {
		return nil, jose.JSONWebKey{}, err
	}
	public := jose.JSONWebKey{Key: key.Public(), Algorithm: string(jose.ES256), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, jose.JSONWebKey{}, err
	}
	// The first 16 bytes of the RFC 7638 thumbprint: short, and everyone who
	// has the key can compute it.
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint[:16])
	return key, public, nil
}

func newSigner(key *ecdsa.PrivateKey, id, typ string) (jose.Signer, error) {
	return jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: id}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
}

// sign returns a compact JWS. A closed vault signs nothing.
func (v *Vault) sign(signer jose.Signer, payload []byte) (string, error) {
	var token string
	err := v.read(func(*keys) error {
		jws, err := signer.Sign(payload)
		if err != nil {
			return fmt.Errorf("vault: sign: %w", err)
		}
		token, err = jws.CompactSerialize()
		return err
	})
	return token, err
}

// ReceiptKeys returns the public keys that receipts and ID tokens are checked
// with, oldest first: old keys, the signing key, and the next.
func (v *Vault) ReceiptKeys() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: append([]jose.JSONWebKey(nil), v.signing.public...)}
}

// SignsWith is the kid of the key that signs.
func (v *Vault) SignsWith() string { return v.signing.signs }
