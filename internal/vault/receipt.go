package vault

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

// Receipt is a signed verdict "right" (回执). Times are whole seconds, UTC.
type Receipt struct {
	ID          string // jti: the authority redeems it once
	Issuer      string
	Channel     liuma.ChannelID // aud
	Subject     string          // sub: the card in that channel; it opens nothing
	Card        string          // handle of the link: the channel's name for the card
	BusinessNo  liuma.BusinessNo
	Action      liuma.Action
	PurposeHash [32]byte // SHA-256 of the purpose as shown
	ACR         string   // assurance level: policy's name for PIN, or PIN and evidence
	AMR         []string // methods: "pin", and perhaps a method of evidence
	PINAge      int      // whole days since the PIN was set
	PhoneAge    *int     // whole days since the phone was bound; nil: no phone is bound
	IssuedAt    time.Time
	Expires     time.Time
}

const (
	receiptType = "liuma-receipt+jwt"
	// maxReceipt bounds the length of a receipt that is parsed.
	maxReceipt = 4096
	// receiptSize is enough for the claims of most receipts.
	receiptSize = 768
	// maxAhead is how far in the future a receipt's time of issue may be by the
	// reader's clock; if it is further ahead, one of the two clocks is wrong.
	// It never lengthens a receipt: the end has no leeway.
	maxAhead = time.Minute
)

// claims is the wire form. Every member is required except the ages: receipts
// of 0.1.0 have none, and without an age a PIN counts as new.
type claims struct {
	Issuer      string   `json:"iss"`
	Audience    string   `json:"aud"`
	Subject     string   `json:"sub"`
	Card        string   `json:"card"`
	ID          string   `json:"jti"`
	IssuedAt    int64    `json:"iat"`
	Expires     int64    `json:"exp"`
	BusinessNo  string   `json:"business_no"`
	Action      string   `json:"action"`
	PurposeHash string   `json:"purpose_hash"` // base64url
	ACR         string   `json:"acr"`
	AMR         []string `json:"amr"`
	PINAge      int      `json:"pin_age"`
	PhoneAge    *int     `json:"phone_age,omitempty"`
}

// appendJSON writes the claims byte for byte as encoding/json would, but without its
// reflection.
func (c *claims) appendJSON(b []byte) (_ []byte, err error) {
	for i, m := range [...]struct{ name, value string }{
		{`{"iss":`, c.Issuer}, {`,"aud":`, c.Audience}, {`,"sub":`, c.Subject}, {`,"card":`, c.Card}, {`,"jti":`, c.ID},
		{`,"business_no":`, c.BusinessNo}, {`,"action":`, c.Action}, {`,"purpose_hash":`, c.PurposeHash}, {`,"acr":`, c.ACR},
	} {
		if i == timesAt {
			b = strconv.AppendInt(append(b, `,"iat":`...), c.IssuedAt, 10)
			b = strconv.AppendInt(append(b, `,"exp":`...), c.Expires, 10)
		}
		if b, err = strictjson.AppendText(append(b, m.name...), m.value); err != nil {
			return nil, err
		}
	}
	b = append(b, `,"amr":[`...)
	for i, method := range c.AMR {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = strictjson.AppendText(b, method); err != nil {
			return nil, err
		}
	}
	b = strconv.AppendInt(append(b, `],"pin_age":`...), int64(c.PINAge), 10)
	if c.PhoneAge != nil {
		b = strconv.AppendInt(append(b, `,"phone_age":`...), int64(*c.PhoneAge), 10)
	}
	return append(b, '}'), nil
}

// timesAt is how many text members come before the two times.
const timesAt = 5

// SignReceipt returns the receipt as a compact JWS (ES256, typ
// "liuma-receipt+jwt"). Times are cut to whole seconds, so a receipt never
// lives longer than r says.
func (v *Vault) SignReceipt(r Receipt) (string, error) {
	if !r.Expires.After(r.IssuedAt) {
		return "", errors.New("vault: receipt: times")
	}
	c := claims{
		Issuer: r.Issuer, Audience: string(r.Channel), Subject: r.Subject, Card: r.Card, ID: r.ID,
		IssuedAt: datedBack(r.IssuedAt), Expires: r.Expires.Unix(),
		BusinessNo: string(r.BusinessNo), Action: string(r.Action),
		PurposeHash: base64.RawURLEncoding.EncodeToString(r.PurposeHash[:]),
		ACR:         r.ACR, AMR: r.AMR, PINAge: r.PINAge, PhoneAge: r.PhoneAge,
	}
	// Do not sign a receipt that ParseReceipt would refuse.
	if _, err := c.receipt(); err != nil {
		return "", fmt.Errorf("vault: receipt: %w", err)
	}
	payload, err := c.appendJSON(make([]byte, 0, receiptSize))
	if err != nil {
		return "", fmt.Errorf("vault: receipt: %w", err)
	}
	receipts, _ := v.forClients()
	return v.sign(receipts, payload)
}

