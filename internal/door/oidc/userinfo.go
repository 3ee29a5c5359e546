package oidc

import (
	"errors"
	"net/http"
	"strings"

	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/vault"
)

// bearer is the scheme of an access token (RFC 6750).
const bearer = "Bearer"

// userinfoAnswer is OpenID Connect Core, 5.3.2. It holds nothing else: what a channel may
// know about a card is in the ID token, which it got with the code.
type userinfoAnswer struct {
	Subject string `json:"sub"`
}

// userinfo is for common middleware, which completes a log-in only after a call here. It
// returns the pairwise subject to a caller with the access token, for as long as the
// token's answer said, while the channel is registered. All of that is in the token
// itself, sealed by the vault, so any authority of the service can answer. The ID token,
// which says the same and more, does not depend on it.
func (d *Door) userinfo(v *door.Visit, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		v.Header().Set("Allow", "GET, POST")
		return refuse(reasonMethod, "")
	}
	challenge := bearer + ` realm="` + d.issuer + `"`
	v.Header().Set("WWW-Authenticate", challenge) // of a 401; taken back below
	access, ok := bearerToken(r.Header)
	if !ok {
		return refuse(reasonAccessMissing, "")
	}
	v.Header().Set("WWW-Authenticate", challenge+`, error="invalid_token"`)
	found, err := d.tokens.ReadAccess(access)
	if err != nil && !errors.Is(err, vault.ErrAccess) {
		return err
	}
	if err != nil || !d.latest().Before(found.Until) {
		return refuse(reasonAccessInvalid, "")
	}
	client, _, err := d.gate.clients.Find(r.Context(), string(found.Channel))
	if errors.Is(err, door.ErrNoClient) || err == nil && client.Stopped {
		return refuse(reasonAccessInvalid, "")
	}
	if err != nil {
		return err
	}
	if err := v.Admit(client.ID); err != nil {
		return err
	}
	v.Header().Del("WWW-Authenticate")
	return answer(v, http.StatusOK, userinfoAnswer{Subject: found.Subject})
}

// bearerToken returns the access token of a request: from its header, once, and never
// from the address or the body, which may be logged or kept elsewhere.
func bearerToken(h http.Header) (string, bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return token, ok && strings.EqualFold(scheme, bearer) && token != ""
}
