package holder

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/test/gallery"
	"github.com/liuma-pin/liuma/web"
)

const (
	origin     = "https://pin.example.cn"
	ceremonyID = "abcdefghijklmnopqrstuvwxyz"
	pushedURI  = "urn:ietf:params:oauth:request_uri:sample"
	channelURI = "https://channel.example.cn/callback?x=1"
)

var start = gallery.Now()

// fake is an authority with one ceremony whose page a test sets. It binds and
// steps as the contract says, and records the calls that it gets.
type fake struct {
	mu      sync.Mutex
	page    ceremony.Page // guarded by mu
	secret  string        // of the browser that began; guarded by mu
	asked   []string      // guarded by mu
	given   []ceremony.Given
	hands   []ceremony.Hand // of every look and move; guarded by mu
	ways    []liuma.CodeWay // of codes that were asked for; guarded by mu
	err     error           // of the next move; guarded by mu
	after   func(*ceremony.Page)
	way     string
	checked ceremony.Checked    // the answer of a check
	sealed  []envelope.Envelope // that were checked; guarded by mu
	frozen  authority.FreezeView
	pads    pads // the counter
}

func (f *fake) note(what string) { f.asked = append(f.asked, what) }

func (f *fake) held(h ceremony.Hand) bool { return f.secret != "" && h.Secret == f.secret }

func (f *fake) look(h ceremony.Hand) ceremony.Page {
	f.hands = append(f.hands, h)
	if f.held(h) || f.secret == "" && h.RequestURI == pushedURI {
		return f.page
	}
	return ceremony.Page{ID: f.page.ID, Elsewhere: true, Code: liuma.CodeCeremonyElsewhere}
}

func (f *fake) LookAt(_ context.Context, clientID, requestURI string, h ceremony.Hand) (ceremony.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("lookat")
	if requestURI != pushedURI || clientID != "zj-hrss" {
		return ceremony.Page{}, liuma.Fail(liuma.CodeRequestURIInvalid, nil)
	}
	return f.look(h), nil
}

func (f *fake) Look(_ context.Context, id string, h ceremony.Hand) (ceremony.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("look")
	if id != f.page.ID {
		return ceremony.Page{}, liuma.Fail(liuma.CodeRequestURIInvalid, nil)
	}
	return f.look(h), nil
}

func (f *fake) move(what, id string, h ceremony.Hand, change func(*ceremony.Page)) (ceremony.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(what)
	f.hands = append(f.hands, h)
	if f.err != nil {
		err := f.err
		f.err = nil
		return ceremony.Page{}, err
	}
	if id != f.page.ID {
		return ceremony.Page{}, liuma.Fail(liuma.CodeRequestURIInvalid, nil)
	}
	bound := ""
	switch {
	case f.held(h):
	case f.secret == "" && h.RequestURI == pushedURI:
		bound = rand.Text()
		f.secret = bound
	default:
		return ceremony.Page{}, liuma.Fail(liuma.CodeCeremonyElsewhere, nil)
	}
	change(&f.page)
	p := f.page
	p.Bound = bound
	return p, nil
}

func (f *fake) Begin(_ context.Context, id string, h ceremony.Hand) (ceremony.Page, error) {
	return f.move("begin", id, h, func(*ceremony.Page) {})
}

func (f *fake) Agree(_ context.Context, id string, h ceremony.Hand) (ceremony.Page, error) {
	return f.move("agree", id, h, func(p *ceremony.Page) { p.Step = ceremony.StepPIN })
}

