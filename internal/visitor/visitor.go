// Package visitor is a holder's browser without a screen: it opens addresses,
// follows redirects and refreshes, keeps cookies, reads forms by their markup,
// submits them, and plays the pad. It guarantees that it does only what a
// page's own markup offers (except by Post), that it sends the headers by which
// a server tells its own forms from another site's, and that a PIN leaves it
// only sealed. It trusts its Transport, but no answer: the size of an answer
// and the length of a chain of redirects are bounded. It runs no script and
// imitates only the pad's. Its callers know the PINs, so it is for demos and
// tests.
//
// Start here: Visitor, then Page, which lists the forms and links.
package visitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	mostSteps     = 12 // redirects and refreshes from one press to the page
	longestAnswer = 1 << 20
)

// Config describes a browser. Transport is required.
type Config struct {
	Transport http.RoundTripper
	Language  string           // Accept-Language; default zh-CN
	Now       func() time.Time // when cookies end; default time.Now
	// NoCookies makes it a web view that keeps no cookies.
	NoCookies bool
}

// Visitor is one browser with its own cookie jar. Safe for concurrent use: two
// presses at once are two tabs.
type Visitor struct {
	transport http.RoundTripper
	language  string
	jar       *jar // nil: keeps no cookies
}

// Errors for a page that is not as expected.
var (
	// ErrNotOffered means that the page has no such form, link or field.
	ErrNotOffered = errors.New("visitor: the page does not offer that")
	// ErrTooFar means that there were too many redirects, or that an answer was too
	// large.
	ErrTooFar = errors.New("visitor: redirects or answer without end")
)

// New opens a browser.
func New(c Config) (*Visitor, error) {
	if c.Transport == nil {
		return nil, errors.New("visitor: no transport")
	}
	v := &Visitor{transport: c.Transport, language: c.Language}
	if v.language == "" {
		v.language = "zh-CN,zh;q=0.9,en;q=0.8"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if !c.NoCookies {
		v.jar = newJar(c.Now)
	}
	return v, nil
}

// Open goes to an address that was typed or scanned.
func (v *Visitor) Open(ctx context.Context, address string) (*Page, error) {
	to, err := url.Parse(address)
	if err != nil || !to.IsAbs() {
		return nil, fmt.Errorf("visitor: not an address to open")
	}
	return v.visit(ctx, visit{method: http.MethodGet, to: to})
}

// Enter opens an address. If it is the first page of a ceremony, it goes on as that
// page's script does when the page becomes visible.
func (v *Visitor) Enter(ctx context.Context, address string) (*Page, error) {
	p, err := v.Open(ctx, address)
	if err != nil || !p.Has("begin") {
		return p, err
	}
	return p.Press(ctx, "begin", nil)
}

// Post sends a form that no page offered, as from a page of the same origin. Anybody
// can do that with a browser's developer tools.
func (v *Visitor) Post(ctx context.Context, address string, values url.Values) (*Page, error) {
	to, err := url.Parse(address)
	if err != nil || !to.IsAbs() {
		return nil, fmt.Errorf("visitor: not an address to post to")
	}
	return v.visit(ctx, visit{method: http.MethodPost, to: to, from: to, form: values})
}

// Cookies lists the cookies that an address would get.
func (v *Visitor) Cookies(address string) map[string]string {
	out := map[string]string{}
	u, err := url.Parse(address)
	if v.jar == nil || err != nil {
		return out
	}
	for _, c := range v.jar.at(u) {
		out[c.Name] = c.Value
	}
	return out
}

// Plant puts cookies into the browser that no server set.
func (v *Visitor) Plant(address string, cookies map[string]string) {
	u, err := url.Parse(address)
	if v.jar == nil || err != nil {
		return
	}
	for name, value := range cookies {
		v.jar.plant(u, name, value)
	}
}

// visit is the path from one press to the page that follows.
type visit struct {
	method string
	to     *url.URL
	from   *url.URL // the page that it began at; nil if the address was typed in
	form   url.Values
	far    bool // another site was on the way
}

// visit walks until a page is shown.
func (v *Visitor) visit(ctx context.Context, at visit) (*Page, error) {
	for range mostSteps {
		if at.to.Scheme != "http" && at.to.Scheme != "https" {
			return &Page{visitor: v, address: at.to, root: empty()}, nil // an app opens
		}
		p, head, err := v.ask(ctx, at)
		if err != nil {
			return nil, err
		}
		to, keep := p.goesOn(head)
		if to == "" {
			return p, nil
		}
		next, err := at.to.Parse(to)
		if err != nil {
			return nil, fmt.Errorf("visitor: sent to what is no address")
		}
		if !keep {
			at.method, at.form = http.MethodGet, nil
		}
		at.far = at.far || at.from != nil && !sameSite(at.from, at.to)
		at.to = next
	}
	return nil, ErrTooFar
}

// goesOn returns where an answer leads, and whether a post is posted there again.
func (p *Page) goesOn(head http.Header) (to string, keep bool) {
	switch p.status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		return head.Get("Location"), false
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return head.Get("Location"), true
	}
	return p.refresh(), false
}

