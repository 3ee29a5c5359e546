package client_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/internal/visitor"
)

const hostedPIN = "483159"

// hosted is a whole authority with its doors open, a channel that is written with
// this package, and the holder's browser.
type hosted struct {
	*testkit.Env
	t      *testing.T
	c      *client.Client
	back   string // redirect URI
	card   string // handle of the account
	wire   atomic.Value
	tokens atomic.Int32 // requests to the token endpoint
}

// wire changes what the channel's server receives; nil changes nothing.
type wire func(r *http.Request, answer []byte, status int) ([]byte, error)

// RoundTrip implements http.RoundTripper.
func (h *hosted) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(r.URL.Path, "/token") {
		h.tokens.Add(1)
	}
	change, _ := h.wire.Load().(wire)
	if change == nil {
		return resp, nil
	}
	raw, err := io.ReadAll(resp.Body)
	if err == nil {
		err = resp.Body.Close()
	}
	if err == nil {
		raw, err = change(r, raw, resp.StatusCode)
	}
	if err != nil {
		return nil, err
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return resp, nil
}

func newHosted(t *testing.T) *hosted {
	t.Helper()
	h := &hosted{Env: testkit.New(t, testkit.Options{Listen: true}), t: t}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "back") }))
	t.Cleanup(app.Close)
	h.back = app.URL + "/callback"
	party := h.AddParty(testkit.NationalChannel("zj-hrss", h.back))
	h.Serve()
	var err error
	// The slash at the end is a person's; the audiences are right all the same.
	h.c, err = client.New(client.Config{Issuer: h.Issuer() + "/", BaseURL: h.API(), ID: party.ID, KeyID: party.KeyID, Key: party.Key,
		HTTP: &http.Client{Transport: h}, Now: h.Clock.Now})
	h.no(err)
	h.enroll()
	return h
}

func (h *hosted) no(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *hosted) enroll() {
	h.t.Helper()
	f := h.People[0]
	challenge, err := h.c.Challenge(h.t.Context())
	h.no(err)
	r := client.HostedRequest{Action: client.Enroll, BusinessNo: string(h.BusinessNo()), Purpose: "申领电子社保卡", RedirectURI: h.back,
		Holder: client.Subject{IDNumber: f.IDNumber, Name: f.Name, Phone: f.Phone}, Challenge: challenge.Value, Evidence: h.Evidence(f, challenge.Value)}
	l := r.LogIn("session", "account")
	p, err := h.c.Return(h.t.Context(), l, "session", "account", h.browse(l, r))
	h.no(err)
	if p.Card == "" || p.Action != client.Enroll || !p.WithEvidence() {
		h.t.Fatalf("%+v", p)
	}
	h.card = p.Card
}

func (h *hosted) verify() (client.LogIn, client.HostedRequest) {
	r := client.HostedRequest{Action: client.Verify, BusinessNo: string(h.BusinessNo()), Purpose: "查询社保缴费年限", RedirectURI: h.back,
		Holder: client.Subject{Card: h.card}}
	return r.LogIn("session", "account"), r
}

// browse pushes, opens the page in a browser, types the PIN, and returns what the
// browser comes back with.
func (h *hosted) browse(l client.LogIn, r client.HostedRequest) url.Values {
	h.t.Helper()
	page, err := h.c.Push(h.t.Context(), l, r)
	h.no(err)
	if strings.Contains(page.URL, r.BusinessNo) || !page.Opens.After(h.Clock.Now()) {
		h.t.Errorf("%+v", page)
	}
	v, err := visitor.New(visitor.Config{Transport: http.DefaultTransport, Now: h.Clock.Now})
	h.no(err)
	at, err := v.Enter(h.t.Context(), page.URL)
	h.no(err)
	if at.Has("agree") {
		at, err = at.Press(h.t.Context(), "agree", nil)
		h.no(err)
	}
	at, err = at.TypePIN(h.t.Context(), hostedPIN)
	h.no(err)
	if at.Has("return") {
		at, err = at.Press(h.t.Context(), "return", nil)
		h.no(err)
	}
	if !strings.HasPrefix(at.URL().String(), h.back) {
		h.t.Fatalf("the browser is at %s: %s", at.URL(), at.Text())
	}
	return at.URL().Query()
}

