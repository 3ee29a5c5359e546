package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	assertionMethod = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	detailsType     = "liuma_pin"
)

// HostedRequest is a channel's request to the hosted door. Action, BusinessNo,
// Purpose, Holder and RedirectURI are required. Holder may be personal data: it goes
// to the authority from server to server, never through a browser.
type HostedRequest struct {
	Action     Action
	BusinessNo string  // the channel's own; stored before the push
	Purpose    Purpose // as shown to the holder, 1 to 60 characters
	// Holder names the holder: by Card, the handle of the account's link; to link, by
	// ID number and name; to enroll, by these and the phone.
	Holder      Subject
	Region      string // GB/T 2260; empty: the nation
	RedirectURI string // a registered one, byte for byte
	Replaces    string // to link: a handle that the new link replaces
	// Proof is for a verification: ProofEvidence asks for evidence alone, without the
	// PIN, where the policy of the region names the channel. Empty: the PIN.
	Proof string
	// Challenge and Evidence: both or neither.
	Challenge string
	Evidence  string
}

// details is authorization_details of type liuma_pin (RFC 9396): an array of
// one object.
type details struct {
	Type       string  `json:"type"`
	Action     Action  `json:"action"`
	Holder     Subject `json:"holder"`
	Region     string  `json:"region,omitempty"`
	Purpose    Purpose `json:"purpose"`
	BusinessNo string  `json:"business_no"`
	Replaces   string  `json:"replaces,omitempty"`
	Proof      string  `json:"proof,omitempty"`
	Challenge  string  `json:"challenge,omitempty"`
	Evidence   string  `json:"evidence,omitempty"`
}

// LogIn draws the secrets of one push, for the session and the account that push. The
// result also holds the values that the answer must have. Store it under its State
// before you push, and take it out again, once, when that state comes back.
func (r HostedRequest) LogIn(session, account string) LogIn {
	l := NewLogIn(session, account, r.BusinessNo)
	l.Action, l.Purpose, l.Card, l.RedirectURI = r.Action, r.Purpose, r.Holder.Card, r.RedirectURI
	l.Proof = r.Proof
	return l
}

// Page is a page of the hosted door, as a push opened it.
type Page struct {
	// URL is the address to which to send the holder's browser or web view. It has no
	// personal data. Open it as a page, not in a frame.
	URL string
	// Opens is the time until which a browser must have begun.
	Opens time.Time
}

// Push sends a request to the hosted door, from server to server, and returns the
// page to open. Pushing the same business number again, with a new LogIn, continues
// the ceremony: after [Problem] evidence_required, push with the evidence. A
// [NoAnswerError] means that it is not known whether the request was taken: push it
// again, under the same number.
func (c *Client) Push(ctx context.Context, l LogIn, r HostedRequest) (*Page, error) {
	if err := l.pushes(r); err != nil {
		return nil, err
	}
	at, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	what, err := json.Marshal([]details{{
		Type: detailsType, Action: r.Action, Holder: r.Holder, Region: r.Region, Purpose: r.Purpose,
		BusinessNo: r.BusinessNo, Replaces: r.Replaces, Proof: r.Proof, Challenge: r.Challenge, Evidence: r.Evidence,
	}})
	if err != nil {
		return nil, fmt.Errorf("client: request: %w", err)
	}
	var answer struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int64  `json:"expires_in"`
	}
	asked := c.now()
	err = c.form(ctx, at.PAR, r.BusinessNo, http.StatusCreated, url.Values{
		"response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {l.RedirectURI}, "state": {l.State}, "nonce": {l.Nonce},
		"code_challenge": {l.CodeChallenge()}, "code_challenge_method": {"S256"}, "authorization_details": {string(what)},
	}, &answer)
	if err != nil {
		return nil, err
	}
	if answer.RequestURI == "" {
		return nil, &NoAnswerError{BusinessNo: r.BusinessNo, Err: errors.New("an answer without request_uri")}
	}
	// Everything else was pushed; only these two travel through the browser.
	q := url.Values{"client_id": {c.id}, "request_uri": {answer.RequestURI}}
	return &Page{URL: at.Authorization + "?" + q.Encode(), Opens: asked.Add(time.Duration(answer.ExpiresIn) * time.Second)}, nil
}

// pushes checks that a log-in was drawn for this request and has all its values.
func (l LogIn) pushes(r HostedRequest) error {
	switch {
	case r.Action == "" || r.BusinessNo == "" || r.Purpose == "" || r.RedirectURI == "" || r.Holder == (Subject{}):
		return errors.New("client: Push needs Action, BusinessNo, Purpose, Holder and RedirectURI")
	case (r.Challenge == "") != (r.Evidence == ""):
		return errors.New("client: Challenge and Evidence go together")
	case l.Session == "" || l.Account == "" || l.State == "" || l.Nonce == "" || l.Verifier == "":
		return errors.New("client: the LogIn has no session, account or secrets: make it with HostedRequest.LogIn")
	case l.BusinessNo != r.BusinessNo || l.Action != r.Action || l.Purpose != r.Purpose || l.Card != r.Holder.Card || l.RedirectURI != r.RedirectURI || l.Proof != r.Proof:
		return errors.New("client: the LogIn was made for another request")
	}
	return nil
}

