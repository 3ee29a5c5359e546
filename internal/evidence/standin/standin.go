// Package standin is an evidence provider that stands in for a real one (替身认证), so
// that a channel can be developed without a camera: anybody who presses "it is me"
// counts as the holder. It guarantees that it signs only for one authority and as a
// provider that is registered as a stand-in, so that receipts say so and an authority
// which does not allow stand-ins refuses it; that it answers only under its own
// address and takes no press from another site; and that every page says that it
// proves nothing. It trusts everybody who reaches its listener, and so belongs on the
// loopback of a developer's machine.
//
// A channel gets evidence in two ways: by a page that the holder is sent to and comes
// back from (Checks), or at once, by one JSON request (EvidencePath).
//
// Start here: Config and New, then checks.go; enlist.go registers it.
package standin

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"

	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/locale"
)

const (
	// EvidencePath is the path at which evidence is given at once, without a page.
	EvidencePath = "/stand-in/evidence"
	// ChecksPath is the path at which a channel's server begins a check, which has a
	// page.
	ChecksPath = "/checks"

	// evidenceLife is the validity written into the evidence; the authority may
	// accept it for a shorter time.
	evidenceLife = 5 * time.Minute
	longestBody  = 8 << 10
)

// files is read only; the compiler fills it.
//
//go:embed page
var files embed.FS

// Config says which provider the stand-in signs as, and where it answers. Signer,
// Audience, Origin and Now are required.
type Config struct {
	Signer   *evidence.Signer
	Audience string           // the authority's issuer; evidence for another is not signed
	Origin   string           // its own address, scheme://host[:port]; other Host headers are refused
	Now      func() time.Time // the wall clock
	Logger   *slog.Logger     // default: discard. No personal data is logged
}

// StandIn is the provider's server. Use it as an http.Handler.
type StandIn struct {
	c       Config
	host    string
	page    *template.Template
	style   string // hash of the style sheet, for the content policy
	handler http.Handler

	mu     sync.Mutex
	checks map[string]*check // guarded by mu
}

