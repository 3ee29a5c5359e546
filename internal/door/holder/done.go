package holder

import (
	"net/http"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// done is the page of a ceremony that succeeded.
func (h *handler) done(v *view, p ceremony.Page) {
	v.stages(p)
	row := actAt(v.T, p)
	v.heading(func(t *wordings) string { return actAt(t, p).success })
	v.Result = &result{Kind: "ok", Icon: "ok", Text: row.successMeans}
	if p.Alone {
		v.heading(func(t *wordings) string { return t.AloneTitle() })
	}
	if row.face {
		v.Card = &face{Region: v.T.all.Region(p.Region), Name: p.NameMasked, Number: p.IDMasked,
			Note: v.T.issued(h.now().In(h.zone))}
	}
	if row.showsPurpose {
		v.cell(v.T.For(), p.Purpose.In(string(v.Lang)), "", "")
	}
	if p.RemindChange {
		v.Notice = &notice{Title: v.T.OldPIN(), Text: v.T.OldPINText()}
	}
	if p.PassphraseEnded {
		v.Notice = &notice{Title: v.T.PassphraseEnded(), Text: v.T.PassphraseEndedText()}
	}
	v.Ways = []way{v.back("btn-primary")}
	h.settings(v, p)
	v.Links = v.freezeLink(p)
}

// settings offers the settings that a holder may change after a right PIN. They are
// below the way back to the channel, so that nobody has to go through them.
func (h *handler) settings(v *view, p ceremony.Page) {
	s := &settings{Phone: p.PhoneMasked}
	if p.EveryUse != nil {
		s.EveryUse, s.On = true, *p.EveryUse
	}
	// The authority sets the number of one-time codes left only if the phone can be
	// confirmed.
	if canConfirm(p) && p.CodesLeft > 0 {
		v.Refusal = h.refusal(v, p)
		h.codeForm(v, p)
		v.Send.Class = "btn-plain"
		s.Open = v.Field != nil || v.Refusal != nil
	}
	if *s != (settings{Phone: s.Phone}) || v.Send != nil {
		v.Settings = s
	}
}

// wasReset is the last page of a ceremony that ended because the PIN was reset: the
// channel has to push its request again. After a change nothing is left to do.
func (h *handler) wasReset(v *view, p ceremony.Page) {
	v.heading(func(t *wordings) string { return t.ResetDoneTitle() })
	v.Result = &result{Kind: "ok", Icon: "ok", Text: v.T.ResetEndText(), Next: v.T.ResetEndNext()}
	if p.Began == liuma.ActionChange {
		v.Result.Next = v.T.ResetEndChange()
	}
	v.Ways = []way{v.back("btn-primary")}
}

// setEveryUse turns the notice after every use of the PIN on or off.
func (h *handler) setEveryUse(r *http.Request, id string, by hand) (ceremony.Page, error) {
	on, err := typedIn(r, "on")
	if err == nil && on != "0" && on != "1" {
		err = liuma.FailField(liuma.CodeBadRequest, "on", nil)
	}
	if err != nil {
		return ceremony.Page{}, err
	}
	return h.authority.NoticeEveryUse(r.Context(), id, by.Hand, on == "1")
}
