package door

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// ReportPath is where browsers report violations of the content policy.
const ReportPath = "/csp-report"

const defaultMaxBody = 16 << 10

// PagesConfig holds the settings of Pages. All members except MaxBody, InFlight and
// Words are required.
type PagesConfig struct {
	// Origin is the public address, such as "https://pin.example.cn". Plain
	// http is only for a loopback host; with https, cookies are __Host- and
	// HSTS is sent, also where a proxy ends the TLS.
	Origin string
	Now    func() time.Time
	Logger *slog.Logger
	// Fault answers with an error page. It is called for unknown addresses,
	// wrong methods, posts from other sites, panics, and too many requests at
	// once.
	Fault func(w http.ResponseWriter, r *http.Request, status int, code liuma.Code)
	// MaxBody is the largest body of a post in bytes; zero means 16 KiB.
	MaxBody int64
	// InFlight limits the requests in work; nil: no limit.
	InFlight *InFlight
	// Words has the languages that a page can be read in; nil means the
	// program's own.
	Words *locale.Catalogue
	// FromAnywhere are patterns of posts that any site may send, because they change
	// nothing. All others are refused unless they come from the door's own pages.
	FromAnywhere []string
}

func (c PagesConfig) validate() (secure bool, err error) {
	if c.Now == nil || c.Logger == nil || c.Fault == nil {
		return false, errors.New("door: clock, logger and fault page are required")
	}
	if c.MaxBody < 0 {
		return false, errors.New("door: negative body limit")
	}
	if secure, err = CheckOrigin(c.Origin); err != nil {
		return false, fmt.Errorf("door: origin %q: %w", c.Origin, err)
	}
	return secure, nil
}

// Pages is the base of every door that serves pages: a mux whose answers carry the
// strict headers (no inline code, no frame, no other origin, no cache), to which no
// other site can post, whose bodies are limited and whose refusals are pages.
// Register all handlers before the first request; from then on it is immutable and
// safe for concurrent use.
type Pages struct {
	mux     *http.ServeMux
	handler http.Handler
	now     func() time.Time
	log     *slog.Logger
	visits  *Log
	fault   func(http.ResponseWriter, *http.Request, int, liuma.Code)
	maxBody int64
	secure  bool
	words   *locale.Catalogue
	reports meter
}

// NewPages builds a mux that has only the report address and /preferences.
func NewPages(c PagesConfig) (*Pages, error) {
	secure, err := c.validate()
	if err != nil {
		return nil, err
	}
	d := &Pages{
		mux: http.NewServeMux(), now: c.Now, log: c.Logger, fault: c.Fault,
		maxBody: c.MaxBody, secure: secure, reports: meter{most: 30, per: time.Minute},
	}
	if d.words = c.Words; d.words == nil {
		d.words = locale.Own()
	}
	if d.maxBody == 0 {
		d.maxBody = defaultMaxBody
	}
	d.visits, err = NewLog(LogConfig{Now: c.Now, Logger: c.Logger, InFlight: c.InFlight, Fault: func(v *Visit, r *http.Request) {
		d.fault(v, r, http.StatusInternalServerError, liuma.CodeInternal)
	}, Refuse: d.crowded})
	if err != nil {
		return nil, fmt.Errorf("door: %w", err)
	}
	guard := http.NewCrossOriginProtection()
	if err := guard.AddTrustedOrigin(c.Origin); err != nil {
		return nil, fmt.Errorf("door: %w", err)
	}
	// A report changes nothing, and some browsers send it without an origin.
	guard.AddInsecureBypassPattern("POST " + ReportPath)
	for _, pattern := range c.FromAnywhere {
		guard.AddInsecureBypassPattern(pattern)
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.fault(w, r, http.StatusForbidden, liuma.CodeRequestURIInvalid)
	}))
	pack, err := gzhttp.NewWrapper(gzhttp.ContentTypes([]string{"text/html"}), gzhttp.EnableZstd(false),
		gzhttp.MinSize(smallest), gzhttp.RandomJitter(jitter, 0, true))
	if err != nil {
		return nil, fmt.Errorf("door: %w", err)
	}
	d.handler = guard.Handler(pack(http.HandlerFunc(d.route)))
	d.mux.HandleFunc("POST "+ReportPath, d.report)
	d.mux.HandleFunc("POST /preferences", d.savePreferences)
	return d, nil
}

// Pages of at least smallest bytes are compressed. A page can hold a secret of its
// own ceremony. The compressed length must not reveal it to an attacker whose text is
// on the same page. Only the landing page shows part of its address, and it holds no
// secret. Each secret is on the pages of one ceremony only. And up to jitter bytes,
// drawn from a hash of the whole page, are added to each page.
const (
	smallest = 1024
	jitter   = 32
)

// Handle registers a handler for a pattern of http.ServeMux.
func (d *Pages) Handle(pattern string, h http.Handler) { d.mux.Handle(pattern, h) }

// HandleFunc registers a function for a pattern of http.ServeMux.
func (d *Pages) HandleFunc(pattern string, h http.HandlerFunc) { d.mux.HandleFunc(pattern, h) }

// ServeHTTP is the outermost layer: request id, panic, log, headers.
func (d *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.visits.Serve(w, r, func(v *Visit, r *http.Request) {
		setHeaders(v.Header(), d.secure)
		if r.Body != nil {
			r.Body = http.MaxBytesReader(v, r.Body, d.maxBody)
		}
		d.handler.ServeHTTP(v, r)
	})
}

// crowded answers a request that is over a limit.
func (d *Pages) crowded(v *Visit, r *http.Request, err error) {
	setHeaders(v.Header(), d.secure)
	code := liuma.CodeOf(err)
	v.Header().Set("Retry-After", strconv.Itoa(RetryAfter(&liuma.Error{Code: code}, d.now())))
	d.fault(v, r, http.StatusTooManyRequests, code)
}

// route gives the mux's own refusals (no such page, wrong method) a page.
func (d *Pages) route(w http.ResponseWriter, r *http.Request) {
	h, pattern := d.mux.Handler(r)
	if pattern != "" {
		d.mux.ServeHTTP(w, r)
		return
	}
	probe := &muxAnswer{header: http.Header{}}
	h.ServeHTTP(probe, r)
	if allow := probe.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
	}
	d.fault(w, r, probe.status, liuma.CodeNotFound)
}

// muxAnswer keeps only the status of the mux's answer to a request without a
// handler.
type muxAnswer struct {
	header http.Header
	status int
}

func (r *muxAnswer) Header() http.Header { return r.header }

func (r *muxAnswer) WriteHeader(status int) { r.status = status }

func (r *muxAnswer) Write(b []byte) (int, error) { return len(b), nil }

// RequestID is the request's id in the log, for error pages; empty outside a door.
func RequestID(ctx context.Context) string {
	if v := VisitOf(ctx); v != nil {
		return v.ID()
	}
	return ""
}
