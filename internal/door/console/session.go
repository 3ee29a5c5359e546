package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/liuma-pin/liuma/internal/staff"
)

// showSignIn is the page of signing in.
func (h *console) showSignIn(w http.ResponseWriter, r *http.Request) {
	h.show(w, r, http.StatusOK, h.signInPage(r, nil))
}

func (h *console) signInPage(r *http.Request, err error) *view {
	t := h.pages.wordings[h.door.Preferences(r).Lang]
	page := h.outside(r, t.SignInTitle())
	page.Lead = t.SignInLead()
	switch {
	case err != nil:
		said := t.because(err)
		page.Refusal = &notice{Title: said.Title, Text: said.Text}
	case r.URL.Query().Get("why") == "ended":
		page.Done = t.SessionEnded()
	case r.URL.Query().Get("why") == "joined":
		page.Done = t.Joined()
	case r.URL.Query().Get("why") == "out":
		page.Done = t.SignedOut()
	}
	page.Blocks = []block{
		{Form: &form{Post: "/sign-in", Button: t.SignInButton(), Passkey: &passkey{Way: "get", Offer: "/sign-in/offer"},
			Fields: []field{{Type: "hidden", Name: "next", Value: next(r.FormValue("next"))}}}},
		{Title: t.InvitedTitle(), Text: t.InvitedText(), Links: []link{{t.InvitedLink(), "/invitation"}}},
		{Title: t.LostTitle(), Text: t.LostText()},
	}
	return page
}

// next is a path if it leads to a page of the console, and otherwise the start page.
func next(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(path, "\\\r\n") {
		return "/"
	}
	return path
}

// offerSignIn returns the values with which the browser asks for a passkey.
func (h *console) offerSignIn(w http.ResponseWriter, r *http.Request) {
	options, err := h.c.Staff.OfferLogIn()
	if err != nil {
		h.c.Logger.ErrorContext(r.Context(), "no log-in was offered", "err", err)
		http.Error(w, "500", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(options) // the browser may have gone
}

// signIn begins a session by a passkey's signature. The session that the browser had
// ends, and its cookie is replaced, so knowing the old cookie helps nobody.
func (h *console) signIn(w http.ResponseWriter, r *http.Request) {
	session, err := h.c.Staff.LogIn(r.Context(), []byte(r.PostFormValue("answer")))
	if err != nil {
		h.show(w, r, h.pages.wordings[h.door.Preferences(r).Lang].because(err).status, h.signInPage(r, err))
		return
	}
	if before := staff.Token(h.cookies.Get(r, sessionCookie)); before != "" {
		if err := h.c.Staff.End(r.Context(), before); err != nil && !errors.Is(err, staff.ErrSession) {
			h.c.Logger.ErrorContext(r.Context(), "an earlier session of the browser was not ended", "err", err)
		}
	}
	h.cookies.SetStrict(w, sessionCookie, string(session.Token), 0)
	http.Redirect(w, r, next(r.PostFormValue("next")), http.StatusSeeOther)
}

// signOut ends the session.
func signOut(v *visit) (*view, error) {
	if err := v.h.c.Staff.End(v.ctx(), staff.Token(v.h.cookies.Get(v.r, sessionCookie))); err != nil && !errors.Is(err, staff.ErrSession) {
		return nil, err
	}
	v.h.cookies.Set(v.w, sessionCookie, "", -1)
	http.Redirect(v.w, v.r, "/sign-in?why=out", http.StatusSeeOther)
	return nil, nil
}

// showInvitation asks for the code of an invitation.
func (h *console) showInvitation(w http.ResponseWriter, r *http.Request) {
	h.show(w, r, http.StatusOK, h.invitationPage(r, nil))
}

func (h *console) invitationPage(r *http.Request, err error) *view {
	t := h.pages.wordings[h.door.Preferences(r).Lang]
	page := h.outside(r, t.InvitationTitle())
	page.Lead = t.InvitationLead()
	if err != nil {
		said := t.because(err)
		page.Refusal = &notice{Title: said.Title, Text: said.Text}
	}
	page.Blocks = []block{
		{Form: &form{Post: "/invitation", Button: t.GoOn(), Fields: []field{
			{Name: "first", Label: t.FirstHalf(), Hint: t.FirstHalfHint(), Class: "mono", Required: true, Most: 40},
			{Name: "second", Label: t.SecondHalf(), Hint: t.SecondHalfHint(), Class: "mono", Most: 20},
		}}},
		{Links: []link{{t.SignInTitle(), "/sign-in"}}},
	}
	return page
}

// takeInvitation shows the second step: making a passkey. The code is typed once; the
// form carries it to the step that uses it.
func (h *console) takeInvitation(w http.ResponseWriter, r *http.Request) {
	code := r.PostFormValue("first") + " " + r.PostFormValue("second")
	options, err := h.c.Staff.OfferRegistration(r.Context(), code)
	t := h.pages.wordings[h.door.Preferences(r).Lang]
	if err != nil {
		h.show(w, r, t.because(err).status, h.invitationPage(r, err))
		return
	}
	page := h.outside(r, t.PasskeyTitle())
	page.Lead = t.PasskeyLead()
	page.Blocks = []block{{Form: &form{Post: "/invitation/passkey", Button: t.PasskeyButton(),
		Passkey: &passkey{Way: "create", Options: string(options)}, Fields: []field{{Type: "hidden", Name: "code", Value: code}}}}}
	h.show(w, r, http.StatusOK, page)
}

// register accepts the invitation with the new passkey. The member then has to sign in
// with it, so that a passkey that does not work is noticed at once.
func (h *console) register(w http.ResponseWriter, r *http.Request) {
	_, err := h.c.Staff.Register(r.Context(), r.PostFormValue("code"), []byte(r.PostFormValue("answer")), r.PostFormValue("software") == "1")
	if err != nil {
		h.show(w, r, h.pages.wordings[h.door.Preferences(r).Lang].because(err).status, h.invitationPage(r, err))
		return
	}
	http.Redirect(w, r, "/sign-in?why=joined", http.StatusSeeOther)
}
