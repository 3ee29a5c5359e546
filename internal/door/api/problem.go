package api

import (
	"net/http"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
)

// problem is an RFC 9457 problem document. Members that an error code does not use
// are absent.
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

// statusOf is the only table from error codes to HTTP statuses. The second
// result is false for an error code without a row; a test checks that every
// error code has one.
func statusOf(c liuma.Code) (int, bool) {
	switch c {
	case liuma.CodeInternal:
		return http.StatusInternalServerError, true
	case liuma.CodeUnavailable:
		return http.StatusServiceUnavailable, true
	case liuma.CodeBusy, liuma.CodeTooManyRequests, liuma.CodeSlowDown, liuma.CodePhoneCodesSpent, liuma.CodePhoneCodeSoon, liuma.CodePhoneCodeLimit,
		liuma.CodePhoneCodeLink, liuma.CodePhoneCodesKept, liuma.CodePhoneCodeChannel, liuma.CodePhoneNumbers,
		liuma.CodeTooManyOpen, liuma.CodeCardNoSpent, liuma.CodeFreezeCodeLimit, liuma.CodeHotlineLimit,
		liuma.CodeFreezesSpent, liuma.CodeRationSpent, liuma.CodeLinkLimit:
		return http.StatusTooManyRequests, true
	case liuma.CodeBadRequest:
		return http.StatusBadRequest, true
	case liuma.CodeUnauthenticated:
		return http.StatusUnauthorized, true
	case liuma.CodeForbidden, liuma.CodeRefused, liuma.CodeEvidenceRequired, liuma.CodePINTooOld,
		liuma.CodeWrong, liuma.CodeBlocked, liuma.CodeFrozen, liuma.CodeLossReported, liuma.CodeLossReportOff, liuma.CodeCancelled,
		liuma.CodePhoneCodeWrong, liuma.CodePhoneCodeSuperseded, liuma.CodePhoneCodeExpired, liuma.CodePhoneNone, liuma.CodePhoneLate, liuma.CodeContested, liuma.CodeNumberCorrecting,
		liuma.CodeGuardian, liuma.CodeBirthdayUnknown, liuma.CodeConsentRequired,
		liuma.CodePINNotYet, liuma.CodePINStopped, liuma.CodeTicketLink, liuma.CodePhoneStale, liuma.CodeOnlineOff, liuma.CodeCardNoWrong, liuma.CodeCardNoNeeded, liuma.CodeFreezeCodeInvalid:
		return http.StatusForbidden, true
	case liuma.CodeNotFound, liuma.CodeTicketUnknown:
		return http.StatusNotFound, true
	case liuma.CodeTooLarge:
		return http.StatusRequestEntityTooLarge, true
	case liuma.CodeBusinessNoUsed, liuma.CodeUndecided, liuma.CodeAlreadyEnrolled, liuma.CodeCardRestored, liuma.CodeCardClosed,
		liuma.CodeChangeUnderWay, liuma.CodeEvidenceUsed, liuma.CodeReceiptSpent, liuma.CodeReceiptStale,
		liuma.CodeCeremonyExpired, liuma.CodeCeremonyElsewhere, liuma.CodeCeremonyMoved, liuma.CodeLeft,
		liuma.CodeNotReturned,
		liuma.CodeRequestURIInvalid, liuma.CodeCodeInvalid,
		liuma.CodePhoneSame, liuma.CodePINReset, liuma.CodeNotFrozen, liuma.CodeResetPlanned, liuma.CodeLinksFull,
		liuma.CodeTicketEnded, liuma.CodeTicketTaken, liuma.CodeTicketWaits, liuma.CodeTicketApp, liuma.CodeTicketPage,
		liuma.CodeCorrectionWaits, liuma.CodeCorrectionStopped, liuma.CodeCorrectionHasCard, liuma.CodeCorrectionContested:
		return http.StatusConflict, true
	case liuma.CodeEnvelopeInvalid, liuma.CodeChallengeExpired, liuma.CodeEvidenceInvalid,
		liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodeNotInRegistry,
		liuma.CodeDocumentInvalid, liuma.CodeDocumentState,
		liuma.CodePINFormat, liuma.CodeWeakPIN, liuma.CodeReceiptInvalid,
		liuma.CodePhoneCodeFormat, liuma.CodePhoneInvalid, liuma.CodeCorrectionSame:
		return http.StatusUnprocessableEntity, true
	case liuma.CodeLocked:
		return http.StatusLocked, true
	}
	return http.StatusInternalServerError, false
}

func newProblem(f door.Refusal) problem {
	return problem{
		Type:       "urn:liuma:problem:" + string(f.Code),
		Status:     f.Status,
		Code:       string(f.Code),
		Title:      f.In(f.What),
		Detail:     f.In(f.Detail),
		NextStep:   f.In(f.Next),
		Instance:   f.Instance,
		TitleZH:    f.What.ZH,
		TitleEN:    f.What.EN,
		DetailZH:   f.Detail.ZH,
		DetailEN:   f.Detail.EN,
		NextStepZH: f.Next.ZH,
		NextStepEN: f.Next.EN,
		BusinessNo: f.BusinessNo,
		Field:      f.Field,
		Reason:     f.Reason,
		TriesLeft:  f.TriesLeft,
		Until:      moment(f.Until),
		Challenge:  f.Challenge,
	}
}
