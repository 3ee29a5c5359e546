package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/door/api"
	"github.com/liuma-pin/liuma/internal/door/api/apitest"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/test/printed"
)

const issuer = "https://pin.example.cn"

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

// setup is a door with the fake behind it.
type setup struct {
	*apitest.Env
	door  *api.Door
	fake  *fake
	clock *clock
	logs  *printed.Log
}

func newParty(t testing.TB, id string) apitest.Client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return apitest.Client{ID: id, KeyID: id + "-1", Key: key}
}

func keySet(t testing.TB, of ...apitest.Client) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, c := range of {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: c.Key.Public(), KeyID: c.KeyID, Algorithm: "ES256", Use: "sig"})
	}
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func newSetup(t testing.TB) *setup {
	t.Helper()
	s := &setup{clock: &clock{at: time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)}, logs: &printed.Log{}}
	s.fake = newFake(t, s.clock.now)
	var err error
	s.door, err = api.New(api.Config{Authority: s.fake, Issuer: issuer, Now: s.clock.now,
		Logger: slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.door)
	t.Cleanup(server.Close)
	s.Env = &apitest.Env{URL: server.URL, Issuer: issuer, Now: s.clock.now, Advance: s.clock.advance,
		A: newParty(t, "zj-hrss"), B: newParty(t, "hz-app"), Registry: newParty(t, "mohrss"), Provider: newParty(t, "face"), Hotline: newParty(t, "h12333"),
		Evidence: func(_ testing.TB, challenge, id, name string) string { return evidenceFor(challenge, id, name) }}
	for _, c := range []struct {
		party apitest.Client
		kind  store.ClientKind
	}{{s.A, store.ClientChannel}, {s.B, store.ClientChannel}, {s.Registry, store.ClientRegistry}, {s.Provider, store.ClientProvider}, {s.Hotline, store.ClientHotline}} {
		s.fake.clients[c.party.ID] = store.Client{ID: c.party.ID, Kind: c.kind, Keys: keySet(t, c.party), Actions: liuma.Actions(), Regions: []liuma.Region{""}}
	}
	n := 0
	s.Stranger = func(testing.TB) apitest.Person {
		n++
		return apitest.Person{IDNumber: fmt.Sprintf("33050019500101%04d", n), Name: "王奶奶", Phone: "13800001234", PIN: "407193", OtherPIN: "815206", Wrong: "629374"}
	}
	s.Person = func(t testing.TB) apitest.Person {
		p := s.Stranger(t)
		s.fake.mu.Lock()
		defer s.fake.mu.Unlock()
		s.fake.people[p.IDNumber] = fakePerson{p.Name, p.Phone}
		return p
	}
	return s
}

func TestDoor(t *testing.T) {
	apitest.Run(t, func(t testing.TB) *apitest.Env { return newSetup(t).Env })
}

