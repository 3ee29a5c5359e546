package holder

import (
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door"
)

const (
	longestAddress = 2000 // bytes of /authorize's query
	postAuthorize  = "POST /authorize"
	seenAge        = 24 * time.Hour
)

// showAuthorize shows the landing page, to which a channel sends its holder. It
// changes nothing, so a prefetch, a reload or a link scanner does no harm. It shows
// nothing personal, because anybody who has the address could be reading it. The
// ceremony's script goes on as soon as the page is visible; without script, the
// holder presses a button.
func (h *handler) showAuthorize(w http.ResponseWriter, r *http.Request) {
	clientID, requestURI, ok := pushedParameters(r.URL.RawQuery)
	if !ok {
		h.badAddress(w, r, r.URL.RawQuery)
		return
	}
	h.door.KeepLang(w, r)
	if id := h.begunHere(r, requestURI); id != "" {
		h.showAgain(w, r, id)
		return
	}
	page, err := h.authority.LookAt(r.Context(), clientID, requestURI, ceremony.Hand{RequestURI: requestURI})
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

// showAgain answers the address of a ceremony that this browser has begun, without a
// redirect to another address. It shows the page of its step. If the ceremony is
// done, it shows the way back to the channel, because the callback may have been lost
// (I-14).
func (h *handler) showAgain(w http.ResponseWriter, r *http.Request, id string) {
	by := h.handOf(r, id)
	page, err := h.authority.Look(r.Context(), id, by.Hand)
	switch {
	case err != nil:
		h.wrong(w, r, err)
	case page.Step == ceremony.StepDone && !page.Elsewhere:
		h.leadBack(w, r, id, by)
	default: // the ceremony's own page says what is wrong
		plain := r.Clone(r.Context())
		plain.URL.RawQuery = "" // nothing in the channel's address chooses a page
		h.showPage(w, plain, page, by)
	}
}

// pushedParameters reads the two parameters of RFC 9126. All others were pushed
// before, so they are ignored here; if one of the two comes twice, the request
// is refused.
func pushedParameters(query string) (clientID, requestURI string, ok bool) {
	if len(query) > longestAddress {
		return "", "", false
	}
	q, err := url.ParseQuery(query)
	if err != nil || len(q["client_id"]) != 1 || len(q["request_uri"]) != 1 {
		return "", "", false
	}
	clientID, requestURI = q.Get("client_id"), q.Get("request_uri")
	return clientID, requestURI, clientID != "" && requestURI != ""
}

// leadToAuthorize is for channels that send the browser by a form (OpenID Connect
// Core, 3.1.2.1). It changes nothing and redirects to the same address by GET. A post
// from the channel's site comes without the cookies by which the browser of a
// ceremony is known; the GET that follows has them.
func (h *handler) leadToAuthorize(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.wrong(w, r, formError(err))
		return
	}
	query := string(body)
	clientID, requestURI, ok := pushedParameters(query)
	if !ok || r.URL.RawQuery != "" || !isForm(r.Header) {
		h.badAddress(w, r, query)
		return
	}
	http.Redirect(w, r, "/authorize?"+url.Values{"client_id": {clientID}, "request_uri": {requestURI}}.Encode(), http.StatusSeeOther)
}

