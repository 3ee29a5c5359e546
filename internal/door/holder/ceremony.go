package holder

import (
	"context"
	"errors"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// The pages that a ceremony's address may name (?ask=…) instead of the page of its
// step.
const (
	askFreeze = "freeze"  // the question whether the holder is sure
	askLeave  = "leave"   // the same, of going back with nothing done
	askName   = "notices" // who is to get the notices of a holder without a phone
	askReset  = "reset"   // why the PIN cannot be set anew online
)

// address is the address of a ceremony's page.
func address(id string) string { return "/c/" + id }

// showCeremony shows a ceremony's present page. A web view that keeps no cookies
// posts here, because it sends its hand in a form.
func (h *handler) showCeremony(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !idPattern.MatchString(id) {
		h.fault(w, r, http.StatusNotFound, liuma.CodeRequestURIInvalid)
		return
	}
	h.door.KeepLang(w, r)
	by := h.handOf(r, id)
	page, err := h.lookFor(r.Context(), id, by.Hand, lookedFor(r))
	if err != nil {
		h.wrong(w, r, err)
		return
	}
	h.showPage(w, r, page, by)
}

func (h *handler) showPage(w http.ResponseWriter, r *http.Request, page ceremony.Page, by hand) {
	if page.Elsewhere {
		h.fault(w, r, http.StatusConflict, liuma.CodeCeremonyElsewhere)
		return
	}
	status := http.StatusOK
	if page.Step == ceremony.StepExpired {
		status = http.StatusGone
	}
	h.show(w, r, status, h.ceremonyView(r, page, by))
}

// move is the call that a post makes to the authority. If it fails and has
// looked at the ceremony, it returns the latest page beside the error, so that
// the page is not built twice.
type move func(r *http.Request, id string, by hand) (ceremony.Page, error)

// simple makes a move from a method that needs only the ceremony.
func simple(ask func(context.Context, string, ceremony.Hand) (ceremony.Page, error)) move {
	return func(r *http.Request, id string, by hand) (ceremony.Page, error) {
		return ask(r.Context(), id, by.Hand)
	}
}

// sendCode asks for a one-time code. If the form names no way, it goes by text.
func (h *handler) sendCode(r *http.Request, id string, by hand) (ceremony.Page, error) {
	way, err := liuma.ParseCodeWay(r.PostFormValue("way"))
	if err != nil {
		return ceremony.Page{}, liuma.FailField(liuma.CodeBadRequest, "way", err)
	}
	return h.authority.SendCode(r.Context(), id, by.Hand, way)
}

// typed makes a move from a method that takes the text of a form field.
func typed(name string, give func(context.Context, string, ceremony.Hand, string) (ceremony.Page, error)) move {
	return func(r *http.Request, id string, by hand) (ceremony.Page, error) {
		value, err := typedIn(r, name)
		if err != nil {
			return ceremony.Page{}, err
		}
		return give(r.Context(), id, by.Hand, value)
	}
}

const longestTyped = 200 // bytes of a field that a holder fills in

// typedIn reads a field. A form without the field is outdated, and gets the latest
// page. The authority checks whether the value is right.
func typedIn(r *http.Request, name string) (string, error) {
	switch values := r.PostForm[name]; {
	case len(values) == 0:
		return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
	case len(values) > 1 || len(values[0]) > longestTyped:
		return "", liuma.FailField(liuma.CodeBadRequest, name, nil)
	default:
		return values[0], nil
	}
}

// post handles the posts that move a ceremony.
func (h *handler) post(m move) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, by, ok := h.posted(w, r)
		if !ok {
			return
		}
		page, err := m(r, id, by)
		if err != nil {
			h.failed(w, r, id, by, page, err)
			return
		}
		h.moved(w, r, page, by)
	}
}

// posted reads the form: its ceremony and its browser. If ok is false, the request
// has been answered.
func (h *handler) posted(w http.ResponseWriter, r *http.Request) (id string, by hand, ok bool) {
	id = r.PathValue("id")
	if err := r.ParseForm(); err != nil || !idPattern.MatchString(id) {
		h.wrong(w, r, formError(err))
		return "", hand{}, false
	}
	return id, h.handOf(r, id), true
}