// TestClientIsAskedForEachTime: a cached token must not outlive the client's
// registration or its key.
func TestClientIsAskedForEachTime(t *testing.T) {
	s := newSetup(t)
	sdk := s.SDK(t, s.A)
	call := func() error { _, err := sdk.Challenge(t.Context()); return err }
	set := func(change func(*store.Client)) {
		s.fake.mu.Lock()
		defer s.fake.mu.Unlock()
		c := s.fake.clients[s.A.ID]
		change(&c)
		s.fake.clients[s.A.ID] = c
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	original := keySet(t, s.A)
	second := apitest.Client{ID: s.A.ID, KeyID: "zj-hrss-2", Key: s.B.Key}
	swapped := apitest.Client{ID: s.A.ID, KeyID: s.A.KeyID, Key: s.B.Key}
	for _, step := range []struct {
		what, reason string
		change       func(*store.Client)
	}{
		{"stopped", "client_stopped", func(c *store.Client) { c.Stopped = true }},
		{"started again", "", func(c *store.Client) { c.Stopped = false }},
		{"key taken away", "token_signature", func(c *store.Client) { c.Keys = keySet(t, second) }},
		{"another key under its kid", "token_signature", func(c *store.Client) { c.Keys = keySet(t, swapped) }},
		{"key given back, and one more", "", func(c *store.Client) { c.Keys = keySet(t, second, s.A) }},
		{"as it was", "", func(c *store.Client) { c.Keys = original }},
	} {
		set(step.change)
		err := call()
		p, _ := errors.AsType[*client.Problem](err)
		if step.reason == "" && err != nil || step.reason != "" && (p == nil || p.Code != "unauthenticated" || p.Reason != step.reason) {
			t.Errorf("%s: %v", step.what, err)
		}
	}
	set(func(c *store.Client) { c.Kind = store.ClientRegistry })
	if err := call(); client.CodeOf(err) != "forbidden" {
		t.Errorf("became a registry: %v", err)
	}
	set(func(c *store.Client) {
		c.Kind, c.Keys = store.ClientChannel, []byte(`{"keys":[{"kty":"oct","k":"AA","kid":"x"}]}`)
	})
	if err := call(); client.CodeOf(err) != "internal" {
		t.Errorf("unreadable keys: %v", err)
	}
}

// TestFailures: an error without an error code is shown as internal, without
// detail; one with an error code is shown, except for the detail that refused
// must not have.
func TestFailures(t *testing.T) {
	s := newSetup(t)
	left, until := 3, s.clock.now().Add(90*time.Second)
	for _, c := range []struct {
		what       string
		err        error
		status     int
		body       []string // parts that must be there
		not        []string // and parts that must not
		retryAfter string
	}{
		{"unclassified", fmt.Errorf("sql: SELECT id_number FROM x: canary"), 500, []string{`"code":"internal"`}, []string{"canary", "sql"}, ""},
		{"internal with a field", &liuma.Error{Code: liuma.CodeInternal, Field: "canary", Reason: "canary", Cause: errors.New("canary")}, 500, []string{`"code":"internal"`}, []string{"canary"}, ""},
		{"a code that nobody knows", &liuma.Error{Code: "canary"}, 500, []string{`"code":"internal"`}, []string{"canary"}, ""},
		{"wrapped", fmt.Errorf("canary: %w", liuma.Fail(liuma.CodeBusy, errors.New("canary"))), 429, []string{`"code":"busy"`}, []string{"canary"}, "2"},
		{"unavailable", liuma.Fail(liuma.CodeUnavailable, errors.New("canary")), 503, []string{`"code":"unavailable"`}, []string{"canary"}, "5"},
		{"locked", &liuma.Error{Code: liuma.CodeLocked, Until: until, TriesLeft: new(int)}, 423, []string{`"until":"2026-04-01T09:01:30Z"`, `"tries_left":0`}, nil, "90"},
		{"weak", &liuma.Error{Code: liuma.CodeWeakPIN, Field: "new_pin", Reason: "birthday", Sentence: liuma.Text{ZH: "有您的生日", EN: "your birthday"}}, 422,
			[]string{`"reason":"birthday"`, `"detail":"有您的生日"`, `"detail_en":"your birthday"`}, nil, ""},
		{"evidence", &liuma.Error{Code: liuma.CodeEvidenceRequired, Challenge: "c-1"}, 403, []string{`"challenge":"c-1"`}, nil, ""},
		{"refused", &liuma.Error{Code: liuma.CodeRefused, Field: "canary", Reason: "canary", Challenge: "canary", TriesLeft: &left, Until: until}, 403,
			[]string{`"code":"refused"`}, []string{"canary", "tries_left", "until"}, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			s.fake.mu.Lock()
			s.fake.hook = func() error { return c.err }
			s.fake.mu.Unlock()
			resp, body := s.post(t, "/v1/challenges", "{}", nil)
			if resp.StatusCode != c.status || resp.Header.Get("Retry-After") != c.retryAfter {
				t.Errorf("status %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
			}
			for _, part := range c.body {
				if !strings.Contains(body, part) {
					t.Errorf("no %s in %s", part, body)
				}
			}
			for _, part := range c.not {
				if strings.Contains(body, part) || strings.Contains(fmt.Sprint(resp.Header), part) {
					t.Errorf("%q in %s", part, body)
				}
			}
		})
	}
	if !strings.Contains(s.logs.String(), "canary") {
		t.Error("the causes are not in the log")
	}
}

// TestWhyItIsNoPIN: each reason of pin_format has its own detail and its own next step, in
// both languages.
func TestWhyItIsNoPIN(t *testing.T) {
	s := newSetup(t)
	seen := map[string]string{}
	for reason, want := range map[string][2]string{
		"not_six_digits":       {"密码应为 6 位数字", "Enter six digits."},
		"passphrase_too_short": {"太短了", "at least 8 characters"},
		"passphrase_too_long":  {"太长了", "at most 64 characters"},
		"passphrase_too_wide":  {"生僻字", "one emoji or rare character"},
		"passphrase_character": {"看不见", "without copying"},
		"passphrase_encoding":  {"无法识别", "UTF-8"},
	} {
		s.fake.mu.Lock()
		s.fake.hook = func() error { return &liuma.Error{Code: liuma.CodePINFormat, Field: "new_pin", Reason: reason} }
		s.fake.mu.Unlock()
		_, body := s.post(t, "/v1/challenges", "{}", nil)
		var p struct {
			Reason     string `json:"reason"`
			DetailZH   string `json:"detail_zh"`
			DetailEN   string `json:"detail_en"`
			NextStepZH string `json:"next_step_zh"`
			NextStepEN string `json:"next_step_en"`
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(err)
		}
		if p.Reason != reason || !strings.Contains(p.DetailZH, want[0]) || !strings.Contains(p.NextStepEN, want[1]) || p.DetailEN == "" || p.NextStepZH == "" {
			t.Errorf("%s: %s", reason, body)
		}
		if other := seen[p.DetailEN+p.NextStepEN]; other != "" {
			t.Errorf("%s reads as %s", reason, other)
		}
		seen[p.DetailEN+p.NextStepEN] = reason
	}
}

func (s *setup) post(t testing.TB, path, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + s.token(t)}}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(raw)
}

