package holder

import (
	"net/http"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
)

// done is the page at which a ceremony succeeded.
func (h *handler) done(v *view, p authority.Page) {
	h.stages(v, p)
	pick := func(title, text func(*texts) string) {
		v.heading(title)
		v.Result = &result{Kind: "ok", Icon: "ok", Text: text(v.T)}
	}
	switch p.Action {
	case liuma.ActionEnroll:
		pick(func(t *texts) string { return t.EnrolledTitle }, func(t *texts) string { return t.EnrolledText })
		v.Card = &face{Region: v.say(regionName(p.Region)), Name: p.NameMasked, Number: p.IDMasked,
			Note: v.T.issued(h.now().In(h.zone))}
	case liuma.ActionLink:
		pick(func(t *texts) string { return t.LinkedTitle }, func(t *texts) string { return t.LinkedText })
	case liuma.ActionChange:
		pick(func(t *texts) string { return t.ChangedTitle }, func(t *texts) string { return t.ChangedText })
	case liuma.ActionReset:
		pick(func(t *texts) string { return t.ResetDoneTitle }, func(t *texts) string { return t.ResetDoneText })
	case liuma.ActionRebind:
		pick(func(t *texts) string { return t.ReboundTitle }, func(t *texts) string { return t.ReboundText })
	case liuma.ActionUnfreeze:
		pick(func(t *texts) string { return t.UnfrozenTitle }, func(t *texts) string { return t.UnfrozenText })
	default:
		pick(func(t *texts) string { return t.VerifiedTitle }, func(t *texts) string { return t.VerifiedText })
		v.cell(v.T.For, p.Purpose, "", "")
	}
	if p.RemindChange {
		v.Notice = &notice{Title: v.T.OldPIN, Text: v.T.OldPINText}
	}
	v.Ways = []way{v.back("btn-primary")}
	h.settings(v, p)
	v.Links = v.freezeLink(p)
}

// settings offers what can be set after a right PIN. None of it is in the way:
// the way back to the channel stands above it.
func (h *handler) settings(v *view, p authority.Page) {
	s := &settings{Phone: p.PhoneMasked, DeviceKnown: p.DeviceKnown, Device: p.DeviceOffer && v.Hand == ""}
	if p.EveryUse != nil {
		s.EveryUse, s.On = true, *p.EveryUse
	}
	// The authority says how many codes are left only where the phone can be
	// confirmed.
	if p.Action == liuma.ActionVerify && p.EveryUse != nil && p.CodesLeft > 0 && !p.DeviceOffer {
		v.Refusal = h.refusal(v, p)
		h.codeForm(v, p)
		v.Send.Class = "btn-plain"
		s.Open = v.Field != nil || v.Refusal != nil
	}
	if *s != (settings{Phone: s.Phone}) || v.Send != nil {
		v.Settings = s
	}
}

// wasReset is the end of a ceremony in which the PIN was set anew, and that
// has nothing left to do.
func (h *handler) wasReset(v *view, p authority.Page) {
	v.heading(func(t *texts) string { return t.ResetDoneTitle })
	v.Result = &result{Kind: "ok", Icon: "ok", Text: v.T.ResetEndText, Next: v.T.ResetEndNext}
	v.Ways = []way{v.back("btn-primary")}
}

// setEveryUse turns the text after every use of the PIN on or off.
func (h *handler) setEveryUse(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		on, err := typed(r, "on")
		if err == nil && on != "0" && on != "1" {
			err = liuma.FailField(liuma.CodeBadRequest, "on", nil)
		}
		if err != nil {
			return authority.Page{}, err
		}
		return h.authority.NoticeEveryUse(r.Context(), id, by.Hand, on == "1")
	})
}

// knowDevice makes this browser one of the holder's known devices. A browser
// that keeps no cookies cannot be one.
func (h *handler) knowDevice(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		if by.bare || h.cookies.Get(r, seenCookie) == "" {
			return authority.Page{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		return h.authority.KnowDevice(r.Context(), id, by.Hand)
	})
}