// ParseReceipt checks a receipt offline: signature by a key of keys, type,
// issuer, audience and end, with every member present. It proves the card's
// standing at issue; only redeeming the receipt checks whether anything has
// changed since (I-10). Every failure is CodeReceiptInvalid.
func ParseReceipt(token string, keys jose.JSONWebKeySet, issuer string, channel liuma.ChannelID, now time.Time) (Receipt, error) {
	r, err := parseReceipt(token, keys)
	if err == nil {
		err = r.check(issuer, channel, now)
	}
	if err != nil {
		return Receipt{}, liuma.Fail(liuma.CodeReceiptInvalid, err)
	}
	return r, nil
}

func parseReceipt(token string, keys jose.JSONWebKeySet) (Receipt, error) {
	if len(token) > maxReceipt {
		return Receipt{}, errors.New("receipt: too long")
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(jws.Signatures) != 1 {
		return Receipt{}, errors.New("receipt: not a compact JWS with ES256")
	}
	header := jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != receiptType {
		return Receipt{}, errors.New("receipt: wrong type")
	}
	found := keys.Key(header.KeyID)
	if header.KeyID == "" || len(found) != 1 || header.JSONWebKey != nil {
		return Receipt{}, errors.New("receipt: signed with an unknown key")
	}
	public, ok := found[0].Key.(*ecdsa.PublicKey)
	if !ok {
		return Receipt{}, errors.New("receipt: key is not for ES256")
	}
	payload, err := jws.Verify(public)
	if err != nil {
		return Receipt{}, errors.New("receipt: signature does not verify")
	}
	return parseClaims(payload)
}

func parseClaims(payload []byte) (Receipt, error) {
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	var c claims
	if err := dec.Decode(&c); err != nil {
		return Receipt{}, fmt.Errorf("receipt: claims: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Receipt{}, errors.New("receipt: claims: data after the object")
	}
	return c.receipt()
}

// receipt refuses claims that no receipt can have.
func (c *claims) receipt() (Receipt, error) {
	hash, err := base64.RawURLEncoding.Strict().DecodeString(c.PurposeHash)
	if err != nil || len(hash) != 32 {
		return Receipt{}, errors.New("receipt: claims: purpose hash")
	}
	if c.Issuer == "" || c.Audience == "" || c.Subject == "" || c.Card == "" || c.ID == "" || c.ACR == "" || len(c.AMR) == 0 {
		return Receipt{}, errors.New("receipt: claims: member missing")
	}
	if c.PINAge < 0 || c.PhoneAge != nil && *c.PhoneAge < 0 {
		return Receipt{}, errors.New("receipt: claims: ages")
	}
	if c.IssuedAt <= 0 || c.Expires <= c.IssuedAt {
		return Receipt{}, errors.New("receipt: claims: times")
	}
	channel, errC := liuma.ParseChannelID(c.Audience)
	number, errN := liuma.ParseBusinessNo(c.BusinessNo)
	action, errA := liuma.ParseAction(c.Action)
	if err := errors.Join(errC, errN, errA); err != nil {
		return Receipt{}, fmt.Errorf("receipt: claims: %w", err)
	}
	r := Receipt{
		ID: c.ID, Issuer: c.Issuer, Channel: channel, Subject: c.Subject, Card: c.Card,
		BusinessNo: number, Action: action, ACR: c.ACR, AMR: c.AMR, PINAge: c.PINAge, PhoneAge: c.PhoneAge,
		IssuedAt: time.Unix(c.IssuedAt, 0).UTC(), Expires: time.Unix(c.Expires, 0).UTC(),
	}
	copy(r.PurposeHash[:], hash)
	return r, nil
}

func (r Receipt) check(issuer string, channel liuma.ChannelID, now time.Time) error {
	switch {
	case r.Issuer != issuer:
		return errors.New("receipt: another issuer")
	case r.Channel != channel:
		return errors.New("receipt: for another channel")
	case !now.Before(r.Expires):
		return errors.New("receipt: ended")
	case r.IssuedAt.Sub(now) > maxAhead:
		return errors.New("receipt: issued in the future")
	}
	return nil
}
