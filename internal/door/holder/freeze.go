package holder

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// The result of a freeze code is kept in a cookie for five minutes, so that the
// post can end in a redirect to a page that shows it. Only that page reads it.
const (
	freezeCookie = "freeze"
	freezeAge    = 5 * time.Minute
	freezePath   = "/freeze"
	frozenPath   = "/freeze/done"
)

// showFreeze shows the official page that takes a freeze code from a notice and
// freezes the card, without log-in.
func (h *handler) showFreeze(w http.ResponseWriter, r *http.Request) {
	h.door.KeepLang(w, r)
	refused := liuma.Code(strings.TrimPrefix(h.cookies.Get(r, freezeCookie), "no."))
	if !freezeRefusal(refused) {
		refused = ""
	}
	if refused != "" {
		h.cookies.Set(w, freezeCookie, "", -1) // a refusal is shown once
	}
	h.cookies.Set(w, seenCookie, "1", seenAge)
	h.show(w, r, http.StatusOK, h.freezeView(r, refused))
}

// freezeByCode takes the freeze code. Codes that never existed, are too old or were
// used all get the same answer.
func (h *handler) freezeByCode(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		h.wrong(w, r, formError(err))
		return
	}
	code, err := typedIn(r, "code")
	if err != nil {
		code = "" // and is refused like any other
	}
	frozen, err := h.authority.FreezeByCode(r.Context(), h.source(r), code)
	refused := liuma.CodeOf(err)
	switch {
	case err == nil:
	case freezeRefusal(refused):
		h.freezeRefused(w, r, refused)
		return
	default:
		h.wrong(w, r, err)
		return
	}
	if h.cookies.Get(r, seenCookie) == "" {
		h.show(w, r, http.StatusOK, h.frozenView(r, frozen))
		return
	}
	name := frozen.NameMasked
	if len(name) > longestTyped { // of many marks on one letter; the page must say all the same that the card is frozen
		name = "*"
	}
	h.cookies.Set(w, freezeCookie, "ok."+strconv.FormatInt(frozen.At.Unix(), 10)+"."+
		base64.RawURLEncoding.EncodeToString([]byte(name)), freezeAge)
	http.Redirect(w, r, frozenPath, http.StatusSeeOther)
}

// freezeRefusal reports whether the page of the code shows this refusal itself.
func freezeRefusal(c liuma.Code) bool {
	return c == liuma.CodeFreezeCodeInvalid || c == liuma.CodeFreezeCodeLimit || c == liuma.CodeCardClosed
}

// freezeRefused shows a refusal. It names no waiting time, because a right freeze
// code works at any time.
func (h *handler) freezeRefused(w http.ResponseWriter, r *http.Request, code liuma.Code) {
	if h.cookies.Get(r, seenCookie) == "" {
		h.show(w, r, statusOf(code), h.freezeView(r, code))
		return
	}
	h.cookies.Set(w, freezeCookie, "no."+string(code), freezeAge)
	http.Redirect(w, r, freezePath, http.StatusSeeOther)
}

// showFrozen shows the result of a freeze code to the browser that sent it.
func (h *handler) showFrozen(w http.ResponseWriter, r *http.Request) {
	kept, ok := strings.CutPrefix(h.cookies.Get(r, freezeCookie), "ok.")
	at, name, _ := strings.Cut(kept, ".")
	masked, err := base64.RawURLEncoding.DecodeString(name)
	if !ok || err != nil || len(masked) > longestTyped {
		http.Redirect(w, r, freezePath, http.StatusSeeOther)
		return
	}
	h.show(w, r, http.StatusOK, h.frozenView(r, authority.FreezeView{NameMasked: string(masked), At: unix(at)}))
}

// unix reads a time from a cookie; zero if the cookie has none.
func unix(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.Unix(n, 0)
}

