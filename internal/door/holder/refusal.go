package holder

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/locale"
)

// wrong answers an error that no page of the ceremony can show.
func (h *handler) wrong(w http.ResponseWriter, r *http.Request, err error) {
	code := liuma.CodeOf(err)
	if r.Context().Err() != nil {
		return // the client has disconnected
	}
	if code == liuma.CodeInternal {
		h.log.ErrorContext(r.Context(), "page failed", "route", r.Pattern, "request", door.RequestID(r.Context()), "err", err)
	}
	h.fault(w, r, statusOf(code), code)
}

func statusOf(c liuma.Code) int {
	switch c {
	case liuma.CodeRequestURIInvalid, liuma.CodeBadRequest:
		return http.StatusBadRequest
	case liuma.CodeNotFound, liuma.CodeTicketUnknown:
		return http.StatusNotFound
	case liuma.CodeCeremonyExpired:
		return http.StatusGone
	case liuma.CodeCeremonyElsewhere, liuma.CodeCeremonyMoved, liuma.CodeTicketEnded, liuma.CodeTicketTaken, liuma.CodeTicketWaits,
		liuma.CodeTicketApp, liuma.CodeTicketPage, liuma.CodeTicketLink:
		return http.StatusConflict
	case liuma.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case liuma.CodeBusy, liuma.CodeUnavailable, liuma.CodeChangeUnderWay:
		return http.StatusServiceUnavailable
	case liuma.CodeForbidden:
		return http.StatusForbidden
	case liuma.CodeFreezeCodeLimit, liuma.CodeSlowDown, liuma.CodeTooManyRequests, liuma.CodeTooManyOpen, liuma.CodeFreezesSpent:
		return http.StatusTooManyRequests
	case liuma.CodeRefused, liuma.CodePhoneNone, liuma.CodeOnlineOff, liuma.CodeNotInRegistry, liuma.CodeCancelled,
		liuma.CodeFrozen, liuma.CodeLossReported, liuma.CodeAlreadyEnrolled, liuma.CodeCardRestored, liuma.CodeCardClosed, liuma.CodeFreezeCodeInvalid,
		liuma.CodeContested, liuma.CodeNumberCorrecting, liuma.CodeNotFrozen, liuma.CodeGuardian, liuma.CodeBirthdayUnknown:
		return http.StatusUnprocessableEntity // the card's state forbids the act
	}
	return http.StatusInternalServerError
}

// formError is the error of a form that did not parse.
func formError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return liuma.Fail(liuma.CodeTooLarge, nil)
	}
	return liuma.Fail(liuma.CodeRequestURIInvalid, errors.New("form does not parse"))
}

// fault answers with an error page: the problem and the next step.
func (h *handler) fault(w http.ResponseWriter, r *http.Request, status int, code liuma.Code) {
	if r.Method == http.MethodPost && scripted(r) {
		if id := r.PathValue("id"); idPattern.MatchString(id) && pageSays(code) {
			h.answer(w, http.StatusOK, onward{Next: address(id)})
			return
		}
		e := explained(h.newView(r, pageResult).T, code)
		h.answer(w, status, refusedForm{code, strings.TrimSpace(e.What + " " + e.Next)})
		return
	}
	h.show(w, r, status, h.faultView(r, status, code))
}

// explained is what a page says of a code.
func explained(t *wordings, code liuma.Code) locale.Explanation {
	if code == liuma.CodeNotFound {
		code = liuma.CodeRequestURIInvalid
	}
	e, _ := t.explain(code)
	return e
}

func (h *handler) faultView(r *http.Request, status int, code liuma.Code) *view {
	v := h.newView(r, pageResult)
	look := faultLook(code)
	v.heading(look.title)
	e := explained(v.T, code)
	v.Result = &result{Kind: look.kind, Icon: look.icon, Text: e.What, Next: e.Next}
	if id := r.PathValue("id"); look.again && idPattern.MatchString(id) {
		v.Ways = append(v.Ways, way{Class: "btn-primary", Text: v.T.LookAgain(), Link: address(id)})
	}
	v.Ways = append(v.Ways, h.call(v))
	v.Links = append(v.Links, h.whereWay(v, "")...)
	if status >= http.StatusInternalServerError {
		v.RequestID = door.RequestID(r.Context())
	}
	v.cleared(look.again)
	ours := r.URL.Path == "/authorize" || r.URL.Path == counterPath || r.URL.Path == freezePath || r.URL.Path == wherePath || strings.HasPrefix(r.URL.Path, "/c/")
	if r.Method == http.MethodGet && ours && len(r.URL.RawQuery) <= longestAddress {
		v.Back = r.URL.RequestURI()
	}
	return v
}

