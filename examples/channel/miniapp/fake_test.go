package miniapp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma/client"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// details and holder are authorization_details as docs/HOSTED.md writes them.
type details struct {
	Type       string         `json:"type"`
	Action     string         `json:"action"`
	Holder     holder         `json:"holder"`
	Region     string         `json:"region"`
	Purpose    client.Purpose `json:"purpose"`
	BusinessNo string         `json:"business_no"`
	Challenge  string         `json:"challenge"`
	Evidence   string         `json:"evidence"`
}

type holder struct {
	Card     string `json:"card"`
	IDNumber string `json:"id_number"`
	Name     string `json:"name"`
	Phone    string `json:"phone"`
}

const handle = "0123456789abcdef0123456789abcdef"

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return must(t, key, err)
}

// fake is an authority and an evidence provider whose answers a test sets.
type fake struct {
	t      *testing.T
	server *httptest.Server
	key    *ecdsa.PrivateKey // signs ID tokens
	own    *ecdsa.PrivateKey // the channel's

	mu      sync.Mutex
	pushes  []url.Values                       // guarded by mu
	tokens  []url.Values                       // guarded by mu
	jtis    map[string]bool                    // guarded by mu
	refuse  string                             // guarded by mu: body of a refused push
	spoil   func(map[string]any)               // guarded by mu: changes an ID token's claims
	sign    func(map[string]any) string        // guarded by mu: replaces signing
	access  string                             // guarded by mu: access token that is returned instead
	fail    bool                               // guarded by mu: the token endpoint breaks
	state   func(businessNo string) (int, any) // guarded by mu: answers GET /v1/verifications
	redeems int                                // guarded by mu
	freezes []map[string]any                   // guarded by mu: bodies
	frozen  func() (int, any)                  // guarded by mu: answers POST /v1/freezes
	stand   string                             // guarded by mu: the card's standing; empty for no answer
	offices []client.Agency                    // guarded by mu: nil for no answer
	asked   []string                           // guarded by mu: regions whose agencies were asked for
	sees    []map[string]string                // guarded by mu: the requests to the provider
	page    string                             // guarded by mu: where the provider's page is; its own by default
	face    string                             // guarded by mu: why the provider refuses
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, key: newKey(t), own: newKey(t), jtis: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		at := f.server.URL
		f.answer(w, 200, map[string]any{
			"issuer": at, "authorization_endpoint": at + "/authorize", "token_endpoint": at + "/token", "jwks_uri": at + "/jwks",
			"pushed_authorization_request_endpoint": at + "/par", "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	keys := func(w http.ResponseWriter, _ *http.Request) {
		f.answer(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: f.key.Public(), KeyID: "a", Algorithm: "ES256", Use: "sig"}}})
	}
	mux.HandleFunc("GET /jwks", keys)
	mux.HandleFunc("GET /.well-known/jwks.json", keys)
	mux.HandleFunc("POST /par", f.par)
	mux.HandleFunc("POST /token", f.token)
	mux.HandleFunc("POST /v1/challenges", func(w http.ResponseWriter, _ *http.Request) {
		f.answer(w, 200, map[string]any{"challenge": "challenge-1"})
	})
	mux.HandleFunc("GET /v1/verifications/{no}", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		state := f.state
		f.mu.Unlock()
		status, body := state(r.PathValue("no"))
		if status != 200 {
			w.Header().Set("Content-Type", "application/problem+json")
		}
		f.answer(w, status, body)
	})
	mux.HandleFunc("POST /v1/redemptions", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		f.redeems++
		f.mu.Unlock()
		f.answer(w, 200, map[string]any{"state": "decided", "verdict": "right", "redeemed": true})
	})
	mux.HandleFunc("POST /evidence", f.look)
	mux.HandleFunc("POST /checks", f.begins)
	mux.HandleFunc("POST /v1/freezes", f.freeze)
	mux.HandleFunc("GET /v1/cards/{handle}", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		stand := f.stand
		f.mu.Unlock()
		if stand == "" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		f.answer(w, 200, map[string]any{"card": handle, "standing": stand})
	})
	mux.HandleFunc("GET /v1/agencies/{region}", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, r.PathValue("region"))
		offices := f.offices
		f.mu.Unlock()
		if offices == nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		f.answer(w, 200, map[string]any{"region": "33", "offices": offices, "hotlines": []any{}})
	})
	f.server = httptest.NewServer(mux)
	t.Cleanup(f.server.Close)
	return f
}

