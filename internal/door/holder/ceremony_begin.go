package holder

import (
	"net/http"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/door"
)

// beginCeremony binds a ceremony to the browser that looks at it. The landing
// page's script asks for it and is told where to go; without script, a button
// posts the same form. A script in a web view without cookies is told to post
// the form: then the hand has to travel in the pages.
func (h *handler) beginCeremony(w http.ResponseWriter, r *http.Request) {
	scripted := strings.Contains(r.Header.Get("Accept"), "application/json")
	if scripted && (h.cookies.Get(r, seenCookie) == "" || door.Prefetched(r)) {
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
