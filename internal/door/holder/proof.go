package holder

import (
	"cmp"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

const (
	codeLasts  = 10 * time.Minute // the same as in the authority
	shortWait  = 2 * time.Minute  // the longest wait that is counted down; for a longer one the page says the time
	longestSMS = "20"             // characters of a one-time code, with the spaces that people copy
)

// askCode is the page that takes a one-time code, or sends one.
func (h *handler) askCode(v *view, p ceremony.Page) {
	v.stages(p)
	v.Refusal = h.refusal(v, p)
	v.cell(cmp.Or(actAt(v.T, p).codeTo, v.T.ToBound()), p.PhoneMasked, "number", "")
	v.Ways = v.waysOff(p)
	v.Expiry = h.expiryOf(p)
	v.Links = v.freezeLink(p)
	if p.CodesLeft == 0 {
		// No more codes are taken for hours: there is nothing to type or to send.
		v.heading(func(t *wordings) string { return t.SpentTitle() })
		v.Say = v.T.SpentText()
		if v.Refusal != nil {
			v.Say = "" // said on top
		}
		if v.Until = h.untilOf(v, laterOf(p.Until, p.ResendAt)); v.Until != nil {
			v.Until.Over = v.T.OverReload()
		}
		v.Counter = h.counterOf(v, v.T.CounterOnly(), whereOf(p))
		v.Ways[0].Class = "btn-primary"
		return
	}
	h.codeForm(v, p)
	v.Lead = actAt(v.T, p).title // what the code is for
	v.heading(func(t *wordings) string { return t.SendTitle() })
	if v.Field != nil {
		v.heading(func(t *wordings) string {
			if p.CodeBy == liuma.ByVoice {
				return t.CallCode()
			}
			return t.CodeTitle()
		})
	} else if v.Say = v.T.SendSay(); !p.CodeSentAt.IsZero() {
		v.Say = v.T.CodeOver()
	}
	if v.Field == nil && !v.Send.ready() {
		// There is nothing to type, and no text for hours: only a call, or not here.
		v.Say, v.Counter = "", h.counterOf(v, v.T.CounterOnly(), whereOf(p))
		if h.sendBy(v, p, liuma.ByVoice).ready() {
			v.NoCode.Class = "btn-primary"
		} else {
			v.Ways[0].Class = "btn-primary"
		}
	}
	if actAt(v.T, p).newPhone {
		v.Other, v.OtherTitle = v.phoneField(), v.T.PhoneOther()
		v.Other.Wrong = p.Code == liuma.CodePhoneInvalid || p.Code == liuma.CodePhoneSame
	}
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// codeForm fills in the field for a one-time code, the button that sends one, or
// the time from which one can be sent, and the way to help.
func (h *handler) codeForm(v *view, p ceremony.Page) {
	v.Send = h.sendBy(v, p, liuma.ByText)
	if h.codeOpen(p) {
		v.Field = &field{Post: address(v.ID) + "/code", Name: "code", Label: v.T.CodeLabel(), Hint: v.T.sentAt(p.CodeBy, p.CodeSentAt.In(h.zone)),
			Type: "text", Mode: "numeric", Autocomplete: "one-time-code", Button: v.T.CodeGive(), Class: "field-code", Most: longestSMS,
			Wrong: v.Refusal != nil && (p.Code == liuma.CodePhoneCodeWrong || p.Code == liuma.CodePhoneCodeFormat || p.Code == liuma.CodePhoneCodeSuperseded)}
	} else {
		v.Send.Class = "btn-primary"
	}
	v.NoCode = h.noCodeWay(v, p)
}

// waysOff are the links out of a step before anything is decided.
func (v *view) waysOff(p ceremony.Page) []way {
	var out []way
	if p.CanRemember {
		out = append(out, way{Class: "btn-plain", Text: v.T.RememberWay(), Post: "remember"})
	}
	return append(out, v.leave(p))
}

// leave is the button that ends the ceremony. It is close to other buttons, so a page
// asks first if one touch would undo what the holder has proved or typed.
func (v *view) leave(p ceremony.Page) way {
	w := way{Class: "btn-plain", Text: v.T.Leave()}
	if atCounter(p) {
		w.Text = v.T.CounterLeave() // there is no app to go back to
	}
	if losesWork(p) {
		w.See = address(p.ID) + "?ask=" + askLeave
	} else {
		w.Post = "leave"
	}
	return w
}

// losesWork reports whether the holder may have proved something by now (a code, a
// face, the PIN), or typed the first of two PINs.
func losesWork(p ceremony.Page) bool {
	switch p.Step {
	case ceremony.StepPIN:
		return p.Action == liuma.ActionUnfreeze || !slices.Equal(data(p.Action).Roles, []liuma.Role{liuma.RoleCurrent})
	case ceremony.StepEvidence:
		return !p.Alone // for evidence alone this is the first step
	case ceremony.StepCardNo, ceremony.StepPhone:
		return true
	case ceremony.StepCode:
		return p.Action == liuma.ActionRebind
	}
	return false
}

// sureToLeave asks whether the holder is sure, before the ceremony is ended.
func (h *handler) sureToLeave(v *view, p ceremony.Page) {
	v.heading(func(t *wordings) string { return t.LeaveSure() })
	v.Say = v.T.LeaveLoses()
	v.Ways = []way{
		{Class: "btn-primary", Text: v.T.LeaveNo(), See: address(p.ID)},
		{Class: "btn-plain", Text: v.T.LeaveYes(), Post: "leave"},
	}
	v.Expiry = h.expiryOf(p)
}

// askProof is the page that sends the holder to the channel for evidence, and names
// the other ways.
func (h *handler) askProof(v *view, p ceremony.Page) {
	v.stages(p)
	v.heading(func(t *wordings) string { return t.ProveTitle() })
	v.Refusal = h.refusal(v, p)
	v.Say = actAt(v.T, p).prove
	v.Notice = &notice{Title: v.T.WhatNow(), Text: v.T.ProveAt(v.Asker)}
	check := v.back("btn-primary")
	check.Text = v.T.DoEvidence()
	v.First = []way{check}
	v.Counter = h.counterOf(v, v.T.CounterFace(), whereOf(p))
	if p.TicketAllowed {
		v.Counter.Ticket, v.Ticket = "", v.ticketField(address(v.ID)+"/ticket")
		v.Ticket.Wrong = ticketRefusal(p.Code)
	}
	if p.CardNoAllowed && p.Code != liuma.CodeCardNoSpent {
		v.Other = &field{Post: address(v.ID) + "/card-number", Name: "card_no", Label: v.T.CardNoLabel(), Hint: v.T.CardNoHint(),
			Type: "text", Mode: "text", Autocomplete: "off", Button: v.T.CardNoGive(), Class: "field-code", Most: "40", Capital: true,
			Wrong: p.Code == liuma.CodeCardNoWrong}
		v.OtherTitle, v.OtherText = v.T.CardNoTitle(), v.T.CardNoText()
	}
	v.Ways = v.waysOff(p)
	v.Links = v.freezeLink(p)
	v.Expiry = h.expiryOf(p)
}

// askNumber is the page that takes the number of the physical card, where the region
// asks for it in addition to the other proofs.
func (h *handler) askNumber(v *view, p ceremony.Page) {
	v.stages(p)
	v.heading(func(t *wordings) string { return t.NumberTitle() })
	v.Refusal = h.refusal(v, p)
	v.Say = v.T.NumberSay()
	if p.Code == liuma.CodeCardNoSpent {
		v.Say = ""
		v.Until = h.untilOf(v, p.Until)
	} else {
		v.Field = &field{Post: address(v.ID) + "/card-number", Name: "card_no", Label: v.T.CardNoLabel(), Hint: v.T.CardNoHint(),
			Type: "text", Mode: "text", Autocomplete: "off", Button: v.T.CardNoGive(), Class: "field-code", Most: "40", Capital: true,
			Wrong: p.Code == liuma.CodeCardNoWrong}
	}
	v.Counter = h.counterOf(v, v.T.CounterTitle(), whereOf(p))
	v.Ways = v.waysOff(p)
	if v.Field == nil {
		v.Counter = h.counterOf(v, v.T.CounterOnly(), whereOf(p))
		v.Ways[0].Class = "btn-primary"
	}
	v.Links = v.freezeLink(p)
	v.Expiry = h.expiryOf(p)
}

// askPhone is the page of a rebind that takes the new number.
func (h *handler) askPhone(v *view, p ceremony.Page) {
	v.stages(p)
	v.heading(func(t *wordings) string { return t.PhoneTitle() })
	v.Refusal = h.refusal(v, p)
	v.Say = v.T.PhoneSay()
	v.Field = v.phoneField()
	v.Field.Wrong = v.Refusal != nil
	v.Counter = h.counterOf(v, v.T.CounterTitle(), whereOf(p))
	v.Ways = v.waysOff(p)
	v.noPhone(p)
	v.Links = v.freezeLink(p)
	v.Expiry = h.expiryOf(p)
}

func (v *view) phoneField() *field {
	return &field{Post: address(v.ID) + "/phone", Name: "phone", Label: v.T.PhoneLabel(), Type: "tel", Mode: "tel",
		Autocomplete: "tel-national", Button: v.T.PhoneGive(), Class: "field-code", Most: "30"}
}
