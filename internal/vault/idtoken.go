package vault

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
)

// IDToken is a right verdict of the hosted door, in the form of OpenID Connect.
// Times are whole seconds, UTC.
type IDToken struct {
	Issuer      string
	Channel     liuma.ChannelID // aud
	Subject     string          // sub: the card in that channel; it opens nothing
	Card        string          // handle of the link, by which the channel names the card
	BusinessNo  liuma.BusinessNo
	Action      liuma.Action
	PurposeHash [32]byte // SHA-256 of the purpose as shown
	ACR         string
	AMR         []string
	PINAge      int    // whole days since the PIN was set
	PhoneAge    *int   // whole days since the phone was bound; nil: no phone is bound
	Nonce       string // from the pushed request: ties the token to one request of one session
	AccessHash  string // at_hash (OpenID Connect Core, 3.1.3.6)
	AuthTime    time.Time
	IssuedAt    time.Time
	Expires     time.Time
}

// idTokenType distinguishes ID tokens from receipts, because the same key signs
// both. Liuma's own checks compare the type. Most OpenID Connect libraries do
// not, but they require the nonce, which a receipt does not have.
const idTokenType = "JWT"

// idClaims is the wire form. Every member is required except phone_age, which is
// absent if no phone is bound.
type idClaims struct {
	Issuer      string   `json:"iss"`
	Subject     string   `json:"sub"`
	Audience    string   `json:"aud"`
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
	PurposeHash string   `json:"liuma_purpose_hash"` // base64url
	PINAge      int      `json:"pin_age"`
	PhoneAge    *int     `json:"phone_age,omitempty"`
}

// SignIDToken returns the token as a compact JWS (ES256, typ "JWT"). Times are
// cut to whole seconds, so a token never lives longer than t says. A token
// with a member missing is not signed.
func (v *Vault) SignIDToken(t IDToken) (string, error) {
	if err := t.check(); err != nil {
		return "", err
	}
	issued := datedBack(t.IssuedAt)
	payload, err := json.Marshal(idClaims{
		Issuer: t.Issuer, Subject: t.Subject, Audience: string(t.Channel),
		Expires: t.Expires.Unix(), IssuedAt: issued, AuthTime: min(t.AuthTime.Unix(), issued),
		Nonce: t.Nonce, ACR: t.ACR, AMR: t.AMR, AccessHash: t.AccessHash,
		BusinessNo: string(t.BusinessNo), Card: t.Card, Action: string(t.Action),
		PurposeHash: base64.RawURLEncoding.EncodeToString(t.PurposeHash[:]),
		PINAge:      t.PINAge, PhoneAge: t.PhoneAge,
	})
	if err != nil {
		return "", fmt.Errorf("vault: ID token: %w", err)
	}
	_, idTokens := v.forClients()
	return v.sign(idTokens, payload)
}

// issuedBack is how far the iat of tokens and receipts is dated back for
// clients: strict libraries refuse a token that was issued after their own
// clock, which may be a few seconds behind. The end (exp) does not change, so
// nothing is valid for longer.
const issuedBack = 5 * time.Second

// datedBack returns the iat of a token that is issued at the given time. An
// auth_time is never later than the iat.
func datedBack(at time.Time) int64 { return max(1, at.Add(-issuedBack).Unix()) }

func (t IDToken) check() error {
	if t.Issuer == "" || t.Subject == "" || t.Card == "" || t.Nonce == "" || t.AccessHash == "" || t.ACR == "" || len(t.AMR) == 0 || t.PurposeHash == [32]byte{} {
		return errors.New("vault: ID token: member missing")
	}
	if t.AuthTime.Unix() <= 0 || t.IssuedAt.Unix() < t.AuthTime.Unix() || t.Expires.Unix() <= t.IssuedAt.Unix() {
		return errors.New("vault: ID token: times")
	}
	if t.PINAge < 0 || t.PhoneAge != nil && *t.PhoneAge < 0 {
		return errors.New("vault: ID token: ages")
	}
	_, errC := liuma.ParseChannelID(string(t.Channel))
	_, errN := liuma.ParseBusinessNo(string(t.BusinessNo))
	_, errA := liuma.ParseAction(string(t.Action))
	if err := errors.Join(errC, errN, errA); err != nil {
		return fmt.Errorf("vault: ID token: %w", err)
	}
	return nil
}
