package holder

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/websec"
)

const (
	longestAddress = 2000 // bytes of /authorize's query
	seenAge        = 24 * time.Hour
)

// showAuthorize is where a channel sends its holder. It changes nothing: a
// prefetch, a reload or a link scanner costs nothing, and nothing personal is
// on it, because whoever has the address could be reading it. The script goes
// on as soon as the page is really looked at; without script, a button does.
func (h *handler) showAuthorize(w http.ResponseWriter, r *http.Request) {
	clientID, requestURI, ok := pushedParameters(r.URL)
	if !ok {
		h.fault(w, r, http.StatusBadRequest, liuma.CodeRequestURIInvalid)
		return
	}
	h.door.KeepLang(w, r)
	if id := h.begunHere(r, requestURI); id != "" {
		http.Redirect(w, r, address(id), http.StatusSeeOther)
		return
	}
	page, err := h.authority.LookAt(r.Context(), clientID, requestURI, authority.Hand{RequestURI: requestURI})
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	if page.Elsewhere {
		h.fault(w, r, http.StatusConflict, liuma.CodeCeremonyElsewhere)
		return
	}
	h.cookies.Set(w, seenCookie, "1", seenAge)
	h.show(w, r, http.StatusOK, h.landingView(r, page, requestURI))
}

// pushedParameters reads the two parameters of RFC 9126. What else there is
// was pushed, or is ignored; a parameter given twice is refused.
func pushedParameters(u *url.URL) (clientID, requestURI string, ok bool) {
	if len(u.RawQuery) > longestAddress {
		return "", "", false
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(q["client_id"]) != 1 || len(q["request_uri"]) != 1 {
		return "", "", false
	}
	clientID, requestURI = q.Get("client_id"), q.Get("request_uri")
	return clientID, requestURI, clientID != "" && requestURI != ""
}

// landingView is the page at the address that a channel sends its holder to.
// Nobody is bound to the ceremony yet, so it names the channel and nobody else.
func (h *handler) landingView(r *http.Request, p authority.Page, requestURI string) *view {
	v := h.newView(r, pageLanding)
	v.ID, v.RequestURI = p.ID, requestURI
	v.Asker = v.say(p.ChannelName)
	v.heading(titleOf(p.Action))
	v.Back = "/authorize?" + url.Values{"client_id": {r.URL.Query().Get("client_id")}, "request_uri": {requestURI}}.Encode()
	return v
}

// beginCeremony binds a ceremony to the browser that looks at it. The landing
// page's script asks for it and is told where to go; without script, a button
// posts the same form. A script in a web view without cookies is told to post
// the form: then the hand has to travel in the pages.
func (h *handler) beginCeremony(w http.ResponseWriter, r *http.Request) {
	scripted := strings.Contains(r.Header.Get("Accept"), "application/json")
	if scripted && (h.cookies.Get(r, seenCookie) == "" || websec.Prefetched(r)) {
		w.WriteHeader(http.StatusConflict)
		return
	}
	if !scripted {
		h.post(w, r, func(id string, by hand) (authority.Page, error) {
			return h.authority.Begin(r.Context(), id, by.Hand)
		})
		return
	}
	id := r.PathValue("id")
	if err := r.ParseForm(); err != nil || !idPattern.MatchString(id) {
		h.wrong(w, r, formError(err))
		return
	}
	by := h.handOf(r, id)
	page, err := h.authority.Begin(r.Context(), id, by.Hand)
	switch liuma.CodeOf(err) {
	case liuma.CodeInternal, liuma.CodeUnavailable, liuma.CodeBusy:
		if err != nil {
			h.wrong(w, r, err)
			return
		}
	}
	if err == nil && page.Bound != "" {
		h.keep(w, r, id, by.RequestURI, page.Bound)
	}
	// Whatever else is wrong, the ceremony's own page says it.
	w.WriteHeader(http.StatusNoContent)
}

// returnToChannel sends the holder back, with a code or with why there is
// none. It is a plain GET on purpose: browsers hold what follows a post to the
// policy's form-action. Nobody but a person may follow it, since it mints the
// code. Posted to, where cookies are blocked, it shows a page that goes on.
func (h *handler) returnToChannel(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !idPattern.MatchString(id) {
		h.fault(w, r, http.StatusNotFound, liuma.CodeRequestURIInvalid)
		return
	}
	if r.Method == http.MethodHead || websec.Prefetched(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	by := h.handOf(r, id)
	way, err := h.authority.WayBack(r.Context(), id, by.Hand)
	if err != nil {
		h.failed(w, r, id, by, err)
		return
	}
	to, err := wayURL(way.URL)
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	if !by.bare {
		http.Redirect(w, r, string(to), http.StatusSeeOther)
		return
	}
	h.show(w, r, http.StatusOK, h.goingView(r, to))
}

// wayURL vouches for an address that the authority took from the channel's
// registration: any scheme, since apps register their own, but no code.
func wayURL(s string) (template.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", liuma.Fail(liuma.CodeInternal, err)
	}
	switch strings.ToLower(u.Scheme) {
	case "", "javascript", "data", "vbscript", "blob", "file", "about":
		return "", liuma.FailField(liuma.CodeInternal, "redirect_uri", nil)
	}
	return template.URL(u.String()), nil
}

// goingView leads back to the channel from a web view without cookies.
func (h *handler) goingView(r *http.Request, to template.URL) *view {
	v := h.newView(r, pageResult)
	v.heading(func(t *texts) string { return t.GoingTitle })
	v.Result = &result{Kind: "ok", Icon: "ok", Text: v.T.GoingText}
	v.Forward = string(to)
	v.Ways = []way{{Class: "btn-primary", Text: v.T.BackPlain, Out: to}, h.call(v)}
	return v
}

// back is the way to the channel; its name says where that is.
func (v *view) back(class string) way {
	w := way{Class: class, Text: v.T.backTo(v.Asker)}
	if v.Hand != "" {
		w.Post = "return"
	} else {
		w.Link = address(v.ID) + "/return"
	}
	return w
}
