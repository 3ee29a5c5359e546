// Package console is the door of the staff console (工作台): pages for members of staff, on a
// listener of the authority's own. It guarantees that without a session that a passkey
// began, only the page of signing in can be reached; that a session's cookie is __Host-,
// new at each sign-in, and useless at another door; that every page and act calls the
// administration, which checks roles, region and agency anew at each request, so
// that a suspended member is refused at once; that acts that take two are approved only
// after a fresh touch of a passkey; that pages show no whole ID number, phone number or
// PIN; and that everything except the call to the authenticator works without script. It
// trusts package admin to decide who may do what, and package staff to check passkeys.
//
// Start here: New, then routes; visit.go is the path of a request, view.go the parts of a
// page; after that there is a file per page.
package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/simulate"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/web"
)

// Config holds the parts of the console. All members except InFlight, Ready, Words, Zone
// and Hotline are required.
type Config struct {
	// Admin checks each call by the session in its context (admin.From).
	Admin admin.Administration
	// Staff handles passkeys and sessions; it must belong to the same address.
	Staff Staff
	// Assets are the built stylesheet and script.
	Assets *web.Assets
	// Origin is the public address, https://host[:port], or http on the loopback.
	Origin string
	// Holder is the public address of the holders' pages, where tickets are taken and pads
	// open their page.
	Holder string
	// CheckRedirectURI checks an address to which a channel's ceremonies may go back, as
	// the hosted door does.
	CheckRedirectURI func(string) error
	Now              func() time.Time // wall clock
	Logger           *slog.Logger
	// InFlight limits the requests in work; nil: no limit.
	InFlight *door.InFlight
	// Ready reports whether acts of members of staff can be stored now, for the door's
	// ReadyPath; nil: the door does not answer that path.
	Ready func(context.Context) error
	// Words has the languages that a page can be read in; nil: the program's own.
	Words *locale.Catalogue
	// Zone is the time zone of times on pages; nil: China's.
	Zone *time.Location
	// Hotline is the help line that sentences name; default: the nation's.
	Hotline string
	// Place names a region in a language; by default it names the province.
	Place func(*locale.Words, liuma.Region) string
}

func (c *Config) fill() error {
	if c.Admin == nil || c.Staff == nil || c.Assets == nil || c.Holder == "" || c.CheckRedirectURI == nil || c.Now == nil || c.Logger == nil {
		return errors.New("console: config: want Admin, Staff, Assets, Holder, CheckRedirectURI, Now and Logger")
	}
	if c.Words == nil {
		c.Words = locale.Own()
	}
	if c.Zone == nil {
		c.Zone = clock.China()
	}
	if c.Place == nil {
		c.Place = (*locale.Words).Region
	}
	if c.Hotline == "" {
		c.Hotline = locale.NationalHotline
	}
	return nil
}

// console serves the pages. It is immutable after New, except for the simulator's cache.
type console struct {
	c         Config
	door      *door.Pages
	cookies   door.Cookies
	pages     *pages
	simulator *simulate.Simulator
}