// New checks the Config.
func New(c Config) (*StandIn, error) {
	u, err := url.Parse(c.Origin)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Scheme+"://"+u.Host != c.Origin {
		return nil, fmt.Errorf("stand-in: origin %q: want scheme://host[:port]", c.Origin)
	}
	if c.Signer == nil || c.Audience == "" || c.Now == nil {
		return nil, errors.New("stand-in: want a signer, an audience and a clock")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &StandIn{c: c, host: u.Host, checks: map[string]*check{}}
	css, err := files.ReadFile("page/page.css")
	if err != nil {
		return nil, fmt.Errorf("stand-in: %w", err)
	}
	sum := sha256.Sum256(css)
	s.style = base64.StdEncoding.EncodeToString(sum[:])
	s.page, err = template.New("page.html").Funcs(template.FuncMap{"css": func() template.CSS { return template.CSS(css) }}). //nolint:gosec // our own file
																	ParseFS(files, "page/page.html")
	if err != nil {
		return nil, fmt.Errorf("stand-in: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("POST "+EvidencePath, s.atOnce)
	mux.HandleFunc("POST "+ChecksPath, s.begin)
	mux.HandleFunc("GET "+ChecksPath+"/{id}", s.show)
	mux.HandleFunc("POST "+ChecksPath+"/{id}/who", s.press)
	mux.HandleFunc("GET "+ChecksPath+"/{id}/result", s.result)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.handler = s.guard(http.NewCrossOriginProtection().Handler(mux))
	return s, nil
}

// ServeHTTP answers browsers and channels' servers.
func (s *StandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// guard sets the headers, which allow nothing but the style sheet inside the page,
// and refuses requests under other host names: a foreign
// site whose name resolves to this address would otherwise read the answers.
func (s *StandIn) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+s.style+"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if r.Host != s.host {
			http.Error(w, "unknown host: open "+s.c.Origin, http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, longestBody)
		next.ServeHTTP(w, r)
	})
}

// person is the holder that evidence is asked about, in canonical spelling.
type person struct{ idNumber, name string }

// refusal is the reason why nothing is signed, as a short code for a developer.
type refusal struct {
	status int
	code   string
}

func (r *refusal) Error() string { return "stand-in: " + r.code }

// about reads the holder and the challenge of a request. It names a member that is
// wrong.
func (s *StandIn) about(audience, challenge, idNumber, name string) (person, *refusal) {
	bad := func(code string) (person, *refusal) { return person{}, &refusal{http.StatusBadRequest, code} }
	if audience != "" && audience != s.c.Audience {
		return bad("audience_of_another_authority")
	}
	if n := len(challenge); n == 0 || n > 512 || strings.ContainsFunc(challenge, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return bad("challenge_invalid")
	}
	id, err := registry.ParseIDNumber(idNumber)
	if err != nil {
		return bad("id_number_invalid")
	}
	written, err := registry.ParseName(name)
	if err != nil {
		return bad("name_invalid")
	}
	return person{idNumber: id.Canonical(), name: written}, nil
}

func (s *StandIn) sign(p person, challenge string) (string, error) {
	now := s.c.Now()
	return s.c.Signer.Sign(evidence.Statement{
		Audience: s.c.Audience, Challenge: challenge, IDNumber: p.idNumber, Name: p.name,
		Method: evidence.MethodStandIn, IssuedAt: now, Expires: now.Add(evidenceLife),
	})
}

// atOnce signs without a page, for native channels, tests and curl. "camera" is the
// ID number of the person in front of the camera: the stand-in cannot see and
// believes the channel. Without it, that person is the holder.
func (s *StandIn) atOnce(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Audience  string         `json:"audience"`
		Challenge string         `json:"challenge"`
		IDNumber  string         `json:"id_number"`
		Name      string         `json:"name"`
		Document  liuma.Document `json:"document"`
		Camera    *string        `json:"camera"`
	}
	if err := read(r, &q); err != nil {
		refuse(w, err)
		return
	}
	number, both := liuma.HolderText(q.IDNumber, q.Document)
	if both != nil {
		refuse(w, &refusal{http.StatusBadRequest, "id_number_invalid"})
		return
	}
	p, err := s.about(q.Audience, q.Challenge, number, q.Name)
	if err != nil {
		refuse(w, err)
		return
	}
	if q.Camera != nil {
		if seen, err := registry.ParseIDNumber(*q.Camera); err != nil || seen.Canonical() != p.idNumber {
			refuse(w, &refusal{http.StatusUnprocessableEntity, "face_mismatch"})
			return
		}
	}
	token, failed := s.sign(p, q.Challenge)
	if failed != nil {
		s.c.Logger.ErrorContext(r.Context(), "evidence not signed", "err", failed)
		refuse(w, &refusal{http.StatusInternalServerError, "failed"})
		return
	}
	s.c.Logger.InfoContext(r.Context(), "evidence given", "by", "request")
	answer(w, http.StatusOK, map[string]string{"evidence": token})
}

// read reads a JSON object strictly. A form of another site cannot send this
// content type.
func read(r *http.Request, into any) *refusal {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &refusal{http.StatusUnsupportedMediaType, "want_application_json"}
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &refusal{http.StatusBadRequest, "bad_request"}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &refusal{http.StatusBadRequest, "bad_request"}
	}
	return nil
}

func refuse(w http.ResponseWriter, r *refusal) {
	answer(w, r.status, map[string]string{"error": r.code})
}

func answer(w http.ResponseWriter, status int, v map[string]string) {
	raw, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // the client has disconnected
}

// language is the language that ?lang= names, or that the browser prefers.
func language(r *http.Request) locale.Lang {
	if l, ok := locale.Own().Named(r.URL.Query().Get("lang")); ok {
		return l
	}
	return locale.Own().Accepted(r.Header.Get("Accept-Language"))
}