// token is a valid token of channel A.
func (s *setup) token(t testing.TB) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.A.Key, KeyID: s.A.KeyID}},
		(&jose.SignerOptions{}).WithType(door.NativeType))
	if err != nil {
		t.Fatal(err)
	}
	now := s.clock.now().Unix()
	jws, err := signer.Sign(fmt.Appendf(nil, `{"iss":%q,"sub":%q,"aud":%q,"iat":%d,"exp":%d}`, s.A.ID, s.A.ID, door.NativeAudience(issuer), now, now+120))
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPanic(t *testing.T) {
	s := newSetup(t)
	s.fake.hook = func() error { panic("canary 330500195001010011") }
	resp, body := s.post(t, "/v1/challenges", "{}", nil)
	if resp.StatusCode != 500 || !strings.Contains(body, `"code":"internal"`) || strings.Contains(body, "canary") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if log := s.logs.String(); !strings.Contains(log, "panic in a handler") || strings.Contains(log, "canary 3305") {
		t.Errorf("log: %s", log)
	}
}

func TestLanguages(t *testing.T) {
	s := newSetup(t)
	for accept, want := range map[string]string{
		"": "请求格式不正确。", "zh-CN": "请求格式不正确。", "en": "The request is malformed.", "en-GB,en;q=0.9,zh;q=0.1": "The request is malformed.",
		"zh;q=0.5,en;q=0.4": "请求格式不正确。", "fr": "请求格式不正确。", "\x80;;;": "请求格式不正确。", strings.Repeat("en,", 200): "请求格式不正确。",
	} {
		_, body := s.post(t, "/v1/challenges", "[]", http.Header{"Accept-Language": {accept}})
		var p struct {
			Title   string
			TitleZH string `json:"title_zh"`
			TitleEN string `json:"title_en"`
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil || p.Title != want || p.TitleZH == "" || p.TitleEN == "" {
			t.Errorf("%.20q: %+v, %v", accept, p, err)
		}
	}
}

// TestNothingPersonalIsLogged plays everything at debug level, and searches the
// log for values of the requests.
func TestNothingPersonalIsLogged(t *testing.T) {
	s := newSetup(t)
	apitest.Story(t, s.Env)
	apitest.OneRefusal(t, s.Env)
	p := s.Person(t)
	s.post(t, "/v1/verifications/"+p.IDNumber, "{}", nil)
	s.post(t, "/v1/verifications?id="+p.IDNumber, "{}", nil)
	s.post(t, "/v1/verifications", `{"`+p.IDNumber+`":1,"`+p.PIN+`":2}`, nil)
	log := s.logs.String()
	for _, secret := range []string{p.IDNumber[:14], p.Name, p.Phone, p.PIN, p.OtherPIN, p.Wrong, "Bearer", "eyJ"} {
		if printed.Has(log, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	if !strings.Contains(log, `route="POST /v1/verifications" status=200`) || !strings.Contains(log, "client=zj-hrss") {
		t.Error("the access log is not there")
	}
}

func TestServiceEndpoints(t *testing.T) {
	s := newSetup(t)
	fetch := func(path string) (int, string, string) {
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(body)
	}
	if status, _, body := fetch("/healthz"); status != 200 || !strings.Contains(body, "alive") {
		t.Errorf("healthz: %d %s", status, body)
	}
	if status, _, body := fetch("/readyz"); status != 200 || !strings.Contains(body, "ready") {
		t.Errorf("readyz: %d %s", status, body)
	}
	s.fake.mu.Lock()
	s.fake.ready = errors.New("canary")
	s.fake.mu.Unlock()
	if status, kind, body := fetch("/readyz"); status != 503 || kind != "application/problem+json" || strings.Contains(body, "canary") {
		t.Errorf("not ready: %d %s", status, body)
	}
	status, kind, body := fetch("/.well-known/jwks.json")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(body), &set); err != nil || status != 200 || kind != "application/jwk-set+json" || len(set.Keys) != 1 || !set.Keys[0].IsPublic() {
		t.Errorf("keys: %d %s %s", status, kind, body)
	}
	if status, kind, body := fetch("/openapi.json"); status != 200 || kind != "application/openapi+json" || body != string(openAPI(t, s.door)) {
		t.Errorf("openapi.json: %d %s", status, kind)
	}
	if status, _, body := fetch("/openapi.yaml"); status != 200 || !strings.Contains(body, "openapi: 3.1.0") {
		t.Errorf("openapi.yaml: %d %.80s", status, body)
	}
}

func TestPhysicalCardStatus(t *testing.T) {
	s := newSetup(t)
	p := s.Person(t)
	r := s.SDK(t, s.Registry)
	got, err := r.PhysicalStatus(t.Context(), client.PhysicalRequest{BusinessNo: "p1", IDNumber: p.IDNumber, CardNo: "A12345678", Event: "lost"})
	if err != nil || got.Physical != "lost" || got.HasCard || got.Standing != "" {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = r.PhysicalStatus(t.Context(), client.PhysicalRequest{BusinessNo: "p2", IDNumber: "nobody", CardNo: "A1", Event: "replaced", ReplacedBy: "A2"})
	if client.CodeOf(err) != "not_in_registry" {
		t.Errorf("unknown holder: %v", err)
	}
}

// TestCorrections says what waits, until when, and what is done.
func TestCorrections(t *testing.T) {
	s := newSetup(t)
	p := s.Person(t)
	r := s.SDK(t, s.Registry)
	ask := client.CorrectionRequest{BusinessNo: "c1", FormerIDNumber: p.IDNumber, IDNumber: "330501195003076129", CardNo: "A12345678"}
	got, err := r.CorrectIDNumber(t.Context(), ask)
	if err != nil || *got != (client.Correction{State: "done"}) {
		t.Errorf("no electronic card: %+v, %v", got, err)
	}
	s.fake.cards[p.IDNumber] = &fakeCard{}
	ask.BusinessNo = "c2"
	got, err = r.CorrectIDNumber(t.Context(), ask)
	if err != nil || got.State != "waiting" || !got.HasCard || got.Until == nil || got.Until.Before(s.clock.now().Add(71*time.Hour)) {
		t.Errorf("with one: %+v, %v", got, err)
	}
	ask.BusinessNo, ask.FormerIDNumber = "c3", "nobody"
	if _, err = r.CorrectIDNumber(t.Context(), ask); client.CodeOf(err) != "not_in_registry" {
		t.Errorf("unknown holder: %v", err)
	}
}

func TestConfig(t *testing.T) {
	f := newFake(t, time.Now)
	good := api.Config{Authority: f, Issuer: "a", Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	server, err := api.NewServer(good)
	if err != nil {
		t.Fatal(err)
	}
	if server.ReadHeaderTimeout == 0 || server.ReadTimeout == 0 || server.WriteTimeout == 0 || server.IdleTimeout == 0 || server.MaxHeaderBytes == 0 {
		t.Errorf("something is unbounded: %+v", server)
	}
	for what, spoil := range map[string]func(*api.Config){
		"authority": func(c *api.Config) { c.Authority = nil }, "issuer": func(c *api.Config) { c.Issuer = "" },
		"clock": func(c *api.Config) { c.Now = nil }, "logger": func(c *api.Config) { c.Logger = nil }, "cache": func(c *api.Config) { c.TokenCache = -1 },
	} {
		c := good
		spoil(&c)
		if _, err := api.NewServer(c); err == nil {
			t.Errorf("no %s: accepted", what)
		}
	}
}

// TestStoppedRequest: a request whose context has ended is not logged as an
// internal error.
func TestStoppedRequest(t *testing.T) {
	s := newSetup(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.fake.hook = func() error { cancel(); return ctx.Err() }
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/challenges", strings.NewReader("{}"))
	r.Header.Set("Authorization", "Bearer "+s.token(t))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.door.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || strings.Contains(s.logs.String(), "level=ERROR") {
		t.Errorf("%d %s\n%s", w.Code, w.Body, s.logs)
	}
}
