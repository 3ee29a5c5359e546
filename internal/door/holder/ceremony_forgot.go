package holder

import (
	"net/http"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// forgot turns to setting the PIN anew. Where that cannot be done online, a
// page of its own says why and where to go.
func (h *handler) forgot(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		page, err := h.authority.Forgot(r.Context(), id, by.Hand)
		if err != nil && liuma.CodeOf(err) == liuma.CodeCeremonyExpired {
			// A locked page stays readable for longer than it can be turned to
			// something else; showing it again would be no answer.
			if now, lookErr := h.authority.Look(r.Context(), id, by.Hand); lookErr == nil && now.Step == ceremony.StepRefused {
				err = liuma.Fail(liuma.CodeRequestURIInvalid, err)
			}
		}
		return page, err
	})
}

// remember goes back from there to the pad.
func (h *handler) remember(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		return h.authority.Remember(r.Context(), id, by.Hand)
	})
}
