package window_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
)

// stage is the whole demo: authority with both doors, two channels, provider
// and window, on loopback, with the system's clock.
type stage struct {
	t      *testing.T
	hub    *window.Hub
	system *server.System
	issuer string
	window string
	apps   []string // origins
	// spent says that the next answer of the token endpoint is lost.
	lossy *lossyTransport
	inbox *notify.Inbox // nil where no texts are sent
	ahead atomic.Int64  // of the world's time
}

// lossyTransport loses answers of the token endpoint after the authority has
// acted.
type lossyTransport struct{ lose chan struct{} }

func (l *lossyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && r.URL.Path == "/token" {
		select {
		case <-l.lose:
			_ = resp.Body.Close()
			return nil, io.ErrUnexpectedEOF
		default:
		}
	}
	return resp, err
}

func (s *stage) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// newStage is a demo that sends no texts, newTexted one that does.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t}
	s.open()
	return s
}

func newTexted(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t}
	s.inbox = notify.NewInbox(s.now)
	s.open()
	return s
}

func (s *stage) open() {
	t := s.t
	t.Helper()
	ctx := context.Background()
	s.hub, s.lossy = window.NewHub(s.now), &lossyTransport{lose: make(chan struct{}, 1)}
	channelDoor, hostedDoor := s.listen(), s.listen()
	s.issuer = "http://" + hostedDoor.Addr().String()
	conf := config.Default()
	conf.Issuer, conf.AllowStandIn = s.issuer, true
	conf.Channel.Listen, conf.Hosted.Listen = channelDoor.Addr().String(), hostedDoor.Addr().String()
	dir := filepath.Join(t.TempDir(), "data")
	s.must(server.Init(ctx, dir, conf))
	conf, err := config.Load(dir)
	s.must(err)
	options := server.Options{Now: s.now, BetweenStore: s.hub.Store, BetweenKeeper: s.hub.Keeper}
	parts := window.Parts{Now: s.now}
	if s.inbox != nil {
		options.Texts = s.inbox
		parts.SMS, err = window.Messages(s.inbox, s.now())
		s.must(err)
	}
	s.system, err = server.Open(ctx, conf, options)
	s.must(err)
	t.Cleanup(func() { s.must(s.system.Close()) })
	s.system.Hosted.Handler = s.hub.Door(s.system.Hosted.Handler)

	people, err := window.RegistryCSV()
	s.must(err)
	sum, err := s.system.Registry.Import(ctx, strings.NewReader(people), registry.ImportConfig{})
	s.must(err)
	if sum.Kept != 4 || sum.Rejected != 0 {
		t.Fatalf("import: %+v", sum)
	}
	show, err := window.Listen(window.Addresses{Window: "127.0.0.1:0", Channels: []string{"127.0.0.1:0", "127.0.0.1:0"}})
	s.must(err)
	s.window = show.Origin()
	cast := []window.Cast{
		{ID: "zj-app", Name: liuma.Text{ZH: "浙里社保·虚构", EN: "Zhejiang (invented)"}, Theme: "jade", Mark: "浙", Region: "33"},
		{ID: "gov-app", Name: liuma.Text{ZH: "国家社保平台·虚构", EN: "National platform (invented)"}, Theme: "azure", Mark: "国"},
	}
	for i := range cast {
		key := s.newKey()
		cast[i].Key, cast[i].KeyID = key, "k"
		s.register(store.Client{ID: cast[i].ID, Kind: store.ClientChannel, Name: cast[i].Name, Regions: []liuma.Region{cast[i].Region},
			Actions: liuma.Actions(), RedirectURIs: []string{show.RedirectURI(i)}}, key)
		s.apps = append(s.apps, strings.TrimSuffix(show.RedirectURI(i), "/callback"))
	}
	key := s.newKey()
	provider, err := evidence.NewSigner("stand-in-face", key, "k")
	s.must(err)
	s.register(store.Client{ID: "stand-in-face", Kind: store.ClientProvider, StandIn: true, Name: liuma.Text{ZH: "替身", EN: "Stand-in"}}, key)
	parts.Hub, parts.Issuer, parts.API = s.hub, s.issuer, "http://"+channelDoor.Addr().String()
	parts.Channels, parts.Provider, parts.Base = cast, provider, s.lossy
	s.must(show.Build(parts))
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 2)
	go func() { ended <- s.system.Serve(serving, channelDoor, hostedDoor) }()
	go func() { ended <- show.Serve(serving) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			s.must(<-ended)
		}
	})
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) listen() net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	return ln
}

func (s *stage) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	return key
}

