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
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/liuma-pin/liuma"
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

// ServeHTTP is the outermost layer: request id, headers, panic, log.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := d.now()
	id := newRequestID()
	rec := &record{ResponseWriter: w}
	r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
	setHeaders(rec.Header(), d.secure, id)
	if r.Body != nil {
		r.Body = http.MaxBytesReader(rec, r.Body, d.maxBody)
	}
	defer func() {
		if v := recover(); v != nil {
			d.recovered(rec, r, v)
		}
		d.log.Info("page", "method", method(r.Method), "route", r.Pattern, "status", rec.code(), "bytes", rec.bytes,
			"duration", d.now().Sub(start), "request", id)
	}()
	d.handler.ServeHTTP(rec, r)
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

// recovered turns a panic into an error page. The value of a panic may quote
// anything, so only the runtime's own are logged.
func (d *Door) recovered(rec *record, r *http.Request, v any) {
	if v == http.ErrAbortHandler {
		panic(v)
	}
	what := fmt.Sprintf("%T", v)
	if e, ok := v.(runtime.Error); ok {
		what = e.Error()
	}
	d.log.Error("panic", "what", what, "route", r.Pattern, "request", RequestID(r.Context()), "stack", string(debug.Stack()))
	if rec.status == 0 {
		d.fault(rec, r, http.StatusInternalServerError, liuma.CodeInternal)
	}
}

type requestIDKey struct{}

func newRequestID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// RequestID is the number under which the log knows the request, for error
// pages; empty outside a door.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// method keeps whatever a stranger calls a method out of the log.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}
