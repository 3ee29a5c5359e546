// Package websec is what every door that serves pages has in common. It
// guarantees that each answer carries the strict headers (no inline code, no
// frame, no other origin, no cache), that no other site can post to the door,
// that bodies are bounded, that a panic becomes an error page, and that a log
// line of a request holds its method, route, status, size, duration and id,
// and nothing of its address, its body or its sender. It trusts the handlers
// with what they write, and the configured origin to be the address that
// browsers use.
//
// DESIGN section 7.
package websec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/visit"
)

// ReportPath is where browsers report what the content policy refused.
const ReportPath = "/csp-report"

const defaultMaxBody = 16 << 10

// Config says what a door needs. All but MaxBody is required.
type Config struct {
	// Origin is the public address, such as "https://pin.example.cn". Plain
	// http is only for a loopback host; with https, cookies are __Host- and
	// HSTS is sent, whoever ends the TLS.
	Origin string
	Now    func() time.Time
	Logger *slog.Logger
	// Fault answers with an error page. It is called for unknown addresses,
	// wrong methods, posts from other sites, and panics.
	Fault func(w http.ResponseWriter, r *http.Request, status int, code liuma.Code)
	// MaxBody bounds the body of a post in bytes; zero means 16 KiB.
	MaxBody int64
}

func (c Config) validate() (secure bool, err error) {
	if c.Now == nil || c.Logger == nil || c.Fault == nil {
		return false, errors.New("websec: clock, logger and fault page are required")
	}
	if c.MaxBody < 0 {
		return false, errors.New("websec: negative body limit")
	}
	u, err := url.Parse(c.Origin)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme+"://"+u.Host != c.Origin {
		return false, fmt.Errorf("websec: origin %q: want scheme://host[:port]", c.Origin)
	}
	switch {
	case u.Scheme == "https":
		return true, nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return false, nil
	}
	return false, fmt.Errorf("websec: origin %q: want https, or http on loopback", c.Origin)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Door is a mux with the common middlewares. Handle everything before the
// first request; from then on it is immutable and safe for concurrent use.
type Door struct {
	mux     *http.ServeMux
	handler http.Handler
	now     func() time.Time
	log     *slog.Logger
	visits  *visit.Log
	fault   func(http.ResponseWriter, *http.Request, int, liuma.Code)
	maxBody int64
	secure  bool
	reports meter
}

// New builds a door with nothing but the report address and /preferences.
func New(c Config) (*Door, error) {
	secure, err := c.validate()
	if err != nil {
		return nil, err
	}
	d := &Door{
		mux: http.NewServeMux(), now: c.Now, log: c.Logger, fault: c.Fault,
		maxBody: c.MaxBody, secure: secure, reports: meter{most: 30, per: time.Minute},
	}
	if d.maxBody == 0 {
		d.maxBody = defaultMaxBody
	}
	d.visits, err = visit.New(visit.Config{Now: c.Now, Logger: c.Logger, Fault: func(v *visit.Visit, r *http.Request) {
		d.fault(v, r, http.StatusInternalServerError, liuma.CodeInternal)
	}})
	if err != nil {
		return nil, fmt.Errorf("websec: %w", err)
	}
	guard := http.NewCrossOriginProtection()
	if err := guard.AddTrustedOrigin(c.Origin); err != nil {
		return nil, fmt.Errorf("websec: %w", err)
	}
	// A report changes nothing, and some browsers send it without an origin.
	guard.AddInsecureBypassPattern("POST " + ReportPath)
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.fault(w, r, http.StatusForbidden, liuma.CodeRequestURIInvalid)
	}))
	d.handler = guard.Handler(http.HandlerFunc(d.route))
	d.mux.HandleFunc("POST "+ReportPath, d.report)
	d.mux.HandleFunc("POST /preferences", d.savePreferences)
	return d, nil
}

// Handle registers a handler for a pattern of http.ServeMux.
func (d *Door) Handle(pattern string, h http.Handler) { d.mux.Handle(pattern, h) }

// HandleFunc registers a function for a pattern of http.ServeMux.
func (d *Door) HandleFunc(pattern string, h http.HandlerFunc) { d.mux.HandleFunc(pattern, h) }

// ServeHTTP is the outermost layer: request id, panic, log, headers.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.visits.Serve(w, r, func(v *visit.Visit, r *http.Request) {
		setHeaders(v.Header(), d.secure)
		if r.Body != nil {
			r.Body = http.MaxBytesReader(v, r.Body, d.maxBody)
		}
		d.handler.ServeHTTP(v, r)
	})
}

// route gives the mux's own refusals (no such page, wrong method) a page.
func (d *Door) route(w http.ResponseWriter, r *http.Request) {
	h, pattern := d.mux.Handler(r)
	if pattern != "" {
		d.mux.ServeHTTP(w, r)
		return
	}
	probe := &refusal{header: http.Header{}}
	h.ServeHTTP(probe, r)
	if allow := probe.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
	}
	d.fault(w, r, probe.status, liuma.CodeNotFound)
}

// RequestID is the number under which the log knows the request, for error
// pages; empty outside a door.
func RequestID(ctx context.Context) string {
	if v := visit.Of(ctx); v != nil {
		return v.ID()
	}
	return ""
}
