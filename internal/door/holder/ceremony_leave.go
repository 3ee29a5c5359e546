package holder

import (
	"net/http"

	"github.com/liuma-pin/liuma/internal/ceremony"
)

// leaveCeremony calls a ceremony off.
func (h *handler) leaveCeremony(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		return h.authority.Leave(r.Context(), id, by.Hand)
	})
}
