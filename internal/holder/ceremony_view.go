package holder

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
)

// ceremonyView turns where a ceremony is into a page.
func (h *handler) ceremonyView(r *http.Request, p authority.Page, by hand) *view {
	name := pageResult
	switch p.Step {
	case authority.StepConfirm:
		name = pageConfirm
	case authority.StepPIN:
		name = pagePIN
	}
	v := h.newView(r, name)
	v.ID, v.Asker, v.BusinessNo = p.ID, v.say(p.ChannelName), string(p.BusinessNo)
	if by.bare {
		v.Hand = by.Secret // and no preferences: they would not be kept
	} else {
		v.Back = address(p.ID)
	}
	switch p.Step {
	case authority.StepConfirm:
		h.confirm(v, p)
	case authority.StepPIN:
		h.askPIN(v, p)
	case authority.StepDone:
		h.done(v, p)
	default:
		h.refused(v, p)
	}
	if r.URL.Query().Get("go") != "" && goOn(p) != "" && !by.bare {
		v.Forward = address(p.ID) + "/return"
	}
	return v
}

// back is the way to the channel; its name says where that is.
func (v *view) back(class string) way {
	w := way{Class: class, Text: v.T.backTo(v.Asker)}
	if v.Hand != "" {
		w.Post = "return"
	} else {
		w.Link = address(v.ID) + "/return"
	}
	return w
}

func titleOf(a liuma.Action) func(*texts) string {
	return func(t *texts) string {
		switch a {
		case liuma.ActionEnroll:
			return t.EnrollTitle
		case liuma.ActionLink:
			return t.LinkTitle
		case liuma.ActionChange:
			return t.ChangeTitle
		}
		return t.VerifyTitle
	}
}

// stages says how far an enrolment or a link has come: 0, 1, 2, or 3 for done.
func (v *view) stages(a liuma.Action, now int) {
	second := v.T.StageEnter
	switch a {
	case liuma.ActionEnroll:
		second = v.T.StageSet
	case liuma.ActionLink:
	default:
		return
	}
	for i, name := range []string{v.T.StageCheck, second, v.T.StageDone} {
		v.Steps = append(v.Steps, stage{Name: name, Done: i < now, Current: i == now})
	}
}

func (v *view) cell(key, value, class, id string) {
	if value != "" {
		v.Cells = append(v.Cells, cell{key, value, class, id})
	}
}

func (h *handler) confirm(v *view, p authority.Page) {
	v.heading(titleOf(p.Action))
	v.stages(p.Action, 0)
	v.CellsTitle = v.T.IsThisYou
	v.cell(v.T.Name, p.NameMasked, "", "")
	v.cell(v.T.IDNumber, p.IDMasked, "number", "")
	v.cell(v.T.Phone, p.PhoneMasked, "number", "")
	v.cell(v.T.Region, v.say(regionName(p.Region)), "", "")
	v.cell(v.T.For, p.Purpose, "", "purpose")
	next := v.T.NextLink
	if p.Action == liuma.ActionEnroll {
		next = v.T.NextEnroll
	}
	v.Notice = &notice{Title: v.T.WhatNext, Text: next}
	v.Refusal = h.refusal(v, p)
	v.Ways = []way{
		{Class: "btn-primary", Text: v.T.ItIsMe, Post: "agree"},
		{Class: "btn-plain", Text: v.T.NotMe, Post: "leave"},
	}
	v.Expiry = h.expiryOf(p)
}

func (h *handler) askPIN(v *view, p authority.Page) {
	v.heading(titleOf(p.Action))
	v.stages(p.Action, 1)
	v.Refusal = h.refusal(v, p)
	// Few lines above the pad: its keys should stand on the first screen.
	switch p.Action {
	case liuma.ActionEnroll:
	case liuma.ActionChange:
		v.cell(v.T.Holder, p.NameMasked, "", "purpose")
		v.Lead = v.T.ChangeLead
	default:
		v.cell(v.T.Holder, p.NameMasked, "", "")
		v.cell(v.T.For, p.Purpose, "", "purpose")
	}
	if v.Care && v.Refusal != nil {
		v.Cells = nil // said on the page before; large keys need the room
	}
	v.Forgot = p.Action != liuma.ActionEnroll
	v.Keypad = keypadOf(v, p)
	v.Ways = []way{{Class: "btn-plain", Text: v.T.Leave, Post: "leave"}}
	v.Expiry = h.expiryOf(p)
}

// keypadOf writes the seal key and the bytes to be bound, as the script reads
// them.
func keypadOf(v *view, p authority.Page) *keypad {
	b64 := base64.RawURLEncoding.EncodeToString
	k := &keypad{
		Mode: "current", KeyID: p.SealKeyID, Key: b64(p.SealKey), Passphrase: p.Passphrase, Try: p.Try,
		Current: b64(p.AAD[liuma.RoleCurrent]), Old: b64(p.AAD[liuma.RoleOld]), New: b64(p.AAD[liuma.RoleNew]),
		DescribedBy: "asker",
	}
	switch p.Action {
	case liuma.ActionEnroll:
		k.Mode = "new"
	case liuma.ActionChange:
		k.Mode = "change"
	}
	if v.Hand == "" {
		k.Resume = address(p.ID)
	}
	if len(v.Cells) > 0 {
		k.DescribedBy += " purpose"
	}
	if v.Refusal != nil {
		k.DescribedBy = "refusal " + k.DescribedBy
	} else if p.TriesLeft != nil {
		k.Note = v.T.triesLeft(*p.TriesLeft) + v.T.Stop
	}
	return k
}

func (h *handler) expiryOf(p authority.Page) *expiry {
	if p.Expires.IsZero() {
		return nil
	}
	return &expiry{p.Expires.UTC().Format(time.RFC3339), h.now().UTC().Format(time.RFC3339)}
}

func (h *handler) done(v *view, p authority.Page) {
	pick := func(title, text func(*texts) string) {
		v.heading(title)
		v.Result = &result{Kind: "ok", Icon: "ok", Text: text(v.T)}
	}
	switch p.Action {
	case liuma.ActionEnroll:
		v.stages(p.Action, 3)
		pick(func(t *texts) string { return t.EnrolledTitle }, func(t *texts) string { return t.EnrolledText })
		v.Card = &face{Region: v.say(regionName(p.Region)), Name: p.NameMasked, Number: p.IDMasked,
			Note: v.T.issued(h.now().In(h.zone))}
	case liuma.ActionLink:
		v.stages(p.Action, 3)
		pick(func(t *texts) string { return t.LinkedTitle }, func(t *texts) string { return t.LinkedText })
	case liuma.ActionChange:
		pick(func(t *texts) string { return t.ChangedTitle }, func(t *texts) string { return t.ChangedText })
	default:
		pick(func(t *texts) string { return t.VerifiedTitle }, func(t *texts) string { return t.VerifiedText })
		v.cell(v.T.For, p.Purpose, "", "")
	}
	v.Ways = []way{v.back("btn-primary")}
}
