package holder

import (
	"net/http"

	"github.com/liuma-pin/liuma/internal/ceremony"
)

// freezeOwn freezes the card of a ceremony; the page before it asked whether
// the holder is sure.
func (h *handler) freezeOwn(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		return h.authority.FreezeOwn(r.Context(), id, by.Hand)
	})
}
