package holder

import (
	"encoding/base64"
	"net/http"
	"path"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// ceremonyView turns where a ceremony is into a page.
func (h *handler) ceremonyView(r *http.Request, p ceremony.Page, by hand) *view {
	draw, name := h.faceOf(r, p)
	v := h.newView(r, name)
	v.ID, v.Asker, v.BusinessNo = p.ID, v.say(p.ChannelName), string(p.BusinessNo)
	if by.bare {
		v.Hand = by.Secret // and no preferences: they would not be kept
	} else {
		v.Back = address(p.ID)
	}
	draw(v, p)
	if r.URL.Query().Get("go") != "" && goOn(p) != "" && !by.bare {
		v.Forward = address(p.ID) + "/return"
	}
	return v
}

// faceOf picks what a ceremony shows: its step, or what the address asks for
// besides, where the step has it.
func (h *handler) faceOf(r *http.Request, p ceremony.Page) (draw func(*view, ceremony.Page), name string) {
	ask := r.URL.Query().Get("ask")
	switch {
	case ask == askFreeze && canFreeze(p):
		return h.sureToFreeze, pageStep
	case resetRefused(p) && (ask == askReset || path.Base(r.URL.Path) == "forgot"):
		return h.noReset, pageResult
	}
	switch p.Step {
	case ceremony.StepConfirm:
		return h.confirm, pageConfirm
	case ceremony.StepPIN:
		return h.askPIN, pagePIN
	case ceremony.StepCode:
		return h.askCode, pageStep
	case ceremony.StepEvidence:
		return h.askProof, pageStep
	case ceremony.StepPhone:
		return h.askPhone, pageStep
	case ceremony.StepDone:
		return h.done, pageResult
	case ceremony.StepReset:
		return h.wasReset, pageResult
	}
	return h.refused, pageResult
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
		case liuma.ActionReset:
			return t.ResetTitle
		case liuma.ActionRebind:
			return t.RebindTitle
		case liuma.ActionUnfreeze:
			return t.UnfreezeTitle
		}
		return t.VerifyTitle
	}
}

// stages says how far a ceremony of several steps has come.
func (h *handler) stages(v *view, p ceremony.Page) {
	names, now := stagesOf(v.T, p)
	if p.Step == ceremony.StepDone {
		now = len(names) // nothing is left to do
	}
	for i, name := range names {
		v.Steps = append(v.Steps, stage{Name: name, Done: i < now, Current: i == now})
	}
}

func stagesOf(t *texts, p ceremony.Page) (names []string, now int) {
	at := func(steps ...ceremony.Step) int {
		for i, s := range steps {
			if s == p.Step {
				return i
			}
		}
		return 0
	}
	const confirm, code, evidence, phone, pin, done = ceremony.StepConfirm, ceremony.StepCode, ceremony.StepEvidence,
		ceremony.StepPhone, ceremony.StepPIN, ceremony.StepDone
	switch p.Action {
	case liuma.ActionEnroll: // the code belongs to who it is
		return []string{t.StageCheck, t.StageSet, t.StageDone}, at(confirm, pin, done)
	case liuma.ActionLink:
		return []string{t.StageCheck, t.StageEnter, t.StageDone}, at(confirm, pin, done)
	case liuma.ActionReset:
		if p.Began != "" && p.Began != p.Action {
			return []string{t.StageCode, t.StageProve, t.StageNew, t.StageDone}, at(code, evidence, pin, done)
		}
		return []string{t.StageAgree, t.StageCode, t.StageProve, t.StageNew, t.StageDone}, at(confirm, code, evidence, pin, done)
	case liuma.ActionUnfreeze:
		return []string{t.StageAgree, t.StageCode, t.StagePIN, t.StageDone}, at(confirm, code, pin, done)
	case liuma.ActionRebind: // the code goes to the number, so they are one
		names = []string{t.StageAgree, t.StagePIN, t.StageProve, t.StagePhone, t.StageDone}
		if p.Step == code {
			return names, 3
		}
		return names, at(confirm, pin, evidence, phone, done)
	}
	return nil, 0
}

