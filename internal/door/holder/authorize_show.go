package holder

import (
	"net/http"
	"net/url"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
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
