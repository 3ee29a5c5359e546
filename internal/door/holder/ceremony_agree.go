package holder

import (
	"net/http"

	"github.com/liuma-pin/liuma/internal/ceremony"
)

// agreeCeremony goes on from who asks for what to the pad.
func (h *handler) agreeCeremony(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		return h.authority.Agree(r.Context(), id, by.Hand)
	})
}
