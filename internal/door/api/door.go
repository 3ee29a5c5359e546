// Package api is the native channel door: the JSON API that channels, the physical-card
// registry and hotlines call, and its OpenAPI document. It guarantees that a request
// reaches the authority only if its token was signed by a key registered for the client,
// and only if it fits the published schema (nothing unknown, nothing twice, nothing
// oversized); and that every reply is either an answer or a problem document with a stable
// error code. A channel without a link gets the same refusal for every cause. A log line of
// the door holds only method, route, status, duration, request id, client id, and the cause
// of a failure. It trusts the authority with every decision about a card, and the network
// with nothing.
//
// Start here: Door.routes in handlers.go, the operations in the order of the document; post
// in routes.go, the path of one request.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/store"
)

// Authority lists the methods of the authority that the door calls.
type Authority interface {
	Challenge(context.Context, authority.Caller) (authority.Challenge, error)
	Enroll(context.Context, authority.Caller, authority.Request) (authority.Verification, error)
	Link(context.Context, authority.Caller, authority.Request) (authority.Verification, error)
	Verify(context.Context, authority.Caller, authority.Request) (authority.Verification, error)
	Change(context.Context, authority.Caller, authority.Request) (authority.Verification, error)
	Freeze(context.Context, authority.Caller, authority.Request) (authority.Verification, error)
	FreezeByHotline(context.Context, authority.Caller, authority.HotlineFreeze) (authority.Verification, error)
	ReportLoss(context.Context, authority.Caller, authority.HotlineFreeze) (authority.Verification, error)
	CorrectNumber(context.Context, authority.Caller, authority.CorrectionRequest) (authority.CorrectionView, error)
	SetPhysical(context.Context, authority.Caller, authority.PhysicalRequest) (authority.PhysicalView, error)
	Verification(context.Context, authority.Caller, liuma.BusinessNo) (authority.Verification, error)
	Card(context.Context, authority.Caller, store.Handle) (authority.CardView, error)
	Unlink(context.Context, authority.Caller, store.Handle) error
	NativeConsent() (text consent.Text, demanded bool)
	Redeem(ctx context.Context, caller authority.Caller, receipt string) (authority.Verification, error)
	ReceiptKeys() jose.JSONWebKeySet
	// Client looks a client's registration up. Recall may answer from memory. Use it only
	// for acts: they return authority.ErrClientChanged if the answer was out of date, and
	// have then done nothing.
	Client(ctx context.Context, id string) (store.Client, error)
	Recall(ctx context.Context, id string) (store.Client, error)
	Ready(context.Context) error
}

// Config holds the parts and settings of a door. Authority, Issuer, Now and Logger are
// required.
type Config struct {
	Authority Authority
	// Issuer is the authority's public identifier, for example "https://pin.example.cn".
	// The aud of clients' tokens is door.NativeAudience of it.
	Issuer string
	Now    func() time.Time // the wall clock
	// Latest is the later of the wall clock and the authority's own time: a client's token
	// has expired when it has expired by either. Default: Now.
	Latest func() time.Time
	Logger *slog.Logger
	// TextsBehind reports whether codes and notices are late; nil if none are sent.
	TextsBehind func() bool
	// InFlight limits the requests in work; nil: no limit.
	InFlight *door.InFlight
	// KeepersDegraded reports whether some keeper is gone or silent while the others serve;
	// nil: the door does not mention it.
	KeepersDegraded func() bool
	// Agencies is the directory; nil: there is none to read.
	Agencies Agencies
	// Hotline is the help line that errors name; empty for the national one.
	Hotline string
	// TokenCache is how many checked token signatures are remembered; zero
	// means 4096.
	TokenCache int
}

