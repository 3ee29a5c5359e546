// Package attack tries to break I-12 from outside: thieves who hold one thing
// each walk the real doors over HTTP, hosted and native, by known attacks and
// at random, and none may set or reset a PIN, bind a phone or unfreeze a card.
// The whole system is assembled as `liuma serve` assembles it, with the
// handlers of its own servers; the stand-ins are the network (in process), the
// clock, the pace of refusals, the phone (the inbox driver) and the evidence
// provider, which signs what a test asks for. The notices that a holder must
// get are tried here as well, for every door (told_test.go).
//
// docs/INVARIANTS.md has the invariant, docs/RECOVERY.md the rules.
//
// Start here: world, then known_test.go (the known attacks) and thief_test.go
// (the random ones).
package attack

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/visitor"
)

const (
	hosted  = "https://pin.example.cn"
	native  = "https://api.example.cn"
	purpose = "查询社保缴费年限"

	goodPIN  = "483159"
	wrongPIN = "948271"
	thiefPIN = "627159"

	thiefNumber = "13700137000"
)

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// network is every host of the test. It counts the posts that can be a guess.
type network struct {
	mu      sync.Mutex
	hosts   map[string]http.Handler // guarded by mu
	guesses atomic.Int64            // posts with a PIN that is checked
}

func (n *network) add(origin string, h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[origin] = h
}

// RoundTrip hands a request to its host's handler, as a server would.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	h := n.hosts[r.URL.Scheme+"://"+r.URL.Host]
	n.mu.Unlock()
	if h == nil {
		return nil, errors.New("no such host")
	}
	if r.Method == http.MethodPost {
		switch last := path.Base(r.URL.Path); {
		case last == "pin", r.URL.Path == "/v1/links", r.URL.Path == "/v1/verifications", r.URL.Path == "/v1/pin-changes":
			n.guesses.Add(1)
		}
	}
	in := r.Clone(r.Context())
	in.RequestURI, in.Host, in.RemoteAddr = r.URL.RequestURI(), r.URL.Host, "192.0.2.7:50000"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, in)
	return rec.Result(), nil
}

// world is a running system, a holder with a card in two channels, and a
// channel whose app accepts any input about any person.
type world struct {
	*testkit.Env
	t     *testing.T
	net   *network
	who   registry.Facts // the holder
	thief registry.Facts // who attacks: has a face and an ID number as well

	home  *party // where the card was applied for
	watch *party // where the holder looks whether all is well
	shady *party // the thief's own: registered, and careless about its users
	card  string // handle at home
	seen  string // handle at watch
}

// party is a client of the authority with its key.
type party struct {
	testkit.Party
	w      *world
	native *client.Client
}

func newWorld(t *testing.T, lenient bool) *world {
	t.Helper()
	o := testkit.Options{}
	if lenient {
		p := policy.National()
		p.Recovery.CardNumber = true
		o.Policy = &p
	}
	return newWorldOf(t, o)
}

func newWorldOf(t *testing.T, o testkit.Options) *world {
	t.Helper()
	further := o.Configure
	o.Inbox, o.Configure = true, func(c *config.Config) {
		c.Issuer, c.Hosted.Listen = hosted, "127.0.0.1:0"
		if further != nil {
			further(c)
		}
	}
	w := &world{Env: testkit.New(t, o), t: t, net: &network{hosts: map[string]http.Handler{}}}
	w.net.add(hosted, w.System.Hosted.Handler)
	w.net.add(native, w.System.Door.Handler)
	w.who, w.thief = w.People[0], w.People[9]
	w.home, w.watch, w.shady = w.channel("home-app"), w.channel("watch-app"), w.channel("any-app")
	w.card = w.enroll(w.home, w.who, goodPIN)
	w.seen = w.link(w.watch, w.who, goodPIN)
	w.Clock.Advance(80 * time.Hour) // links are not new any more
	return w
}

func (w *world) channel(id string) *party {
	return w.party(testkit.NationalChannel(id, "https://"+id+".example/back"))
}

