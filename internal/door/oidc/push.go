package oidc

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door"
)

const (
	challengeLength = 43 // SHA-256 in base64url
	verifierLongest = 128
	secretShortest  = 8 // of state and nonce, in characters
	nonceLongest    = 512
	stateLongest    = 2048 // common middleware puts more into it than a random value
)

// pushAnswer is RFC 9126, 2.2.
type pushAnswer struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"` // seconds
}

// push is the PAR endpoint: a channel's server sends its request to a holder,
// and gets the address at which the holder's browser begins.
func (d *Door) push(v *door.Visit, r *http.Request) error {
	f, caller, err := d.admit(v, r, authority.ActPush)
	if err != nil {
		return err
	}
	q, err := d.parsePush(f, caller.Client.RedirectURIs)
	if err != nil {
		return err
	}
	v.BusinessNo = q.BusinessNo
	pushed, err := d.authority.Push(r.Context(), caller.Caller, q)
	if err != nil {
		return pushError(err)
	}
	left := int64(pushed.Expires.Sub(d.now()) / time.Second)
	if pushed.RequestURI == "" || left < 1 {
		return errors.New("push: the authority answered with nothing that can be used")
	}
	return answer(v, http.StatusCreated, pushAnswer{RequestURI: pushed.RequestURI, ExpiresIn: left})
}

// admit reads a request's form and authenticates the channel.
func (d *Door) admit(v *door.Visit, r *http.Request, act authority.Act) (form, visitor, error) {
	f, err := readForm(v, r)
	if err != nil {
		return nil, visitor{}, err
	}
	caller, err := d.gate.check(r.Context(), r.Header, f, act, v.Admit)
	if err != nil {
		return nil, visitor{}, err
	}
	return f, caller, nil
}

// parsePush checks the parameters of an authorization request. Parameters of
// OpenID Connect that the door does not use are ignored, as its specification
// demands.
func (d *Door) parsePush(f form, registered []string) (ceremony.Push, error) {
	if err := checkFlow(f); err != nil {
		return ceremony.Push{}, err
	}
	back, err := parseReturn(f, registered)
	if err != nil {
		return ceremony.Push{}, err
	}
	details, ok := f[detailsName]
	if !ok {
		return ceremony.Push{}, refuse(reasonMissing, detailsName)
	}
	q, err := d.parseDetails(details)
	if err != nil {
		return ceremony.Push{}, err
	}
	q.Return = back
	return q, nil
}

// checkFlow refuses every flow except the authorization code flow with PKCE.
func checkFlow(f form) error {
	if _, ok := f["request"]; ok {
		return refuse(reasonRequestObject, "request")
	}
	if _, ok := f["request_uri"]; ok { // RFC 9126, 2.1
		return refuse(reasonRequestURI, "request_uri")
	}
	if err := f.is("response_type", "code", reasonResponseType); err != nil {
		return err
	}
	if mode, ok := f["response_mode"]; ok && mode != "query" {
		return refuse(reasonResponseMode, "response_mode")
	}
	if !slices.Contains(strings.Split(f["scope"], " "), "openid") {
		return refuse(reasonScope, "scope")
	}
	if slices.Contains(strings.Split(f["prompt"], " "), "none") {
		return refuse(reasonPrompt, "prompt")
	}
	return nil
}

func parseReturn(f form, registered []string) (ceremony.Return, error) {
	redirect, ok := f["redirect_uri"]
	if !ok {
		return ceremony.Return{}, refuse(reasonMissing, "redirect_uri")
	}
	if !mayGoBack(registered, redirect) {
		return ceremony.Return{}, refuse(reasonRedirectURI, "redirect_uri")
	}
	state, err := f.text("state", secretShortest, stateLongest, visible)
	if err != nil {
		return ceremony.Return{}, err
	}
	nonce, err := f.text("nonce", secretShortest, nonceLongest, visible)
	if err != nil {
		return ceremony.Return{}, err
	}
	// Without a method the challenge would be the verifier itself (RFC 7636, 4.3).
	if err := f.is("code_challenge_method", "S256", reasonChallenge); err != nil {
		return ceremony.Return{}, err
	}
	challenge, err := f.text("code_challenge", challengeLength, challengeLength, base64url)
	if err != nil {
		return ceremony.Return{}, err
	}
	return ceremony.Return{RedirectURI: redirect, State: state, Nonce: nonce, CodeChallenge: challenge}, nil
}

// pushError puts the path of authorization_details before the field of the
// authority's error, if the field is in there.
func pushError(err error) error {
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Field == "" {
		return err
	}
	named := *e
	named.Field = detailsName + "." + e.Field
	return &named
}
