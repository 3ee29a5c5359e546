package holder

import (
	"net/http"
	"path"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// showCeremony shows where a ceremony is. Posted to, it does the same for a
// web view that keeps no cookies and so brings its hand in a form.
func (h *handler) showCeremony(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !idPattern.MatchString(id) {
		h.fault(w, r, http.StatusNotFound, liuma.CodeRequestURIInvalid)
		return
	}
	h.door.KeepLang(w, r)
	by := h.handOf(r, id)
	page, err := h.authority.Look(r.Context(), id, by.Hand)
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	h.showPage(w, r, page, by)
}

func (h *handler) showPage(w http.ResponseWriter, r *http.Request, page ceremony.Page, by hand) {
	if page.Elsewhere {
		h.fault(w, r, http.StatusConflict, liuma.CodeCeremonyElsewhere)
		return
	}
	status := http.StatusOK
	if page.Step == ceremony.StepExpired {
		status = http.StatusGone
	}
	h.show(w, r, status, h.ceremonyView(r, page, by))
}

// moved answers a post that came to something: the browser asks for the page
// itself, so that a reload repeats the asking and not the post.
func (h *handler) moved(w http.ResponseWriter, r *http.Request, page ceremony.Page, by hand) {
	if page.Bound != "" {
		if by.bare || h.cookies.Get(r, seenCookie) == "" {
			by.Secret, by.bare = page.Bound, true
		} else {
			h.keep(w, r, page.ID, by.RequestURI, page.Bound)
		}
	}
	h.keepDevice(w, page, by)
	if by.bare {
		h.showPage(w, r, page, by)
		return
	}
	http.Redirect(w, r, address(page.ID)+nextLook(r, page), http.StatusSeeOther)
}

// nextLook is what is shown after a move, if it is not just the step: the way
// back after a move that ended the ceremony, unless the holder asked to stay,
// and why the PIN cannot be set anew online.
func nextLook(r *http.Request, p ceremony.Page) string {
	switch last := path.Base(r.URL.Path); {
	case last == "pin" && r.PostForm.Get("stay") == "", last == "leave":
		return goOn(p)
	case last == "forgot" && resetRefused(p):
		return "?ask=" + askReset
	}
	return ""
}

// goOn marks the one showing of a page that leads back to the channel by
// itself. The browser's history forgets that address, so the back button does
// not send the holder away again.
func goOn(p ceremony.Page) string {
	if p.Step == ceremony.StepLeft || p.Step == ceremony.StepDone && p.Action == liuma.ActionVerify {
		return "?go=1"
	}
	return ""
}

// failed answers a post that came to nothing: a page that is behind is shown
// the latest, whatever it wanted.
func (h *handler) failed(w http.ResponseWriter, r *http.Request, id string, by hand, err error) {
	switch liuma.CodeOf(err) {
	case liuma.CodeCeremonyMoved, liuma.CodeCeremonyExpired:
	default:
		h.wrong(w, r, err)
		return
	}
	if !by.bare {
		http.Redirect(w, r, address(id), http.StatusSeeOther)
		return
	}
	page, err := h.authority.Look(r.Context(), id, by.Hand)
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	h.showPage(w, r, page, by)
}

// post does what the posts that move a ceremony have in common.
func (h *handler) post(w http.ResponseWriter, r *http.Request, move func(id string, by hand) (ceremony.Page, error)) {
	id := r.PathValue("id")
	if err := r.ParseForm(); err != nil || !idPattern.MatchString(id) {
		h.wrong(w, r, formError(err))
		return
	}
	by := h.handOf(r, id)
	page, err := move(id, by)
	if err != nil {
		h.failed(w, r, id, by, err)
		return
	}
	h.moved(w, r, page, by)
}