// begins is the provider with a page of its own.
func (f *fake) begins(w http.ResponseWriter, r *http.Request) {
	var asked map[string]string
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || !strings.HasPrefix(asked["challenge"], "challenge-") {
		f.t.Errorf("a check begun with %v, %v", asked, err)
	}
	f.mu.Lock()
	f.sees = append(f.sees, asked)
	page := f.page
	f.mu.Unlock()
	if page == "" {
		page = f.server.URL + "/checks/1"
	}
	f.answer(w, 201, map[string]any{"page": page})
}

// look is the provider: it signs, unless it is to refuse.
func (f *fake) look(w http.ResponseWriter, r *http.Request) {
	var asked map[string]string
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || !strings.HasPrefix(asked["challenge"], "challenge-") {
		f.t.Errorf("evidence asked for with %v, %v", asked, err)
	}
	f.mu.Lock()
	f.sees = append(f.sees, asked)
	face := f.face
	f.mu.Unlock()
	if face != "" {
		f.answer(w, 422, map[string]string{"error": face})
		return
	}
	f.answer(w, 200, map[string]string{"evidence": "proof-of-challenge"})
}

func (f *fake) freeze(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	f.freezes = append(f.freezes, body)
	status, answer := 200, any(map[string]any{"state": "decided", "action": "freeze"})
	if f.frozen != nil {
		status, answer = f.frozen()
	}
	f.mu.Unlock()
	if status != 200 {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	f.answer(w, status, answer)
}

func (f *fake) answer(w http.ResponseWriter, status int, body any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		f.t.Error(err)
	}
}

// admit checks the channel's assertion as the authority would.
func (f *fake) admit(r *http.Request) url.Values {
	if err := r.ParseForm(); err != nil {
		f.t.Error(err)
	}
	form := r.PostForm
	token, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		f.t.Errorf("assertion: %v", err)
		return form
	}
	var c jwt.Claims
	if err := token.Claims(f.own.Public(), &c); err != nil || c.Issuer != "zj" || c.Subject != "zj" || !c.Audience.Contains(f.server.URL) ||
		time.Until(c.Expiry.Time()) > 5*time.Minute || token.Headers[0].KeyID != "k" || len(c.ID) < 16 {
		f.t.Errorf("assertion %+v, %v", c, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.jtis[c.ID] {
		f.t.Error("jti used twice")
	}
	f.jtis[c.ID] = true
	if form.Get("client_assertion_type") != assertionType || form.Get("client_secret") != "" || r.Header.Get("Authorization") != "" {
		f.t.Error("another way to authenticate")
	}
	return form
}

func (f *fake) par(w http.ResponseWriter, r *http.Request) {
	form := f.admit(r)
	f.mu.Lock()
	refuse := f.refuse
	f.pushes = append(f.pushes, form)
	n := len(f.pushes)
	f.mu.Unlock()
	if refuse != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, refuse)
		return
	}
	f.answer(w, http.StatusCreated, map[string]any{"request_uri": fmt.Sprintf("urn:x:%d", n), "expires_in": 90})
}

// last is the last pushed request, and its details.
func (f *fake) last() (url.Values, details) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []details
	push := f.pushes[len(f.pushes)-1]
	if err := json.Unmarshal([]byte(push.Get("authorization_details")), &all); err != nil || len(all) != 1 {
		f.t.Fatalf("details: %v", err)
	}
	return push, all[0]
}

