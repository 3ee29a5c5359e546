package holder

import "net/http"

// showOfficial is the page at the door's bare address: what this is, how to
// freeze a card, whom to call, and how to know that a page is real.
func (h *handler) showOfficial(w http.ResponseWriter, r *http.Request) {
	h.door.KeepLang(w, r)
	h.show(w, r, http.StatusOK, h.officialView(r))
}
