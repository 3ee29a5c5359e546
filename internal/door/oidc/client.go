package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	assertionType    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLongest = 4096 // bytes
	jtiShortest      = 16
	jtiLongest       = 64
	// assertionLifetime is how far in the future an assertion may end. The mark of
	// its jti is kept that long and ten minutes more (clock.Grace).
	assertionLifetime = time.Hour
)

// gate authenticates channels by private_key_jwt (OpenID Connect Core 9,
// RFC 7523). The client's registration is read each time, so that stopping a
// channel or replacing its key works at once.
type gate struct {
	authority Authority
	clients   *door.Clients
	now       func() time.Time
	latest    func() time.Time
	issuer    string
	endpoints []string // token and PAR endpoint: an assertion may name them instead (RFC 9126, 2)
}

// assertion holds the claims that the door reads of a client assertion.
type assertion struct {
	door.Claims
	ID string `json:"jti"`
}

// visitor is an authenticated channel, and the count of its request.
type visitor struct {
	authority.Caller
	counted *authority.Taken
}

// check returns the channel that signed the request's assertion, and marks the
// assertion as used. A crash after that costs the channel one assertion. Before that
// it calls admit with the channel, which may refuse: the assertion can then be used
// again. The request counts as an act of the channel.
func (g gate) check(ctx context.Context, header http.Header, f form, act authority.Act, admit func(client string) error) (visitor, error) {
	raw, err := g.only(header, f)
	if err != nil {
		return visitor{}, err
	}
	token, a, err := parseAssertion(raw)
	if err != nil {
		return visitor{}, err
	}
	if id, ok := f["client_id"]; ok && id != a.Issuer {
		return visitor{}, refuse(reasonClientID, "client_id")
	}
	client, err := g.signer(ctx, token, &a)
	if err != nil {
		return visitor{}, err
	}
	until, err := g.proper(a, client.StrictAudience)
	if err != nil {
		return visitor{}, err
	}
	if client.Stopped {
		return visitor{}, refuse(reasonClientStopped, "")
	}
	if err := admit(client.ID); err != nil {
		return visitor{}, err
	}
	if client.Kind != store.ClientChannel {
		return visitor{}, liuma.Fail(liuma.CodeForbidden, errors.New("not a channel"))
	}
	caller := authority.Caller{Client: client}
	taken, err := g.authority.UseAssertion(ctx, caller, act, a.ID, until)
	if err != nil && liuma.CodeOf(err) == liuma.CodeUnauthenticated {
		return visitor{}, refuse(reasonAssertionUsed, "client_assertion")
	}
	if err != nil {
		return visitor{}, fmt.Errorf("use assertion: %w", err)
	}
	return visitor{caller, taken}, nil
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

// parseAssertion reads an assertion without trusting it: its claims are unproven
// until signer has checked the signature. A bearer token that the channel signed for
// the native door is refused here for its typ, and by proper for its audience.
func parseAssertion(raw string) (*door.Token, assertion, error) {
	var a assertion
	token, err := door.ParseToken(raw, &a, door.AssertionTypes()...)
	if errors.Is(err, door.ErrTokenType) {
		return nil, assertion{}, refuse(reasonAssertionType, "client_assertion")
	}
	if err != nil {
		return nil, assertion{}, refuse(reasonAssertionForm, "client_assertion")
	}
	if _, err := liuma.ParseChannelID(a.Issuer); err != nil || a.Subject != a.Issuer {
		return nil, assertion{}, refuse(reasonAssertionSubject, "client_assertion")
	}
	return token, a, nil
}

// signer returns the client whose key signed the assertion, and reads the
// claims from the verified payload. An unknown client gives the same error as a
// bad signature. Without a kid, which OpenID Connect omits where a client has
// only one key, that key is used.
func (g gate) signer(ctx context.Context, token *door.Token, a *assertion) (store.Client, error) {
	unsigned := refuse(reasonAssertionSignature, "client_assertion")
	client, keys, err := g.clients.Find(ctx, a.Issuer)
	if errors.Is(err, door.ErrNoClient) {
		return store.Client{}, unsigned
	}
	if err != nil {
		return store.Client{}, err
	}
	key := keys[token.KeyID]
	if token.KeyID == "" {
		key, _ = keys.Only()
	}
	var signed assertion
	if err := token.Verify(key, &signed); err != nil || signed.Issuer != client.ID || signed.Subject != client.ID {
		return store.Client{}, unsigned
	}
	*a = signed
	return client, nil
}

// proper checks verified claims, and returns the time until which the jti must be
// remembered.
func (g gate) proper(a assertion, strict bool) (until time.Time, err error) {
	const field = "client_assertion"
	if err := g.addressed(a, strict); err != nil {
		return time.Time{}, err
	}
	if len(a.ID) < jtiShortest || len(a.ID) > jtiLongest || !all(a.ID, visible) {
		return time.Time{}, refuse(reasonAssertionID, field)
	}
	if a.Expires == nil {
		return time.Time{}, refuse(reasonAssertionLifetime, field)
	}
	now := g.now()
	if a.Expired(g.latest()) {
		return time.Time{}, refuse(reasonAssertionExpired, field)
	}
	expires := int64(*a.Expires) // in whole seconds, never subtracted: a client chose it, and a difference could overflow
	if expires > now.Unix()+int64((assertionLifetime+door.TokenLeeway)/time.Second) {
		return time.Time{}, refuse(reasonAssertionLifetime, field)
	}
	if a.Early(now) {
		return time.Time{}, refuse(reasonAssertionFuture, field)
	}
	return time.Unix(expires, 0).Add(door.TokenLeeway).UTC(), nil
}

// addressed checks that the audience is this server alone: another audience could use
// the assertion here. A channel that is registered as strict must name only the
// issuer. Then another server that gives out this door's endpoint as its own cannot
// get an assertion that is valid here.
func (g gate) addressed(a assertion, strict bool) error {
	switch {
	case len(a.Audience) == 1 && a.Audience[0] == g.issuer:
		return nil
	case len(a.Audience) != 1 || !slices.Contains(g.endpoints, a.Audience[0]):
		return refuse(reasonAssertionAudience, "client_assertion")
	case strict:
		return refuse(reasonAssertionStrict, "client_assertion")
	}
	return nil
}
