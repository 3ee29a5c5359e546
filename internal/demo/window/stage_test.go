package window_test

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// stage is the whole demo: authority with both doors, two channels, provider
// and window, on loopback, with the system's clock.
type stage struct {
	*testkit.Env
	t      *testing.T
	hub    *window.Hub
	issuer string
	window string
	apps   []string // origins
	lossy  *lossyTransport
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

// newStage is a demo that sends no texts, newTexted one that does.
func newStage(t *testing.T) *stage {
	t.Helper()
	return openStage(t, false)
}

func newTexted(t *testing.T) *stage {
	t.Helper()
	return openStage(t, true)
}

func openStage(t *testing.T, texted bool) *stage {
	t.Helper()
	clock := testkit.RunningClock(0)
	s := &stage{t: t, hub: window.NewHub(clock.Now), lossy: &lossyTransport{lose: make(chan struct{}, 1)}}
	s.Env = testkit.New(t, testkit.Options{Clock: clock, Inbox: texted, Listen: true, Store: s.hub.Store, Keeper: s.hub.Keeper})
	s.issuer = s.Issuer()
	s.System.Hosted.Handler = s.hub.Door(s.System.Hosted.Handler)
	s.Serve()
	show, err := window.OnLoopback(t.Context(), window.Parts{World: s.World, Hub: s.hub, Base: s.lossy, Channels: []window.Cast{
		{ID: "zj-app", Name: liuma.Text{ZH: "浙里社保·虚构", EN: "Zhejiang (invented)"}, Theme: "jade", Mark: "浙", Region: "33"},
		{ID: "gov-app", Name: liuma.Text{ZH: "国家社保平台·虚构", EN: "National platform (invented)"}, Theme: "azure", Mark: "国"},
	}})
	s.must(err)
	t.Cleanup(func() { s.must(show.Close()) })
	s.window, s.apps = show.Origin(), []string{show.ChannelOrigin(0), show.ChannelOrigin(1)}
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
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
