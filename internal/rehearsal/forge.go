package rehearsal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

// spoiler turns a good ID token into one that must not pass.
type spoiler func(*stage, vault.IDToken) (string, error)

// idClaims are the members of an ID token, as docs/HOSTED.md names them.
type idClaims struct {
	Issuer      string   `json:"iss"`
	Audience    string   `json:"aud"`
	Subject     string   `json:"sub"`
	Expires     int64    `json:"exp"`
	IssuedAt    int64    `json:"iat"`
	AuthTime    int64    `json:"auth_time"`
	Nonce       string   `json:"nonce"`
	ACR         string   `json:"acr"`
	AMR         []string `json:"amr"`
	AccessHash  string   `json:"at_hash"`
	BusinessNo  string   `json:"liuma_business_no"`
	Card        string   `json:"liuma_card"`
	Action      string   `json:"liuma_action"`
	PurposeHash string   `json:"liuma_purpose_hash"`
	PINAge      int      `json:"pin_age"`
	PhoneAge    *int     `json:"phone_age,omitempty"`
}

// respoil replaces the ID token in an answer of the token endpoint. If it cannot, the
// answer is lost, and the case shows it.
func (s *stage) respoil(a *answer, spoil spoiler) {
	if a.status != http.StatusOK {
		return
	}
	var all map[string]any
	var token string
	good, err := vault.IDToken{}, json.Unmarshal(a.body.Bytes(), &all)
	if err == nil {
		token, _ = all["id_token"].(string)
		good, err = readIDToken(token)
	}
	if err == nil {
		all["id_token"], err = spoil(s, good)
	}
	if err != nil {
		a.lost = true
		return
	}
	a.set(http.StatusOK, "application/json", all)
}

func readIDToken(token string) (vault.IDToken, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return vault.IDToken{}, errors.New("not a JWS")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return vault.IDToken{}, err
	}
	var c idClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		return vault.IDToken{}, err
	}
	out := vault.IDToken{Issuer: c.Issuer, Channel: liuma.ChannelID(c.Audience), Subject: c.Subject, Card: c.Card, BusinessNo: liuma.BusinessNo(c.BusinessNo),
		Action: liuma.Action(c.Action), ACR: c.ACR, AMR: c.AMR, PINAge: c.PINAge, PhoneAge: c.PhoneAge, Nonce: c.Nonce, AccessHash: c.AccessHash,
		AuthTime: time.Unix(c.AuthTime, 0), IssuedAt: time.Unix(c.IssuedAt, 0), Expires: time.Unix(c.Expires, 0)}
	hash, err := base64.RawURLEncoding.DecodeString(c.PurposeHash)
	if err != nil || copy(out.PurposeHash[:], hash) != len(out.PurposeHash) {
		return vault.IDToken{}, errors.New("purpose hash")
	}
	return out, nil
}

func claimsOf(d vault.IDToken) idClaims {
	return idClaims{Issuer: d.Issuer, Audience: string(d.Channel), Subject: d.Subject, Expires: d.Expires.Unix(), IssuedAt: d.IssuedAt.Unix(),
		AuthTime: d.AuthTime.Unix(), Nonce: d.Nonce, ACR: d.ACR, AMR: d.AMR, AccessHash: d.AccessHash, BusinessNo: string(d.BusinessNo),
		Card: d.Card, Action: string(d.Action), PurposeHash: base64.RawURLEncoding.EncodeToString(d.PurposeHash[:]),
		PINAge: d.PINAge, PhoneAge: d.PhoneAge}
}

// forgedKey signs with a key of its own under the kid of the authority's.
func forgedKey(s *stage, d vault.IDToken) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("rehearsal: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", s.world.System.Vault.ReceiptKeys().Keys[0].KeyID))
	if err != nil {
		return "", fmt.Errorf("rehearsal: %w", err)
	}
	return jwt.Signed(signer).Claims(claimsOf(d)).Serialize()
}

func unsigned(_ *stage, d vault.IDToken) (string, error) {
	payload, err := json.Marshal(claimsOf(d))
	if err != nil {
		return "", fmt.Errorf("rehearsal: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + ".", nil
}

// receiptInstead is a receipt about the same request: it is signed by the same keys,
// but has no nonce.
func receiptInstead(s *stage, d vault.IDToken) (string, error) {
	return s.world.System.Vault.SignReceipt(vault.Receipt{ID: rand.Text(), Issuer: d.Issuer, Channel: d.Channel, Subject: d.Subject, Card: d.Card, BusinessNo: d.BusinessNo,
		Action: d.Action, PurposeHash: d.PurposeHash, ACR: d.ACR, AMR: d.AMR, IssuedAt: d.IssuedAt, Expires: d.Expires})
}
