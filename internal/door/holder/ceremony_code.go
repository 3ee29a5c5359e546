package holder

import (
	"net/http"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

const longestTyped = 200 // bytes of what a holder types into a field

// typed reads a field. A form without it is no form of ours, or old: the
// latest page is the answer to it. What is in it, the authority judges.
func typed(r *http.Request, name string) (string, error) {
	switch values := r.PostForm[name]; {
	case len(values) == 0:
		return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
	case len(values) > 1 || len(values[0]) > longestTyped:
		return "", liuma.FailField(liuma.CodeBadRequest, name, nil)
	default:
		return values[0], nil
	}
}

// sendCode has a code sent to the phone.
func (h *handler) sendCode(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		return h.authority.SendCode(r.Context(), id, by.Hand)
	})
}

// giveCode takes the code that came.
func (h *handler) giveCode(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		code, err := typed(r, "code")
		if err != nil {
			return ceremony.Page{}, err
		}
		return h.authority.GiveCode(r.Context(), id, by.Hand, code)
	})
}

// givePhone takes the number to bind.
func (h *handler) givePhone(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		phone, err := typed(r, "phone")
		if err != nil {
			return ceremony.Page{}, err
		}
		return h.authority.GivePhone(r.Context(), id, by.Hand, phone)
	})
}

// giveCardNo takes the number of the physical card.
func (h *handler) giveCardNo(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		number, err := typed(r, "card_no")
		if err != nil {
			return ceremony.Page{}, err
		}
		return h.authority.GiveCardNo(r.Context(), id, by.Hand, number)
	})
}
