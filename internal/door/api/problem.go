package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
)

// problem is an RFC 9457 problem document. Members that a code does not call
// for are absent.
type problem struct {
	Type       string     `json:"type" doc:"urn:liuma:problem: and the code" example:"urn:liuma:problem:weak_pin"`
	Title      string     `json:"title" doc:"What happened, in the language asked for (Accept-Language: zh or en; zh if neither)"`
	Status     int        `json:"status" doc:"HTTP status"`
	Detail     string     `json:"detail" doc:"What happened in this case, in the language asked for"`
	Instance   string     `json:"instance" doc:"This occurrence; name it when asking for help" example:"urn:liuma:request:5f0c1b2a9d8e7f6a"`
	Code       string     `json:"code" doc:"Stable name of the problem; branch on this"`
	NextStep   string     `json:"next_step" doc:"What to do next, in the language asked for"`
	TitleZH    string     `json:"title_zh"`
	TitleEN    string     `json:"title_en"`
	DetailZH   string     `json:"detail_zh"`
	DetailEN   string     `json:"detail_en"`
	NextStepZH string     `json:"next_step_zh"`
	NextStepEN string     `json:"next_step_en"`
	BusinessNo string     `json:"business_no,omitempty" doc:"Of the request, where it could be read"`
	Field      string     `json:"field,omitempty" doc:"The member at fault, as a dotted path" example:"subject.id_number"`
	Reason     string     `json:"reason,omitempty" doc:"Finer stable code beneath the code, for example the PIN rule that refused"`
	TriesLeft  *int       `json:"tries_left,omitempty" doc:"Wrong PINs that remain before a lock"`
	Until      *time.Time `json:"until,omitempty" doc:"When the refusal ends by itself"`
	Challenge  string     `json:"challenge,omitempty" doc:"With evidence_required: what the evidence must be bound to"`
}

// statusOf is the one table from code to HTTP status. The second result is
// false for a code without a row; a test holds the table and the codes
// together.
func statusOf(c liuma.Code) (int, bool) {
	switch c {
	case liuma.CodeInternal:
		return http.StatusInternalServerError, true
	case liuma.CodeUnavailable:
		return http.StatusServiceUnavailable, true
	case liuma.CodeBusy, liuma.CodePhoneCodesSpent, liuma.CodePhoneCodeSoon, liuma.CodePhoneCodeLimit,
		liuma.CodeCardNoSpent, liuma.CodeFreezeCodeLimit, liuma.CodeHotlineLimit:
		return http.StatusTooManyRequests, true
	case liuma.CodeBadRequest:
		return http.StatusBadRequest, true
	case liuma.CodeUnauthenticated:
		return http.StatusUnauthorized, true
	case liuma.CodeForbidden, liuma.CodeRefused, liuma.CodeEvidenceRequired,
		liuma.CodeWrong, liuma.CodeBlocked, liuma.CodeFrozen, liuma.CodeCancelled,
		liuma.CodePhoneCodeWrong, liuma.CodePhoneCodeExpired, liuma.CodePhoneNone, liuma.CodePhoneLate,
		liuma.CodePhoneStale, liuma.CodeOnlineOff, liuma.CodeCardNoWrong, liuma.CodeFreezeCodeInvalid:
		return http.StatusForbidden, true
	case liuma.CodeNotFound:
		return http.StatusNotFound, true
	case liuma.CodeTooLarge:
		return http.StatusRequestEntityTooLarge, true
	case liuma.CodeBusinessNoUsed, liuma.CodeUndecided, liuma.CodeAlreadyEnrolled,
		liuma.CodeChangeUnderWay, liuma.CodeEvidenceUsed, liuma.CodeReceiptSpent, liuma.CodeReceiptStale,
		liuma.CodeCeremonyExpired, liuma.CodeCeremonyElsewhere, liuma.CodeCeremonyMoved, liuma.CodeLeft,
		liuma.CodeRequestURIInvalid, liuma.CodeCodeInvalid,
		liuma.CodePhoneSame, liuma.CodePINReset, liuma.CodeNotFrozen, liuma.CodeResetPlanned:
		return http.StatusConflict, true
	case liuma.CodeEnvelopeInvalid, liuma.CodeChallengeExpired, liuma.CodeEvidenceInvalid,
		liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodeNotInRegistry,
		liuma.CodePINFormat, liuma.CodeWeakPIN, liuma.CodeReceiptInvalid,
		liuma.CodePhoneCodeFormat, liuma.CodePhoneInvalid:
		return http.StatusUnprocessableEntity, true
	case liuma.CodeLocked:
		return http.StatusLocked, true
	}
	return http.StatusInternalServerError, false
}

// badRequest names a fault in the form of a request. The path is dotted and
// may be empty.
func badRequest(why reason, path string) *liuma.Error {
	return &liuma.Error{Code: liuma.CodeBadRequest, Field: path, Reason: string(why)}
}

// fail answers with a problem document and logs the cause.
func (d *Door) fail(v *door.Visit, r *http.Request, err error) {
	e := door.Shown(r, err, known)
	status, _ := statusOf(e.Code)
	switch reason(e.Reason) {
	case reasonMethod:
		status = http.StatusMethodNotAllowed
	case reasonContentType, reasonContentEncoding:
		status = http.StatusUnsupportedMediaType
	}
	d.visits.Failed(v, r, status, e.Code, err)

	h := v.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Add("Vary", "Accept-Language")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	if s := door.RetryAfter(e, d.now()); s > 0 {
		h.Set("Retry-After", strconv.Itoa(s))
	}
	doc := newProblem(e, status, door.Accepted(r.Header.Get("Accept-Language")) == door.English)
	doc.Instance = v.Instance()
	doc.BusinessNo = string(v.BusinessNo)
	v.WriteHeader(status)
	body, jsonErr := json.Marshal(doc)
	if jsonErr != nil {
		d.log.ErrorContext(r.Context(), "problem document", "request", v.ID(), "error", jsonErr)
		return
	}
	_, _ = v.Write(append(body, '\n')) // an error here means that nobody is listening
}

// known reports whether a code has a status here.
func known(c liuma.Code) bool {
	_, ok := statusOf(c)
	return ok
}

func newProblem(e *liuma.Error, status int, english bool) problem {
	x := liuma.Explain(e.Code)
	detail := x.What
	if s, ok := reason(e.Reason).sentence(); ok {
		detail = s
	}
	if e.Sentence != (liuma.Text{}) {
		detail = e.Sentence
	}
	doc := problem{
		Type:    "urn:liuma:problem:" + string(e.Code),
		Status:  status,
		Code:    string(e.Code),
		TitleZH: x.What.ZH, TitleEN: x.What.EN,
		DetailZH: detail.ZH, DetailEN: detail.EN,
		NextStepZH: x.Next.ZH, NextStepEN: x.Next.EN,
		Title: x.What.ZH, Detail: detail.ZH, NextStep: x.Next.ZH,
		Field:     e.Field,
		Reason:    e.Reason,
		TriesLeft: e.TriesLeft,
		Until:     moment(e.Until),
		Challenge: e.Challenge,
	}
	if english {
		doc.Title, doc.Detail, doc.NextStep = x.What.EN, detail.EN, x.Next.EN
	}
	return doc
}
