package holder

import (
	"net/http"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
)

const (
	codeLasts  = 10 * time.Minute // as the authority has it
	shortWait  = 2 * time.Minute  // that is counted down; longer ones have a clock time
	fullCodes  = 5                // wrong ones a day; fewer left are worth saying
	longestSMS = "20"             // characters of a code with the spaces people copy
)

const longestTyped = 200 // bytes of what a holder types into a field

// typed reads a field. A form without it is no form of ours, or old: the
// latest page is the answer to it. What is in it, the authority judges.
func typed(r *http.Request, name string) (string, error) {
	switch values := r.PostForm[name]; {
	case len(values) == 0:
		return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
	case len(values) > 1 || len(values[0]) > longestTyped:
		return "", liuma.FailField(liuma.CodeBadRequest, name, nil)
	default:
		return values[0], nil
	}
}

// sendCode has a code sent to the phone.
func (h *handler) sendCode(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		return h.authority.SendCode(r.Context(), id, by.Hand)
	})
}

// giveCode takes the code that came.
func (h *handler) giveCode(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		code, err := typed(r, "code")
		if err != nil {
			return authority.Page{}, err
		}
		return h.authority.GiveCode(r.Context(), id, by.Hand, code)
	})
}

// givePhone takes the number to bind.
func (h *handler) givePhone(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		phone, err := typed(r, "phone")
		if err != nil {
			return authority.Page{}, err
		}
		return h.authority.GivePhone(r.Context(), id, by.Hand, phone)
	})
}

// giveCardNo takes the number of the physical card.
func (h *handler) giveCardNo(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		number, err := typed(r, "card_no")
		if err != nil {
			return authority.Page{}, err
		}
		return h.authority.GiveCardNo(r.Context(), id, by.Hand, number)
	})
}

// askCode is the page that takes a code, or has one sent.
func (h *handler) askCode(v *view, p authority.Page) {
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
func (h *handler) codeForm(v *view, p authority.Page) {
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
func (h *handler) waysOff(v *view, p authority.Page) []way {
	var out []way
	if p.CanRemember {
		out = append(out, way{Class: "btn-plain", Text: v.T.RememberWay, Post: "remember"})
	}
	return append(out, way{Class: "btn-plain", Text: v.T.Leave, Post: "leave"})
}

// askProof is the page that sends the holder to the channel for evidence, and
// says how else it can be done.
func (h *handler) askProof(v *view, p authority.Page) {
	h.stages(v, p)
	v.heading(func(t *texts) string { return t.ProveTitle })
	v.Refusal = h.refusal(v, p)
	v.Say = v.T.ProveReset
	if p.Action == liuma.ActionRebind {
		v.Say = v.T.ProveRebind
	}
	v.Notice = &notice{Title: v.T.WhatNow, Text: v.T.proveAt(v.Asker)}
	check := v.back("btn-primary")
	check.Text = v.T.DoEvidence
	v.First = []way{check}
	v.Counter = v.counterOf(v.T.CounterFace, p.Region)
	if p.CardNoAllowed && p.Code != liuma.CodeCardNoSpent {
		v.Other = &field{Post: address(v.ID) + "/card-number", Name: "card_no", Label: v.T.CardNoLabel, Hint: v.T.CardNoHint,
			Type: "text", Mode: "text", Autocomplete: "off", Button: v.T.CardNoGive, Class: "field-code", Most: "40", Capital: true,
			Wrong: p.Code == liuma.CodeCardNoWrong}
		v.OtherTitle, v.OtherText = v.T.CardNoTitle, v.T.CardNoText
	}
	v.Ways = h.waysOff(v, p)
	v.Links = v.freezeLink(p)
	v.Expiry = h.expiryOf(p)
}

// askPhone is the page of a rebind that takes the new number.
func (h *handler) askPhone(v *view, p authority.Page) {
	h.stages(v, p)
	v.heading(func(t *texts) string { return t.PhoneTitle })
	v.Refusal = h.refusal(v, p)
	v.Say = v.T.PhoneSay
	v.Field = v.phoneField()
	v.Field.Wrong = v.Refusal != nil
	v.Counter = v.counterOf(v.T.CounterTitle, p.Region)
	v.Ways = h.waysOff(v, p)
	v.Links = v.freezeLink(p)
	v.Expiry = h.expiryOf(p)
}

func (v *view) phoneField() *field {
	return &field{Post: address(v.ID) + "/phone", Name: "phone", Label: v.T.PhoneLabel, Type: "tel", Mode: "tel",
		Autocomplete: "tel-national", Button: v.T.PhoneGive, Class: "field-code", Most: "30"}
}
