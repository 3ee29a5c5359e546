// Package window is the demo's browser side: a page with a phone, its SMS inbox
// and the events that each side saw, the two sample channels, and a stand-in
// evidence provider. It guarantees that every value on the page passed through
// this process and is at most shortened; that no PIN is in it (the hub sees
// only sealed envelopes and blinded points); that a one-time code is shown only
// where it was typed in and in the text that brought it; and that the page asks
// no other origin for anything. It trusts everybody who reaches its listener:
// only the demo may start it, with invented people. Outside a demo the page
// would leak personal data.
//
// The phone is a browser window of its own and not a frame: the authority's
// pages refuse to be framed, also in the demo.
//
// The stage of package demo makes the world and its people; the browser's part
// is made here: the sample channels (Parts), the servers (Show), the events of
// each side (Hub), and the page itself (New).
//
// Start here: Parts, and Show.Build.
package window

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/qr"
	"github.com/liuma-pin/liuma/locale"
)

// files is read only; the compiler fills it.
//
//go:embed page
var files embed.FS

// Phone is an app on the phone's first screen.
type Phone struct {
	Name  liuma.Text
	URL   string // where the app is
	Theme string // "jade" or "azure"
	Mark  string // one character
}

// Config is the content of the window. Hub, Origin and Phones are required.
type Config struct {
	Hub    *Hub
	Lang   locale.Lang // that comes first, with the other one beside it; default: Chinese
	Origin string      // its own address, scheme://host:port; other Host headers are refused
	Phones []Phone
	// Official is the address of the authority's official page, where freeze
	// codes are typed; texts do not contain it. Empty for none.
	Official string
	// SMS lists the messages on the phones, oldest first; nil while no messages
	// are sent.
	SMS func() []SMS
	// Pass, if set, moves the demo's clock for all sides at once, so that a
	// visitor need not wait for three days.
	Pass func(time.Duration)
	Now  func() time.Time // the demo's time; required with Pass
	// Scan, if set, shows Origin as a QR code, for a real phone.
	Scan bool
	// Keepers, if set, are shown, and can be killed, cut off and healed. Conditions is how
	// the authority finds them; required with Keepers.
	Keepers    *posts.House
	Conditions func(context.Context) []keeper.Condition
	// CA, if set, is the certificate that a phone may trust, PEM.
	CA []byte
}

const mostAtOnce = 200 // events in one answer

type window struct {
	c    Config
	host string
	page []byte
	qr   []byte // Origin's, drawn; nil without Scan
}

// New builds the window. It fails only for a bad Config.
func New(c Config) (http.Handler, error) {
	u, err := url.Parse(c.Origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != c.Origin {
		return nil, fmt.Errorf("window: origin %q: want scheme://host[:port]", c.Origin)
	}
	if c.Hub == nil || len(c.Phones) == 0 || c.Pass != nil && c.Now == nil || c.Keepers != nil && c.Conditions == nil {
		return nil, errors.New("window: want a hub and at least one app, and a clock where time can pass")
	}
	if c.Lang == "" {
		c.Lang = locale.Chinese
	}
	if c.SMS == nil {
		c.SMS = func() []SMS { return nil }
	}
	w := &window{c: c, host: u.Host}
	if c.Scan {
		code, err := qr.New(c.Origin)
		if err != nil {
			return nil, err
		}
		w.qr = code.SVG("")
	}
	if w.page, err = draw(c); err != nil {
		return nil, fmt.Errorf("window: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", w.show)
	mux.HandleFunc("GET /window.css", w.file("page/window.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /window.js", w.file("page/window.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /favicon.ico", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /saw.json", w.saw)
	mux.HandleFunc("GET /sms.json", w.sms)
	if c.Keepers != nil {
		mux.HandleFunc("GET /keepers.json", w.keepers)
		mux.HandleFunc("POST /keeper", w.act)
	}
	if w.qr != nil {
		mux.HandleFunc("GET /qr.svg", w.scan)
	}
	if c.CA != nil {
		mux.HandleFunc("GET /ca.crt", w.ca)
	}
	if c.Pass != nil {
		mux.HandleFunc("POST /pass", w.pass)
	}
	return w.guard(http.NewCrossOriginProtection().Handler(mux)), nil
}

// guard sets the headers and refuses requests under other host names, so that a
// foreign site cannot read the window through a name that resolves to this
// address.
func (w *window) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "+
			"frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if r.Host != w.host {
			http.Error(rw, "unknown host", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

func (w *window) show(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = rw.Write(w.page) // the client has disconnected
}

func (w *window) file(name, kind string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", kind)
		http.ServeFileFS(rw, r, files, name)
	}
}

// saw answers with the events behind ?after=.
func (w *window) saw(rw http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		http.Error(rw, "after: want a number", http.StatusBadRequest)
		return
	}
	answer(rw, map[string]any{"events": w.c.Hub.After(after, mostAtOnce)})
}

func (w *window) sms(rw http.ResponseWriter, _ *http.Request) {
	messages := w.c.SMS()
	if messages == nil {
		messages = []SMS{}
	}
	all := map[string]any{"messages": messages}
	if w.c.Now != nil {
		all["now"] = w.c.Now()
		all["ahead"] = int(time.Until(w.c.Now()).Seconds()) // of the world's time; people here may let more of it pass
	}
	answer(rw, all)
}

// pass moves the clock by a minute or three days, the waiting times of the
// authority.
func (w *window) pass(rw http.ResponseWriter, r *http.Request) {
	switch r.URL.Query().Get("time") {
	case "minute":
		w.c.Pass(time.Minute)
	case "days":
		w.c.Pass(3*24*time.Hour + time.Minute)
	default:
		http.Error(rw, "time: want minute or days", http.StatusBadRequest)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

func (w *window) scan(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "image/svg+xml")
	_, _ = rw.Write(w.qr) // the client has disconnected
}

// ca is the certificate for a phone to trust, as phones know it.
func (w *window) ca(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "application/x-x509-ca-cert")
	rw.Header().Set("Content-Disposition", `attachment; filename="liuma-demo-ca.crt"`)
	_, _ = rw.Write(w.c.CA) // the client has disconnected
}

func answer(rw http.ResponseWriter, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		http.Error(rw, "failed", http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write(raw) // the client has disconnected
}
