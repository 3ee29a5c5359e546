package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
)

// pushed is a request for the hosted page.
type pushed struct {
	action              liuma.Action
	card                string // handle in the channel
	businessNo          string // drawn if empty
	challenge, evidence string // both or neither
}

// refused is an answer that refuses.
type refused string

func (r refused) Error() string { return string(r) }

// push pushes a request as a channel's server does, and returns the address to
// open.
func (s *stage) push(ctx context.Context, h *http.Client, channel string, q pushed) (string, error) {
	form, err := s.form(channel, q)
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Issuer+"/par", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := h.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return "", err
	}
	var answer struct {
		RequestURI string `json:"request_uri"`
	}
	if json.Unmarshal(raw, &answer) != nil || answer.RequestURI == "" {
		return "", refused(labelOfAnswer(resp, raw))
	}
	return s.Issuer + "/authorize?" + url.Values{"client_id": {channel}, "request_uri": {answer.RequestURI}}.Encode(), nil
}

// form is a push with a fresh assertion.
func (s *stage) form(channel string, q pushed) (url.Values, error) {
	if q.businessNo == "" {
		q.businessNo = rand.Text()
	}
	d := map[string]any{"type": "liuma_pin", "action": q.action, "holder": map[string]string{"card": q.card}, "purpose": purpose, "business_no": q.businessNo}
	if q.evidence != "" {
		d["challenge"], d["evidence"] = q.challenge, q.evidence
	}
	details, err := json.Marshal([]any{d})
	if err != nil {
		return nil, err
	}
	assertion, err := s.assertion(channel)
	verifier := sha256.Sum256([]byte(rand.Text()))
	return url.Values{
		"client_id": {channel}, "response_type": {"code"}, "redirect_uri": {redirectURI}, "scope": {"openid"},
		"state": {rand.Text()}, "nonce": {rand.Text()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(verifier[:])}, "code_challenge_method": {"S256"},
		"authorization_details": {string(details)},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}, err
}

func (s *stage) assertion(id string) (string, error) {
	return s.token(id, "JWT", s.Issuer)
}

// token is a JWT of a client about itself.
func (s *stage) token(id, kind, audience string) (string, error) {
	p := s.Parties[id]
	key, err := p.private()
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: p.KeyID}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(kind)))
	if err != nil {
		return "", err
	}
	now := time.Now()
	return jwt.Signed(signer).Claims(jwt.Claims{Issuer: id, Subject: id, Audience: jwt.Audience{audience}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(4 * time.Minute))}).Serialize()
}

// labelOfAnswer names an answer by its status and the error code in it, whatever
// the door.
func labelOfAnswer(resp *http.Response, raw []byte) string {
	var answer struct {
		Code  string `json:"code"`
		Error string `json:"error"`
	}
	if json.Unmarshal(raw, &answer) != nil {
		return fmt.Sprint(resp.StatusCode)
	}
	if answer.Code == "" {
		answer.Code = answer.Error
	}
	return strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", answer.Code))
}

// labelOfAsk names the answer to a request of the native door's client.
func labelOfAsk(v *client.Verification, err error) string {
	switch {
	case err != nil:
		return labelOf(err)
	case v.Code != "":
		return "200 " + v.Code
	}
	return strings.TrimSpace("200 " + v.Verdict)
}
