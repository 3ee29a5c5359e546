package holder

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// askProof is the page that sends the holder to the channel for evidence, and
// says how else it can be done.
func (h *handler) askProof(v *view, p ceremony.Page) {
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
func (h *handler) askPhone(v *view, p ceremony.Page) {
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
