package window_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/visitor"
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

// newStage is a demo that sends no messages; newTexted one that sends them.
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

// phone is a browser, and the page that it shows.
type phone struct {
	t       *testing.T
	browser *visitor.Visitor
	page    *visitor.Page
	line    *line
}

// line is a phone's connection. Where cut says so, a request is lost.
type line struct{ cut func(*http.Request) bool }

var errCut = errors.New("the line is cut")

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.cut != nil && l.cut(r) {
		return nil, errCut
	}
	return http.DefaultTransport.RoundTrip(r)
}

func newPhone(t *testing.T, s *stage) *phone {
	t.Helper()
	l := &line{}
	v, err := visitor.New(visitor.Config{Transport: l, Now: s.Clock.Now})
	s.must(err)
	return &phone{t: t, browser: v, line: l}
}

func (p *phone) took(page *visitor.Page, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%v; the page before:\n%s", err, p.shows())
	}
	p.page = page
}

func (p *phone) shows() string {
	if p.page == nil {
		return "none"
	}
	return p.page.URL().String() + "\n" + p.page.Body()
}

// open goes to an address, which may be relative to the page.
func (p *phone) open(address string) {
	p.t.Helper()
	if p.page != nil {
		u, err := p.page.URL().Parse(address)
		if err != nil {
			p.t.Fatal(err)
		}
		address = u.String()
	}
	p.took(p.browser.Open(p.t.Context(), address))
}

// press submits the page's form of a verb, with pairs of name and value.
func (p *phone) press(verb string, pairs ...string) {
	p.t.Helper()
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	p.took(p.page.Press(p.t.Context(), verb, values))
}

func (p *phone) says(what string) {
	p.t.Helper()
	if !strings.Contains(p.page.Body(), what) {
		p.t.Fatalf("does not say %q:\n%s", what, p.shows())
	}
}

// begin goes through the landing page, as a browser without script.
func (p *phone) begin() { p.t.Helper(); p.press("begin") }

// give types on the pad, which must ask for that.
func (p *phone) give(mode string, secrets ...string) {
	p.t.Helper()
	if p.page.Pad() != mode {
		p.t.Fatalf("the pad asks for %q, not %q:\n%s", p.page.Pad(), mode, p.shows())
	}
	p.took(p.page.TypePIN(p.t.Context(), secrets...))
}

// giveInVain types the current PIN while the network loses the answer.
func (p *phone) giveInVain(pin string) {
	p.t.Helper()
	if _, err := p.page.TypePIN(p.t.Context(), pin); !errors.Is(err, errCut) {
		p.t.Fatalf("the line held: %v", err)
	}
}

func (p *phone) agree() { p.t.Helper(); p.press("agree") }

// goBack goes back to the channel from a ceremony's page.
func (p *phone) goBack() {
	p.t.Helper()
	ceremony := regexp.MustCompile(`^/c/[a-z0-9]+`).FindString(p.page.URL().Path)
	if ceremony == "" {
		p.t.Fatalf("not on a ceremony's page:\n%s", p.shows())
	}
	p.open(ceremony + "/return")
}
