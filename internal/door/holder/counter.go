package holder

import (
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/written"
	"github.com/liuma-pin/liuma/locale"
)

// The page that takes the code of a ticket, which a clerk opened for a person at a
// counter. A refusal is kept in a cookie for five minutes, so that the post can end in a
// redirect.
const (
	counterPath   = "/counter"
	counterCookie = "counter"
	// pressCookie names this browser on the page that takes a ticket's code, so that
	// pressing twice does not look like a second browser, which would end the ticket.
	pressCookie = "press"
)

// showCounter shows the page. A code that came by QR is in the address's fragment, which
// browsers do not send: the page's script puts it into the field.
func (h *handler) showCounter(w http.ResponseWriter, r *http.Request) {
	h.door.KeepLang(w, r)
	refused := liuma.Code(h.cookies.Get(r, counterCookie))
	if !ticketRefusal(refused) {
		refused = ""
	}
	if refused != "" {
		h.cookies.Set(w, counterCookie, "", -1) // a refusal is shown once
	}
	h.cookies.Set(w, seenCookie, "1", seenAge)
	if h.cookies.Get(r, pressCookie) == "" {
		h.cookies.Set(w, pressCookie, rand.Text(), seenAge)
	}
	h.show(w, r, http.StatusOK, h.counterView(r, refused))
}

// takeTicket begins the ceremony of a ticket in this browser. If this browser gave the
// code before, it gets the ceremony that it began.
func (h *handler) takeTicket(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		h.wrong(w, r, formError(err))
		return
	}
	code, err := typedIn(r, "ticket")
	if err != nil {
		code = "" // and is refused like any other
	}
	from := counterPath + "#" + strings.ReplaceAll(written.Number(code), "U", "V")
	if id := h.begunHere(r, from); id != "" {
		http.Redirect(w, r, address(id), http.StatusSeeOther)
		return
	}
	begins := h.handOf(r, "").Hand
	begins.Press = h.cookies.Get(r, pressCookie)
	page, err := h.authority.BeginTicket(r.Context(), code, begins)
	if refused := liuma.CodeOf(err); err != nil && ticketRefusal(refused) {
		h.counterRefused(w, r, refused)
		return
	}
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	h.moved(w, r, page, hand{Hand: ceremony.Hand{RequestURI: from}})
}

// ticketRefusal reports whether the page of the code shows this refusal itself.
func ticketRefusal(c liuma.Code) bool {
	switch c {
	case liuma.CodeTicketUnknown, liuma.CodeTicketEnded, liuma.CodeTicketTaken, liuma.CodeTicketWaits, liuma.CodeTicketApp, liuma.CodeTicketPage,
		liuma.CodeTicketLink, liuma.CodeTooManyRequests:
		return true
	}
	return false
}

// counterRefused shows a refusal.
func (h *handler) counterRefused(w http.ResponseWriter, r *http.Request, code liuma.Code) {
	if h.cookies.Get(r, seenCookie) == "" {
		h.show(w, r, statusOf(code), h.counterView(r, code))
		return
	}
	h.cookies.Set(w, counterCookie, string(code), freezeAge)
	http.Redirect(w, r, counterPath, http.StatusSeeOther)
}

// counterView is the page that takes the code of a ticket.
func (h *handler) counterView(r *http.Request, refused liuma.Code) *view {
	v := h.newView(r, pageStep)
	v.Back = counterPath
	v.heading(func(t *wordings) string { return t.TicketTitle() })
	v.Say = v.T.TicketSay()
	v.Field = v.ticketField(counterPath)
	v.Field.Fragment = true
	if refused != "" {
		e, title := v.T.explain(refused)
		v.Refusal = &notice{Kind: "notice-refuse", Title: title, Text: e.Next}
		if refused == liuma.CodeTooManyRequests {
			v.Refusal.Title, v.Refusal.Text = locale.WithoutStop(v.T.TicketSlow()), v.T.TicketSlowNext()
		}
		v.Field.Wrong = true
	}
	v.Below = &notice{Kind: "notice-warn", Title: v.T.TicketCareTitle(), Text: v.T.TicketCare()}
	v.Ways = []way{h.call(v)}
	v.Links = h.whereWay(v, "")
	return v
}

// asideWays are the small links beneath a page: to freeze the card and, if the page's
// text sends the holder to a counter and has no link there, to the page for people at a
// counter.
func (h *handler) asideWays(v *view, p ceremony.Page) []way {
	out := v.freezeLink(p)
	if codeOf(p) == liuma.CodeGuardian || p.Step == ceremony.StepPIN && data(p.Action).Thaws {
		out = append(out, v.atCounterWay())
	}
	return out
}

func (v *view) atCounterWay() way {
	return way{Class: "btn-aside", Text: v.T.TicketWay(), Link: counterPath}
}

func (v *view) ticketField(post string) *field {
	return &field{Post: post, Name: "ticket", Label: v.T.TicketLabel(), Hint: v.T.TicketHint(), Type: "text", Mode: "text",
		Autocomplete: "off", Button: v.T.TicketGive(), Class: "field-code field-letters", Most: "20", Capital: true}
}
