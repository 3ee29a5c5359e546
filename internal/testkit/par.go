package testkit

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// PAR is a request that a channel's server pushes to the hosted door.
type PAR struct {
	Issuer, Client, RedirectURI string
	Key                         *ecdsa.PrivateKey // under kid "k"
	Now                         time.Time
	BusinessNo                  string
	// Details are the authorization_details without their type: action,
	// purpose, holder, evidence (docs/HOSTED.md).
	Details map[string]any
}

// Form is the request as it is posted, with a fresh assertion of the channel's
// key. Its PKCE verifier is Verifier.
func (p PAR) Form() (url.Values, error) {
	details := map[string]any{"type": "liuma_pin", "business_no": p.BusinessNo}
	for name, value := range p.Details {
		details[name] = value
	}
	raw, err := json.Marshal([]any{details})
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.Key, KeyID: "k"}}, nil)
	if err != nil {
		return nil, err
	}
	assertion, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: p.Client, Subject: p.Client, Audience: jwt.Audience{p.Issuer}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(p.Now), Expiry: jwt.NewNumericDate(p.Now.Add(time.Minute))}).Serialize()
	sum := sha256.Sum256([]byte(Verifier))
	return url.Values{
		"client_id": {p.Client}, "response_type": {"code"}, "redirect_uri": {p.RedirectURI}, "scope": {"openid"},
		"state": {"state-" + p.BusinessNo}, "nonce": {"nonce-" + p.BusinessNo},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		"authorization_details": {string(raw)},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}, err
}