func (f *fake) CheckNew(_ context.Context, id string, h ceremony.Hand, try int, sealed envelope.Envelope) (ceremony.Checked, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("check")
	if err := f.err; err != nil {
		f.err = nil
		return ceremony.Checked{}, err
	}
	if id != f.page.ID || !f.held(h) || try != f.page.Try {
		return ceremony.Checked{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	f.sealed = append(f.sealed, sealed)
	return f.checked, nil
}

func (f *fake) GivePIN(_ context.Context, id string, h ceremony.Hand, g ceremony.Given) (ceremony.Page, error) {
	return f.move("pin", id, h, func(p *ceremony.Page) {
		f.given = append(f.given, g)
		p.Try++
		if f.after != nil {
			f.after(p)
		}
	})
}

func (f *fake) Leave(_ context.Context, id string, h ceremony.Hand) (ceremony.Page, error) {
	return f.move("leave", id, h, func(p *ceremony.Page) { p.Step, p.Code = ceremony.StepLeft, liuma.CodeLeft })
}

func (f *fake) Extend(_ context.Context, id string, h ceremony.Hand) (ceremony.Page, error) {
	return f.move("extend", id, h, func(p *ceremony.Page) { p.Expires = p.Expires.Add(10 * time.Minute) })
}

func (f *fake) SendCode(_ context.Context, id string, h ceremony.Hand, by liuma.CodeWay) (ceremony.Page, error) {
	f.mu.Lock()
	f.ways = append(f.ways, by)
	f.mu.Unlock()
	return f.move("send-code "+h.Language, id, h, f.changed)
}

func (f *fake) GiveCode(_ context.Context, id string, h ceremony.Hand, typed string) (ceremony.Page, error) {
	return f.move("code "+typed, id, h, f.changed)
}

func (f *fake) GivePhone(_ context.Context, id string, h ceremony.Hand, typed string) (ceremony.Page, error) {
	return f.move("phone "+typed, id, h, f.changed)
}

func (f *fake) GiveCardNo(_ context.Context, id string, h ceremony.Hand, typed string) (ceremony.Page, error) {
	return f.move("card-number "+typed, id, h, f.changed)
}

func (f *fake) Forgot(_ context.Context, id string, h ceremony.Hand) (ceremony.Page, error) {
	return f.move("forgot", id, h, f.changed)
}

func (f *fake) Remember(_ context.Context, id string, h ceremony.Hand) (ceremony.Page, error) {
	return f.move("remember", id, h, f.changed)
}

func (f *fake) FreezeOwn(_ context.Context, id string, h ceremony.Hand) (ceremony.Page, error) {
	return f.move("freeze", id, h, func(p *ceremony.Page) { p.Step, p.Code = ceremony.StepRefused, liuma.CodeFrozen })
}

func (f *fake) NoticeEveryUse(_ context.Context, id string, h ceremony.Hand, on bool) (ceremony.Page, error) {
	return f.move("every-use", id, h, func(p *ceremony.Page) { p.EveryUse = &on })
}

func (f *fake) FreezeByCode(_ context.Context, source, typed string) (authority.FreezeView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("freeze-code " + source + " " + typed)
	return f.frozen, f.err
}

func (f *fake) GiveTicket(_ context.Context, id string, h ceremony.Hand, typed string) (ceremony.Page, error) {
	return f.move("ticket "+h.Source+" "+typed, id, h, f.changed)
}

func (f *fake) NoPhone(_ context.Context, id string, h ceremony.Hand) (ceremony.Page, error) {
	return f.move("no-phone", id, h, f.changed)
}

func (f *fake) NameContact(_ context.Context, id string, h ceremony.Hand, typed string) (ceremony.Page, error) {
	return f.move("notices "+typed, id, h, f.changed)
}

func (f *fake) NameNobody(_ context.Context, id string, h ceremony.Hand) (ceremony.Page, error) {
	return f.move("no-notices", id, h, f.changed)
}

func (f *fake) EndContact(_ context.Context, id string, h ceremony.Hand) (ceremony.Page, error) {
	return f.move("end-notices", id, h, f.changed)
}

func (f *fake) BeginTicket(_ context.Context, typed string, h ceremony.Hand) (ceremony.Page, error) {
	return f.beginTicket("begin-ticket "+h.Source+" "+typed, h)
}

func (f *fake) BeginTicketOnPad(_ context.Context, pad string, h ceremony.Hand) (ceremony.Page, error) {
	return f.beginTicket("begin-on-pad "+pad, h)
}

// beginTicket is once, for one browser.
func (f *fake) beginTicket(what string, h ceremony.Hand) (ceremony.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(what)
	f.hands = append(f.hands, h)
	if f.err != nil {
		err := f.err
		f.err = nil
		return ceremony.Page{}, err
	}
	if f.secret != "" {
		return ceremony.Page{}, liuma.Fail(liuma.CodeTicketTaken, nil)
	}
	f.secret = rand.Text()
	p := f.page
	p.Bound = f.secret
	return p, nil
}

// changed is the result that a test sets for a move.
func (f *fake) changed(p *ceremony.Page) {
	if f.after != nil {
		f.after(p)
	}
}

func (f *fake) WayBack(_ context.Context, id string, h ceremony.Hand) (ceremony.Way, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("wayback")
	if id != f.page.ID || !f.held(h) {
		return ceremony.Way{}, liuma.Fail(liuma.CodeCeremonyElsewhere, nil)
	}
	switch f.page.Step {
	case ceremony.StepConfirm, ceremony.StepPIN, ceremony.StepCode, ceremony.StepPhone:
		return ceremony.Way{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	return ceremony.Way{URL: f.way}, nil
}

func (f *fake) calls() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.asked, " ")
}

// sample is a page of a ceremony with everything that may be shown.
func sample(a liuma.Action, s ceremony.Step) ceremony.Page {
	p := gallery.Ceremony(a, s)
	p.ID = ceremonyID
	return p
}

func clock() func() time.Time { return func() time.Time { return start } }

// site is a door over a fake authority, and a browser with a cookie jar.
type site struct {
	t       *testing.T
	fake    *fake
	handler http.Handler
	jar     map[string]string
	header  http.Header
	logs    *strings.Builder
}

func newSite(t *testing.T, p ceremony.Page, options ...func(*Config)) *site {
	t.Helper()
	s := &site{t: t, fake: &fake{page: p, way: channelURI}, jar: map[string]string{}, header: http.Header{}, logs: &strings.Builder{}}
	c := Config{Authority: s.fake, Counter: &s.fake.pads, Genuine: gallery.Genuine{}, Challenges: challenges{}, Origin: origin, Now: clock(),
		Logger: slog.New(slog.NewTextHandler(s.logs, nil)), Settle: 300 * time.Millisecond}
	for _, o := range options {
		o(&c)
	}
	if c.Assets == nil {
		c.Assets = mustAssets(t)
	}
	var err error
	if s.handler, err = New(c); err != nil {
		t.Fatal(err)
	}
	return s
}

// do sends a request with the browser's cookies and keeps the cookies of the
// answer.
func (s *site) do(method, target string, form url.Values) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, origin+target, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, values := range s.header {
		r.Header[name] = values
	}
	for name, value := range s.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(s.jar, c.Name)
		} else {
			s.jar[c.Name] = c.Value
		}
	}
	return w
}

func authorize() string {
	return "/authorize?" + url.Values{"client_id": {"zj-hrss"}, "request_uri": {pushedURI}}.Encode()
}

// begin goes through the landing page as its script does.
func (s *site) begin() {
	s.t.Helper()
	if w := s.do("GET", authorize(), nil); w.Code != 200 {
		s.t.Fatalf("authorize: %d", w.Code)
	}
	s.header.Set("Accept", "application/json")
	w := s.do("POST", "/c/"+ceremonyID+"/begin", url.Values{"request_uri": {pushedURI}})
	s.header.Del("Accept")
	if w.Code != http.StatusNoContent {
		s.t.Fatalf("begin: %d", w.Code)
	}
}

func pinForm(names ...string) url.Values {
	out := url.Values{"try": {"1"}}
	e := envelope.Envelope{SealKeyID: "k-1", Enc: make([]byte, 65), Ciphertext: make([]byte, 272)}
	raw, err := e.MarshalJSON()
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		out.Set(name, string(raw))
	}
	return out
}

func mustAssets(t *testing.T) *web.Assets {
	t.Helper()
	assets, err := web.Load()
	if err != nil {
		t.Fatal(err)
	}
	return assets
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
