package miniapp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLife = time.Minute
	longestAnswer = 64 << 10
)

// authority holds the metadata from discovery.
type authority struct {
	oauth    oauth2.Config
	par      string
	verifier *oidc.IDTokenVerifier
}

// discover asks the authority for its endpoints, once it answers.
func (a *App) discover(ctx context.Context) (*authority, error) {
	a.foundMu.Lock()
	defer a.foundMu.Unlock()
	if a.found != nil {
		return a.found, nil
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, a.http), a.c.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	var more struct {
		PAR string `json:"pushed_authorization_request_endpoint"`
	}
	if err := provider.Claims(&more); err != nil || more.PAR == "" {
		return nil, errors.New("discovery: no endpoint for pushed requests")
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams // the client is named in the form and proved by an assertion
	a.found = &authority{
		oauth: oauth2.Config{ClientID: a.c.ClientID, Endpoint: endpoint, RedirectURL: RedirectURI(a.c.Origin), Scopes: []string{oidc.ScopeOpenID}},
		par:   more.PAR,
		verifier: provider.Verifier(&oidc.Config{
			ClientID: a.c.ClientID, SupportedSigningAlgs: []string{oidc.ES256}, Now: a.c.Now,
		}),
	}
	return a.found, nil
}

// assertion proves who we are (private_key_jwt, RFC 7523). Every call needs a
// new one: the authority takes a jti once.
func (a *App) assertion() (string, error) {
	now := a.c.Now()
	return jwt.Signed(a.signer).Claims(jwt.Claims{
		Issuer: a.c.ClientID, Subject: a.c.ClientID, Audience: jwt.Audience{a.c.Issuer}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLife)),
	}).Serialize()
}

// details is authorization_details of type liuma_pin (RFC 9396).
type details struct {
	Type       string `json:"type"`
	Action     string `json:"action"`
	Holder     holder `json:"holder"`
	Region     string `json:"region,omitempty"`
	Purpose    string `json:"purpose"` // the holder sees it, and the ID token has its hash
	BusinessNo string `json:"business_no"`
	Challenge  string `json:"challenge,omitempty"`
	Evidence   string `json:"evidence,omitempty"`
}

// holder has the card's handle where we have one, and else who it is.
type holder struct {
	Card     string `json:"card,omitempty"`
	IDNumber string `json:"id_number,omitempty"`
	Name     string `json:"name,omitempty"`
	Phone    string `json:"phone,omitempty"`
}

func (a *App) detailsOf(f flow, evidence string) (string, error) {
	d := details{
		Type: "liuma_pin", Action: f.Action, Region: a.c.Region, Purpose: f.Purpose, BusinessNo: f.BusinessNo,
		Holder: holder{Card: f.Card},
	}
	if evidence != "" {
		d.Challenge, d.Evidence = f.Challenge, evidence
	}
	if f.Card == "" {
		p := a.person(f.Person)
		d.Holder.IDNumber, d.Holder.Name = p.IDNumber, p.Name
		if f.Action == actionEnroll {
			d.Holder.Phone = p.Phone
		}
	}
	raw, err := json.Marshal([]details{d})
	return string(raw), err
}

// push hands the request to the authority on the back channel and returns the
// address to open in the web view. Nothing personal is in it.
func (a *App) push(ctx context.Context, f flow, evidence string) (string, error) {
	au, err := a.discover(ctx)
	if err != nil {
		return "", err
	}
	what, err := a.detailsOf(f, evidence)
	if err != nil {
		return "", err
	}
	assertion, err := a.assertion()
	if err != nil {
		return "", err
	}
	form := url.Values{
		"client_id": {a.c.ClientID}, "client_assertion_type": {assertionType}, "client_assertion": {assertion},
		"response_type": {"code"}, "scope": {oidc.ScopeOpenID}, "redirect_uri": {au.oauth.RedirectURL},
		"state": {f.State}, "nonce": {f.Nonce},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(f.Verifier)}, "code_challenge_method": {"S256"},
		"authorization_details": {what},
	}
	var answer struct {
		RequestURI string `json:"request_uri"`
	}
	if err := a.post(ctx, au.par, "application/x-www-form-urlencoded", form.Encode(), http.StatusCreated, &answer); err != nil {
		return "", err
	}
	if answer.RequestURI == "" {
		return "", errors.New("push: no request_uri")
	}
	// Everything else was pushed; only these two travel through the browser.
	q := url.Values{"client_id": {a.c.ClientID}, "request_uri": {answer.RequestURI}}
	return au.oauth.Endpoint.AuthURL + "?" + q.Encode(), nil
}