// ask sends one request and reads the whole answer.
func (v *Visitor) ask(ctx context.Context, at visit) (*Page, http.Header, error) {
	var body io.Reader
	if at.method == http.MethodPost {
		body = strings.NewReader(at.form.Encode())
	}
	bare := *at.to
	bare.Fragment, bare.RawFragment = "", ""
	req, err := http.NewRequestWithContext(ctx, at.method, bare.String(), body)
	if err != nil {
		return nil, nil, fmt.Errorf("visitor: %w", err)
	}
	v.dress(req, at)
	resp, err := v.transport.RoundTrip(req)
	if err != nil {
		return nil, nil, fmt.Errorf("visitor: %s %s: %w", at.method, at.to.Host, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer+1))
	if err != nil {
		return nil, nil, fmt.Errorf("visitor: %s %s: %w", at.method, at.to.Host, err)
	}
	if len(raw) > longestAnswer {
		return nil, nil, ErrTooFar
	}
	if v.jar != nil {
		v.jar.keep(at.to, resp.Cookies())
	}
	p := &Page{visitor: v, address: at.to, status: resp.StatusCode, root: empty(), raw: string(raw)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		p.root = parse(p.raw)
	}
	return p, resp.Header, nil
}

// dress sets the headers of a browser that opens a page.
func (v *Visitor) dress(req *http.Request, at visit) {
	h := req.Header
	site := siteOf(at)
	h.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	h.Set("Accept-Language", v.language)
	h.Set("User-Agent", "Mozilla/5.0 (compatible; Liuma visitor)")
	h.Set("Sec-Fetch-Site", site)
	h.Set("Sec-Fetch-Mode", "navigate")
	h.Set("Sec-Fetch-Dest", "document")
	h.Set("Sec-Fetch-User", "?1")
	if req.Method == http.MethodPost {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		if h.Set("Origin", "null"); !at.far && at.from != nil {
			h.Set("Origin", originOf(at.from))
		}
	}
	if v.jar == nil {
		return
	}
	for _, c := range v.jar.at(at.to) {
		// Browsers treat a cookie without SameSite as lax.
		if c.SameSite != http.SameSiteNoneMode && site == "cross-site" &&
			(req.Method == http.MethodPost || c.SameSite == http.SameSiteStrictMode) {
			continue
		}
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// sameSite treats each host as a site, which is stricter than a browser.
func sameSite(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Hostname() == b.Hostname() }

// siteOf computes Sec-Fetch-Site: of all addresses on the path, the relation that is
// farthest from the first.
func siteOf(at visit) string {
	switch {
	case at.from == nil:
		return "none"
	case at.far || !sameSite(at.from, at.to):
		return "cross-site"
	case originOf(at.from) != originOf(at.to):
		return "same-site"
	}
	return "same-origin"
}