func isForm(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// badAddress is the page of an address that names no pushed request. It is plain, for
// the reader may be a holder with an old link. If the parameters are those of a
// program that did not push, a folded part tells its developer.
func (h *handler) badAddress(w http.ResponseWriter, r *http.Request, query string) {
	v := h.faultView(r, http.StatusBadRequest, liuma.CodeRequestURIInvalid)
	if notPushed(query) {
		v.Developers = &developers{Title: v.T.DevelopersTitle(), Text: v.T.DevelopersPush()}
	}
	h.show(w, r, http.StatusBadRequest, v)
}

// notPushed reports whether an address has parameters of an authorization request
// that should have been pushed.
func notPushed(query string) bool {
	q, err := url.ParseQuery(query)
	return err == nil && !q.Has("request_uri") && (q.Has("response_type") || q.Has("redirect_uri") || q.Has("scope") || q.Has("request"))
}

// landingView is the landing page. No browser is bound to the ceremony yet, so
// it names the channel and not the holder.
func (h *handler) landingView(r *http.Request, p ceremony.Page, requestURI string) *view {
	v := h.newView(r, pageLanding)
	v.ID, v.RequestURI = p.ID, requestURI
	v.Asker = v.say(p.ChannelName)
	v.title(p)
	v.Back = "/authorize?" + url.Values{"client_id": {r.URL.Query().Get("client_id")}, "request_uri": {requestURI}}.Encode()
	return v
}

// begin binds a ceremony to the browser that looks at its page. The script of the
// landing page asks for it and is told where to go; without script, a button posts
// the same form. In a web view without cookies the script is told to post the form,
// because then the pages must carry the hand.
func (h *handler) begin(w http.ResponseWriter, r *http.Request) {
	if !scripted(r) {
		h.post(simple(h.authority.Begin))(w, r)
		return
	}
	if h.cookies.Get(r, seenCookie) == "" || door.Prefetched(r) {
		w.WriteHeader(http.StatusConflict)
		return
	}
	id, by, ok := h.posted(w, r)
	if !ok {
		return
	}
	page, err := h.authority.Begin(r.Context(), id, by.Hand)
	switch code := liuma.CodeOf(err); {
	case err == nil && page.Bound != "":
		h.keep(w, r, id, by.RequestURI, page.Bound)
	case err != nil && (code == liuma.CodeInternal || code == liuma.CodeUnavailable || code == liuma.CodeBusy):
		h.wrong(w, r, err)
		return
	}
	// Any other error is shown by the page of the ceremony.
	w.WriteHeader(http.StatusNoContent)
}

// returnToChannel sends the holder back, with an authorization code or with an error.
// It is a GET because browsers apply the content policy's form-action, which names no
// channel, to redirects that follow a post. It makes the authorization code, so a
// prefetch is not answered. A web view without cookies posts here, and gets a page
// that leads on.
func (h *handler) returnToChannel(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !idPattern.MatchString(id) {
		h.fault(w, r, http.StatusNotFound, liuma.CodeRequestURIInvalid)
		return
	}
	h.leadBack(w, r, id, h.handOf(r, id))
}

// leadBack answers with the way back. It is not made for a prefetch.
func (h *handler) leadBack(w http.ResponseWriter, r *http.Request, id string, by hand) {
	if r.Method == http.MethodHead || door.Prefetched(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	way, err := h.authority.WayBack(r.Context(), id, by.Hand)
	if err != nil {
		h.failed(w, r, id, by, ceremony.Page{}, err)
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

// wayURL marks the channel's registered address as safe for a page. It is https,
// which an app can claim as its link. With a custom scheme the code could go to
// another app that claims the same scheme (I-14). On the loopback it may be http.
func wayURL(s string) (template.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", liuma.Fail(liuma.CodeInternal, err)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !door.Loopback(u.Hostname())) {
		return "", liuma.FailField(liuma.CodeInternal, "redirect_uri", nil)
	}
	return template.URL(u.String()), nil
}

// goingView leads back to the channel from a web view without cookies.
func (h *handler) goingView(r *http.Request, to template.URL) *view {
	v := h.newView(r, pageResult)
	v.heading(func(t *wordings) string { return t.GoingTitle() })
	v.Result = &result{Kind: "ok", Icon: "ok", Text: v.T.GoingText()}
	v.Forward = string(to)
	v.Ways = []way{{Class: "btn-primary", Text: v.T.BackPlain(), Out: to}, h.call(v)}
	return v
}

// back is the button that leads back to the channel, with the channel's name.
func (v *view) back(class string) way {
	w := way{Class: class, Text: v.T.backTo(v.Asker)}
	if v.Hand != "" {
		w.Post = "return"
	} else {
		w.Link = address(v.ID) + "/return"
	}
	return w
}