func (w *world) party(c store.Client) *party {
	w.t.Helper()
	p := &party{Party: w.AddParty(c), w: w}
	w.net.add("https://"+c.ID+".example", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(rw, "<h1>back</h1>")
	}))
	n, err := p.Connect(native, &http.Client{Transport: w.net})
	p.native = must(w.t, n, err)
	return p
}

// browser opens one with a jar of its own.
func (w *world) browser() *visitor.Visitor {
	v, err := visitor.New(visitor.Config{Transport: w.net, Now: w.Clock.Now})
	return must(w.t, v, err)
}

// request is a request as a channel pushes it.
type request struct {
	action              liuma.Action
	card                string          // handle, or
	about               *registry.Facts // who it is
	bn                  string
	challenge, evidence string
	alone               bool // proved by evidence, without the PIN
}

// refusal is an OAuth error document with our members.
type refusal struct {
	Status    int
	Code      string    `json:"code"`
	Challenge string    `json:"challenge"`
	Until     time.Time `json:"until"`
}

// form is a push as a channel's server sends it.
func (p *party) form(q request) url.Values {
	holder := map[string]any{}
	if q.card != "" {
		holder["card"] = q.card
	} else {
		holder["id_number"], holder["name"] = q.about.IDNumber, q.about.Name
		if q.action == liuma.ActionEnroll {
			holder["phone"] = thiefNumber // as typed into the app
		}
	}
	d := map[string]any{"action": string(q.action), "purpose": purpose, "holder": holder}
	if q.evidence != "" {
		d["challenge"], d["evidence"] = q.challenge, q.evidence
	}
	if q.alone {
		d["proof"] = "evidence"
	}
	form, err := testkit.PAR{Issuer: hosted, Client: p.ID, Key: p.Key, Now: p.w.Clock.Now(), BusinessNo: q.bn,
		RedirectURI: "https://" + p.ID + ".example/back", Details: d}.Form()
	return must(p.w.t, form, err)
}

// push pushes a request and returns the address to open, or the error.
func (p *party) push(q request) (string, *refusal) {
	p.w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, hosted+"/par", strings.NewReader(p.form(q).Encode()))
	must(p.w.t, r, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.w.net.RoundTrip(r)
	must(p.w.t, resp, err)
	var answer struct {
		RequestURI string `json:"request_uri"`
		refusal
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		p.w.t.Fatal(err)
	}
	if answer.Status = resp.StatusCode; answer.RequestURI == "" {
		return "", &answer.refusal
	}
	return hosted + "/authorize?" + url.Values{"client_id": {p.ID}, "request_uri": {answer.RequestURI}}.Encode(), nil
}

// pushed is push where a refusal is a fault of the test.
func (p *party) pushed(q request) string {
	p.w.t.Helper()
	address, no := p.push(q)
	if no != nil {
		p.w.t.Fatalf("push of %s: %+v", q.action, no)
	}
	return address
}

func (w *world) number() string { return string(w.BusinessNo()) }

// challenge asks for one as a channel does.
func (p *party) challenge() client.Challenge {
	p.w.t.Helper()
	c, err := p.native.Challenge(context.Background())
	return must(p.w.t, c, err)
}

// proved adds evidence about a person to a request.
func (p *party) proved(q request, about registry.Facts) request {
	q.challenge = p.challenge().Value
	q.evidence = p.w.Evidence(about, q.challenge)
	return q
}

// at is the address of a ceremony's page or of one of its verbs.
func at(p *visitor.Page, verb ...string) string {
	parts := strings.Split(p.URL().Path, "/")
	if len(parts) < 3 || parts[1] != "c" {
		return hosted + "/c/none/" + strings.Join(verb, "/")
	}
	return strings.Join(append([]string{hosted, "c", parts[2]}, verb...), "/")
}

// ceremony is the id in a page's address, or empty.
func ceremony(p *visitor.Page) string {
	if parts := strings.Split(p.URL().Path, "/"); p.URL().Host == "pin.example.cn" && len(parts) > 2 && parts[1] == "c" {
		return parts[2]
	}
	return ""
}