// codeForm is the form of an error code.
var codeForm = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// Return is the callback. It checks that the browser came back into the log-in that
// pushed, redeems the authorization code and checks the ID token. Only a Proof may
// open the service that asked for the PIN. session and account are those of the
// browser that is here now; query is from the address. Take the LogIn out of your
// store first, by the state, so that a second answer finds none.
//
// ErrOtherLogIn: use nothing of the address, and do not call the authority. A
// [Problem] with the code evidence_required: get evidence for its Challenge, and push
// again under the same number. This error comes from the address; a forged one costs
// the holder an identity check and no more. Any other error says nothing about the
// verdict, because anybody may have written the parameters of an address, and an
// exchange can fail on the way. Ask [Client.Verification] by the business number. If
// it says that the result is returning, put the LogIn back: the page may bring
// another code, with the same state.
func (c *Client) Return(ctx context.Context, l LogIn, session, account string, query url.Values) (*Proof, error) {
	if err := l.Came(session, account, c.issuer, query); err != nil {
		return nil, err
	}
	code, no := query.Get("code"), query.Get("error")
	if len(query["code"]) > 1 || len(query["error"]) > 1 || (code == "") == (no == "") {
		return nil, errors.New("client: the address has neither a code nor an error, or both")
	}
	if no != "" {
		return nil, l.refused(query)
	}
	return c.redeemCode(ctx, l, code)
}

// refused reads the error in an address.
func (l LogIn) refused(query url.Values) error {
	p := &Problem{OAuth: query.Get("error"), Code: query.Get("error_description"), BusinessNo: l.BusinessNo}
	if !codeForm.MatchString(p.OAuth) || p.Code != "" && !codeForm.MatchString(p.Code) {
		return errors.New("client: the address has an error that is no error code")
	}
	if p.Code == "" {
		p.Code = p.OAuth
	}
	if p.OAuth == CodeEvidenceRequired {
		if p.Code != CodeEvidenceRequired {
			p.Reason = p.Code // slow_down: waiting helps too
		}
		p.Code, p.Challenge = CodeEvidenceRequired, query.Get("challenge")
	}
	return p
}

// redeemCode exchanges the authorization code. A crash after the request may leave a
// code that is used up, and no token: then ask by the business number.
func (c *Client) redeemCode(ctx context.Context, l LogIn, code string) (*Proof, error) {
	at, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	var answer struct {
		IDToken     string `json:"id_token"`
		AccessToken string `json:"access_token"`
	}
	err = c.form(ctx, at.Token, l.BusinessNo, http.StatusOK, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {l.RedirectURI}, "code_verifier": {l.Verifier},
	}, &answer)
	if err != nil {
		return nil, err
	}
	return c.checkIDToken(ctx, at, l, answer.IDToken, answer.AccessToken)
}

// form posts a form with a fresh assertion, once.
func (c *Client) form(ctx context.Context, address, businessNo string, want int, form url.Values, answer any) error {
	assertion, _, err := c.Assertion()
	if err != nil {
		return err
	}
	form.Set("client_id", c.id)
	form.Set("client_assertion_type", assertionMethod)
	form.Set("client_assertion", assertion)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("client: request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	return c.answered(req, businessNo, want, oauthProblem, answer)
}

// oauthProblem reads an error document of the hosted door, which has OAuth's members
// and those of the native door's problems. Anything else did not come from the
// authority, so nothing is known about the request.
func oauthProblem(resp *http.Response, raw []byte, businessNo string) error {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	doc := struct {
		Problem
		Error         string `json:"error"`
		Description   string `json:"error_description"`
		DescriptionZH string `json:"error_description_zh"`
	}{}
	if err != nil || kind != "application/json" || json.Unmarshal(raw, &doc) != nil || doc.Error == "" || doc.Code == "" {
		return &NoAnswerError{BusinessNo: businessNo, Err: fmt.Errorf("status %d without an error document", resp.StatusCode)}
	}
	p := doc.Problem
	p.Status, p.OAuth = resp.StatusCode, doc.Error
	p.TitleZH, p.TitleEN, p.DetailZH, p.DetailEN = doc.DescriptionZH, doc.Description, doc.DescriptionZH, doc.Description
	p.RetryAfter = retryAfter(resp.Header)
	return &p
}
