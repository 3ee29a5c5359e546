package standin

import (
	"bytes"
	"crypto/rand"
	"html"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door/oidc"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/locale"
)

const (
	checkLife  = 10 * time.Minute
	mostChecks = 500 // open at once; a developer's machine has a handful
)

// The states of a check.
const (
	stateWaiting = "waiting" // nobody pressed yet
	stateGiven   = "given"   // "it is me": evidence was signed
	stateRefused = "refused" // "it is somebody else", or left
)

// check is one check of a person. It is in memory only: after a restart the channel
// begins another. Guarded by StandIn.mu.
type check struct {
	person    person
	challenge string
	back      string // redirect URI; empty: the result is fetched, or shown
	state     string // the channel's own value, carried back
	ends      time.Time

	outcome  string // one of the states
	why      string // reason of a refusal
	evidence string
}

// begin takes a check: from a channel's server as JSON, or from the form of the
// home page.
func (s *StandIn) begin(w http.ResponseWriter, r *http.Request) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // what cannot be read is JSON that cannot be read
	if kind == "application/x-www-form-urlencoded" {
		_, id, err := s.open(r.PostFormValue("challenge"), "", r.PostFormValue("id_number"), r.PostFormValue("name"), "", "")
		if err != nil {
			s.render(w, r, err.status, view{Kind: "home", Wrong: err.code, Challenge: r.PostFormValue("challenge"),
				IDNumber: r.PostFormValue("id_number"), Name: r.PostFormValue("name")})
			return
		}
		http.Redirect(w, r, ChecksPath+"/"+id+"?lang="+string(language(r)), http.StatusSeeOther)
		return
	}
	var q struct {
		Audience  string         `json:"audience"`
		Challenge string         `json:"challenge"`
		IDNumber  string         `json:"id_number"`
		Name      string         `json:"name"`
		Document  liuma.Document `json:"document"`
		Back      string         `json:"redirect_uri"`
		State     string         `json:"state"`
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
	ends, id, err := s.open(q.Challenge, q.Audience, number, q.Name, q.Back, q.State)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusCreated, map[string]string{
		"check": id, "page": s.c.Origin + ChecksPath + "/" + id, "result": s.c.Origin + ChecksPath + "/" + id + "/result",
		"expires": ends.UTC().Format(time.RFC3339),
	})
}

// open keeps a new check under a number that cannot be guessed.
func (s *StandIn) open(challenge, audience, idNumber, name, back, state string) (time.Time, string, *refusal) {
	p, err := s.about(audience, challenge, idNumber, name)
	if err != nil {
		return time.Time{}, "", err
	}
	if back != "" && oidc.CheckRedirectURI(back) != nil {
		return time.Time{}, "", &refusal{http.StatusBadRequest, "redirect_uri_invalid"}
	}
	if len(state) > 512 {
		return time.Time{}, "", &refusal{http.StatusBadRequest, "state_too_long"}
	}
	now := s.c.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.checks {
		if !now.Before(c.ends) {
			delete(s.checks, id)
		}
	}
	if len(s.checks) >= mostChecks {
		return time.Time{}, "", &refusal{http.StatusServiceUnavailable, "too_many_checks"}
	}
	id := rand.Text()
	c := &check{person: p, challenge: challenge, back: back, state: state, ends: now.Add(checkLife), outcome: stateWaiting}
	s.checks[id] = c
	return c.ends, id, nil
}

// find copies a check that has not ended.
func (s *StandIn) find(id string) (check, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.checks[id]
	if c == nil || !s.c.Now().Before(c.ends) {
		return check{}, false
	}
	return *c, true
}

// show is the page on which a developer says who is in front of the camera.
func (s *StandIn) show(w http.ResponseWriter, r *http.Request) {
	c, ok := s.find(r.PathValue("id"))
	if !ok {
		s.render(w, r, http.StatusNotFound, view{Kind: "gone"})
		return
	}
	s.render(w, r, http.StatusOK, viewOf(c))
}

