package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/liuma-pin/liuma/internal/visitor"
)

// browser is a holder's browser, at the channel and at the authority. It stops before
// it goes back to the channel, so that a case can send a different answer.
type browser struct {
	s       *stage
	home    string // where it stops: the channel's redirect URI
	visitor *visitor.Visitor

	mu   sync.Mutex
	held *url.URL // guarded by mu: where the authority sent it back to
	pass bool     // guarded by mu: it does not stop there
}

func (s *stage) newBrowser() (*browser, error) {
	b := &browser{s: s, home: s.c.Channel.RedirectURI}
	var err error
	b.visitor, err = visitor.New(visitor.Config{Transport: b})
	return b, err
}

// RoundTrip implements http.RoundTripper.
func (b *browser) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	stop := !b.pass && sameAddress(r.URL, b.home)
	if stop {
		u := *r.URL
		b.held = &u
	}
	b.mu.Unlock()
	if !stop {
		return http.DefaultTransport.RoundTrip(r)
	}
	return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"text/html"}},
		Body: io.NopCloser(strings.NewReader("<h1>held</h1>")), Request: r}, nil
}

// do performs a person's request in the app.
func (b *browser) do(ctx context.Context, what string, r Request, account string) (*visitor.Page, error) {
	named := func(s string) string { return strings.ReplaceAll(s, "{account}", account) }
	values := url.Values{}
	for k, v := range r.Form {
		values.Set(k, named(v))
	}
	origin := b.s.c.Channel.Origin
	if r.Post != "" {
		p, err := b.visitor.Post(ctx, origin+named(r.Post), values)
		return p, said(what, err)
	}
	p, err := b.visitor.Open(ctx, origin+named(r.Open))
	if err == nil && r.Press != "" {
		p, err = p.Press(ctx, r.Press, values)
	}
	return p, said(what, err)
}

func said(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func (b *browser) logIn(ctx context.Context, account int) error {
	name := b.s.account(account).Name
	p, err := b.do(ctx, "log in as "+name, b.s.c.Channel.LogIn, name)
	if err == nil && p.Status() >= http.StatusBadRequest {
		return fmt.Errorf("log in as %s: status %d", name, p.Status())
	}
	return err
}

// arrive is a new browser, logged in, that began an action and is at the
// authority's pad.
func (s *stage) arrive(ctx context.Context, account int, what string, r Request) (*browser, *visitor.Page, error) {
	b, err := s.newBrowser()
	if err != nil {
		return nil, nil, err
	}
	if err := b.logIn(ctx, account); err != nil {
		return nil, nil, err
	}
	if what != "link" && b.opens(ctx) {
		return nil, nil, errors.New("the page behind the PIN is open right after the log-in")
	}
	p, err := b.begin(ctx, account, what, r)
	if err == nil {
		s.loose = append(s.loose, loose{b, p})
	}
	return b, p, err
}

func (b *browser) begin(ctx context.Context, account int, what string, r Request) (*visitor.Page, error) {
	before := b.s.front.count()
	p, err := b.do(ctx, what, r, b.s.account(account).Name)
	if err != nil {
		return nil, err
	}
	if b.s.front.count() == before {
		return nil, fmt.Errorf("%s: the channel pushed nothing; the browser is at %s, status %d", what, bare(p.URL()), p.Status())
	}
	if last, _ := b.s.front.last(); !last.taken {
		return p, fmt.Errorf("%s: the push was refused: %s", what, last.code)
	}
	return enter(ctx, p)
}

// enter goes on to the pad of the authority's page.
func enter(ctx context.Context, p *visitor.Page) (*visitor.Page, error) {
	var err error
	for _, verb := range []string{"begin", "agree"} {
		if err == nil && p.Has(verb) {
			p, err = p.Press(ctx, verb, nil)
		}
	}
	return p, err
}

// types types a PIN, and returns the address to which the browser is sent back; nil
// if it is still at the authority.
func (b *browser) types(ctx context.Context, p *visitor.Page, pin string) (*visitor.Page, *url.URL, error) {
	p, err := p.TypePIN(ctx, pin)
	if err != nil {
		return nil, nil, fmt.Errorf("the authority's pad: %w", err)
	}
	if b.sentBack() == nil && p.Pad() == "" && p.Has("return") {
		p, err = p.Press(ctx, "return", nil)
	}
	return p, b.sentBack(), err
}

func (b *browser) sentBack() *url.URL {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// comes brings an answer to the channel's callback, and shows the page.
func (b *browser) comes(ctx context.Context, back *url.URL) (*visitor.Page, error) {
	b.mu.Lock()
	b.pass = true
	b.mu.Unlock()
	p, err := b.visitor.Open(ctx, back.String())
	b.mu.Lock()
	b.pass = false
	if b.held != nil && b.held.RawQuery == back.RawQuery {
		b.held = nil
	}
	b.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("the callback: %w", err)
	}
	if p.Status() >= http.StatusInternalServerError {
		return nil, fmt.Errorf("the callback broke: status %d", p.Status())
	}
	return p, nil
}

// opens reports whether the page behind the PIN is open in this browser.
func (b *browser) opens(ctx context.Context) bool {
	behind := b.s.c.Channel.Behind
	p, err := b.visitor.Open(ctx, b.s.c.Channel.Origin+behind.Open)
	want, bad := url.Parse(b.s.c.Channel.Origin + behind.Open)
	return err == nil && bad == nil && p.Status() == http.StatusOK && p.URL().Path == want.Path && strings.Contains(p.Body(), behind.Says)
}

// bare is an address without its query, which may hold secrets.
func bare(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }

// loose is a ceremony that a case may leave open.
type loose struct {
	b   *browser
	pad *visitor.Page
}

// tidy ends the ceremonies that a case left open, as the holder would, because only
// ten of a holder may be open in a channel. Ceremonies that cannot be ended expire by
// themselves.
func (s *stage) tidy(ctx context.Context) {
	s.front.calm()
	for _, l := range s.loose {
		if back := l.b.sentBack(); back != nil {
			_, _ = l.b.comes(ctx, back)
			continue
		}
		p := l.pad
		if asks, err := p.Follow(ctx, "ask=leave"); err == nil {
			p = asks
		}
		if p.Has("leave") {
			_, _ = p.Press(ctx, "leave", nil)
		}
	}
	s.loose = nil
}
