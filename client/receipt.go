package client

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/envelope"
)

// Receipt is a signed right verdict, checked.
type Receipt struct {
	ID         string
	Card       string // handle of the link
	BusinessNo string
	Action     Action
	ACR        string   // assurance level, in the authority's words
	AMR        []string // methods: "pin", and perhaps a method of evidence
	PINAge     int      // whole days since the PIN was set
	PhoneAge   *int     // whole days since the phone was bound; nil: no phone is bound
	IssuedAt   time.Time
	Expires    time.Time
}

// Want holds the values that a receipt must have. Every member except Method is
// required: a receipt for another request, purpose or card must not pass.
type Want struct {
	BusinessNo string
	Card       string
	Purpose    Purpose // as shown to the holder
	Action     Action
	// Method is a method of evidence that must have come with the PIN, or
	// empty.
	Method string
}

// ErrReceipt is wrapped by every error about a receipt itself.
var ErrReceipt = errors.New("client: receipt is not valid")

const (
	receiptType    = "liuma-receipt+jwt"
	receiptLongest = 4096             // bytes
	receiptAhead   = 30 * time.Second // the authority's clock may be ahead by this much
	keysFresh      = 10 * time.Minute // keys are fetched again after this
	keysPause      = 30 * time.Second // and not more often than this for an unknown kid
)

// CheckReceipt checks a receipt without asking the authority about it: it must be
// signed by one of the receipt keys, issued to this channel, not expired, and have
// exactly the values of want. The keys are fetched when there are none, and again
// when they are old or the receipt names an unknown key.
//
// It proves the standing at the time of issue. Before you hand out something of
// value, also call [Client.Redeem], which asks whether anything has changed and lets
// the receipt pass once.
func (c *Client) CheckReceipt(ctx context.Context, receipt string, want Want) (*Receipt, error) {
	if want.BusinessNo == "" || want.Card == "" || want.Purpose == "" || want.Action == "" {
		return nil, errors.New("client: CheckReceipt needs BusinessNo, Card, Purpose and Action")
	}
	payload, err := c.receiptKeys.verified(ctx, c, c.nativeKeys(), receipt, receiptType, ErrReceipt)
	if err != nil {
		return nil, err
	}
	return c.readReceipt(payload, want)
}

type receiptClaims struct {
	Issuer      string   `json:"iss"`
	Audience    string   `json:"aud"`
	Card        string   `json:"card"`
	ID          string   `json:"jti"`
	IssuedAt    int64    `json:"iat"`
	Expires     int64    `json:"exp"`
	BusinessNo  string   `json:"business_no"`
	Action      string   `json:"action"`
	PurposeHash string   `json:"purpose_hash"`
	ACR         string   `json:"acr"`
	AMR         []string `json:"amr"`
	PINAge      int      `json:"pin_age"`
	PhoneAge    *int     `json:"phone_age"`
}

// readReceipt checks the claims of a receipt whose signature is good.
func (c *Client) readReceipt(payload []byte, want Want) (*Receipt, error) {
	var got receiptClaims
	if err := json.Unmarshal(payload, &got); err != nil {
		return nil, fmt.Errorf("%w: claims", ErrReceipt)
	}
	now := c.now()
	r := &Receipt{
		ID: got.ID, Card: got.Card, BusinessNo: got.BusinessNo, Action: Action(got.Action), ACR: got.ACR, AMR: got.AMR,
		PINAge: got.PINAge, PhoneAge: got.PhoneAge, IssuedAt: time.Unix(got.IssuedAt, 0).UTC(), Expires: time.Unix(got.Expires, 0).UTC(),
	}
	purpose := envelope.PurposeHash(want.Purpose)
	wantHash := base64.RawURLEncoding.EncodeToString(purpose[:])
	switch {
	case got.Issuer != c.issuer:
		return nil, fmt.Errorf("%w: another issuer", ErrReceipt)
	case got.Audience != c.id:
		return nil, fmt.Errorf("%w: for another channel", ErrReceipt)
	case got.ID == "" || got.IssuedAt <= 0 || !now.Before(r.Expires):
		return nil, fmt.Errorf("%w: past its end", ErrReceipt)
	case r.IssuedAt.After(now.Add(receiptAhead)):
		return nil, fmt.Errorf("%w: issued in the future", ErrReceipt)
	case got.BusinessNo != want.BusinessNo:
		return nil, fmt.Errorf("%w: about another request", ErrReceipt)
	case got.Card != want.Card:
		return nil, fmt.Errorf("%w: about another card", ErrReceipt)
	case r.Action != want.Action:
		return nil, fmt.Errorf("%w: about another action", ErrReceipt)
	case subtle.ConstantTimeCompare([]byte(got.PurposeHash), []byte(wantHash)) != 1:
		return nil, fmt.Errorf("%w: about another purpose", ErrReceipt)
	case !slices.Contains(got.AMR, "pin"):
		return nil, fmt.Errorf("%w: no PIN was proved", ErrReceipt)
	case want.Method != "" && !slices.Contains(got.AMR, want.Method):
		return nil, fmt.Errorf("%w: without the evidence that is wanted", ErrReceipt)
	}
	return r, nil
}

// nativeKeys is where the native door publishes its keys.
func (c *Client) nativeKeys() string { return c.base + "/.well-known/jwks.json" }

// ReceiptKeys fetches the keys that receipts are checked with, and keeps them
// for [Client.CheckReceipt].
func (c *Client) ReceiptKeys(ctx context.Context) (jose.JSONWebKeySet, error) {
	return c.receiptKeys.renew(ctx, c, c.nativeKeys())
}
