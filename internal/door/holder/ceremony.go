package holder

import (
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
)

// What an address of a ceremony may ask to see besides its step.
const (
	askFreeze = "freeze" // whether the holder is sure
	askReset  = "reset"  // why the PIN cannot be set anew online
)

// look at a ceremony's address.
func address(id string) string { return "/c/" + id }

// showCeremony shows where a ceremony is. Posted to, it does the same for a
// web view that keeps no cookies and so brings its hand in a form.
func (h *handler) showCeremony(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !idPattern.MatchString(id) {
		h.fault(w, r, http.StatusNotFound, liuma.CodeRequestURIInvalid)
		return
	}
	h.door.KeepLang(w, r)
	by := h.handOf(r, id)
	page, err := h.authority.Look(r.Context(), id, by.Hand)
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	h.showPage(w, r, page, by)
}

func (h *handler) showPage(w http.ResponseWriter, r *http.Request, page authority.Page, by hand) {
	if page.Elsewhere {
		h.fault(w, r, http.StatusConflict, liuma.CodeCeremonyElsewhere)
		return
	}
	status := http.StatusOK
	if page.Step == authority.StepExpired {
		status = http.StatusGone
	}
	h.show(w, r, status, h.ceremonyView(r, page, by))
}

// post does what the posts that move a ceremony have in common.
func (h *handler) post(w http.ResponseWriter, r *http.Request, move func(id string, by hand) (authority.Page, error)) {
	id := r.PathValue("id")
	if err := r.ParseForm(); err != nil || !idPattern.MatchString(id) {
		h.wrong(w, r, formError(err))
		return
	}
	by := h.handOf(r, id)
	page, err := move(id, by)
	if err != nil {
		h.failed(w, r, id, by, err)
		return
	}
	h.moved(w, r, page, by)
}

// moved answers a post that came to something: the browser asks for the page
// itself, so that a reload repeats the asking and not the post.
func (h *handler) moved(w http.ResponseWriter, r *http.Request, page authority.Page, by hand) {
	if page.Bound != "" {
		if by.bare || h.cookies.Get(r, seenCookie) == "" {
			by.Secret, by.bare = page.Bound, true
		} else {
			h.keep(w, r, page.ID, by.RequestURI, page.Bound)
		}
	}
	h.keepDevice(w, page, by)
	if by.bare {
		h.showPage(w, r, page, by)
		return
	}
	http.Redirect(w, r, address(page.ID)+nextLook(r, page), http.StatusSeeOther)
}

// nextLook is what is shown after a move, if it is not just the step: the way
// back after a move that ended the ceremony, unless the holder asked to stay,
// and why the PIN cannot be set anew online.
func nextLook(r *http.Request, p authority.Page) string {
	switch last := path.Base(r.URL.Path); {
	case last == "pin" && r.PostForm.Get("stay") == "", last == "leave":
		return goOn(p)
	case last == "forgot" && resetRefused(p):
		return "?ask=" + askReset
	}
	return ""
}

// goOn marks the one showing of a page that leads back to the channel by
// itself. The browser's history forgets that address, so the back button does
// not send the holder away again.
func goOn(p authority.Page) string {
	if p.Step == authority.StepLeft || p.Step == authority.StepDone && p.Action == liuma.ActionVerify {
		return "?go=1"
	}
	return ""
}

// failed answers a post that came to nothing: a page that is behind is shown
// the latest, whatever it wanted.
func (h *handler) failed(w http.ResponseWriter, r *http.Request, id string, by hand, err error) {
	switch liuma.CodeOf(err) {
	case liuma.CodeCeremonyMoved, liuma.CodeCeremonyExpired:
	default:
		h.wrong(w, r, err)
		return
	}
	if !by.bare {
		http.Redirect(w, r, address(id), http.StatusSeeOther)
		return
	}
	page, err := h.authority.Look(r.Context(), id, by.Hand)
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	h.showPage(w, r, page, by)
}

// agreeCeremony goes on from who asks for what to the pad.
func (h *handler) agreeCeremony(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		return h.authority.Agree(r.Context(), id, by.Hand)
	})
}

// extendCeremony gives more time. The script asks for it without leaving the
// page, so that what was typed stays.
func (h *handler) extendCeremony(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "application/json") {
		h.post(w, r, func(id string, by hand) (authority.Page, error) {
			return h.authority.Extend(r.Context(), id, by.Hand)
		})
		return
	}
	id := r.PathValue("id")
	if err := r.ParseForm(); err != nil || !idPattern.MatchString(id) {
		h.wrong(w, r, formError(err))
		return
	}
	page, err := h.authority.Extend(r.Context(), id, h.handOf(r, id).Hand)
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	answer := struct {
		Expires time.Time `json:"expires"`
		Now     time.Time `json:"now"`
	}{page.Expires, h.now()}
	_ = json.NewEncoder(w).Encode(answer) // an error here means that nobody is listening
}

// leaveCeremony calls a ceremony off.
func (h *handler) leaveCeremony(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		return h.authority.Leave(r.Context(), id, by.Hand)
	})
}

// ceremonyView turns where a ceremony is into a page.
func (h *handler) ceremonyView(r *http.Request, p authority.Page, by hand) *view {
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
func (h *handler) faceOf(r *http.Request, p authority.Page) (draw func(*view, authority.Page), name string) {
	ask := r.URL.Query().Get("ask")
	switch {
	case ask == askFreeze && canFreeze(p):
		return h.sureToFreeze, pageStep
	case resetRefused(p) && (ask == askReset || path.Base(r.URL.Path) == "forgot"):
		return h.noReset, pageResult
	}
	switch p.Step {
	case authority.StepConfirm:
		return h.confirm, pageConfirm
	case authority.StepPIN:
		return h.askPIN, pagePIN
	case authority.StepCode:
		return h.askCode, pageStep
	case authority.StepEvidence:
		return h.askProof, pageStep
	case authority.StepPhone:
		return h.askPhone, pageStep
	case authority.StepDone:
		return h.done, pageResult
	case authority.StepReset:
		return h.wasReset, pageResult
	}
	return h.refused, pageResult
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
func (h *handler) stages(v *view, p authority.Page) {
	names, now := stagesOf(v.T, p)
	if p.Step == authority.StepDone {
		now = len(names) // nothing is left to do
	}
	for i, name := range names {
		v.Steps = append(v.Steps, stage{Name: name, Done: i < now, Current: i == now})
	}
}

func stagesOf(t *texts, p authority.Page) (names []string, now int) {
	at := func(steps ...authority.Step) int {
		for i, s := range steps {
			if s == p.Step {
				return i
			}
		}
		return 0
	}
	const confirm, code, evidence, phone, pin, done = authority.StepConfirm, authority.StepCode, authority.StepEvidence,
		authority.StepPhone, authority.StepPIN, authority.StepDone
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

func (h *handler) confirm(v *view, p authority.Page) {
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

// linked reports whether a ceremony is about a card that the channel named by
// its handle, so that its page may freeze it and set its PIN anew.
func linked(p authority.Page) bool {
	return p.Began != liuma.ActionEnroll && p.Began != liuma.ActionLink &&
		p.Action != liuma.ActionEnroll && p.Action != liuma.ActionLink
}

func (v *view) cell(key, value, class, id string) {
	if value != "" {
		v.Cells = append(v.Cells, cell{key, value, class, id})
	}
}

func (h *handler) expiryOf(p authority.Page) *expiry {
	if p.Expires.IsZero() {
		return nil
	}
	return &expiry{p.Expires.UTC().Format(time.RFC3339), h.now().UTC().Format(time.RFC3339)}
}
