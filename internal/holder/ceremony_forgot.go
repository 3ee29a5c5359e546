package holder

import (
	"net/http"

	"github.com/liuma-pin/liuma/internal/authority"
)

// forgot turns to setting the PIN anew. Where that cannot be done online, a
// page of its own says why and where to go.
func (h *handler) forgot(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		return h.authority.Forgot(r.Context(), id, by.Hand)
	})
}

// remember goes back from there to the pad.
func (h *handler) remember(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		return h.authority.Remember(r.Context(), id, by.Hand)
	})
}
