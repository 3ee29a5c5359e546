// Package oidc is the protocol part of the hosted door: discovery, keys, pushed
// requests (PAR, RFC 9126) and the token endpoint of OpenID Connect, for a single
// flow. It guarantees that a request reaches the authority only from a channel whose
// assertion was signed by a key registered for it and is used once, only with PKCE,
// only for a redirect URI that is registered byte for byte, and only with
// authorization_details that fit the published schema; that every parameter of a
// request comes once and is limited in size; and that every reply is an answer or an
// OAuth error with a stable error code. A log line of the door holds only method,
// route, status, size, duration, request id, client id, and the cause of a failure.
// It trusts the authority with every decision about a ceremony or an authorization
// code, the vault with signing, and the network with nothing. The pages between push
// and authorization code are in package holder.
//
// The flow is written here, on go-jose, and not taken from ory/fosite: that library
// has seen no release since 2024, needs go-jose v3, wants its own storage of sessions
// and tokens (here the ceremony is the session, and an access token gives access to
// nothing), and most of its features would have to be turned off. What remains of
// OAuth is two POST endpoints.
//
// docs/HOSTED.md is the guide for channels.
//
// Start here: Door.Routes, then push in push.go and token in token.go.
package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Authority lists the methods of the authority that the door calls.
type Authority interface {
	Push(context.Context, authority.Caller, ceremony.Push) (ceremony.Pushed, error)
	RedeemCode(ctx context.Context, caller authority.Caller, code, redirectURI, verifier string) (ceremony.Grant, error)
	UseAssertion(ctx context.Context, c authority.Caller, act authority.Act, jti string, until time.Time) (*authority.Taken, error)
	Client(ctx context.Context, id string) (store.Client, error)
}

// Tokens signs ID tokens and publishes the keys that they are checked with, and makes and
// reads access tokens.
type Tokens interface {
	SignIDToken(vault.IDToken) (string, error)
	NewAccess(vault.Access) (string, error)
	ReadAccess(token string) (vault.Access, error)
	// Ready reports whether it can sign: nil, or why not.
	Ready() error
	ReceiptKeys() jose.JSONWebKeySet
}

// Config holds the parts and settings of a door. All members but Latest,
// InFlight and Hotline are required.
type Config struct {
	Authority Authority
	Tokens    Tokens
	// Issuer is the address at which browsers and channels reach the hosted
	// door, and the authority's name in tokens: an origin, without a path or a
	// slash at the end, https but on the loopback. The authority must be
	// configured with the same.
	Issuer string
	Now    func() time.Time // the wall clock
	// Latest is the later of the wall clock and the authority's own time: a client's
	// assertion has expired when it has expired by either. Default: Now.
	Latest func() time.Time
	Logger *slog.Logger
	// InFlight limits the requests in work, together with the pages; nil: no limit.
	InFlight *door.InFlight
	// Hotline is the help line that errors name; empty for the national one.
	Hotline string
}