func (s *stage) register(c store.Client, key *ecdsa.PrivateKey) {
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	s.must(err)
	c.Keys, c.At = keys, time.Now()
	s.must(s.system.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: time.Now(), Actor: "operator", Event: audit.ChannelRegistered, Outcome: "ok"}, tx.InsertClient(c)
	}))
}

// phone is a browser: cookies, redirects, forms, and the pad's sealing.
type phone struct {
	t      *testing.T
	client *http.Client
	at     *url.URL
	status int
	body   string
}

func newPhone(t *testing.T) *phone {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &phone{t: t, client: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

var refreshPattern = regexp.MustCompile(`http-equiv="refresh" content="0; url=([^"]+)"`)

func (p *phone) took(resp *http.Response, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.at, p.status, p.body = resp.Request.URL, resp.StatusCode, string(b)
	if m := refreshPattern.FindStringSubmatch(p.body); m != nil {
		p.open(html.UnescapeString(m[1]))
	}
}

func (p *phone) open(address string) {
	p.t.Helper()
	if p.at != nil {
		u, err := p.at.Parse(address)
		if err != nil {
			p.t.Fatal(err)
		}
		address = u.String()
	}
	p.took(p.client.Get(address))
}

var inputPattern = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// press submits the page's form with an action; of several with the same, the
// one with the wanted hidden value. More is added: pairs of name and value.
func (p *phone) press(action string, more ...string) {
	p.t.Helper()
	form, to := p.form(action, more), action
	u, err := p.at.Parse(to)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", p.at.Scheme+"://"+p.at.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	p.took(p.client.Do(req))
}

func (p *phone) form(action string, more []string) url.Values {
	p.t.Helper()
	pattern := regexp.MustCompile(`(?s)<form[^>]* action="` + regexp.QuoteMeta(action) + `"[^>]*>(.*?)</form>`)
	for _, m := range pattern.FindAllStringSubmatch(p.body, -1) {
		form := url.Values{}
		for _, in := range inputPattern.FindAllStringSubmatch(m[1], -1) {
			form.Set(in[1], html.UnescapeString(in[2]))
		}
		fits := true
		for i := 0; i < len(more); i += 2 {
			if there := form.Get(more[i]); there != "" && there != more[i+1] {
				fits = false
			}
			form.Set(more[i], more[i+1])
		}
		if fits {
			return form
		}
	}
	p.t.Fatalf("no form %s %v on the page %s:\n%s", action, more, p.at, p.body)
	return nil
}

func (p *phone) says(what string) {
	p.t.Helper()
	if !strings.Contains(p.body, what) {
		p.t.Fatalf("%s (%d) does not say %q:\n%s", p.at, p.status, what, p.body)
	}
}

// begin goes through the landing page, as a browser without script.
func (p *phone) begin() {
	p.t.Helper()
	m := regexp.MustCompile(`action="(/c/[a-z0-9]+)/begin"`).FindStringSubmatch(p.body)
	if m == nil {
		p.t.Fatalf("no landing page at %s:\n%s", p.at, p.body)
	}
	p.press(m[1] + "/begin")
}

// ceremony is the address of the ceremony that the page is about.
func (p *phone) ceremony() string {
	p.t.Helper()
	m := regexp.MustCompile(`^/c/[a-z0-9]+`).FindString(p.at.Path)
	if m == "" {
		p.t.Fatalf("not on a ceremony's page but at %s:\n%s", p.at, p.body)
	}
	return m
}

func (p *phone) attribute(name string) string {
	p.t.Helper()
	m := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(p.body)
	if m == nil {
		p.t.Fatalf("no %s on the page %s:\n%s", name, p.at, p.body)
	}
	return html.UnescapeString(m[1])
}

// seal does what the pad does, with what the page says.
func (p *phone) seal(role, pin string) string {
	p.t.Helper()
	key, err := base64.RawURLEncoding.DecodeString(p.attribute("data-key"))
	if err != nil {
		p.t.Fatal(err)
	}
	aad, err := base64.RawURLEncoding.DecodeString(p.attribute("data-aad-" + role))
	if err != nil {
		p.t.Fatal(err)
	}
	sealed, err := envelope.SealAAD(key, p.attribute("data-kid"), aad, []byte(pin))
	if err != nil {
		p.t.Fatal(err)
	}
	raw, err := json.Marshal(sealed)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(raw)
}

// give types one PIN.
func (p *phone) give(role, pin string) {
	p.t.Helper()
	field := "pin"
	if role == "new" {
		field = "new_pin"
	}
	p.press(p.ceremony()+"/pin", field, p.seal(role, pin))
}

func (p *phone) agree()  { p.t.Helper(); p.press(p.ceremony() + "/agree") }
func (p *phone) goBack() { p.t.Helper(); p.open(p.ceremony() + "/return") }
