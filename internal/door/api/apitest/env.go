// Package apitest tries to break the native channel door from outside, over
// HTTP. It guarantees that the same attempts run against any environment: the
// door's own tests give it a stand-in for the authority, and the whole
// system's tests give it the real one. It trusts the environment to say who is
// registered and what time it is.
//
// Start here: Run.
package apitest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// Env is a running door with its clients, keys and clock.
type Env struct {
	URL     string // without a path
	Issuer  string
	Now     func() time.Time
	Advance func(time.Duration) // moves the clock of door, authority and keepers
	// A and B are channels registered for every action, everywhere.
	A, B Client
	// Registry reports physical cards, Provider signs evidence, Hotline freezes.
	// None is a channel.
	Registry, Provider, Hotline Client
	// Person returns a new holder with a physical card and no electronic one.
	Person func(testing.TB) Person
	// Stranger returns an ID number and a name that no registry has.
	Stranger func(testing.TB) Person
	// Evidence is a provider's token that the holder is present.
	Evidence func(t testing.TB, challenge, idNumber, name string) string
}

// Client is a registered client and its private key.
type Client struct {
	ID    string
	KeyID string
	Key   *ecdsa.PrivateKey
}

// Person is a holder. PIN and OtherPIN are PINs that the rules accept; Wrong
// differs from both.
type Person struct {
	IDNumber, Name, Phone string
	PIN, OtherPIN, Wrong  string
}

// Open makes an environment for this test alone, and closes it when the test
// ends.
type Open func(testing.TB) *Env

// Run runs everything.
func Run(t *testing.T, open Open) {
	t.Run("story", func(t *testing.T) { Story(t, open(t)) })
	t.Run("tokens", func(t *testing.T) { Tokens(t, open(t)) })
	t.Run("roles", func(t *testing.T) { Roles(t, open(t)) })
	t.Run("hotline", func(t *testing.T) { Hotline(t, open(t)) })
	t.Run("bodies", func(t *testing.T) { Bodies(t, open(t)) })
	t.Run("replay", func(t *testing.T) { Replay(t, open(t)) })
	t.Run("one refusal", func(t *testing.T) { OneRefusal(t, open(t)) })
	t.Run("repetition", func(t *testing.T) { Repetition(t, open(t)) })
}

// SDK returns an SDK client for one of the environment's registered clients.
func (e *Env) SDK(t testing.TB, who Client) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{
		BaseURL: e.URL, Issuer: e.Issuer, ID: who.ID, KeyID: who.KeyID, Key: who.Key, Now: e.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer is a raw answer of the door.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// member returns a string member of the JSON body, or "".
func (a answer) member(name string) string {
	var m map[string]any
	if json.Unmarshal(a.body, &m) != nil {
		return ""
	}
	s, _ := m[name].(string)
	return s
}

// raw is the JSON body's members as they are written.
func (a answer) raw(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return m
}

// request is a raw request; a zero member stands for the value that an honest
// client sends.
type request struct {
	method, path string
	header       http.Header
	body         []byte
}

func (e *Env) send(t testing.TB, r request) answer {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, e.URL+r.path, bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.header != nil {
		req.Header = r.header
	}
	if r.body != nil && r.header.Values("Content-Type") == nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{resp.StatusCode, resp.Header, body}
	checkHeaders(t, r, a)
	return a
}

// checkHeaders checks the headers that every answer must have, good or bad.
func checkHeaders(t testing.TB, r request, a answer) {
	t.Helper()
	if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") == "" || a.header.Get("X-Request-Id") == "" {
		t.Errorf("%s %s: headers are missing: %v", r.method, r.path, a.header)
	}
	if a.status == http.StatusOK {
		return
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s %s: status %d with content type %q", r.method, r.path, a.status, got)
	}
	for _, name := range []string{"type", "title", "detail", "instance", "code", "next_step", "title_zh", "title_en", "next_step_zh", "next_step_en"} {
		if a.member(name) == "" {
			t.Errorf("%s %s: problem without %s: %s", r.method, r.path, name, a.body)
		}
	}
	var p struct{ Status int }
	if err := json.Unmarshal(a.body, &p); err != nil || p.Status != a.status {
		t.Errorf("%s %s: status %d, and %d in the problem", r.method, r.path, a.status, p.Status)
	}
}

// refused checks the error code, the reason and the field of an answer.
func (a answer) refused(t testing.TB, status int, code, reason, field string) {
	t.Helper()
	if a.status != status || a.member("code") != code || a.member("reason") != reason || a.member("field") != field {
		t.Errorf("answered %d %s/%s (%s), want %d %s/%s (%s)\n%s",
			a.status, a.member("code"), a.member("reason"), a.member("field"), status, code, reason, field, a.body)
	}
}

// bearer is a header with a good token.
func (e *Env) bearer(t testing.TB, who Client) http.Header {
	t.Helper()
	return http.Header{"Authorization": {"Bearer " + e.mint(t, who, nil, nil)}}
}

// numbers returns business numbers that no other test uses.
type numbers struct {
	prefix string
	n      int
}

func newNumbers(t testing.TB) *numbers {
	t.Helper()
	return &numbers{prefix: "t" + rand.Text()[:12]}
}

func (n *numbers) next() string {
	n.n++
	return fmt.Sprintf("%s-%d", n.prefix, n.n)
}
