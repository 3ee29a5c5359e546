package holder

import (
	"net/http"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
)

// freezeView is the official page that takes a freeze code.
func (h *handler) freezeView(r *http.Request, refused liuma.Code, until time.Time) *view {
	v := h.newView(r, pageStep)
	v.Back = freezePath
	v.heading(func(t *texts) string { return t.FreezeTitle })
	v.Say = v.T.FreezeSay
	v.Field = &field{Post: freezePath, Name: "code", Label: v.T.FreezeLabel, Hint: v.T.FreezeHint, Type: "text", Mode: "text",
		Autocomplete: "off", Button: v.T.FreezeGive, Class: "field-code field-letters", Most: "30", Capital: true}
	if refused != "" {
		e := liuma.Explain(refused)
		v.Refusal = &notice{Kind: "notice-refuse", Title: strings.TrimRight(v.say(e.What), "。."), Text: v.say(e.Next)}
		v.Until = h.untilOf(v, until)
		v.Field.Wrong = true
	}
	v.Below = &notice{Title: v.T.NoFreezeCode, Text: v.T.NoFreezeCodeText}
	v.Ways = []way{h.call(v)}
	return v
}

// frozenView says what a freeze code did.
func (h *handler) frozenView(r *http.Request, f authority.FreezeView) *view {
	v := h.newView(r, pageResult)
	if r.Method == http.MethodGet {
		v.Back = frozenPath
	}
	v.heading(func(t *texts) string { return t.FrozenTitle })
	v.Result = &result{Kind: "ok", Icon: "frozen", Text: v.T.FrozenByCode}
	v.cell(v.T.Holder, f.NameMasked, "", "")
	if !f.At.IsZero() {
		v.cell(v.T.FrozenSince, v.T.moment(f.At.In(h.zone), h.now().In(h.zone)), "", "")
	}
	v.Notice = &notice{Title: v.T.ThawHow, Text: v.T.ThawText}
	v.Ways = []way{h.call(v), {Class: "btn-plain", Text: v.T.FreezeAnother, Link: freezePath}}
	return v
}

// officialView is the page at the bare address.
func (h *handler) officialView(r *http.Request) *view {
	v := h.newView(r, pageStep)
	v.Back = "/"
	v.heading(func(t *texts) string { return t.OfficialTitle })
	v.Say = v.T.OfficialSay
	v.Notice = &notice{Title: v.T.FreezeTitle, Text: v.T.OfficialFreeze}
	v.First = []way{{Class: "btn-primary", Text: v.T.FreezeGive, Link: freezePath}}
	v.TipsTitle = v.T.RealTitle
	v.Tips = []string{v.T.realAddress(h.real), v.T.RealName, v.T.RealNotice, v.T.RealNever}
	v.Ways = []way{h.call(v)}
	return v
}