func (f *fake) token(w http.ResponseWriter, r *http.Request) {
	form := f.admit(r)
	push, d := f.last()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens = append(f.tokens, form)
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	if base64.RawURLEncoding.EncodeToString(sum[:]) != push.Get("code_challenge") || form.Get("redirect_uri") != push.Get("redirect_uri") {
		f.t.Error("another verifier or redirect URI")
	}
	if f.fail {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	purpose := sha256.Sum256([]byte(d.Purpose))
	at := sha256.Sum256([]byte("access"))
	card := d.Holder.Card
	if card == "" {
		card = handle
	}
	claims := map[string]any{
		"iss": f.server.URL, "sub": "pairwise", "liuma_card": card, "aud": "zj", "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(), "auth_time": time.Now().Unix(),
		"nonce": push.Get("nonce"), "acr": "urn:liuma:acr:pin", "amr": []string{"pin"}, "at_hash": base64.RawURLEncoding.EncodeToString(at[:16]),
		"liuma_business_no": d.BusinessNo, "liuma_action": d.Action, "liuma_purpose_hash": base64.RawURLEncoding.EncodeToString(purpose[:]),
	}
	if f.spoil != nil {
		f.spoil(claims)
	}
	sign := f.sign
	if sign == nil {
		sign = func(c map[string]any) string { return f.signed(jose.ES256, f.key, "a", c) }
	}
	access := "access"
	if f.access != "" {
		access = f.access
	}
	f.answer(w, 200, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": sign(claims)})
}

func (f *fake) signed(alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", kid))
	if err != nil {
		f.t.Error(err)
		return ""
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		f.t.Error(err)
	}
	return token
}

// set changes the fake's answers.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// site is an app with a browser in front of it.
type site struct {
	*fake
	app    *App
	server *httptest.Server
	client *http.Client
}

func (f *fake) config(origin string) Config {
	people, err := SamplePeople()
	return Config{
		Issuer: f.server.URL, ClientID: "zj", KeyID: "k", Key: f.own, Origin: origin, Name: "浙里社保", NameEN: "Zhejiang", Theme: "jade", Hotline: "0571-96345",
		Region: "33", Evidence: f.server.URL + "/evidence", People: must(f.t, people, err),
	}
}

func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteWith(t, func(*Config) {})
}

func newSiteWith(t *testing.T, change func(*Config)) *site {
	t.Helper()
	s := &site{fake: newFake(t)}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.app.ServeHTTP(w, r) }))
	t.Cleanup(s.server.Close)
	c := s.config(s.server.URL)
	change(&c)
	app, err := New(c)
	s.app = must(t, app, err)
	jar, err := cookiejar.New(nil)
	s.client = &http.Client{Jar: must(t, jar, err), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

// got is an answer as the browser has it.
type got struct {
	status int
	to     *url.URL // of a redirect
	body   string
}

func (s *site) do(method, path string, form url.Values) got {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	to, err := resp.Location()
	if err != nil {
		to = &url.URL{}
	}
	return got{resp.StatusCode, to, string(raw)}
}

func (s *site) post(path string, pairs ...string) got {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return s.do(http.MethodPost, path, form)
}

func (s *site) get(to *url.URL) got {
	s.t.Helper()
	return s.do(http.MethodGet, to.RequestURI(), nil)
}

// linked chooses a person who has a card here.
func (s *site) linked() {
	s.t.Helper()
	s.post("/person", "person", "wang")
	s.app.memory.setCard("wang", handle)
}

// back comes back from the authority after the last push.
func (s *site) back(more url.Values) got {
	s.t.Helper()
	push, _ := s.last()
	q := url.Values{"state": {push.Get("state")}, "iss": {s.fake.server.URL}}
	for k, v := range more {
		q[k] = v
	}
	return s.do(http.MethodGet, "/callback?"+q.Encode(), nil)
}

// cookie is the browser's session cookie.
func (s *site) cookie() string {
	s.t.Helper()
	u, err := url.Parse(s.server.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range s.client.Jar.Cookies(u) {
		if c.Name == "sample-zj" {
			return c.Value
		}
	}
	s.t.Fatal("no session")
	return ""
}