// pageSays reports whether the ceremony's page, opened again, says what is wrong: then
// the script that sent the form goes there.
func pageSays(c liuma.Code) bool {
	return c == liuma.CodeCeremonyElsewhere || c == liuma.CodeCeremonyExpired || c == liuma.CodeRequestURIInvalid
}

// look is how a kind of refusal is shown.
type look struct {
	title      func(*wordings) string
	kind, icon string
	again      bool // a link to the ceremony's page is offered
}

func faultLook(c liuma.Code) look {
	switch c {
	case liuma.CodeCeremonyExpired, liuma.CodeRequestURIInvalid, liuma.CodeNotFound:
		return look{title: func(t *wordings) string { return t.ExpiredTitle() }, kind: "info", icon: "expired"}
	case liuma.CodeCeremonyElsewhere, liuma.CodeCeremonyMoved:
		return look{title: func(t *wordings) string { return t.ElsewhereTitle() }, kind: "info", icon: "unavailable"}
	case liuma.CodeRefused, liuma.CodePhoneNone, liuma.CodeOnlineOff, liuma.CodeNotInRegistry, liuma.CodeCancelled,
		liuma.CodeFrozen, liuma.CodeLossReported, liuma.CodeAlreadyEnrolled, liuma.CodeCardRestored, liuma.CodeCardClosed,
		liuma.CodeContested, liuma.CodeNumberCorrecting, liuma.CodeNotFrozen, liuma.CodeGuardian, liuma.CodeBirthdayUnknown:
		l := refusedLook(c)
		l.again = true
		return l
	case liuma.CodeTooLarge, liuma.CodeBadRequest:
		return look{title: func(t *wordings) string { return t.NotSentTitle() }, kind: "warn", icon: "unavailable", again: true}
	}
	return look{title: func(t *wordings) string { return t.UnavailableTitle() }, kind: "warn", icon: "unavailable", again: true}
}

// codeOf is the reason why the last move failed; empty if it succeeded.
func codeOf(p ceremony.Page) liuma.Code {
	if p.Code != "" {
		return p.Code
	}
	switch p.Verdict {
	case liuma.Wrong:
		return liuma.CodeWrong
	case liuma.Locked:
		return liuma.CodeLocked
	case liuma.Blocked:
		return liuma.CodeBlocked
	case liuma.Unavailable:
		return liuma.CodeUnavailable
	case liuma.Suspended:
		return liuma.CodeEvidenceRequired
	}
	switch p.Step {
	case ceremony.StepExpired:
		return liuma.CodeCeremonyExpired
	case ceremony.StepLeft:
		return liuma.CodeLeft
	case ceremony.StepRefused:
		return liuma.CodeRefused
	}
	return ""
}