// do presses a button of the page, and fails the test if the page does not have
// it.
func (w *world) do(p *visitor.Page, verb string, pairs ...string) *visitor.Page {
	w.t.Helper()
	if verb == "agree" && !p.Has(verb) {
		return p // refused by its first page; what else can be posted there, force tries
	}
	next, err := p.Press(context.Background(), verb, values(pairs...))
	if err != nil {
		w.t.Fatalf("%v on %q:\n%s", err, p.Title(), p.Text())
	}
	return next
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// typed types PINs into the pad.
func (w *world) typed(p *visitor.Page, pins ...string) *visitor.Page {
	w.t.Helper()
	next, err := p.TypePIN(context.Background(), pins...)
	if err != nil {
		w.t.Fatalf("%v on %q:\n%s", err, p.Title(), p.Text())
	}
	return next
}

func (w *world) enter(v *visitor.Visitor, address string) *visitor.Page {
	w.t.Helper()
	p, err := v.Enter(context.Background(), address)
	return must(w.t, p, err)
}

// coded asks for a one-time code to a phone and submits it.
func (w *world) coded(p *visitor.Page, phone string) *visitor.Page {
	w.t.Helper()
	w.Clock.Advance(time.Minute)
	p = w.do(p, "send-code")
	return w.do(p, "code", "code", w.LastCode(phone))
}

// enroll applies for a card at the hosted door and gives its handle.
func (w *world) enroll(c *party, f registry.Facts, secret string) string {
	w.t.Helper()
	q := c.proved(request{action: liuma.ActionEnroll, about: &f, bn: w.number()}, f)
	p := w.coded(w.do(w.enter(w.browser(), c.pushed(q)), "agree"), f.Phone)
	return c.redeemed(w.typed(p, secret)).Card
}

// link links a card at the hosted door.
func (w *world) link(c *party, f registry.Facts, secret string) string {
	w.t.Helper()
	q := request{action: liuma.ActionLink, about: &f, bn: w.number()}
	return c.redeemed(w.typed(w.do(w.enter(w.browser(), c.pushed(q)), "agree"), secret)).Card
}

// claims are those of an ID token that tests look at.
type claims struct {
	Subject    string `json:"sub"`
	Card       string `json:"liuma_card"`
	BusinessNo string `json:"liuma_business_no"`
	Nonce      string `json:"nonce"`
}

// redeemed goes back to the channel from the last page of a ceremony, unless the
// browser is there already, and gives what the channel gets for the code.
func (c *party) redeemed(p *visitor.Page) claims {
	c.w.t.Helper()
	if p.Has("return") {
		p = c.w.do(p, "return")
	}
	got, status := c.redeem(p.URL().Query().Get("code"))
	if status != http.StatusOK {
		c.w.t.Fatalf("code not redeemed: %d, from %s", status, p.URL())
	}
	return got
}

// redeem sends a code to the token endpoint.
func (c *party) redeem(code string) (claims, int) {
	c.w.t.Helper()
	form := c.form(request{action: liuma.ActionVerify, card: "none", bn: "none"}) // for its assertion
	form = url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {form.Get("redirect_uri")},
		"code_verifier": {testkit.Verifier}, "client_id": {c.ID},
		"client_assertion_type": form["client_assertion_type"], "client_assertion": form["client_assertion"]}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, hosted+"/token", strings.NewReader(form.Encode()))
	must(c.w.t, r, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.w.net.RoundTrip(r)
	must(c.w.t, resp, err)
	var answer struct {
		IDToken string `json:"id_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		c.w.t.Fatal(err)
	}
	var got claims
	if parts := strings.Split(answer.IDToken, "."); len(parts) == 3 {
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		must(c.w.t, raw, err)
		if err := json.Unmarshal(raw, &got); err != nil {
			c.w.t.Fatal(err)
		}
	}
	return got, resp.StatusCode
}

// standing is a card's, as a linked channel is told.
func (c *party) standing(handle string) string {
	c.w.t.Helper()
	v, err := c.native.Card(context.Background(), handle)
	return must(c.w.t, v, err).Standing
}
