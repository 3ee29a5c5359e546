package holder

import (
	"net/http"

	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/door"
)

// consentPath is the page with the whole text that holders agree to.
const consentPath = "/consent"

// showConsent shows the whole text. It names no person.
func (h *handler) showConsent(w http.ResponseWriter, r *http.Request) {
	h.door.KeepLang(w, r)
	v := h.newView(r, pageStep)
	v.Back = consentPath
	v.heading(func(t *wordings) string { return t.ConsentTitle() })
	v.Say = v.T.ConsentClose()
	v.TipsTitle = v.T.ConsentVersion(h.consent.Version)
	v.Tips = inLanguage(v.Lang, h.consent.Whole)
	v.Ways = []way{h.call(v)}
	if id := r.URL.Query().Get("from"); v.OnPad && idPattern.MatchString(id) {
		// A pad has only one page open, so this one needs a link back.
		v.Back += "?from=" + id
		v.First = []way{{Class: "btn-primary", Text: v.T.NoCodeBack(), Link: address(id)}}
		v.cleared(true)
	}
	h.show(w, r, http.StatusOK, v)
}

// agreed is the text above the button that agrees; nil if the page asks for none.
type agreed struct {
	Title string
	Short []string
	Whole way // the link to the whole text, in a page of its own
}

// askConsent puts the text on the page, and makes its button say what it does.
func (h *handler) askConsent(v *view, p ceremony.Page) {
	if p.Consent == nil {
		return
	}
	v.Agreed = &agreed{Title: v.T.ConsentTitle(), Short: inLanguage(v.Lang, p.Consent.Short),
		Whole: way{Class: "btn-plain", Text: v.T.ConsentWhole(), Link: consentPath}}
	if v.OnPad {
		v.Agreed.Whole.Link += "?from=" + p.ID
	}
	v.Ways[0].Text, v.Ways[0].Consent = v.T.ConsentGive(), p.ConsentHash
}

func inLanguage(lang door.Lang, p consent.Paragraphs) []string {
	if lang == door.English {
		return p.EN
	}
	return p.ZH
}

// agree passes on which text the page showed. A form without that value showed none.
func (h *handler) agree(r *http.Request, id string, by hand) (ceremony.Page, error) {
	if shown := r.PostFormValue("consent"); len(shown) <= longestTyped {
		by.Consent = shown
	}
	return h.authority.Agree(r.Context(), id, by.Hand)
}