func (c Config) validate() error {
	var errs []error
	if c.Authority == nil {
		errs = append(errs, errors.New("no authority"))
	}
	if c.Tokens == nil {
		errs = append(errs, errors.New("no signer of tokens"))
	}
	if err := CheckIssuer(c.Issuer); err != nil {
		errs = append(errs, err)
	}
	if c.Now == nil {
		errs = append(errs, errors.New("no clock"))
	}
	if c.Logger == nil {
		errs = append(errs, errors.New("no logger"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("oidc: %w", err)
	}
	return nil
}

// The paths of the door. AuthorizePath is in the metadata, and the holder pages
// answer it.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	serverPath    = "/.well-known/oauth-authorization-server" // the same, where OAuth clients look (RFC 8414)
	AuthorizePath = "/authorize"
	PARPath       = "/par"
	TokenPath     = "/token"
	UserInfoPath  = "/userinfo"
	KeysPath      = "/jwks"
	keysPathToo   = "/.well-known/jwks.json" // where the native door has them
	SchemaPath    = "/schemas/liuma_pin.json"
)

// Door serves the protocol part of the hosted door. It is immutable and safe
// for concurrent use.
type Door struct {
	authority Authority
	tokens    Tokens
	issuer    string
	now       func() time.Time
	calls     *door.Calls
	gate      gate
	details   *jsonschema.Schema
	discovery []byte
	latest    func() time.Time // never falls while the process runs
	mux       *http.ServeMux
}

// New builds the door. It fails only for a bad Config.
func New(c Config) (*Door, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Latest == nil {
		c.Latest = c.Now
	}
	details, err := compileDetails()
	if err != nil {
		return nil, fmt.Errorf("oidc: schema: %w", err)
	}
	discovery, err := json.Marshal(newMetadata(c.Issuer))
	if err != nil {
		return nil, fmt.Errorf("oidc: discovery: %w", err)
	}
	d := &Door{
		authority: c.Authority, tokens: c.Tokens, issuer: c.Issuer, now: c.Now,
		details: details, discovery: discovery, mux: http.NewServeMux(),
		gate:   gate{authority: c.Authority, clients: door.NewClients(c.Authority.Client), now: c.Now, latest: c.Latest, issuer: c.Issuer, endpoints: []string{c.Issuer + TokenPath, c.Issuer + PARPath}},
		latest: c.Latest,
	}
	d.calls, err = door.NewCalls(door.CallsConfig{
		Now: c.Now, Logger: c.Logger, InFlight: c.InFlight, Hotline: c.Hotline, Status: statusOf, Reasons: reasons(), Type: "application/json",
		Challenge: "private_key_jwt realm=\"" + c.Issuer + "\", error=\"invalid_client\"",
		Document:  func(r *http.Request, f door.Refusal) any { return newProblem(r, f) },
	})
	if err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	d.Routes(d.mux)
	d.mux.Handle("/", d.endpoint("", nowhere))
	return d, nil
}

// Routes mounts the door's paths, beside the pages.
func (d *Door) Routes(mux *http.ServeMux) {
	mux.Handle(PARPath, d.endpoint(http.MethodPost, d.push))
	mux.Handle(TokenPath, d.endpoint(http.MethodPost, d.token))
	mux.Handle(UserInfoPath, d.endpoint("", d.userinfo))
	for _, path := range absentPaths() {
		mux.Handle(path, d.endpoint("", nowhere))
	}
	mux.Handle(serverPath, d.endpoint(http.MethodGet, d.document("application/json", func() ([]byte, error) { return d.discovery, nil })))
	mux.Handle(DiscoveryPath, d.endpoint(http.MethodGet, d.document("application/json", func() ([]byte, error) { return d.discovery, nil })))
	mux.Handle(KeysPath, d.endpoint(http.MethodGet, d.document("application/jwk-set+json", d.keys)))
	mux.Handle(keysPathToo, d.endpoint(http.MethodGet, d.document("application/jwk-set+json", d.keys)))
	mux.Handle(SchemaPath, d.endpoint(http.MethodGet, d.document("application/schema+json", func() ([]byte, error) { return schemaSource, nil })))
}

// nowhere answers that a path does not exist.
func nowhere(*door.Visit, *http.Request) error { return door.NoSuchPath() }

// absentPaths are paths at which programs look for endpoints that the door does not
// have: OAuth endpoints under their usual names, and everything below the door's own
// paths. They get an OAuth error, since programs cannot parse a page for holders.
func absentPaths() []string {
	return []string{
		"/revoke", "/revocation", "/introspect", "/introspection", "/register", "/registration", "/device_authorization",
		"/bc-authorize", "/logout", "/end_session", "/endsession", "/checksession", "/check_session", "/jwks.json", "/certs", "/keys",
		"/oauth/", "/oauth2/", "/oidc/", "/as/", "/connect/", "/protocol/", "/.well-known/",
		PARPath + "/", TokenPath + "/", UserInfoPath + "/", KeysPath + "/", "/schemas/",
		AuthorizePath + "/{rest}", // not with a slash at its end, which would lead the page itself astray
	}
}

// ServeHTTP answers at the paths of Routes, and 404 elsewhere.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !door.CleanPath(r.URL.Path) {
		d.endpoint("", nowhere).ServeHTTP(w, r)
		return
	}
	d.mux.ServeHTTP(w, r)
}

// endpoint is one path: headers, method, log and errors are handled alike for all. An
// empty method allows any.
func (d *Door) endpoint(method string, handle func(*door.Visit, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.calls.Serve(w, r, func(v *door.Visit, r *http.Request) error {
			v.Header().Set("Pragma", "no-cache")
			if err := d.allow(v, r, method); err != nil {
				return err
			}
			return handle(v, r)
		})
	})
}

func (d *Door) allow(v *door.Visit, r *http.Request, method string) error {
	switch {
	case method == "" || r.Method == method:
		return nil
	case method == http.MethodGet && r.Method == http.MethodHead:
		return nil
	case method == http.MethodGet:
		v.Header().Set("Allow", "GET, HEAD")
	default:
		v.Header().Set("Allow", method)
	}
	return refuse(reasonMethod, "")
}

// document answers with a public document that changes rarely.
func (d *Door) document(kind string, body func() ([]byte, error)) func(*door.Visit, *http.Request) error {
	return func(v *door.Visit, _ *http.Request) error {
		b, err := body()
		if err != nil {
			return err
		}
		h := v.Header()
		h.Del("Pragma")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("Content-Type", kind)
		_, _ = v.Write(b) // the client has disconnected
		return nil
	}
}

func (d *Door) keys() ([]byte, error) { return json.Marshal(d.tokens.ReceiptKeys()) }

// answer writes an answer that must not be cached.
func answer(v *door.Visit, status int, body any) error {
	return door.Answer(v, status, "application/json", body)
}
