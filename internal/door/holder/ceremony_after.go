package holder

import (
	"net/http"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// setEveryUse turns the text after every use of the PIN on or off.
func (h *handler) setEveryUse(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		on, err := typed(r, "on")
		if err == nil && on != "0" && on != "1" {
			err = liuma.FailField(liuma.CodeBadRequest, "on", nil)
		}
		if err != nil {
			return ceremony.Page{}, err
		}
		return h.authority.NoticeEveryUse(r.Context(), id, by.Hand, on == "1")
	})
}

// knowDevice makes this browser one of the holder's known devices. A browser
// that keeps no cookies cannot be one.
func (h *handler) knowDevice(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		if by.bare || h.cookies.Get(r, seenCookie) == "" {
			return ceremony.Page{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		return h.authority.KnowDevice(r.Context(), id, by.Hand)
	})
}
