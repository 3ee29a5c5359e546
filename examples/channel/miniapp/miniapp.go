// Package miniapp is a sample channel: an invented mini-program of a provincial
// human-resources and social-security department, which never touches a PIN. It
// guarantees that it believes an answer only after it has checked state,
// issuer, signature, nonce, business number, action, purpose and card, that an
// authorization code is exchanged once, and that a lost answer is fetched by
// business number instead of being guessed. It trusts the authority's issuer
// address, TLS to reach it, and the evidence provider to have looked at the
// person. People and numbers are made up.
//
// docs/CHANNELS.md explains it step by step. Copy it: it imports only public
// packages.
//
// Start here: miniapp.go, then oidc.go.
package miniapp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	_ "embed" // people.json
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"

	"github.com/liuma-pin/liuma/client"
)

// Config says who this channel is and where the authority is. All but API,
// Region, EvidencePage, HTTP, Now and Logger is required; Evidence is not with
// EvidencePage.
type Config struct {
	Issuer   string        // the authority's name, and where its discovery document is
	API      string        // its native door; default: Issuer
	ClientID string        // as registered
	KeyID    string        // kid of Key
	Key      crypto.Signer // ECDSA on P-256; the authority has its public half
	Origin   string        // public address of this app, scheme://host[:port]
	Name     string        // as people see it
	NameEN   string
	Theme    string // "jade" or "azure"
	Region   string // region that the app serves (GB/T 2260); empty: the nation
	Evidence string // address of the evidence provider
	// EvidencePage, if set, is where a check with the provider's own page is begun,
	// instead of this app's: the holder goes there and comes back.
	EvidencePage string
	People       []Person
	HTTP         *http.Client // for calls to authority and provider; default: waits 15 s
	Now          func() time.Time
	Logger       *slog.Logger // default: discard
}

// Person is a person whom a visitor of the sample can act as. A real app knows
// its users from its own log-in.
type Person struct {
	Key      string `json:"key"` // short, stands in forms
	Known    string `json:"known"`
	KnownEN  string `json:"known_en"`
	About    string `json:"about"`
	AboutEN  string `json:"about_en"`
	Name     string `json:"name"`
	IDNumber string `json:"id_number"`
	Phone    string `json:"phone"`
	// Account, if set, is the key of the person whose account this one got
	// into: a thief, to be played.
	Account string `json:"account,omitempty"`
}

// samplePeople is read only; the compiler fills it.
//
//go:embed people.json
var samplePeople []byte

// SamplePeople are invented people to act as. If a number belongs to a real
// person, that is chance.
func SamplePeople() ([]Person, error) {
	var people []Person
	if err := json.Unmarshal(samplePeople, &people); err != nil {
		return nil, fmt.Errorf("miniapp: sample people: %w", err)
	}
	return people, checkPeople(people)
}

// App is the channel's server. Use it as an http.Handler.
type App struct {
	c       Config
	signer  jose.Signer
	door    *client.Client // the authority's native door
	http    *http.Client
	memory  *memory
	handler http.Handler
	pages   *pages

	foundMu sync.Mutex
	found   *authority // guarded by foundMu; nil until discovery succeeded
}

// New checks the Config. It does not call the authority, which may be started
// later.
func New(c Config) (*App, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: cryptosigner.Opaque(c.Key)},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", c.KeyID))
	if err != nil {
		return nil, fmt.Errorf("miniapp: signer: %w", err)
	}
	door, err := client.New(client.Config{
		BaseURL: c.API, Issuer: c.Issuer, ID: c.ClientID, KeyID: c.KeyID, Key: c.Key, HTTP: c.HTTP, Now: c.Now,
	})
	if err != nil {
		return nil, err
	}
	a := &App{c: c, signer: signer, door: door, http: c.HTTP, memory: newMemory(c.Now)}
	if a.pages, err = loadPages(); err != nil {
		return nil, err
	}
	a.handler, err = a.routes()
	return a, err
}

func (c *Config) fill() error {
	if c.API == "" {
		c.API = c.Issuer
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: 15 * time.Second}
	}
	// A redirect would carry the assertion, or the holder's data, elsewhere.
	calls := *c.HTTP
	calls.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.HTTP = &calls
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ClientID == "" || c.KeyID == "" || c.Key == nil || c.Name == "" || c.NameEN == "" {
		return errors.New("miniapp: ClientID, KeyID, Key and both names are required")
	}
	if public, ok := c.Key.Public().(*ecdsa.PublicKey); !ok || public.Curve != elliptic.P256() {
		return errors.New("miniapp: Key is not ECDSA on P-256")
	}
	if c.Theme != "jade" && c.Theme != "azure" {
		return fmt.Errorf("miniapp: theme %q: want jade or azure", c.Theme)
	}
	evidence := c.Evidence
	if c.EvidencePage != "" {
		evidence = c.EvidencePage
	}
	for what, address := range map[string]string{"Issuer": c.Issuer, "API": c.API, "Evidence": evidence} {
		if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return fmt.Errorf("miniapp: %s %q is not an http or https address", what, address)
		}
	}
	if origin, err := originOf(c.Origin); err != nil || origin != c.Origin {
		return fmt.Errorf("miniapp: Origin %q: want scheme://host[:port]", c.Origin)
	}
	return checkPeople(c.People)
}

func checkPeople(people []Person) error {
	if len(people) == 0 {
		return errors.New("miniapp: nobody to be")
	}
	seen := map[string]bool{}
	for _, p := range people {
		if p.Key == "" || p.Known == "" || p.Name == "" || len(p.IDNumber) != 18 || p.Phone == "" || seen[p.Key] {
			return errors.New("miniapp: every person needs a key of its own, a name, an ID number and a phone")
		}
		seen[p.Key] = true
	}
	for _, p := range people {
		if p.Account != "" && !slices.ContainsFunc(people, func(q Person) bool { return q.Key == p.Account && q.Account == "" }) {
			return errors.New("miniapp: a thief needs somebody else's account")
		}
	}
	return nil
}

func originOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", errors.New("miniapp: not an http or https address")
	}
	return u.Scheme + "://" + u.Host, nil
}

// RedirectURI is the redirect URI that the operator registers for an app at an
// origin.
func RedirectURI(origin string) string { return origin + "/callback" }

func (a *App) secure() bool { return strings.HasPrefix(a.c.Origin, "https://") }

// person finds one of the people, or nil.
func (a *App) person(key string) *Person {
	for i := range a.c.People {
		if a.c.People[i].Key == key {
			return &a.c.People[i]
		}
	}
	return nil
}

// holder is the person whose account is open: usually the visitor's own.
func (a *App) holder(p *Person) *Person {
	if p == nil || p.Account == "" {
		return p
	}
	return a.person(p.Account)
}

// ServeHTTP answers the holder's browser.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }
