package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/vault"
)

const codeLongest = 512

// tokenAnswer is OpenID Connect Core 3.1.3.3 and RFC 9396, 7. The access token
// shows the pairwise subject at the userinfo endpoint, and opens nothing else.
type tokenAnswer struct {
	AccessToken string          `json:"access_token"`
	TokenType   string          `json:"token_type"`
	ExpiresIn   int64           `json:"expires_in"` // seconds
	Scope       string          `json:"scope"`
	IDToken     string          `json:"id_token"`
	Details     []grantedDetail `json:"authorization_details"`
}

// grantedDetail is the granted request without personal data.
type grantedDetail struct {
	Type       string           `json:"type"`
	Action     liuma.Action     `json:"action"`
	BusinessNo liuma.BusinessNo `json:"business_no"`
}

// token is the token endpoint: it exchanges an authorization code for an ID
// token, which is the receipt. Before anything is signed, the authority has
// used up the code and checked that standing and version have not changed since
// the verdict (I-10). A crash between the two leaves a used code and no token:
// the channel then asks for the verdict by its business number.
func (d *Door) token(v *door.Visit, r *http.Request) error {
	f, caller, err := d.admit(v, r, authority.ActRedemption)
	if err != nil {
		return err
	}
	if err := f.is("grant_type", "authorization_code", reasonGrantType); err != nil {
		return err
	}
	code, err := f.text("code", 1, codeLongest, visible)
	if err != nil {
		return err
	}
	redirect, err := f.text("redirect_uri", 1, maxRedirectURI, visible)
	if err != nil {
		return err
	}
	verifier, err := f.text("code_verifier", challengeLength, verifierLongest, unreserved)
	if err != nil {
		return err
	}
	if err := d.tokens.Ready(); err != nil {
		caller.counted.GiveBack()
		return err // the code would be used up, so the token must be signable first
	}
	grant, err := d.authority.RedeemCode(r.Context(), caller.Caller, code, redirect, verifier)
	if err != nil {
		return err
	}
	caller.counted.GiveBack() // only refused requests count to the ration
	v.BusinessNo = grant.BusinessNo
	body, err := d.issue(liuma.ChannelID(caller.Client.ID), grant)
	if err != nil {
		return err
	}
	return answer(v, http.StatusOK, body)
}

// issue signs the ID token of a grant.
func (d *Door) issue(channel liuma.ChannelID, g ceremony.Grant) (tokenAnswer, error) {
	now := d.now()
	if now.Before(g.At) {
		now = g.At // a clock that was set back must not make the holder's verdict invalid
	}
	left := g.Expires.Unix() - now.Unix()
	if left < 1 {
		return tokenAnswer{}, errors.New("token: the grant has expired")
	}
	access, err := d.tokens.NewAccess(vault.Access{Channel: channel, Subject: g.Subject, Until: d.latest().Add(time.Duration(left) * time.Second)})
	if err != nil {
		return tokenAnswer{}, fmt.Errorf("access token: %w", err)
	}
	id, err := d.tokens.SignIDToken(vault.IDToken{
		Issuer: d.issuer, Channel: channel, Subject: g.Subject, Card: string(g.Card), BusinessNo: g.BusinessNo,
		Action: g.Action, PurposeHash: g.PurposeHash, ACR: g.ACR, AMR: g.AMR, PINAge: g.PINAge, PhoneAge: g.PhoneAge, Nonce: g.Nonce,
		AccessHash: accessHash(access), AuthTime: g.At, IssuedAt: now, Expires: g.Expires,
	})
	if err != nil {
		return tokenAnswer{}, fmt.Errorf("token: %w", err)
	}
	return tokenAnswer{
		AccessToken: access, TokenType: "Bearer", ExpiresIn: left, Scope: "openid", IDToken: id,
		Details: []grantedDetail{{Type: detailsType, Action: g.Action, BusinessNo: g.BusinessNo}},
	}, nil
}

// accessHash is at_hash: the left half of the hash, base64url.
func accessHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2])
}
