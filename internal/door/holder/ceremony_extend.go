package holder

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/ceremony"
)

// extendCeremony gives more time. The script asks for it without leaving the
// page, so that what was typed stays.
func (h *handler) extendCeremony(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "application/json") {
		h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
			return h.authority.Extend(r.Context(), id, by.Hand)
		})
		return
	}
	id := r.PathValue("id")
	if err := r.ParseForm(); err != nil || !idPattern.MatchString(id) {
		h.wrong(w, r, formError(err))
		return
	}
	page, err := h.authority.Extend(r.Context(), id, h.handOf(r, id).Hand)
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	answer := struct {
		Expires time.Time `json:"expires"`
		Now     time.Time `json:"now"`
	}{page.Expires, h.now()}
	_ = json.NewEncoder(w).Encode(answer) // an error here means that nobody is listening
}
