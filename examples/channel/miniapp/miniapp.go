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
// Start here: miniapp.go, then doors.go, whose open pushes and whose callback
// redeems; hosted.go says what is asked.
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
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
)

// Config says who this channel is and where the authority is. All but API,
// Region, Hotline, EvidencePage, HTTP, Now and Logger is required; Evidence is not with
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
	Hotline  string // help line that the pages name; default: the nation's
	Evidence string // address of the evidence provider
	// EvidencePage, if set, is where a check with the provider's own page is begun,
	// instead of this app's: the holder goes there and comes back.
	EvidencePage string
	People       []Person
	HTTP         *http.Client // for calls to authority and provider; default: waits 15 s
	Now          func() time.Time
	Logger       *slog.Logger // default: discard
}

// nationalHotline is the help line of the nation; a region may have its own.
const nationalHotline = "12333"

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
	// Document is what a person without such a number is known by, with the day of
	// birth (20060102), which it does not tell.
	Document liuma.Document `json:"document,omitzero"`
	Born     string         `json:"born,omitempty"`
	Phone    string         `json:"phone"`
	// Account, if set, is the key of the person whose account this one got
	// into: a thief, to be played.
	Account string `json:"account,omitempty"`
}

// Called is how the sample calls the person.
func (p Person) Called() liuma.Text { return liuma.Text{ZH: p.Known, EN: p.KnownEN} }

// Described is the sentence about the person.
func (p Person) Described() liuma.Text { return liuma.Text{ZH: p.About, EN: p.AboutEN} }

// Text is the document as one line: the plain ID number, or another document's type
// and number.
func (p Person) Text() string {
	if p.IDNumber != "" {
		return p.IDNumber
	}
	return p.Document.Text()
}

// born is the day of birth, 20060102.
func (p Person) born() string {
	if len(p.IDNumber) == 18 {
		return p.IDNumber[6:14]
	}
	return p.Born
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
	door    *client.Client // both doors of the authority
	http    *http.Client
	memory  *memory
	handler http.Handler
	pages   *pages
	words   *catalogue
	near    agencies
}

// New checks the Config. It does not call the authority, which may be started
// later.
func New(c Config) (*App, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	door, err := client.New(client.Config{
		BaseURL: c.API, Issuer: c.Issuer, ID: c.ClientID, KeyID: c.KeyID, Key: c.Key, HTTP: c.HTTP, Now: c.Now,
	})
	if err != nil {
		return nil, err
	}
	a := &App{c: c, door: door, http: c.HTTP, memory: newMemory(c.Now)}
	if a.words, err = readCatalogue(c.Hotline); err != nil {
		return nil, err
	}
	if a.pages, err = loadPages(a.words); err != nil {
		return nil, err
	}
	a.handler, err = a.routes()
	return a, err
}

func (c *Config) fill() error {
	if c.Hotline == "" {
		c.Hotline = nationalHotline
	}
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
		if p.Key == "" || p.Known == "" || p.Name == "" || len(p.born()) != 8 || p.Text() == "" || p.Phone == "" || seen[p.Key] {
			return errors.New("miniapp: every person needs a key of its own, a name, an ID number (or a document and a day of birth) and a phone")
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