// TestHosted: a channel with several servers pushes on one and redeems on
// another; the proof is about that request.
func TestHosted(t *testing.T) {
	h := newHosted(t)
	l, r := h.verify()
	stored, err := json.Marshal(l)
	h.no(err)
	q := h.browse(l, r)
	var elsewhere client.LogIn
	h.no(json.Unmarshal(stored, &elsewhere))
	p, err := h.c.Return(t.Context(), elsewhere, "session", "account", q)
	h.no(err)
	if p.Card != h.card || p.BusinessNo != r.BusinessNo || p.Action != client.Verify || p.WithEvidence() || p.Expires.Sub(p.At) > time.Minute+5*time.Second {
		t.Errorf("%+v", p)
	}
	_, err = h.c.Return(t.Context(), elsewhere, "session", "account", q)
	if client.CodeOf(err) != client.CodeCodeInvalid {
		t.Errorf("the code a second time: %v", err)
	}
	v, err := h.c.Verification(t.Context(), r.BusinessNo)
	h.no(err)
	if !v.Right() || !v.Redeemed {
		t.Errorf("by business number: %+v", v)
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v %s", l, l, l, l), l.Verifier) {
		t.Error("a log-in prints its secrets")
	}
}

// TestReturnRedeemsNothingElsewhere: without the session, the account, the state
// and the issuer of the push, no request leaves for the authority.
func TestReturnRedeemsNothingElsewhere(t *testing.T) {
	h := newHosted(t)
	l, r := h.verify()
	q := h.browse(l, r)
	before := h.tokens.Load()
	with := func(name string, values ...string) url.Values {
		out := url.Values{}
		for k, v := range q {
			out[k] = v
		}
		out[name] = values
		return out
	}
	for what, come := range map[string]func() (*client.Proof, error){
		"another account": func() (*client.Proof, error) { return h.c.Return(t.Context(), l, "session", "thief", q) },
		"another session": func() (*client.Proof, error) { return h.c.Return(t.Context(), l, "other", "account", q) },
		"another state": func() (*client.Proof, error) {
			return h.c.Return(t.Context(), l, "session", "account", with("state", "x"))
		},
		"two states": func() (*client.Proof, error) {
			return h.c.Return(t.Context(), l, "session", "account", with("state", l.State, l.State))
		},
		"another issuer": func() (*client.Proof, error) {
			return h.c.Return(t.Context(), l, "session", "account", with("iss", "https://evil.example"))
		},
		"no issuer": func() (*client.Proof, error) { return h.c.Return(t.Context(), l, "session", "account", with("iss")) },
	} {
		if p, err := come(); p != nil || !errors.Is(err, client.ErrOtherLogIn) {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
	}
	for what, values := range map[string]url.Values{"two codes": with("code", "a", "b"), "code and error": with("error", "access_denied"), "neither": with("code")} {
		if p, err := h.c.Return(t.Context(), l, "session", "account", values); p != nil || err == nil {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
	}
	if n := h.tokens.Load() - before; n != 0 {
		t.Errorf("%d exchanges", n)
	}
	if _, err := h.c.Return(t.Context(), l, "session", "account", q); err != nil {
		t.Errorf("the code that the others differ from: %v", err)
	}
}

// TestErrorsOfTheAddress: they are named, marked as anybody's word, and lead to
// no exchange.
func TestErrorsOfTheAddress(t *testing.T) {
	c := newClient(t, "https://pin.example.cn", time.Now)
	r := client.HostedRequest{Action: client.Verify, BusinessNo: "b-1", Purpose: "p", Holder: client.Subject{Card: card}, RedirectURI: "https://a.example/"}
	l := r.LogIn("s", "a")
	come := func(pairs ...string) *client.Problem {
		q := url.Values{"state": {l.State}, "iss": {"https://pin.example.cn"}}
		for i := 0; i < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
		_, err := c.Return(t.Context(), l, "s", "a", q)
		p, _ := errors.AsType[*client.Problem](err)
		return p
	}
	if p := come("error", "access_denied", "error_description", "locked"); p == nil || p.Code != client.CodeLocked || p.Status != 0 || p.OAuth != "access_denied" || p.BusinessNo != "b-1" {
		t.Errorf("%+v", p)
	}
	if p := come("error", "evidence_required", "error_description", "evidence_required", "challenge", "c-1"); p == nil || p.Code != client.CodeEvidenceRequired || p.Challenge != "c-1" || p.Reason != "" {
		t.Errorf("%+v", p)
	}
	if p := come("error", "evidence_required", "error_description", "slow_down", "challenge", "c-1"); p == nil || p.Code != client.CodeEvidenceRequired || p.Reason != client.ReasonSlowDown {
		t.Errorf("%+v", p)
	}
	if p := come("error", "<b>"); p != nil {
		t.Errorf("an error that is none: %+v", p)
	}
}

// TestIDTokensThatProveNothing: well signed by the authority, and about something
// else; or not signed by it.
func TestIDTokensThatProveNothing(t *testing.T) {
	h := newHosted(t)
	sign := func(change func(*vault.IDToken)) func(vault.IDToken) string {
		return func(id vault.IDToken) string {
			change(&id)
			out, err := h.System.Vault.SignIDToken(id)
			h.no(err)
			return out
		}
	}
	for what, spoil := range map[string]func(vault.IDToken) string{
		"another issuer":                sign(func(d *vault.IDToken) { d.Issuer = "https://elsewhere.example" }),
		"another channel":               sign(func(d *vault.IDToken) { d.Channel = "hz-app" }),
		"another nonce":                 sign(func(d *vault.IDToken) { d.Nonce = "another-nonce" }),
		"another request":               sign(func(d *vault.IDToken) { d.BusinessNo = "another" }),
		"another action":                sign(func(d *vault.IDToken) { d.Action = liuma.ActionLink }),
		"another purpose":               sign(func(d *vault.IDToken) { d.PurposeHash[0]++ }),
		"another card":                  sign(func(d *vault.IDToken) { d.Card = strings.Repeat("f", 32) }),
		"evidence alone, not asked for": sign(func(d *vault.IDToken) { d.AMR, d.ACR = []string{"face"}, client.ACREvidence }),
		"no PIN":                        sign(func(d *vault.IDToken) { d.AMR = []string{"face"} }),
		"another level":                 sign(func(d *vault.IDToken) { d.ACR = "urn:other" }),
		"another access":                sign(func(d *vault.IDToken) { d.AccessHash = "AAAAAAAAAAAAAAAAAAAAAA" }),
		"ended": sign(func(d *vault.IDToken) {
			d.AuthTime, d.IssuedAt, d.Expires = d.AuthTime.Add(-time.Hour), d.AuthTime.Add(-time.Hour), d.AuthTime
		}),
		"from the future": sign(func(d *vault.IDToken) { d.IssuedAt, d.Expires = d.IssuedAt.Add(time.Minute), d.Expires.Add(time.Hour) }),
		"an unknown key":  func(vault.IDToken) string { return foreign(t, newKey(t), "k", "JWT") },
		"a forged key": func(vault.IDToken) string {
			return foreign(t, newKey(t), h.System.Vault.ReceiptKeys().Keys[0].KeyID, "JWT")
		},
		"nothing":          func(vault.IDToken) string { return "" },
		"not signed":       func(vault.IDToken) string { return "eyJhbGciOiJub25lIn0.e30." },
		"a receipt's type": func(vault.IDToken) string { return foreign(t, newKey(t), "k", "liuma-receipt+jwt") },
	} {
		l, r := h.verify()
		q := h.browse(l, r)
		h.wire.Store(wire(func(req *http.Request, raw []byte, _ int) ([]byte, error) {
			if !strings.HasSuffix(req.URL.Path, "/token") {
				return raw, nil
			}
			return spoiled(raw, spoil)
		}))
		p, err := h.c.Return(t.Context(), l, "session", "account", q)
		h.wire.Store(wire(nil))
		if p != nil || !errors.Is(err, client.ErrIDToken) {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
	}
}

// spoiled replaces the ID token in an answer of the token endpoint.
func spoiled(raw []byte, spoil func(vault.IDToken) string) ([]byte, error) {
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, err
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(answer["id_token"].(string), ".")[1])
	if err != nil {
		return nil, err
	}
	var got struct {
		Iss, Aud, Sub, Nonce, ACR string
		AMR                       []string
		Exp, Iat                  int64
		AuthTime                  int64  `json:"auth_time"`
		AtHash                    string `json:"at_hash"`
		BusinessNo                string `json:"liuma_business_no"`
		Card                      string `json:"liuma_card"`
		Action                    string `json:"liuma_action"`
		Purpose                   string `json:"liuma_purpose_hash"`
	}
	if err := json.Unmarshal(payload, &got); err != nil {
		return nil, err
	}
	id := vault.IDToken{Issuer: got.Iss, Channel: liuma.ChannelID(got.Aud), Subject: got.Sub, Card: got.Card, BusinessNo: liuma.BusinessNo(got.BusinessNo),
		Action: liuma.Action(got.Action), ACR: got.ACR, AMR: got.AMR, Nonce: got.Nonce, AccessHash: got.AtHash,
		AuthTime: time.Unix(got.AuthTime, 0), IssuedAt: time.Unix(got.Iat, 0), Expires: time.Unix(got.Exp, 0)}
	hash, err := base64.RawURLEncoding.DecodeString(got.Purpose)
	copy(id.PurposeHash[:], hash)
	answer["id_token"] = spoil(id)
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

// TestALostExchange: the answer of /token is lost; the business number says that
// the code is used, and no identity is proved.
func TestALostExchange(t *testing.T) {
	h := newHosted(t)
	l, r := h.verify()
	q := h.browse(l, r)
	h.wire.Store(wire(func(req *http.Request, raw []byte, _ int) ([]byte, error) {
		if strings.HasSuffix(req.URL.Path, "/token") {
			return nil, errors.New("the network broke")
		}
		return raw, nil
	}))
	_, err := h.c.Return(t.Context(), l, "session", "account", q)
	lost, ok := errors.AsType[*client.NoAnswerError](err)
	if !ok || lost.BusinessNo != r.BusinessNo {
		t.Fatalf("%v", err)
	}
	v, err := h.c.Verification(t.Context(), r.BusinessNo)
	h.no(err)
	if !v.Right() || !v.Redeemed {
		t.Errorf("%+v", v)
	}
}

// TestRefusedPushes: the refusal is a Problem with its code, reason, sentences
// and challenge; what is refused here is not sent.
func TestRefusedPushes(t *testing.T) {
	h := newHosted(t)
	f := h.People[1]
	enroll := client.HostedRequest{Action: client.Enroll, BusinessNo: string(h.BusinessNo()), Purpose: "申领", RedirectURI: h.back,
		Holder: client.Subject{IDNumber: f.IDNumber, Name: f.Name, Phone: f.Phone}}
	_, err := h.c.Push(t.Context(), enroll.LogIn("s", "a"), enroll)
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Code != client.CodeEvidenceRequired || p.Challenge == "" || p.OAuth != "invalid_authorization_details" || p.TitleZH == "" || p.NextStepEN == "" || p.Status != 400 {
		t.Errorf("%+v, %v", p, err)
	}
	_, r := h.verify()
	r.RedirectURI += "/"
	_, err = h.c.Push(t.Context(), r.LogIn("s", "a"), r)
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Code != client.CodeBadRequest || p.Reason != client.ReasonRedirectURI {
		t.Errorf("%v", err)
	}
	_, r = h.verify()
	other := r
	other.Purpose = "another"
	for what, l := range map[string]client.LogIn{
		"no account": r.LogIn("s", ""), "no session": r.LogIn("", "a"), "another request's": other.LogIn("s", "a"), "none": {},
		"an old kind": client.NewLogIn("s", "a", r.BusinessNo),
	} {
		if _, err := h.c.Push(t.Context(), l, r); err == nil {
			t.Errorf("%s: pushed", what)
		}
	}
	r.Challenge = "alone"
	if _, err := h.c.Push(t.Context(), r.LogIn("s", "a"), r); err == nil {
		t.Error("a challenge without evidence: pushed")
	}
}

// TestDiscoveryOfAnotherAuthority: a document about another issuer is refused.
func TestDiscoveryOfAnotherAuthority(t *testing.T) {
	for what, change := range map[string]func(map[string]string){
		"another issuer":  func(m map[string]string) { m["issuer"] = "https://elsewhere.example" },
		"no PAR endpoint": func(m map[string]string) { delete(m, "pushed_authorization_request_endpoint") },
		"no address":      func(m map[string]string) { m["token_endpoint"] = "javascript:x" },
	} {
		var pushes atomic.Int32
		var s *httptest.Server
		s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				pushes.Add(1)
			}
			m := map[string]string{"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token",
				"pushed_authorization_request_endpoint": s.URL + "/par", "jwks_uri": s.URL + "/jwks"}
			change(m)
			_ = json.NewEncoder(w).Encode(m)
		}))
		c := newClient(t, s.URL, time.Now)
		r := client.HostedRequest{Action: client.Verify, BusinessNo: "b", Purpose: "p", Holder: client.Subject{Card: card}, RedirectURI: "https://a.example/"}
		if _, err := c.Push(t.Context(), r.LogIn("s", "a"), r); err == nil || pushes.Load() != 0 {
			t.Errorf("%s: %v, %d pushes", what, err, pushes.Load())
		}
		s.Close()
	}
}

// TestEvidenceAloneIsTakenWhereItWasAskedFor: the token of a log-in that asked for
// evidence alone may lack the PIN, and no other may.
func TestEvidenceAloneIsTakenWhereItWasAskedFor(t *testing.T) {
	h := newHosted(t)
	l, r := h.verify()
	q := h.browse(l, r)
	l.Proof = client.ProofEvidence
	h.wire.Store(wire(func(req *http.Request, raw []byte, _ int) ([]byte, error) {
		if !strings.HasSuffix(req.URL.Path, "/token") {
			return raw, nil
		}
		return spoiled(raw, func(id vault.IDToken) string {
			id.ACR, id.AMR = client.ACREvidence, []string{"face"}
			out, err := h.System.Vault.SignIDToken(id)
			h.no(err)
			return out
		})
	}))
	p, err := h.c.Return(t.Context(), l, "session", "account", q)
	if err != nil || p.ACR != client.ACREvidence || !p.WithEvidence() {
		t.Errorf("%+v, %v", p, err)
	}
	r.Proof = "another"
	if _, err := h.c.Push(t.Context(), l, r); err == nil {
		t.Error("a log-in for one proof pushed another")
	}
}
