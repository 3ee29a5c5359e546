package evidence

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Statement is the claim of a provider about a holder. IDNumber and Name are in
// canonical spelling; they are only hashed, and never put into the token. It
// holds personal data and prints redacted.
type Statement struct {
	Audience  string
	Challenge string
	IDNumber  string
	Name      string
	Method    string
	ID        string // jti; drawn at random if empty
	IssuedAt  time.Time
	Expires   time.Time
}

// Signer signs evidence as one provider: the demo's stand-in, and tests. Safe
// for concurrent use.
type Signer struct {
	provider string
	signer   jose.Signer
	public   jose.JSONWebKey
}

// NewSigner makes a signer for a P-256 key that is registered under kid.
func NewSigner(providerID string, key *ecdsa.PrivateKey, kid string) (*Signer, error) {
	if providerID == "" || kid == "" || key == nil || key.Curve != elliptic.P256() {
		return nil, errors.New("evidence: signer: want a provider, a P-256 key and a kid")
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
		(&jose.SignerOptions{}).WithType(tokenType))
	if err != nil {
		return nil, fmt.Errorf("evidence: signer: %w", err)
	}
	public := jose.JSONWebKey{Key: key.Public(), KeyID: kid, Algorithm: string(jose.ES256), Use: "sig"}
	return &Signer{provider: providerID, signer: signer, public: public}, nil
}

// Keys returns the public JWK set to register the provider with.
func (s *Signer) Keys() ([]byte, error) {
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.public}})
	if err != nil {
		return nil, fmt.Errorf("evidence: key set: %w", err)
	}
	return set, nil
}

// Sign returns the statement as a compact JWS.
func (s *Signer) Sign(st Statement) (string, error) {
	if st.ID == "" {
		st.ID = rand.Text()
	}
	payload, err := json.Marshal(claims{
		Issuer: s.provider, Audience: st.Audience, Challenge: st.Challenge,
		Holder: HolderHash(st.Challenge, st.IDNumber, st.Name), Method: st.Method,
		IssuedAt: st.IssuedAt.Unix(), Expires: st.Expires.Unix(), ID: st.ID,
	})
	if err != nil {
		return "", fmt.Errorf("evidence: sign: %w", err)
	}
	jws, err := s.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("evidence: sign: %w", err)
	}
	return jws.CompactSerialize()
}

// Format prints a placeholder under every verb.
func (Statement) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs the placeholder.
func (Statement) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText writes the placeholder, for JSON and other encoders.
func (Statement) MarshalText() ([]byte, error) { return []byte(redacted), nil }