// freezeView is the official page that takes a freeze code.
func (h *handler) freezeView(r *http.Request, refused liuma.Code) *view {
	v := h.newView(r, pageStep)
	v.Back = freezePath
	v.heading(func(t *wordings) string { return t.FreezeTitle() })
	v.Say = v.T.FreezeSay()
	v.Field = &field{Post: freezePath, Name: "code", Label: v.T.FreezeLabel(), Hint: v.T.FreezeHint(), Type: "text", Mode: "text",
		Autocomplete: "off", Button: v.T.FreezeGive(), Class: "field-code field-letters", Most: "30", Capital: true}
	if refused != "" {
		e, title := v.T.explain(refused)
		v.Refusal = &notice{Kind: "notice-refuse", Title: title, Text: e.Next}
		v.Field.Wrong = true
	}
	v.Below = &notice{Title: v.T.NoFreezeCode(), Text: v.T.NoFreezeCodeText()}
	v.Ways = []way{h.call(v)}
	v.Links = h.whereWay(v, "")
	return v
}

// frozenView is the page with the result of a freeze code.
func (h *handler) frozenView(r *http.Request, f authority.FreezeView) *view {
	v := h.newView(r, pageResult)
	if r.Method == http.MethodGet {
		v.Back = frozenPath
	}
	v.heading(func(t *wordings) string { return t.FrozenTitle() })
	v.Result = &result{Kind: "ok", Icon: "frozen", Text: v.T.FrozenByCode()}
	v.cell(v.T.Holder(), f.NameMasked, "", "")
	if !f.At.IsZero() {
		v.cell(v.T.FrozenSince(), v.T.moment(f.At.In(h.zone), h.now().In(h.zone)), "", "")
	}
	v.Notice = &notice{Title: v.T.ThawHow(), Text: v.T.ThawText()}
	v.Ways = []way{h.call(v), {Class: "btn-plain", Text: v.T.FreezeAnother(), Link: freezePath}}
	v.Links = append(h.whereWay(v, ""), v.atCounterWay())
	return v
}

// canFreeze reports whether the authority takes FreezeOwn at this step.
func canFreeze(p ceremony.Page) bool {
	if atCounter(p) {
		return false // it is not known whose browser this is; the freeze code of a notice works instead
	}
	switch p.Step {
	case ceremony.StepDone:
		return true
	case ceremony.StepConfirm, ceremony.StepCode, ceremony.StepCardNo, ceremony.StepEvidence, ceremony.StepPhone, ceremony.StepPIN:
		return linked(p) && !data(p.Action).Thaws
	case ceremony.StepRefused:
		code := codeOf(p)
		if code == liuma.CodeLinkLimit || code == liuma.CodeLinksFull {
			return true // the PIN was right
		}
		return linked(p) && !data(p.Action).Thaws &&
			(code == liuma.CodeLocked || code == liuma.CodeBlocked || code == liuma.CodeResetPlanned || code == liuma.CodeForbidden ||
				code == liuma.CodeNotReturned)
	}
	return false
}

func (v *view) freezeLink(p ceremony.Page) []way {
	if !canFreeze(p) {
		return nil
	}
	return []way{{Class: "btn-aside", Text: v.T.FreezeAsk(), See: address(p.ID) + "?ask=" + askFreeze}}
}

// sureToFreeze asks whether the holder is sure, before the card stops.
func (h *handler) sureToFreeze(v *view, p ceremony.Page) {
	v.heading(func(t *wordings) string { return t.FreezeSure() })
	v.cell(v.T.Holder(), p.NameMasked, "", "")
	v.Say = v.T.FreezeStops()
	v.Notice = &notice{Title: v.T.ThawHow(), Text: v.T.ThawText(), Also: v.T.alsoAsked(p, liuma.ActionUnfreeze)}
	v.Ways = []way{
		{Class: "btn-danger", Text: v.T.FreezeYes(), Post: "freeze"},
		{Class: "btn-plain", Text: v.T.FreezeNo(), See: address(p.ID)},
	}
}

// source is the address that a request is counted for, with wrong freeze codes and
// with guesses at PINs.
func (h *handler) source(r *http.Request) string { return h.proxies.Source(r) }