// New builds the door. It fails only for a bad Config.
func New(c Config) (http.Handler, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	h := &console{c: c}
	var err error
	if h.pages, err = newPages(c.Assets, c.Words, c.Hotline, c.Place); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if h.simulator, err = simulate.New(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	h.door, err = door.NewPages(door.PagesConfig{Origin: c.Origin, Now: c.Now, Logger: c.Logger, Fault: h.fault, InFlight: c.InFlight,
		Words: c.Words, MaxBody: maxBody})
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	h.cookies = h.door.Cookies()
	h.door.HandleFunc("GET /sign-in", h.showSignIn)
	h.door.HandleFunc("GET /sign-in/offer", h.offerSignIn)
	h.door.HandleFunc("POST /sign-in", h.signIn)
	h.door.HandleFunc("GET /invitation", h.showInvitation)
	h.door.HandleFunc("POST /invitation", h.takeInvitation)
	h.door.HandleFunc("POST /invitation/passkey", h.register)
	h.door.HandleFunc("GET "+door.HealthPath, door.Alive)
	if c.Ready != nil {
		h.door.HandleFunc("GET "+door.ReadyPath, door.ReadyOrNot(c.Ready))
	}
	h.door.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h.door.Handle("GET /assets/", c.Assets)
	for _, r := range h.routes() {
		h.door.HandleFunc(r.Pattern, h.behind(r))
	}
	return h.door, nil
}

// maxBody is larger than the longest form, in bytes: the files of a whole policy.
const maxBody = 1 << 20

// NewServer builds the door and an HTTP server around it, with all times and sizes
// limited. The caller listens, and shuts it down.
func NewServer(c Config) (*http.Server, error) {
	h, err := New(c)
	if err != nil {
		return nil, err
	}
	return door.NewServer(h, door.Bounds{Read: 20 * time.Second, Write: 30 * time.Second, Idle: 2 * time.Minute, HeaderBytes: 16 << 10}, c.Logger), nil
}

// Route is one address behind the sign-in.
type Route struct {
	Pattern string
	// Method is the method of the administration that a member must be allowed to call for
	// this page or act; empty: a session is enough. Other methods that the page calls are
	// checked as well.
	Method string
	do     func(*visit) (*view, error)
	// again draws the page of a refused form; nil: the refusal has a page of its own.
	again func(*visit) (*view, error)
}

// routes are all pages and acts behind the sign-in. A test visits them in every role.
func (h *console) routes() []Route {
	var all []Route
	for _, part := range [][]Route{h.ownRoutes(), h.agencyRoutes(), h.staffRoutes(), h.channelRoutes(), h.deskRoutes(), h.ticketRoutes(), h.approvalRoutes(), h.freezeRoutes(), h.registryRoutes(), h.policyRoutes(),
		h.numbersRoutes(), h.keepersRoutes(), h.authorityRoutes(), h.textsRoutes(), h.recordRoutes()} {
		all = append(all, part...)
	}
	return all
}

// place is one entry of the navigation.
type place struct {
	path, method string
	name         func(*wordings) string
	// waits counts the things at this place that the member can act on; nil: nothing is
	// counted.
	waits func(*visit) (int, error)
}

// places are the entries of the navigation, in their order. A member sees the entries
// whose method they may call.
func places() []place {
	return []place{
		{path: "/", method: "WhoAmI", name: func(t *wordings) string { return t.NavStart() }},
		{path: "/desk", method: "Tickets", name: func(t *wordings) string { return t.NavDesk() }},
		{path: "/approvals", method: "AskedTickets", name: func(t *wordings) string { return t.NavApprovals() }, waits: approvalsWaiting},
		{path: "/reviews", method: "Reviews", name: func(t *wordings) string { return t.NavReviews() }, waits: reviewsWaiting},
		{path: "/staff", method: "StaffMembers", name: func(t *wordings) string { return t.NavStaff() }},
		{path: "/proposals", method: "Proposals", name: func(t *wordings) string { return t.NavProposals() }, waits: proposalsWaiting},
		{path: "/channels", method: "Clients", name: func(t *wordings) string { return t.NavChannels() }},
		{path: "/policy", method: "ExplainPolicy", name: func(t *wordings) string { return t.NavPolicy() }},
		{path: "/agency", method: "Agencies", name: func(t *wordings) string { return t.NavAgency() }},
		{path: "/freeze", method: "FreezeByPhone", name: func(t *wordings) string { return t.NavFreeze() }},
		{path: "/conflicts", method: "Conflicts", name: func(t *wordings) string { return t.NavConflicts() }},
		{path: "/corrections", method: "Corrections", name: func(t *wordings) string { return t.NavCorrections() }},
		{path: "/alarms", method: "Alarms", name: func(t *wordings) string { return t.NavAlarms() }},
		{path: "/keepers", method: "Keepers", name: func(t *wordings) string { return t.NavKeepers() }},
		{path: "/authorities", method: "Authorities", name: func(t *wordings) string { return t.NavAuthorities() }, waits: authoritiesWaiting},
		{path: "/numbers", method: "Numbers", name: func(t *wordings) string { return t.NavNumbers() }},
		{path: "/texts", method: "Texts", name: func(t *wordings) string { return t.NavTexts() }},
		{path: "/record", method: "FindEntries", name: func(t *wordings) string { return t.NavRecord() }},
	}
}