// moved answers a post that moved the ceremony. The browser is redirected to the
// page, so that a reload asks for the page again and does not post again. A web view
// without cookies gets the page as the answer. A page's script gets the address of
// the next page in either case.
func (h *handler) moved(w http.ResponseWriter, r *http.Request, page ceremony.Page, by hand) {
	if page.Bound != "" {
		if by.bare || h.cookies.Get(r, seenCookie) == "" {
			by.Secret, by.bare = page.Bound, true
		} else {
			h.keep(w, r, page.ID, by.RequestURI, page.Bound)
		}
	}
	if by.bare && !scripted(r) {
		h.showPage(w, r, page, by)
		return
	}
	h.goOnTo(w, r, address(page.ID)+nextLook(r, page), by)
}

// nextLook is the query of the address to which a move redirects; empty for the page
// of the step. If the ceremony has ended it leads on to the channel, unless the
// holder asked to stay. It also names the page that says why the PIN cannot be reset
// online.
func nextLook(r *http.Request, p ceremony.Page) string {
	switch last := path.Base(r.URL.Path); {
	case last == "pin" && r.PostForm.Get("stay") == "", last == "leave":
		return goOn(p)
	case last == "forgot" && resetRefused(p):
		return "?ask=" + askReset
	}
	return ""
}

// goOn marks the first showing of a page that leads back to the channel by itself.
// The browser's history does not keep that address, so the back button does not send
// the holder away again.
func goOn(p ceremony.Page) string {
	if p.Step == ceremony.StepLeft || p.Step == ceremony.StepDone && data(p.Action).Uses {
		return "?go=1"
	}
	return ""
}

// failed answers a post that moved nothing. If the ceremony had moved on since the
// page was shown, the answer is the latest page, whatever was posted.
func (h *handler) failed(w http.ResponseWriter, r *http.Request, id string, by hand, latest ceremony.Page, err error) {
	switch liuma.CodeOf(err) {
	case liuma.CodeCeremonyMoved, liuma.CodeCeremonyExpired:
	default:
		h.wrong(w, r, err)
		return
	}
	to := address(id)
	if errors.Is(err, ceremony.ErrOldPad) {
		r = r.Clone(r.Context())
		r.URL.RawQuery = askOld + "=1"
		to += "?" + r.URL.RawQuery
	}
	if !by.bare || scripted(r) {
		h.goOnTo(w, r, to, by)
		return
	}
	if latest.ID == "" {
		if latest, err = h.authority.Look(r.Context(), id, by.Hand); err != nil {
			h.wrong(w, r, err)
			return
		}
	}
	h.showPage(w, r, latest, by)
}

