package holder

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/door"
)

// Desk pads (柜台设备): devices on the desks of a counter, in whose browser holders go on
// with their tickets. A pad's page holds a key. It signs each of its questions with that
// key over a challenge of the counter's, and the answer says what the page may show;
// between tickets that is the agency's name and the time. The door decides nothing here:
// the counter says which key is paired, and which ticket was sent to it.

// Counter answers the door's questions about pads; *counter.Counter implements it. It
// relies on the door to have checked the signature of the pad's key.
type Counter interface {
	PadState(ctx context.Context, id string) (counter.PadState, error)
	OfferPad(ctx context.Context, source string, key []byte) (counter.Offer, error)
}

// The addresses of a pad.
const (
	deskPath      = "/desk"
	deskAskPath   = "/desk/ask"
	deskBeginPath = "/desk/begin"
	deskClearPath = "/desk/clear"
)

// padCookie marks a browser that was paired as a pad. It changes how pages look, and
// permits nothing.
const (
	padCookie = "desk-pad"
	padAge    = 400 * 24 * time.Hour // as long as browsers keep one
	// clearAfter is how long the last page of a ceremony stays on a pad without a touch.
	clearAfter = 20 * time.Second
	// idleAfter is the time without a touch after which a page asks whether anybody is
	// there; idleWaiting is the same while the holder waits for the supervisor. idleMore
	// is how long the page then waits for an answer. A person of seventy thinks longer
	// about a PIN than about a text.
	idleAfter   = 3 * time.Minute
	idleWaiting = 10 * time.Minute
	idleMore    = time.Minute
)

// The states in the answer to a pad's question, as its script reads them.
const (
	padAgain   = "again"   // with a challenge: sign it and ask once more
	padNumber  = "number"  // it is not paired
	padBlank   = "blank"   // nothing waits
	padTicket  = "ticket"  // one does
	padBusy    = "busy"    // one is under way in this browser
	padCookies = "cookies" // the browser keeps none, so a ceremony could not go on here
)

// padAnswer is the answer to a pad's question.
type padAnswer struct {
	State     string `json:"state"`
	Challenge string `json:"challenge,omitempty"` // to be signed with the next question
	Number    string `json:"number,omitempty"`    // to be typed at the console
	Over      bool   `json:"over,omitempty"`      // the number that was offered pairs no more
	Lost      bool   `json:"lost,omitempty"`      // this browser was paired before
	Agency    string `json:"agency,omitempty"`
	Clock     string `json:"clock,omitempty"`
	Ticket    string `json:"ticket,omitempty"`
	Next      string `json:"next,omitempty"`
}

// showDesk shows the page of a pad. It names no person; its other content comes with the
// answers to its script.
func (h *handler) showDesk(w http.ResponseWriter, r *http.Request) {
	h.door.KeepLang(w, r)
	h.cookies.Set(w, seenCookie, "1", seenAge)
	h.show(w, r, http.StatusOK, h.deskView(r))
}

// deskView is that page. It is in care mode without a choice, because the device belongs
// to no single reader.
func (h *handler) deskView(r *http.Request) *view {
	v := h.newView(r, pageDesk)
	v.Care, v.OnPad = true, true
	v.heading(func(t *wordings) string { return t.DeskTitle() })
	return v
}

// askDesk answers a pad's question. Without a signature over a fresh challenge the answer
// holds only the next challenge.
func (h *handler) askDesk(w http.ResponseWriter, r *http.Request) {
	q, err := h.padQuestion(r, "ask")
	var a padAnswer
	switch {
	case err != nil:
	case h.cookies.Get(r, seenCookie) == "":
		a.State = padCookies
	case !q.fresh:
		a.State = padAgain
	default:
		a, err = h.padState(r, q)
	}
	if err == nil {
		a.Challenge, err = h.challenges.NewChallenge(q.label(), h.now(), padChallenge)
	}
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	if a.State != padAgain && a.State != padNumber && a.State != padCookies {
		h.cookies.Set(w, padCookie, "1", padAge)
	}
	h.answer(w, http.StatusOK, a)
}

