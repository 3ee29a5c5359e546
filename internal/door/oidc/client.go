package oidc

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	assertionType    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLife    = 5 * time.Minute  // exp may be this far ahead
	assertionLeeway  = 30 * time.Second // between the channel's clock and ours
	assertionLongest = 4096             // bytes
	jtiShortest      = 16
	jtiLongest       = 64
)

// gate authenticates channels by private_key_jwt (OpenID Connect Core 9,
// RFC 7523). The client's registration is read each time, so that stopping a
// channel or replacing its key works at once.
type gate struct {
	authority Authority
	now       func() time.Time
	audiences []string // issuer, token endpoint, PAR endpoint (RFC 9126, 2)
}

// assertion is what the door reads of a client assertion.
type assertion struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  jwt.Audience     `json:"aud"`
	ID        string           `json:"jti"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
	NotBefore *jwt.NumericDate `json:"nbf"`
	Expires   *jwt.NumericDate `json:"exp"`
}

// check returns the channel that signed the request's assertion, and takes the
// assertion out of use. A crash after that costs the channel one assertion.
func (g gate) check(ctx context.Context, header http.Header, f form) (authority.Caller, error) {
	raw, err := g.only(header, f)
	if err != nil {
		return authority.Caller{}, err
	}
	token, a, err := parseAssertion(raw)
	if err != nil {
		return authority.Caller{}, err
	}
	if id, ok := f["client_id"]; ok && id != a.Issuer {
		return authority.Caller{}, refuse(reasonClientID, "client_id")
	}
	client, err := g.signer(ctx, token, &a)
	if err != nil {
		return authority.Caller{}, err
	}
	until, err := g.proper(a)
	if err != nil {
		return authority.Caller{}, err
	}
	if client.Stopped {
		return authority.Caller{}, refuse(reasonClientStopped, "")
	}
	err = g.authority.UseAssertion(ctx, client.ID, a.ID, until)
	if err != nil && liuma.CodeOf(err) == liuma.CodeUnauthenticated {
		return authority.Caller{}, refuse(reasonAssertionUsed, "client_assertion")
	}
	if err != nil {
		return authority.Caller{}, fmt.Errorf("use assertion: %w", err)
	}
	if client.Kind != store.ClientChannel {
		return authority.Caller{}, liuma.Fail(liuma.CodeForbidden, errors.New("not a channel"))
	}
	return authority.Caller{Client: client}, nil
}

// only returns the assertion if it is the request's only credential.
func (g gate) only(header http.Header, f form) (string, error) {
	if _, secret := f["client_secret"]; secret || len(header.Values("Authorization")) > 0 {
		return "", refuse(reasonAuthMethod, "")
	}
	if f["client_assertion"] == "" || f["client_assertion_type"] == "" {
		return "", refuse(reasonAssertionMissing, "client_assertion")
	}
	if f["client_assertion_type"] != assertionType {
		return "", refuse(reasonAuthMethod, "client_assertion_type")
	}
	raw, err := f.text("client_assertion", 1, assertionLongest, jwsChar)
	if err != nil {
		return "", refuse(reasonAssertionForm, "client_assertion")
	}
	return raw, nil
}

// parseAssertion reads an assertion without trusting it: nothing is known of
// its claims until signer has checked the signature. ES256 is all that is
// parsed, so neither "none" nor a MAC under a public key gets any further. A
// key that comes with the assertion is never looked at.
func parseAssertion(raw string) (*jwt.JSONWebToken, assertion, error) {
	malformed := refuse(reasonAssertionForm, "client_assertion")
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(token.Headers) != 1 {
		return nil, assertion{}, malformed
	}
	// Another type of token that a channel signs (for the native door, say) is
	// kept apart by its audience and jti; a type that says so is refused here.
	typ, has := token.Headers[0].ExtraHeaders[jose.HeaderType]
	if has && typ != "JWT" && typ != "client-authentication+jwt" {
		return nil, assertion{}, malformed
	}
	var a assertion
	if err := token.UnsafeClaimsWithoutVerification(&a); err != nil {
		return nil, assertion{}, malformed
	}
	if _, err := liuma.ParseChannelID(a.Issuer); err != nil || a.Subject != a.Issuer {
		return nil, assertion{}, refuse(reasonAssertionSubject, "client_assertion")
	}
	return token, a, nil
}

// signer returns the client whose key signed the assertion, and reads the
// claims again from what was signed. An unknown client is refused like a bad
// signature; when the look-up itself fails, so does the request.
func (g gate) signer(ctx context.Context, token *jwt.JSONWebToken, a *assertion) (store.Client, error) {
	unsigned := refuse(reasonAssertionSignature, "client_assertion")
	client, err := g.authority.Client(ctx, a.Issuer)
	if errors.Is(err, store.ErrNotFound) || err != nil && liuma.CodeOf(err) == liuma.CodeUnauthenticated {
		return store.Client{}, unsigned
	}
	if err != nil {
		return store.Client{}, fmt.Errorf("look up client: %w", err)
	}
	keys, err := evidence.PublicKeys(client)
	if err != nil {
		// What was registered cannot be read: nobody's fault but ours, and
		// nobody gets in.
		return store.Client{}, err
	}
	key := named(keys, token.Headers[0].KeyID)
	if key == nil {
		return store.Client{}, unsigned
	}
	var signed assertion
	if err := token.Claims(key, &signed); err != nil || signed.Issuer != client.ID || signed.Subject != client.ID {
		return store.Client{}, unsigned
	}
	*a = signed
	return client, nil
}

// proper checks signed claims, and says until when the assertion's jti must
// not come again. A second audience would let whoever that is use the
// assertion here, so there may be none.
func (g gate) proper(a assertion) (until time.Time, err error) {
	const field = "client_assertion"
	if len(a.Audience) != 1 || !slices.Contains(g.audiences, a.Audience[0]) {
		return time.Time{}, refuse(reasonAssertionAudience, field)
	}
	if len(a.ID) < jtiShortest || len(a.ID) > jtiLongest || !all(a.ID, visible) {
		return time.Time{}, refuse(reasonAssertionID, field)
	}
	if a.Expires == nil {
		return time.Time{}, refuse(reasonAssertionLifetime, field)
	}
	// Whole seconds, compared without subtracting what a client chose.
	now, leeway := g.now().Unix(), int64(assertionLeeway/time.Second)
	expires := int64(*a.Expires)
	if expires <= now-leeway {
		return time.Time{}, refuse(reasonAssertionExpired, field)
	}
	if expires > now+int64(assertionLife/time.Second)+leeway {
		return time.Time{}, refuse(reasonAssertionLifetime, field)
	}
	for _, from := range []*jwt.NumericDate{a.IssuedAt, a.NotBefore} {
		if from != nil && int64(*from) > now+leeway {
			return time.Time{}, refuse(reasonAssertionFuture, field)
		}
	}
	return time.Unix(expires, 0).Add(assertionLeeway).UTC(), nil
}

// named finds the key of a kid. Without a kid, which OpenID Connect leaves
// out where there is only one key, it is that one.
func named(keys map[string]*ecdsa.PublicKey, kid string) *ecdsa.PublicKey {
	if kid == "" && len(keys) == 1 {
		for _, key := range keys {
			return key
		}
	}
	return keys[kid]
}