// scripted reports whether a form was sent by the ceremony's script and not by
// the browser itself.
func scripted(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

// ceremonyView turns the state of a ceremony into a page.
func (h *handler) ceremonyView(r *http.Request, p ceremony.Page, by hand) *view {
	draw, name := h.faceOf(r, p)
	v := h.newView(r, name)
	v.ID, v.Asker, v.BusinessNo = p.ID, v.say(p.ChannelName), string(p.BusinessNo)
	v.helpedBy(p.Hotline)
	h.standsAt(v, p)
	v.cleared(goesOn(p))
	if v.Clear != nil && p.Step == ceremony.StepNumber {
		v.Clear.Idle = int(idleWaiting / time.Second) // the holder has to wait for the supervisor
	}
	if by.bare {
		v.Hand = by.Secret // without cookies preferences are not kept, so there is no form for them
	} else {
		v.Back = address(p.ID)
	}
	draw(v, p)
	if v.Counter != nil {
		v.Counter.Own = v.T.ownSentence(p.Texts)
	}
	if n := h.ofTheTry(r, v, p); n != nil {
		v.Refusal, v.Folded = n, true
	}
	v.nameForms(p.Form)
	if r.URL.Query().Get("go") != "" && goOn(p) != "" && !by.bare {
		v.Forward = address(p.ID) + "/return"
	}
	return v
}

// nameForms writes into each form that takes or sends something the name of its page,
// so that the same form posted again counts once.
func (v *view) nameForms(form string) {
	for _, f := range []*field{v.Field, v.Other} {
		if f != nil {
			f.Form = form
		}
	}
	for _, s := range []*send{v.Send, v.Call} {
		if s != nil {
			s.Form = form
		}
	}
}

// faceOf picks the page: the page of the step or, where the step allows it, the
// page that the address names.
func (h *handler) faceOf(r *http.Request, p ceremony.Page) (draw func(*view, ceremony.Page), name string) {
	ask := r.URL.Query().Get("ask")
	switch {
	case ask == askFreeze && canFreeze(p):
		return h.sureToFreeze, pageStep
	case ask == askLeave && losesWork(p):
		return h.sureToLeave, pageStep
	case ask == askNoCode && takesCode(p):
		return h.noCode, pageNoCode
	case lookedFor(r) > 0 && underWay(p, lookedFor(r)):
		return h.stillChecked, pageResult
	case resetRefused(p) && (ask == askReset || path.Base(r.URL.Path) == "forgot"):
		return h.noReset, pageResult
	}
	switch {
	case namesNow(p) && p.Counter.Notices.Typed && ask != askName:
		return h.askNamed, pageStep
	case namesNow(p) && ask == askName, namesNow(p) && path.Base(r.URL.Path) == "notices":
		return h.askName, pageStep
	case p.Counter != nil && p.Step == ceremony.StepDone:
		return h.counterDone, pageResult
	case atCounter(p) && over(p.Step):
		return h.counterEnded, pageResult
	}
	switch p.Step {
	case ceremony.StepNumber:
		return h.number, pageStep
	case ceremony.StepConfirm:
		return h.confirm, pageConfirm
	case ceremony.StepPIN:
		return h.askPIN, pagePIN
	case ceremony.StepCode:
		return h.askCode, pageStep
	case ceremony.StepEvidence:
		return h.askProof, pageStep
	case ceremony.StepCardNo:
		return h.askNumber, pageStep
	case ceremony.StepPhone:
		return h.askPhone, pageStep
	case ceremony.StepDone:
		return h.done, pageResult
	case ceremony.StepReset:
		return h.wasReset, pageResult
	}
	return h.refused, pageResult
}

// goesOn reports whether the holder can go on from this page.
func goesOn(p ceremony.Page) bool { return !over(p.Step) || namesNow(p) }

// over reports whether a step is the last of a ceremony.
func over(s ceremony.Step) bool {
	switch s {
	case ceremony.StepDone, ceremony.StepReset, ceremony.StepRefused, ceremony.StepExpired, ceremony.StepLeft:
		return true
	}
	return false
}

func (h *handler) confirm(v *view, p ceremony.Page) {
	v.title(p)
	v.stages(p)
	v.CellsTitle = v.T.IsThisYou()
	v.cell(v.T.Name(), p.NameMasked, "", "")
	v.cell(v.T.documentLabel(p.Document), p.IDMasked, "number", "")
	v.cell(v.T.Phone(), p.PhoneMasked, "number", "")
	v.cell(v.T.Region(), v.T.all.Region(p.Region), "", "")
	v.cell(v.T.For(), p.Purpose.In(string(v.Lang)), "", "purpose")
	v.Notice = &notice{Title: v.T.WhatNext(), Text: actAt(v.T, p).next, Also: v.T.alsoAsked(p, p.Action)}
	v.Refusal = h.refusal(v, p)
	v.Ways = []way{
		{Class: "btn-primary", Text: v.T.ItIsMe(), Post: "agree"},
		{Class: "btn-plain", Text: v.T.NotMe(), Post: "leave"},
	}
	if atCounter(p) {
		v.Ways[1].Text = v.T.CounterNotMe()
	}
	v.Links = v.freezeLink(p)
	v.Expiry = h.expiryOf(p)
	h.askConsent(v, p)
}

// linked reports whether a ceremony is about a card that the channel named by its
// handle, so that its page may freeze it and reset its PIN.
func linked(p ceremony.Page) bool {
	return data(p.Action).Linked && (p.Began == "" || data(p.Began).Linked)
}

// data is the act as package ceremony defines it.
func data(a liuma.Action) ceremony.Act {
	act, _ := ceremony.ActOf(a)
	return act
}

func (v *view) cell(key, value, class, id string) {
	if value != "" {
		v.Cells = append(v.Cells, cell{key, value, class, id})
	}
}

func (h *handler) expiryOf(p ceremony.Page) *expiry {
	if p.Expires.IsZero() {
		return nil
	}
	return &expiry{p.Expires.UTC().Format(time.RFC3339), h.now().UTC().Format(time.RFC3339)}
}