func (c Config) validate() error {
	var errs []error
	if c.Authority == nil {
		errs = append(errs, errors.New("no authority"))
	}
	if c.Issuer == "" {
		errs = append(errs, errors.New("no issuer"))
	}
	if c.Now == nil {
		errs = append(errs, errors.New("no clock"))
	}
	if c.Logger == nil {
		errs = append(errs, errors.New("no logger"))
	}
	if c.TokenCache < 0 {
		errs = append(errs, errors.New("token cache is negative"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	return nil
}

const defaultTokenCache = 4096

// Door serves the JSON API. It is safe for concurrent use, and immutable except for its
// caches, which have their own locks.
type Door struct {
	authority Authority
	calls     *door.Calls
	mux       *http.ServeMux
	gate      *gate
	recalling *gate // for acts: with registrations from memory
	spec      *huma.OpenAPI
	// routed fills mux and spec at the first request: the schemas of all bodies take a
	// twelfth of a service's start-up time, and many processes that open a service answer
	// no request. It fails only for a fault of this program, which every test of the door
	// would find.
	routed func() error
	// description writes spec when it is first asked for: it takes a fifth of the time to
	// open a door, and most processes never need it.
	description func() (description, error)

	textsBehind func() bool
	readiness   door.Readiness
	hotline     string
	degraded    func() bool
	directory   Agencies
}

// New builds the door. It fails only for a bad Config.
func New(c Config) (*Door, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Latest == nil {
		c.Latest = c.Now
	}
	size := c.TokenCache
	if size == 0 {
		size = defaultTokenCache
	}
	d := &Door{
		authority: c.Authority,
		mux:       http.NewServeMux(),
		gate:      newGate(c.Authority.Client, door.NativeAudience(c.Issuer), c.Now, size).until(c.Latest),

		textsBehind: c.TextsBehind, degraded: c.KeepersDegraded, hotline: c.Hotline, directory: c.Agencies,
	}
	d.recalling = d.gate.with(c.Authority.Recall)
	var err error
	d.calls, err = door.NewCalls(door.CallsConfig{
		Now: c.Now, Logger: c.Logger, Status: statusOf, Reasons: reasons(),
		InFlight: c.InFlight, Hotline: c.Hotline, Type: "application/problem+json", Challenge: `Bearer error="invalid_token"`,
		Document: func(_ *http.Request, f door.Refusal) any { return newProblem(f) },
	})
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	d.routed = sync.OnceValue(d.route)
	d.description = sync.OnceValues(func() (description, error) { return renderSpec(d.spec) })
	return d, nil
}

// route makes the routes and describes them. Huma describes the operations and their
// schemas. Its own documents, docs page (which points at a CDN) and error model stay off:
// the door decodes strictly by the published schema and answers in its own form.
func (d *Door) route() error {
	hapi := humago.New(d.mux, huma.Config{OpenAPI: newSpec()})
	d.spec = hapi.OpenAPI()
	if err := d.routes(hapi); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	openAnswers(d.spec)
	d.mux.HandleFunc("/", d.lost)
	return nil
}

// NewServer builds a door and an HTTP server around it, with every time and
// size bounded. The caller sets Addr or listens itself, and shuts it down.
func NewServer(c Config) (*http.Server, error) {
	d, err := New(c)
	if err != nil {
		return nil, err
	}
	return door.NewServer(d, door.Bounds{Read: 10 * time.Second, Write: 30 * time.Second, Idle: 2 * time.Minute, HeaderBytes: 16 << 10}, c.Logger), nil
}

// OpenAPI returns the document as served at /openapi.json.
func (d *Door) OpenAPI() ([]byte, error) {
	if err := d.routed(); err != nil {
		return nil, err
	}
	written, err := d.description()
	return written.json, err
}

// ServeHTTP answers one request. No panic or internal error gets out.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.calls.Serve(w, r, func(v *door.Visit, r *http.Request) error {
		if !door.CleanPath(r.URL.Path) {
			return door.NoSuchPath()
		}
		if err := d.routed(); err != nil {
			return err
		}
		d.mux.ServeHTTP(v, r)
		return nil
	})
}

// visitOf returns the visit that ServeHTTP began.
func visitOf(r *http.Request) *door.Visit {
	if v := door.VisitOf(r.Context()); v != nil {
		return v
	}
	panic("api: a route was reached past ServeHTTP")
}

// lost answers requests that match no route: 405 where another method would
// match, else 404.
func (d *Door) lost(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := d.mux.Handler(probe); pattern != "/" {
			allow = append(allow, method)
		}
	}
	if len(allow) == 0 {
		d.calls.Fail(v, r, door.NoSuchPath())
		return
	}
	for _, method := range allow {
		v.Header().Add("Allow", method)
	}
	d.calls.Fail(v, r, door.Malformed(door.ReasonMethod, ""))
}