// press decides a check, once. Later presses show, or carry back, the first decision.
func (s *StandIn) press(w http.ResponseWriter, r *http.Request) {
	switch err := s.decide(r.PathValue("id"), r.PostFormValue("who")); {
	case err != nil && err.status == http.StatusNotFound:
		s.render(w, r, err.status, view{Kind: "gone"})
	case err != nil:
		http.Error(w, err.code, err.status)
	default:
		http.Redirect(w, r, ChecksPath+"/"+r.PathValue("id")+"?lang="+string(language(r)), http.StatusSeeOther)
	}
}

func (s *StandIn) decide(id, who string) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.checks[id]
	if c == nil || !s.c.Now().Before(c.ends) {
		return &refusal{http.StatusNotFound, "no_such_check"}
	}
	if c.outcome != stateWaiting {
		return nil
	}
	switch who {
	case "me":
		token, err := s.sign(c.person, c.challenge)
		if err != nil {
			s.c.Logger.Error("evidence not signed", "err", err)
			return &refusal{http.StatusInternalServerError, "failed"}
		}
		c.outcome, c.evidence = stateGiven, token
		s.c.Logger.Info("evidence given", "by", "page")
	case "other":
		c.outcome, c.why = stateRefused, "face_mismatch"
	case "leave":
		c.outcome, c.why = stateRefused, "left_by_holder"
	default:
		return &refusal{http.StatusBadRequest, "bad_request"}
	}
	return nil
}

// address is the address to which the holder goes back. The signed evidence may be in
// it: it is good once, for this challenge of this channel, for minutes.
func (c check) address() string {
	q := url.Values{}
	if c.state != "" {
		q.Set("state", c.state)
	}
	if c.outcome == stateGiven {
		q.Set("evidence", c.evidence)
	} else {
		q.Set("error", c.why)
	}
	join := "?"
	if strings.Contains(c.back, "?") {
		join = "&"
	}
	return c.back + join + q.Encode()
}

// result answers a channel's server that has no redirect URI.
func (s *StandIn) result(w http.ResponseWriter, r *http.Request) {
	c, ok := s.find(r.PathValue("id"))
	if !ok {
		refuse(w, &refusal{http.StatusNotFound, "no_such_check"})
		return
	}
	out := map[string]string{"state": c.outcome}
	if c.evidence != "" {
		out["evidence"] = c.evidence
	}
	if c.why != "" {
		out["error"] = c.why
	}
	answer(w, http.StatusOK, out)
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// view holds the values of a page. Names and numbers are masked.
type view struct {
	Kind   string // home, ask, done or gone
	W      locale.Standin
	Others []*locale.Words // the page's other languages, for ?lang=
	Path   string

	Origin, Audience string
	Who, Number      string // masked
	Back             string // origin of the way back
	To               string // the way back, once it is decided
	Refresh          template.HTMLAttr
	Given            bool
	Evidence, Why    string
	// The text typed on the home page, and what is wrong with it.
	Wrong, Challenge, IDNumber, Name string
}

func viewOf(c check) view {
	v := view{Kind: "ask", Who: registry.MaskName(c.person.name), Number: registry.MaskIDNumber(c.person.idNumber)}
	if c.back != "" {
		v.Back = originOf(c.back)
	}
	if c.outcome != stateWaiting {
		v.Kind, v.Given, v.Evidence, v.Why = "done", c.outcome == stateGiven, c.evidence, c.why
		if c.back != "" {
			// The form does not redirect: browsers apply form-action to all redirects
			// that follow, and it is not known where the channel will redirect to.
			v.To = c.address()
			v.Refresh = template.HTMLAttr(`content="0;url=` + html.EscapeString(v.To) + `"`) //nolint:gosec // escaped
		}
	}
	return v
}

func (s *StandIn) home(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, view{Kind: "home"})
}

func (s *StandIn) render(w http.ResponseWriter, r *http.Request, status int, v view) {
	v.W = locale.In(language(r)).Standin
	for _, l := range locale.Own().Languages() {
		if l != v.W.Lang() {
			v.Others = append(v.Others, locale.In(l))
		}
	}
	v.Path, v.Origin, v.Audience = r.URL.Path, s.c.Origin, s.c.Audience
	if r.Method == http.MethodPost {
		v.Path = "/"
	}
	var page bytes.Buffer
	if err := s.page.Execute(&page, v); err != nil {
		s.c.Logger.ErrorContext(r.Context(), "page not drawn", "err", err)
		http.Error(w, "failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // the client has disconnected
}
