package holder

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// The pages on which a holder without a phone names a contact for notices, after the work
// of a ticket is done. Each can be skipped with one large button.

// namesNow reports whether a contact can be named, changed or ended on this page.
func namesNow(p ceremony.Page) bool {
	return p.Counter != nil && p.Step == ceremony.StepDone && p.Counter.Notices != nil && p.Counter.Notices.Open
}

// offersNotices adds the part of the last page about the contact, and reports whether that
// part has buttons of its own.
func (h *handler) offersNotices(v *view, p ceremony.Page) bool {
	n := p.Counter.Notices
	switch {
	case n == nil:
		return false
	case n.Open && n.Phone != "":
		v.Notice = &notice{Title: v.T.NameNowTitle(), Text: v.T.NameNowText(n.Phone)}
		v.Ways = []way{{Class: "btn-primary", Text: v.T.NameKeep(), Post: "no-notices"}, v.nameWay("btn-plain", v.T.NameChange()),
			{Class: "btn-plain", Text: v.T.NameEnd(), Post: "end-notices"}}
		return true
	case n.Open:
		v.Notice = &notice{Title: v.T.NameOfferTitle(), Text: v.T.NameOfferText()}
		v.Ways = []way{v.nameWay("btn-primary", v.T.NameGive()), v.nameNobody()}
		return true
	}
	return false
}

// saidOfNotices adds the outcome to the last page's notice.
func (v *view) saidOfNotices(p ceremony.Page) {
	n := p.Counter.Notices
	if n == nil {
		return
	}
	said := &notice{Also: []string{v.Notice.Title, v.Notice.Text}}
	switch n.Result {
	case ceremony.NamedOne:
		said.Title, said.Text = v.T.NameDoneTitle(), v.T.NameDoneText(n.Phone)
	case ceremony.NamedEnded:
		said.Title, said.Text = v.T.NameEndedTitle(), v.T.NameEndedText()
	default:
		return
	}
	v.Notice = said
}

func (v *view) nameWay(class, text string) way {
	return way{Class: class, Text: text, See: address(v.ID) + "?ask=" + askName}
}

func (v *view) nameNobody() way {
	return way{Class: "btn-plain", Text: v.T.NameNo(), Post: "no-notices"}
}

func (v *view) nameField() *field {
	f := v.phoneField()
	f.Post, f.Label = address(v.ID)+"/notices", v.T.NameLabel()
	return f
}

// askName is the page that takes the contact's number.
func (h *handler) askName(v *view, p ceremony.Page) {
	v.heading(func(t *wordings) string { return t.NameTitle() })
	v.Refusal = h.refusal(v, p)
	v.Say = v.T.NameSay()
	v.Field = v.nameField()
	v.Field.Wrong = p.Code == liuma.CodePhoneInvalid
	v.Ways = []way{v.nameNobody()}
}

// askNamed is the page that sends the contact a code, and takes it.
func (h *handler) askNamed(v *view, p ceremony.Page) {
	v.heading(func(t *wordings) string { return t.NameSend() })
	v.Refusal = h.refusal(v, p)
	v.cell(v.T.NameTo(), p.PhoneMasked, "number", "")
	v.Ways = []way{v.nameNobody()}
	v.Other, v.OtherTitle = v.nameField(), v.T.PhoneOther()
	v.Other.Wrong = p.Code == liuma.CodePhoneInvalid
	if p.CodesLeft == 0 {
		v.heading(func(t *wordings) string { return t.SpentTitle() })
		v.Until, v.Other = h.untilOf(v, laterOf(p.Until, p.ResendAt)), nil
		return
	}
	h.codeForm(v, p)
	v.NoCode, v.Say = nil, v.T.NameSendSay()
	if v.Field != nil {
		v.heading(func(t *wordings) string { return t.NameCode() })
	}
}