// refusal is the box at the top of a page that can be submitted again: the
// fault of the last try, and the next step.
func (h *handler) refusal(v *view, p ceremony.Page) *notice {
	code := codeOf(p)
	e, title := v.T.explain(code)
	n := &notice{Kind: "notice-refuse", Title: title, Text: e.Next}
	switch code {
	case "":
		if p.WasReset && p.Step == ceremony.StepPIN {
			return &notice{Title: v.T.WasResetTitle(), Text: v.T.WasResetText()}
		}
		if lockedBefore(p) {
			return &notice{Kind: "notice-warn", Title: v.T.LockedTitle(),
				Text: v.T.lockedUntil(v.T.moment(p.Until.In(h.zone), h.now().In(h.zone)), canForget(p) && !resetRefused(p))}
		}
		return nil
	case liuma.CodeWrong:
		n.Title = actAt(v.T, p).wrong
		n.Text = v.T.WrongAgain()
		if p.TriesLeft != nil {
			n.More = v.T.triesLeft(*p.TriesLeft)
			n.Text = v.T.wrongText(*p.TriesLeft)
		}
	case liuma.CodeWeakPIN:
		n.Weak = true
		if s := v.T.all.Apart(v.say(p.Sentence)); s != "" {
			n.Text = s
		}
	case liuma.CodePINFormat:
		if p.Reason == "" || p.Words == (ceremony.Words{}) { // six boxes send nothing else
			n.Kind, n.Title, n.Text = "notice-warn", v.T.NotSentTitle(), v.T.NotSentText()
			break
		}
		n.Title, n.Text = v.T.NotTaken(), v.say(pin.FormatSentence(p.Reason))
	case liuma.CodeEnvelopeInvalid, liuma.CodeChallengeExpired, liuma.CodeBadRequest,
		liuma.CodeUndecided, liuma.CodeInternal:
		n.Kind, n.Title, n.Text = "notice-warn", v.T.NotSentTitle(), v.T.NotSentText()
	case liuma.CodeEvidenceRequired:
		if p.Step == ceremony.StepEvidence {
			return nil // the page itself says it
		}
	case liuma.CodePhoneCodeWrong:
		n.More = v.T.triesLeft(p.CodesLeft)
	case liuma.CodePhoneCodesSpent:
		n.Title, n.Text = v.T.SpentTitle(), v.T.SpentText()
	case liuma.CodeCardNoSpent:
		if p.Step == ceremony.StepCardNo { // here evidence cannot replace it
			n.Text = v.T.NumberSpent()
		}
	case liuma.CodeBusy, liuma.CodeChangeUnderWay, liuma.CodeUnavailable, liuma.CodePhoneCodeSoon, liuma.CodePhoneCodeLimit,
		liuma.CodePhoneCodeLink, liuma.CodePhoneCodesKept, liuma.CodePhoneCodeChannel, liuma.CodePhoneNumbers,
		liuma.CodePhoneCodeExpired, liuma.CodePINTooOld:
		n.Kind = "notice-warn"
	}
	return n
}

// lockedBefore reports whether the pad takes no PIN because too many were wrong
// elsewhere or in an earlier ceremony.
func lockedBefore(p ceremony.Page) bool {
	return p.Step == ceremony.StepPIN && p.TriesLeft != nil && *p.TriesLeft == 0 && !p.Until.IsZero()
}

// refused is the page of a ceremony that ended without success.
func (h *handler) refused(v *view, p ceremony.Page) {
	code := codeOf(p)
	e, _ := v.T.explain(code)
	look := refusedLook(code)
	v.heading(look.title)
	v.Result = &result{Kind: look.kind, Icon: look.icon, Text: e.What, Next: e.Next}
	v.Links = h.asideWays(v, p)
	switch code {
	case liuma.CodeLocked:
		v.Result.Text, v.Result.Next = v.T.LockedText(), ""
		v.Until = h.untilOf(v, p.Until)
		v.cell(v.T.PhysicalCard(), v.T.NotAffected(), "", "")
		v.cell(v.T.OtherApps(), v.T.LockedToo(), "", "")
		h.toNewPIN(v, p, v.T.ForgotUnlock())
	case liuma.CodeBlocked:
		v.Result.Text, v.Result.Next = v.T.BlockedText(), ""
		h.laneClosed(v, p)
		v.cell(v.T.PhysicalCard(), v.T.NotAffected(), "", "")
		h.toNewPIN(v, p, v.T.ForgotBlocked())
	case liuma.CodeFrozen:
		v.Result.Text, v.Result.Next = v.T.FrozenText(), ""
		v.Notice = &notice{Title: v.T.HowToGoOn(), Text: v.T.FrozenNext(v.Hotline), Also: v.T.alsoAsked(p, liuma.ActionUnfreeze)}
	case liuma.CodeLossReported:
		h.reported(v, p)
	case liuma.CodeEvidenceRequired, liuma.CodeEvidenceInvalid, liuma.CodeEvidenceUsed:
		v.Result.Text, v.Result.Next = v.T.EvidenceText(), ""
		h.toEvidence(v, p, v.T.EvidenceNext())
		return
	case liuma.CodeSlowDown:
		v.Result.Next = v.T.SlowUncounted()
		h.toEvidence(v, p, v.T.SlowNext())
		return
	case liuma.CodeResetPlanned:
		h.planned(v, p)
	case liuma.CodeLinkLimit, liuma.CodeCardClosed:
		v.Until = h.untilOf(v, p.Until)
	case liuma.CodePINNotYet:
		h.notYet(v, p)
	case liuma.CodePhoneNone, liuma.CodePhoneLate, liuma.CodePhoneStale, liuma.CodeOnlineOff, liuma.CodePhoneCodesSpent, liuma.CodeCardNoSpent, liuma.CodeCardNoNeeded,
		liuma.CodeCardRestored, liuma.CodeContested, liuma.CodeNumberCorrecting, liuma.CodePINStopped:
		v.Result.Next = "" // the counter says it
		v.Until = h.untilOf(v, p.Until)
		v.Counter = h.counterOf(v, v.T.CounterOnly(), whereOf(p))
	case liuma.CodeForbidden: // a page must not lead back to a stopped channel
		v.Result.Text, v.Result.Next = v.T.StoppedText(), v.T.StoppedNext()
		v.Counter = h.counterOf(v, v.T.CounterOnly(), whereOf(p))
		v.Ways = append(v.Ways, h.call(v))
		return
	case liuma.CodeRefused:
		if linked(p) { // the handle belongs to no card of this channel
			v.Result.Text, v.Result.Next = v.T.NoLink(), ""
			v.Counter = h.counterOf(v, v.T.CounterOnly(), whereOf(p))
			break
		}
		v.Notice = &notice{Title: v.T.ForgotTitle(), Text: v.T.RecoverText(v.Hotline)}
	}
	h.leads(v, p)
}

