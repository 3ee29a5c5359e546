package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/text/language"

	"github.com/liuma-pin/liuma"
)

// problem is an RFC 9457 problem document. Members that a code does not call
// for are absent.
type problem struct {
	Type       string     `json:"type" doc:"urn:liuma:problem: and the code" example:"urn:liuma:problem:weak_pin"`
	Title      string     `json:"title" doc:"What happened, in the language asked for (Accept-Language: zh or en; zh if neither)"`
	Status     int        `json:"status" doc:"HTTP status"`
	Detail     string     `json:"detail" doc:"What happened in this case, in the language asked for"`
	Instance   string     `json:"instance" doc:"This occurrence; name it when asking for help" example:"urn:liuma:request:5f0c1b2a9d8e7f6a5b4c3d2e"`
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
		liuma.CodeCardNoSpent, liuma.CodeFreezeCodeLimit:
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

// shown reduces err to what may leave the house. What nobody classified is an
// internal error and nothing more; the one refusal carries nothing that would
// tell its causes apart.
func shown(err error) *liuma.Error {
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok {
		return &liuma.Error{Code: liuma.CodeInternal}
	}
	if _, known := statusOf(e.Code); !known {
		return &liuma.Error{Code: liuma.CodeInternal}
	}
	switch e.Code {
	case liuma.CodeInternal, liuma.CodeRefused:
		return &liuma.Error{Code: e.Code}
	}
	return e
}

// fail answers with a problem document and logs the cause.
func (d *Door) fail(v *visit, r *http.Request, err error) {
	e := shown(err)
	if r.Context().Err() != nil {
		// The caller is gone or the server is stopping; nobody is at fault.
		e = &liuma.Error{Code: liuma.CodeUnavailable}
	}
	status, _ := statusOf(e.Code)
	switch reason(e.Reason) {
	case reasonMethod:
		status = http.StatusMethodNotAllowed
	case reasonContentType, reasonContentEncoding:
		status = http.StatusUnsupportedMediaType
	}
	d.logFailure(v, r, status, e.Code, err)

	h := v.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Add("Vary", "Accept-Language")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	if s := retryAfter(e, d.now()); s > 0 {
		h.Set("Retry-After", strconv.Itoa(s))
	}
	doc := d.tongue.problem(e, status, r.Header.Get("Accept-Language"))
	doc.Instance = "urn:liuma:request:" + v.id
	doc.BusinessNo = string(v.businessNo)
	v.WriteHeader(status)
	body, jsonErr := json.Marshal(doc)
	if jsonErr != nil {
		d.log.ErrorContext(r.Context(), "problem document", "request", v.id, "error", jsonErr)
		return
	}
	_, _ = v.Write(append(body, '\n')) // an error here means that nobody is listening
}

// logFailure keeps the cause, which is never shown. Errors in the house hold
// nothing personal, so the cause may be logged.
func (d *Door) logFailure(v *visit, r *http.Request, status int, code liuma.Code, err error) {
	level := slog.LevelDebug
	switch {
	case r.Context().Err() != nil:
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case code == liuma.CodeUnauthenticated || code == liuma.CodeForbidden:
		level = slog.LevelWarn
	}
	d.log.LogAttrs(r.Context(), level, "request failed",
		slog.String("request", v.id), slog.String("client", v.client),
		slog.String("code", string(code)), slog.Any("cause", err))
}

// retryAfter is in whole seconds; zero means that waiting does not help.
func retryAfter(e *liuma.Error, now time.Time) int {
	if !e.Until.IsZero() {
		return max(1, int(math.Ceil(e.Until.Sub(now).Seconds())))
	}
	switch e.Code {
	case liuma.CodeBusy, liuma.CodeChangeUnderWay:
		return 2
	case liuma.CodeUnavailable:
		return 5
	}
	return 0
}

// tongue chooses between the two languages of the house.
type tongue struct{ match language.Matcher }

func newTongue() tongue {
	return tongue{language.NewMatcher([]language.Tag{language.Chinese, language.English})}
}

// english reports whether an Accept-Language header asks for English rather
// than Chinese. Chinese is the default.
func (t tongue) english(header string) bool {
	const longest = 256 // a longer list is not a reader's preference
	if header == "" || len(header) > longest {
		return false
	}
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil || len(tags) == 0 {
		return false
	}
	_, i, confidence := t.match.Match(tags...)
	return i == 1 && confidence > language.No
}

func (t tongue) problem(e *liuma.Error, status int, acceptLanguage string) problem {
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
	if t.english(acceptLanguage) {
		doc.Title, doc.Detail, doc.NextStep = x.What.EN, detail.EN, x.Next.EN
	}
	return doc
}