// refusal is an error document of the authority: OAuth's two members and ours.
type refusal struct {
	Status      int    `json:"-"`
	Kind        string `json:"error"`
	Description string `json:"error_description"`
	// The authority's own members: its error code, and sentences to show.
	Code          string     `json:"code"`
	DescriptionZH string     `json:"error_description_zh"`
	NextStepZH    string     `json:"next_step_zh"`
	NextStepEN    string     `json:"next_step_en"`
	Field         string     `json:"field"`     // the member at fault
	Challenge     string     `json:"challenge"` // with evidence_required
	Until         *time.Time `json:"until"`     // when the refusal ends by itself
}

// Error is for the log: nothing in it is personal.
func (r *refusal) Error() string {
	return fmt.Sprintf("status %d: %s, %s %s: %s", r.Status, r.Kind, r.Code, r.Field, r.Description)
}

// post sends one request, once.
func (a *App) post(ctx context.Context, address, kind, body string, want int, answer any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Accept", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != want {
		no := &refusal{Status: resp.StatusCode}
		if err := json.Unmarshal(raw, no); err != nil || no.Kind == "" && no.Code == "" {
			return fmt.Errorf("status %d without a reason", resp.StatusCode)
		}
		return no
	}
	return json.Unmarshal(raw, answer)
}

// proof holds the claims of a checked ID token.
type proof struct {
	Card        string   `json:"liuma_card"` // handle of the link: this account's way to the card
	BusinessNo  string   `json:"liuma_business_no"`
	Action      string   `json:"liuma_action"`
	PurposeHash string   `json:"liuma_purpose_hash"`
	ACR         string   `json:"acr"`
	AMR         []string `json:"amr"`
	Nonce       string   `json:"nonce"`
	AuthTime    int64    `json:"auth_time"`
}

// redeem exchanges the authorization code and checks the ID token. An error
// says nothing about the verdict: ask for it by business number.
func (a *App) redeem(ctx context.Context, f flow, code string) (*proof, error) {
	au, err := a.discover(ctx)
	if err != nil {
		return nil, err
	}
	assertion, err := a.assertion()
	if err != nil {
		return nil, err
	}
	token, err := au.oauth.Exchange(oidc.ClientContext(ctx, a.http), code, oauth2.VerifierOption(f.Verifier),
		oauth2.SetAuthURLParam("client_assertion_type", assertionType), oauth2.SetAuthURLParam("client_assertion", assertion))
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := au.verifier.Verify(ctx, raw) // signature, issuer, audience, expiry
	if err != nil {
		return nil, err
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		return nil, err
	}
	p := &proof{}
	if err := id.Claims(p); err != nil {
		return nil, fmt.Errorf("ID token: %w", err)
	}
	return p, p.check(f)
}

// check refuses a token that does not match the pushed request.
func (p *proof) check(f flow) error {
	sum := sha256.Sum256([]byte(f.Purpose))
	switch {
	case !same(p.Nonce, f.Nonce):
		return errors.New("ID token: another nonce")
	case p.BusinessNo != f.BusinessNo:
		return errors.New("ID token: about another request")
	case p.Action != f.Action:
		return errors.New("ID token: about another action")
	case p.PurposeHash != base64.RawURLEncoding.EncodeToString(sum[:]):
		return errors.New("ID token: about another purpose")
	case f.Card != "" && p.Card != f.Card:
		return errors.New("ID token: about another card")
	case !strings.HasPrefix(p.ACR, "urn:liuma:acr:pin") || !slices.Contains(p.AMR, "pin"):
		return errors.New("ID token: no PIN was proved")
	}
	return nil
}

func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
