package holder

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

const (
	codeLasts  = 10 * time.Minute // as the authority has it
	shortWait  = 2 * time.Minute  // that is counted down; longer ones have a clock time
	fullCodes  = 5                // wrong ones a day; fewer left are worth saying
	longestSMS = "20"             // characters of a code with the spaces people copy
)

// askCode is the page that takes a code, or has one sent.
func (h *handler) askCode(v *view, p ceremony.Page) {
	h.stages(v, p)
	v.Refusal = h.refusal(v, p)
	to := v.T.ToBound
	switch p.Action {
	case liuma.ActionEnroll:
		to = v.T.ToRegistered
	case liuma.ActionRebind:
		to = v.T.ToNew
	}
	v.cell(to, p.PhoneMasked, "number", "")
	v.Ways = h.waysOff(v, p)
	v.Expiry = h.expiryOf(p)
	v.Links = v.freezeLink(p)
	v.Counter = v.counterOf(v.T.CounterTitle, p.Region)
	if p.CodesLeft == 0 {
		// No more are taken for hours: nothing to type or to send.
		v.heading(func(t *texts) string { return t.SpentTitle })
		v.Say = v.T.SpentText
		if v.Refusal != nil {
			v.Say = "" // said on top
		}
		if v.Until = h.untilOf(v, laterOf(p.Until, p.ResendAt)); v.Until != nil {
			v.Until.Over = v.T.OverReload
		}
		v.Counter.Title = v.T.CounterOnly
		v.Ways[0].Class = "btn-primary"
		return
	}
	h.codeForm(v, p)
	v.heading(func(t *texts) string { return t.SendTitle })
	if v.Field != nil {
		v.heading(func(t *texts) string { return t.CodeTitle })
	} else if v.Say = v.T.SendSay; !p.CodeSentAt.IsZero() {
		v.Say = v.T.CodeOver
	}
	v.Help = []string{v.T.HelpWait, v.T.HelpNumber}
	if p.Action == liuma.ActionRebind {
		v.Help = v.Help[:1] // the number is the one just given
		v.Other, v.OtherTitle = v.phoneField(), v.T.PhoneOther
		v.Other.Wrong = p.Code == liuma.CodePhoneInvalid || p.Code == liuma.CodePhoneSame
	}
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// codeForm fills in the field for a code that is open, and the button that
// sends one, or why it does not.
func (h *handler) codeForm(v *view, p ceremony.Page) {
	now := h.now()
	open := !p.CodeSentAt.IsZero() && now.Before(p.CodeSentAt.Add(codeLasts))
	v.Send = &send{Text: v.T.CodeSend, Class: "btn-primary"}
	if open {
		v.Field = &field{Post: address(v.ID) + "/code", Name: "code", Label: v.T.CodeLabel, Hint: v.T.codeSent(p.CodeSentAt.In(h.zone)),
			Type: "text", Mode: "numeric", Autocomplete: "one-time-code", Button: v.T.CodeGive, Class: "field-code", Most: longestSMS,
			Wrong: v.Refusal != nil && (p.Code == liuma.CodePhoneCodeWrong || p.Code == liuma.CodePhoneCodeFormat)}
	}
	if !p.CodeSentAt.IsZero() {
		v.Send.Text = v.T.CodeResend
	}
	if open {
		v.Send.Class = "btn-plain"
	}
	switch wait := p.ResendAt.Sub(now); {
	case p.ResendAt.IsZero() || wait <= 0:
	case wait > shortWait:
		v.Send.Later = v.T.resendFrom(v.T.moment(p.ResendAt.In(h.zone), now.In(h.zone)))
	default:
		v.Send.Ready, v.Send.Now = p.ResendAt.UTC().Format(time.RFC3339Nano), now.UTC().Format(time.RFC3339Nano)
	}
}

// waysOff are the ways out of a step on which nothing is decided yet.
func (h *handler) waysOff(v *view, p ceremony.Page) []way {
	var out []way
	if p.CanRemember {
		out = append(out, way{Class: "btn-plain", Text: v.T.RememberWay, Post: "remember"})
	}
	return append(out, way{Class: "btn-plain", Text: v.T.Leave, Post: "leave"})
}