// leads completes a refusal: the way back to the channel, and where to ask.
func (h *handler) leads(v *view, p ceremony.Page) {
	class := "btn-primary"
	if len(v.First) > 0 && v.First[0].Class == class {
		class = "btn-plain"
	}
	v.Ways = append(v.Ways, v.back(class))
	if codeOf(p) != liuma.CodeLeft && v.Counter == nil {
		v.Ways = append(v.Ways, h.call(v))
		v.Links = append(v.Links, h.whereWay(v, whereOf(p))...)
	}
}

// planned is the page of a reset that waits: it says when the new PIN can be set.
func (h *handler) planned(v *view, p ceremony.Page) {
	v.Result.Text, v.Result.Next = v.T.PlannedText(), v.T.PlannedNext()
	if v.Until = h.untilOf(v, p.Until); v.Until != nil {
		v.Until.Title, v.Until.Over = v.T.WhenSet(), v.T.OverSet()
	}
}

// notYet is the page of a PIN that was set at a counter and does not count yet.
func (h *handler) notYet(v *view, p ceremony.Page) {
	if v.Until = h.untilOf(v, p.Until); v.Until != nil {
		v.Until.Title = v.T.CounterFromTitle()
	}
}

// reported is the page of a card whose loss was reported by phone: when that ends by
// itself, and how it ends sooner.
func (h *handler) reported(v *view, p ceremony.Page) {
	v.Result.Text, v.Result.Next = v.T.ReportedText(), ""
	if v.Until = h.untilOf(v, p.Until); v.Until != nil {
		v.Until.Title, v.Until.Over = v.T.WhenBack(), v.T.OverReload()
	}
	v.Notice = &notice{Title: v.T.HowToGoOn(), Text: v.T.ReportedNext(), Also: v.T.alsoAsked(p, liuma.ActionUnfreeze)}
}

// toEvidence leads back to the channel for an identity check, or to a counter.
func (h *handler) toEvidence(v *view, p ceremony.Page, text string) {
	v.Notice = &notice{Title: v.T.HowToGoOn(), Text: text}
	check := v.back("btn-primary")
	check.Text = v.T.DoEvidence()
	v.First = append(v.First, check)
	v.Counter = h.counterOf(v, v.T.CounterFace(), whereOf(p))
}

// toNewPIN leads from a locked or blocked PIN to a new one: on this page if the card
// is linked to this channel, else in a channel that it is linked to, and always at a
// counter.
func (h *handler) toNewPIN(v *view, p ceremony.Page, text string) {
	switch {
	case canForget(p):
		v.First = append(v.First, h.forgotWay(v, p, "btn-primary", text))
		v.Counter = h.counterOf(v, v.T.CounterTitle(), whereOf(p))
	case data(p.Action).Thaws:
		v.Notice = &notice{Title: v.T.ForgotTitle(), Text: v.T.ForgotFrozen()}
		v.Counter = h.counterOf(v, v.T.CounterOnly(), whereOf(p))
	default:
		v.Notice = &notice{Title: v.T.ForgotTitle(), Text: v.T.RecoverText(v.Hotline)}
	}
}

