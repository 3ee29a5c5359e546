package holder

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
)

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
	if r.Method == http.MethodHead || door.Prefetched(r) {
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
