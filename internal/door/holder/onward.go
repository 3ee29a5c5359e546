package holder

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// onward is the answer to a form that a page's script sent: the next address, and the
// hand to send there in a form if cookies are blocked. The script stays on the page
// until it has this answer, so a lost connection leaves the holder on our page.
type onward struct {
	Next string `json:"next"`
	Hand string `json:"hand,omitempty"`
}

// refusedForm is the answer if such a form could not be taken at all.
type refusedForm struct {
	Code liuma.Code `json:"code"`
	Text string     `json:"text"`
}

// answer writes the answer to a form that was sent by script.
func (h *handler) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has disconnected
}

// goOnTo leads a browser to an address of the door: by a redirect or, if a script
// sent the form, by its answer.
func (h *handler) goOnTo(w http.ResponseWriter, r *http.Request, to string, by hand) {
	if !scripted(r) {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	o := onward{Next: to}
	if by.bare {
		o.Hand = by.Secret
	}
	h.answer(w, http.StatusOK, o)
}

// What a pad's address may say about the try that led there. The values only choose
// words, so a made-up address does no harm.
const (
	askLook = "look" // ?look=2: the answer to try 2 did not come
	askOld  = "old"  // ?old=1: the pad was older than the ceremony, and its entry was not taken
)

// lookedFor is the try whose result the browser asks for; zero if it asks for none.
func lookedFor(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get(askLook))
	if err != nil || n < 1 {
		return 0
	}
	return n
}

// lookFor is Look for a browser that may have lost the answer to a try: if the try is
// still under way, it waits a little for it.
func (h *handler) lookFor(ctx context.Context, id string, by ceremony.Hand, try int) (ceremony.Page, error) {
	page, err := h.authority.Look(ctx, id, by)
	if err != nil || try == 0 || !underWay(page, try) {
		return page, err
	}
	if latest := h.awaitTry(ctx, id, by, try); latest.ID != "" {
		page = latest
	}
	return page, nil
}

// underWay reports whether a try was taken and has no result yet. If the authority
// crashed during the try, it has none either: the try was not decided, and the next
// one is open.
func underWay(p ceremony.Page, try int) bool {
	return p.Try == try+1 && p.Step == ceremony.StepPIN && p.Code == "" && p.Verdict == ""
}

// stillChecked says that a try has no result yet, and asks the holder to enter
// nothing meanwhile.
func (h *handler) stillChecked(v *view, p ceremony.Page) {
	v.heading(func(t *wordings) string { return t.StillTitle() })
	v.Result = &result{Kind: "info", Icon: "expired", Text: v.T.StillText(), Next: v.T.StillNext()}
	v.Ways = []way{
		{Class: "btn-primary", Text: v.T.LookOnceMore(), See: address(p.ID) + "?" + askLook + "=" + strconv.Itoa(p.Try-1)},
		{Class: "btn-plain", Text: v.T.EnterAgain(), See: address(p.ID)},
	}
}

// ofTheTry says on the pad's page that the try that led there was not taken, and so
// did not count. It is nil if the result itself is shown.
func (h *handler) ofTheTry(r *http.Request, v *view, p ceremony.Page) *notice {
	if p.Step != ceremony.StepPIN {
		return nil
	}
	q := r.URL.Query()
	var n *notice
	switch try := lookedFor(r); {
	case try > 0 && p.Try <= try:
		n = &notice{Kind: "notice-warn", Title: v.T.NotSentTitle(), Text: v.T.NotSentText()}
	case q.Get(askOld) != "":
		n = &notice{Kind: "notice-warn", Title: v.T.OldPadTitle(), Text: v.T.OldPadText()}
	default:
		return nil
	}
	if p.TriesLeft != nil && *p.TriesLeft > 0 {
		n.More = v.T.triesLeft(*p.TriesLeft)
	}
	return n
}

// extend gives more time. The ceremony's script asks for it without leaving the page,
// so that the form keeps its content.
func (h *handler) extend(w http.ResponseWriter, r *http.Request) {
	if !scripted(r) {
		h.post(simple(h.authority.Extend))(w, r)
		return
	}
	id, by, ok := h.posted(w, r)
	if !ok {
		return
	}
	page, err := h.authority.Extend(r.Context(), id, by.Hand)
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, struct {
		Expires time.Time `json:"expires"`
		Now     time.Time `json:"now"`
	}{page.Expires, h.now()})
}