func refusedLook(c liuma.Code) look {
	switch c {
	case liuma.CodeLocked:
		return look{title: func(t *wordings) string { return t.LockedTitle() }, kind: "warn", icon: "locked"}
	case liuma.CodeBlocked:
		return look{title: func(t *wordings) string { return t.BlockedTitle() }, kind: "refuse", icon: "blocked"}
	case liuma.CodeFrozen:
		return look{title: func(t *wordings) string { return t.FrozenTitle() }, kind: "info", icon: "frozen"}
	case liuma.CodeLossReported:
		return look{title: func(t *wordings) string { return t.ReportedTitle() }, kind: "info", icon: "frozen"}
	case liuma.CodeCancelled:
		return look{title: func(t *wordings) string { return t.CancelledTitle() }, kind: "refuse", icon: "blocked"}
	case liuma.CodeEvidenceRequired, liuma.CodeEvidenceInvalid, liuma.CodeEvidenceUsed:
		return look{title: func(t *wordings) string { return t.EvidenceTitle() }, kind: "warn", icon: "evidence"}
	case liuma.CodeSlowDown:
		return look{title: func(t *wordings) string { return t.SlowTitle() }, kind: "warn", icon: "expired"}
	case liuma.CodeNotInRegistry:
		return look{title: func(t *wordings) string { return t.NotInRegistryTitle() }, kind: "info", icon: "unavailable"}
	case liuma.CodeAlreadyEnrolled:
		return look{title: func(t *wordings) string { return t.AlreadyEnrolledTitle() }, kind: "info", icon: "unavailable"}
	case liuma.CodeCeremonyExpired:
		return look{title: func(t *wordings) string { return t.ExpiredTitle() }, kind: "info", icon: "expired"}
	case liuma.CodeLeft:
		return look{title: func(t *wordings) string { return t.LeftTitle() }, kind: "info", icon: "unavailable"}
	case liuma.CodeNotReturned:
		return look{title: func(t *wordings) string { return t.NotReturnedTitle() }, kind: "warn", icon: "unavailable"}
	case liuma.CodePhoneNone, liuma.CodePhoneLate, liuma.CodePhoneStale, liuma.CodeOnlineOff, liuma.CodePhoneCodesSpent, liuma.CodeCardNoSpent, liuma.CodeCardNoNeeded,
		liuma.CodeCardRestored, liuma.CodeContested, liuma.CodeNumberCorrecting, liuma.CodePINStopped, liuma.CodeGuardian, liuma.CodeBirthdayUnknown:
		return look{title: func(t *wordings) string { return t.CounterNeeded() }, kind: "warn", icon: "agency"}
	case liuma.CodeCardClosed:
		return look{title: func(t *wordings) string { return t.CardClosedTitle() }, kind: "info", icon: "expired"}
	case liuma.CodePINNotYet:
		return look{title: func(t *wordings) string { return t.CounterFromTitle() }, kind: "info", icon: "expired"}
	case liuma.CodePINReset:
		return look{title: func(t *wordings) string { return t.ResetDoneTitle() }, kind: "info", icon: "ok"}
	case liuma.CodeNotFrozen:
		return look{title: func(t *wordings) string { return t.NotFrozenTitle() }, kind: "ok", icon: "ok"}
	case liuma.CodeForbidden:
		return look{title: func(t *wordings) string { return t.StoppedTitle() }, kind: "warn", icon: "unavailable"}
	case liuma.CodeResetPlanned:
		return look{title: func(t *wordings) string { return t.PlannedTitle() }, kind: "ok", icon: "expired"}
	case liuma.CodeRefused:
		return look{title: func(t *wordings) string { return t.RefusedTitle() }, kind: "refuse", icon: "wrong"}
	case liuma.CodeLinkLimit, liuma.CodeLinksFull:
		return look{title: func(t *wordings) string { return t.LinksTitle() }, kind: "warn", icon: "unavailable"}
	}
	return look{title: func(t *wordings) string { return t.UnavailableTitle() }, kind: "warn", icon: "unavailable"}
}

// laneClosed says that strangers are stopped, and not the holder's PIN.
func (h *handler) laneClosed(v *view, p ceremony.Page) {
	if p.LaneClosed {
		v.heading(func(t *wordings) string { return t.LaneTitle() })
		v.Result.Text, v.Result.Next = v.T.LaneText(), v.T.LaneNext()
	}
}

// untilOf says when a lock ends, on the holder's calendar.
func (h *handler) untilOf(v *view, at time.Time) *until {
	if at.IsZero() {
		return nil
	}
	now := h.now().In(h.zone)
	return &until{Title: v.T.WhenAgain(), Over: v.T.OverNow(), Text: v.T.moment(at.In(h.zone), now), RFC3339: at.In(h.zone).Format(time.RFC3339), Now: now.Format(time.RFC3339)}
}