// padState says what a pad that signed may show. While a ceremony is open in its browser,
// that is the ceremony, even if the pairing has ended meanwhile: the ticket's time
// decides.
func (h *handler) padState(r *http.Request, q padQuestion) (padAnswer, error) {
	if id := h.goingOn(r); id != "" {
		return padAnswer{State: padBusy, Next: address(id)}, nil
	}
	at, err := h.counter.PadState(r.Context(), q.id())
	if err != nil {
		return padAnswer{}, err
	}
	if !at.Paired {
		return h.offerPad(r, q, at)
	}
	v := h.newView(r, pageDesk)
	a := padAnswer{State: padBlank, Agency: h.agencyName(v, at.Agency, at.Region), Clock: h.now().In(h.zone).Format("15:04")}
	if at.Ticket != nil {
		a.State, a.Ticket = padTicket, at.Ticket.String()
	}
	return a, nil
}

// goingOn is the open ceremony of a ticket in this browser; empty if there is none.
func (h *handler) goingOn(r *http.Request) (found string) {
	h.cookies.Each(r, handPrefix, func(id, _ string) {
		if found != "" || !idPattern.MatchString(id) {
			return
		}
		p, err := h.authority.Look(r.Context(), id, h.handOf(r, id).Hand)
		if err == nil && atCounter(p) && !p.Elsewhere && goesOn(p) {
			found = id
		}
	})
	return found
}

// offerPad offers a pad for pairing, if it asks, under a new number.
func (h *handler) offerPad(r *http.Request, q padQuestion, at counter.PadState) (padAnswer, error) {
	a := padAnswer{State: padNumber, Lost: h.cookies.Get(r, padCookie) != "", Over: at.Why != counter.PadOffered}
	if !q.offer {
		return a, nil
	}
	offer, err := h.counter.OfferPad(r.Context(), h.source(r), q.key)
	switch {
	case errors.Is(err, counter.ErrState):
		return a, nil // it was paired meanwhile, as the next answer says
	case err != nil:
		return a, err
	}
	a.Number, a.Over = counter.ShownCode(offer.Number), false
	return a, nil
}

// beginOnDesk begins the ceremony of the ticket that was sent to a pad, in the pad's
// browser. Without cookies it refuses, because then the next request could not be
// recognised as the same browser's.
func (h *handler) beginOnDesk(w http.ResponseWriter, r *http.Request) {
	q, err := h.padQuestion(r, "begin")
	if err == nil && (!q.fresh || h.cookies.Get(r, seenCookie) == "" || door.Prefetched(r)) {
		err = liuma.Fail(liuma.CodeCeremonyMoved, nil) // the next question gets a fresh challenge
	}
	var page ceremony.Page
	if err == nil {
		page, err = h.beginSent(r, q)
	}
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	h.keep(w, r, page.ID, deskPath, page.Bound)
	h.cookies.Set(w, padCookie, "1", padAge)
	h.door.BeginCare(w)
	h.answer(w, http.StatusOK, onward{Next: address(page.ID)})
}

// beginSent begins the ticket that waits for a pad, if it is the ticket that the pad
// signed.
func (h *handler) beginSent(r *http.Request, q padQuestion) (ceremony.Page, error) {
	at, err := h.counter.PadState(r.Context(), q.id())
	if err != nil {
		return ceremony.Page{}, err
	}
	if !at.Paired || at.Ticket == nil || *at.Ticket != q.ticket {
		return ceremony.Page{}, liuma.Fail(liuma.CodeTicketUnknown, nil)
	}
	return h.authority.BeginTicketOnPad(r.Context(), q.id(), h.handOf(r, "").Hand)
}

// clearDesk removes everything that a ceremony left in a pad's browser, and the reader's
// preferences. The pad's own blank page comes next. A ticket that is still open here
// ends, because nobody could come back to it.
func (h *handler) clearDesk(w http.ResponseWriter, r *http.Request) {
	if id := h.goingOn(r); id != "" {
		if _, err := h.authority.Leave(r.Context(), id, h.handOf(r, id).Hand); err != nil && liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
			// A PIN that is being set is carried through; everything else ends with its
			// time.
			h.log.InfoContext(r.Context(), "a pad was cleared while its ticket goes on", "request", door.RequestID(r.Context()), "err", err)
		}
	}
	h.cookies.Each(r, handPrefix, func(id, _ string) { h.cookies.Set(w, handPrefix+id, "", -1) })
	for _, name := range []string{freezeCookie, counterCookie} {
		h.cookies.Set(w, name, "", -1)
	}
	h.door.ForgetPreferences(w)
	http.Redirect(w, r, deskPath, http.StatusSeeOther)
}
