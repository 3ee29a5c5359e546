package client

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/envelope"
)

// Proof is a right verdict of the hosted door: an ID token, checked against the
// request that a LogIn pushed. It is about that moment and that purpose; do not keep
// it as a log-in.
type Proof struct {
	// Card is the handle of the account's link. After enroll and link keep it with the
	// account that pushed, and never give one account the handle of another.
	Card       string   `json:"card"`
	Subject    string   `json:"subject"` // the card in this channel, the same for all accounts; names nothing in a request
	BusinessNo string   `json:"business_no"`
	Action     Action   `json:"action"`
	ACR        string   `json:"acr"`
	AMR        []string `json:"amr"` // "pin", a method of evidence, or both
	// PINAge and PhoneAge are whole days since the PIN was set and since the phone was
	// bound; PhoneAge is nil if no phone is bound. A service that pays out much may
	// wait while either is new.
	PINAge   int       `json:"pin_age"`
	PhoneAge *int      `json:"phone_age,omitempty"`
	At       time.Time `json:"at"` // of the verdict
	Expires  time.Time `json:"expires"`
}

// Assurance levels, in ACR.
const (
	ACRPIN         = "urn:liuma:acr:pin"
	ACRPINEvidence = "urn:liuma:acr:pin-evidence"
	ACREvidence    = "urn:liuma:acr:evidence" // without the PIN
)

// ProofEvidence asks in a HostedRequest for evidence alone.
const ProofEvidence = "evidence"

// WithEvidence reports whether evidence was part of the proof.
func (p *Proof) WithEvidence() bool {
	return p != nil && (p.ACR == ACRPINEvidence || p.ACR == ACREvidence)
}

// ErrIDToken is wrapped by every error about an ID token itself: open nothing then.
var ErrIDToken = errors.New("client: ID token is not valid")

type idClaims struct {
	Issuer      string   `json:"iss"`
	Audience    string   `json:"aud"` // alone: a list, or another type, does not read
	Subject     string   `json:"sub"`
	Card        string   `json:"liuma_card"`
	Expires     int64    `json:"exp"`
	IssuedAt    int64    `json:"iat"`
	AuthTime    int64    `json:"auth_time"`
	Nonce       string   `json:"nonce"`
	AccessHash  string   `json:"at_hash"`
	BusinessNo  string   `json:"liuma_business_no"`
	Action      string   `json:"liuma_action"`
	PurposeHash string   `json:"liuma_purpose_hash"`
	ACR         string   `json:"acr"`
	AMR         []string `json:"amr"`
	PINAge      int      `json:"pin_age"`
	PhoneAge    *int     `json:"phone_age"`
}

// checkIDToken checks signature and claims of an ID token against the pushed request.
func (c *Client) checkIDToken(ctx context.Context, at *metadata, l LogIn, raw, access string) (*Proof, error) {
	payload, err := c.hostedKeys.verified(ctx, c, at.Keys, raw, assertionType, ErrIDToken)
	if err != nil {
		return nil, err
	}
	var got idClaims
	if err := json.Unmarshal(payload, &got); err != nil {
		return nil, fmt.Errorf("%w: claims", ErrIDToken)
	}
	if wrong := c.wrongClaim(got, l, access); wrong != "" {
		return nil, fmt.Errorf("%w: %s", ErrIDToken, wrong)
	}
	return &Proof{
		Card: got.Card, Subject: got.Subject, BusinessNo: got.BusinessNo, Action: Action(got.Action), ACR: got.ACR, AMR: got.AMR,
		PINAge: got.PINAge, PhoneAge: got.PhoneAge,
		At: time.Unix(got.AuthTime, 0).UTC(), Expires: time.Unix(got.Expires, 0).UTC(),
	}, nil
}

// wrongClaim names a wrong claim of a token whose signature is good, or returns "".
func (c *Client) wrongClaim(got idClaims, l LogIn, access string) string {
	now := c.now()
	purpose := envelope.PurposeHash(l.Purpose)
	hash := sha256.Sum256([]byte(access))
	switch {
	case got.Issuer != c.issuer:
		return "another issuer"
	case got.Audience != c.id:
		return "for another channel"
	case got.IssuedAt <= 0 || got.AuthTime <= 0 || !now.Before(time.Unix(got.Expires, 0)):
		return "past its end"
	case time.Unix(got.IssuedAt, 0).After(now.Add(receiptAhead)):
		return "issued in the future"
	case !same(got.Nonce, l.Nonce):
		return "another nonce"
	case !same(got.AccessHash, base64.RawURLEncoding.EncodeToString(hash[:len(hash)/2])):
		return "for another access token"
	case !same(got.BusinessNo, l.BusinessNo):
		return "about another request"
	case !same(got.Action, string(l.Action)):
		return "about another action"
	case !same(got.PurposeHash, base64.RawURLEncoding.EncodeToString(purpose[:])):
		return "about another purpose"
	case got.Card == "" || l.Card != "" && !same(got.Card, l.Card):
		return "about another card"
	case got.ACR == ACREvidence && l.Proof == ProofEvidence && len(got.AMR) > 0:
	case !strings.HasPrefix(got.ACR, ACRPIN) || !slices.Contains(got.AMR, "pin"):
		return "no PIN was proved"
	}
	return ""
}

// same compares in constant time; two empty strings count as the same.
func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