func (v *view) cell(key, value, class, id string) {
	if value != "" {
		v.Cells = append(v.Cells, cell{key, value, class, id})
	}
}

func (h *handler) confirm(v *view, p ceremony.Page) {
	v.heading(titleOf(p.Action))
	h.stages(v, p)
	v.CellsTitle = v.T.IsThisYou
	v.cell(v.T.Name, p.NameMasked, "", "")
	v.cell(v.T.IDNumber, p.IDMasked, "number", "")
	v.cell(v.T.Phone, p.PhoneMasked, "number", "")
	v.cell(v.T.Region, v.say(regionName(p.Region)), "", "")
	v.cell(v.T.For, p.Purpose, "", "purpose")
	next := v.T.NextLink
	switch p.Action {
	case liuma.ActionEnroll:
		next = v.T.NextEnroll
	case liuma.ActionReset:
		next = v.T.NextReset
	case liuma.ActionRebind:
		next = v.T.NextRebind
	case liuma.ActionUnfreeze:
		next = v.T.NextUnfreeze
	}
	v.Notice = &notice{Title: v.T.WhatNext, Text: next}
	v.Refusal = h.refusal(v, p)
	v.Ways = []way{
		{Class: "btn-primary", Text: v.T.ItIsMe, Post: "agree"},
		{Class: "btn-plain", Text: v.T.NotMe, Post: "leave"},
	}
	v.Links = v.freezeLink(p)
	v.Expiry = h.expiryOf(p)
}

func (h *handler) askPIN(v *view, p ceremony.Page) {
	v.heading(titleOf(p.Action))
	h.stages(v, p)
	v.Refusal = h.refusal(v, p)
	// Few lines above the pad: its keys should stand on the first screen.
	switch p.Action {
	case liuma.ActionEnroll, liuma.ActionReset:
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
	v.Keypad = keypadOf(v, p)
	if canForget(p) {
		v.Ways = append(v.Ways, h.forgotWay(v, p, "btn-plain", v.T.ForgotWay))
	}
	switch p.Action {
	case liuma.ActionLink:
		v.Forgot = v.T.ForgotText
	case liuma.ActionUnfreeze:
		v.Forgot = v.T.ForgotFrozen
	}
	v.Ways = append(v.Ways, way{Class: "btn-plain", Text: v.T.Leave, Post: "leave"})
	v.Links = v.freezeLink(p)
	v.More = p.Action == liuma.ActionVerify
	v.Reopen = p.LaneClosed
	v.Expiry = h.expiryOf(p)
}

// keypadOf writes the seal key and the bytes to be bound, as the script reads
// them.
func keypadOf(v *view, p ceremony.Page) *keypad {
	b64 := base64.RawURLEncoding.EncodeToString
	k := &keypad{
		Mode: "current", KeyID: p.SealKeyID, Key: b64(p.SealKey), Passphrase: p.Passphrase, Try: p.Try,
		Current: b64(p.AAD[liuma.RoleCurrent]), Old: b64(p.AAD[liuma.RoleOld]), New: b64(p.AAD[liuma.RoleNew]),
		DescribedBy: "asker",
	}
	switch p.Action {
	case liuma.ActionEnroll, liuma.ActionReset:
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
	}
	if p.TriesLeft != nil && *p.TriesLeft > 0 && codeOf(p) == "" {
		k.Note = v.T.triesLeft(*p.TriesLeft) + v.T.Stop
	}
	return k
}

func (h *handler) expiryOf(p ceremony.Page) *expiry {
	if p.Expires.IsZero() {
		return nil
	}
	return &expiry{p.Expires.UTC().Format(time.RFC3339), h.now().UTC().Format(time.RFC3339)}
}
