package oidc

import (
	"net/http"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
)

// problem is an OAuth error (RFC 6749, 5.2; RFC 9126, 2.3), with the members of the
// native door's problem documents.
type problem struct {
	Error         string     `json:"error"`
	Description   string     `json:"error_description"` // English, ASCII; begins with the field at fault
	Code          string     `json:"code"`              // stable; branch on this
	Reason        string     `json:"reason,omitempty"`
	Field         string     `json:"field,omitempty"`
	NextStep      string     `json:"next_step"` // in the language asked for (Accept-Language: zh or en; zh if neither)
	DescriptionZH string     `json:"error_description_zh"`
	NextStepZH    string     `json:"next_step_zh"`
	NextStepEN    string     `json:"next_step_en"`
	BusinessNo    string     `json:"business_no,omitempty"`
	Challenge     string     `json:"challenge,omitempty"` // with evidence_required: the challenge that the evidence must be bound to
	TriesLeft     *int       `json:"tries_left,omitempty"`
	Until         *time.Time `json:"until,omitempty"`
	Instance      string     `json:"instance"` // this occurrence; name it when asking for help
}

// oauthRow maps an error code to OAuth: the errors of the PAR and the token
// endpoint, and the HTTP status at both.
type oauthRow struct {
	par, token string
	status     int
}

// oauthOf is the only table from error codes to OAuth errors. The second result
// is false for an error code without a row; a test checks that every error code
// has one.
func oauthOf(c liuma.Code) (oauthRow, bool) {
	switch c {
	case liuma.CodeInternal:
		return oauthRow{"server_error", "server_error", http.StatusInternalServerError}, true
	case liuma.CodeUnavailable:
		return oauthRow{"temporarily_unavailable", "temporarily_unavailable", http.StatusServiceUnavailable}, true
	case liuma.CodeBusy, liuma.CodeTooManyRequests, liuma.CodeSlowDown, liuma.CodeChangeUnderWay, liuma.CodeTooManyOpen, liuma.CodeRationSpent:
		return oauthRow{"temporarily_unavailable", "temporarily_unavailable", http.StatusTooManyRequests}, true
	case liuma.CodeBadRequest:
		return oauthRow{"invalid_request", "invalid_request", http.StatusBadRequest}, true
	case liuma.CodeUnauthenticated:
		return oauthRow{"invalid_client", "invalid_client", http.StatusUnauthorized}, true
	case liuma.CodeForbidden:
		return oauthRow{"unauthorized_client", "unauthorized_client", http.StatusBadRequest}, true
	case liuma.CodeNotFound:
		return oauthRow{"invalid_request", "invalid_request", http.StatusNotFound}, true
	case liuma.CodeTooLarge:
		return oauthRow{"invalid_request", "invalid_request", http.StatusRequestEntityTooLarge}, true
	case liuma.CodeBusinessNoUsed, liuma.CodeUndecided,
		liuma.CodeChallengeExpired, liuma.CodeEvidenceRequired, liuma.CodeEvidenceInvalid, liuma.CodeEvidenceUsed,
		liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodeNotInRegistry,
		liuma.CodeDocumentInvalid, liuma.CodeDocumentState,
		liuma.CodeEnvelopeInvalid, liuma.CodePINFormat, liuma.CodeWeakPIN, liuma.CodePhoneInvalid:
		return oauthRow{detailsError, "invalid_grant", http.StatusBadRequest}, true
	case liuma.CodeAlreadyEnrolled, liuma.CodeCardRestored, liuma.CodeCardClosed, liuma.CodeRefused, liuma.CodeWrong, liuma.CodeLocked, liuma.CodeBlocked,
		liuma.CodeFrozen, liuma.CodeLossReported, liuma.CodeLossReportOff, liuma.CodeCancelled, liuma.CodeLeft, liuma.CodeNotReturned,
		liuma.CodeReceiptInvalid, liuma.CodeReceiptSpent, liuma.CodeReceiptStale,
		liuma.CodeCeremonyExpired, liuma.CodeCeremonyElsewhere, liuma.CodeCeremonyMoved,
		liuma.CodePhoneCodeFormat, liuma.CodePhoneCodeSuperseded, liuma.CodePhoneCodeWrong, liuma.CodePhoneCodeExpired, liuma.CodePhoneCodesSpent,
		liuma.CodePhoneCodeSoon, liuma.CodePhoneCodeLimit, liuma.CodePhoneCodeLink, liuma.CodePhoneCodesKept,
		liuma.CodePhoneCodeChannel, liuma.CodePhoneNumbers, liuma.CodePhoneSame, liuma.CodePhoneNone,
		liuma.CodePhoneLate, liuma.CodeContested, liuma.CodeNumberCorrecting, liuma.CodePhoneStale, liuma.CodePINReset, liuma.CodeNotFrozen, liuma.CodeOnlineOff,
		liuma.CodeGuardian, liuma.CodeBirthdayUnknown, liuma.CodeConsentRequired,
		liuma.CodeResetPlanned, liuma.CodeCardNoWrong, liuma.CodeCardNoSpent, liuma.CodeCardNoNeeded, liuma.CodePINTooOld,
		liuma.CodeFreezeCodeInvalid, liuma.CodeFreezeCodeLimit, liuma.CodeHotlineLimit, liuma.CodeFreezesSpent, liuma.CodeLinkLimit, liuma.CodeLinksFull,
		liuma.CodeTicketUnknown, liuma.CodeTicketEnded, liuma.CodeTicketTaken, liuma.CodeTicketWaits, liuma.CodePINNotYet,
		liuma.CodeTicketApp, liuma.CodeTicketPage, liuma.CodeTicketLink, liuma.CodePINStopped,
		liuma.CodeCorrectionSame, liuma.CodeCorrectionWaits, liuma.CodeCorrectionStopped, liuma.CodeCorrectionHasCard, liuma.CodeCorrectionContested:
		return oauthRow{"access_denied", "invalid_grant", http.StatusBadRequest}, true
	case liuma.CodeRequestURIInvalid, liuma.CodeCodeInvalid:
		return oauthRow{"invalid_request", "invalid_grant", http.StatusBadRequest}, true
	}
	return oauthRow{"server_error", "server_error", http.StatusInternalServerError}, false
}

func statusOf(c liuma.Code) (int, bool) {
	row, ok := oauthOf(c)
	return row.status, ok
}

const detailsError = "invalid_authorization_details"

// nameOf is the OAuth error of e at a path.
func nameOf(e *liuma.Error, path string) string {
	row, _ := oauthOf(e.Code)
	name := row.par
	if path == TokenPath {
		name = row.token
	}
	if accessReasons().Has(reason(e.Reason)) { // RFC 6750, 3.1
		return "invalid_token"
	}
	if e.Code != liuma.CodeBadRequest {
		return name
	}
	if path == TokenPath && e.Field == "code_verifier" && reason(e.Reason) != reasonDuplicate && reason(e.Reason) != reasonUTF8 { // RFC 7636, 4.6
		return "invalid_grant"
	}
	if detailsReasons().Has(reason(e.Reason)) || strings.HasPrefix(e.Field, detailsName+".") {
		return detailsError
	}
	switch reason(e.Reason) {
	case reasonRequestObject:
		return "request_not_supported"
	case reasonResponseType:
		return "unsupported_response_type"
	case reasonScope:
		return "invalid_scope"
	case reasonPrompt:
		return "interaction_required"
	case reasonGrantType:
		return "unsupported_grant_type"
	}
	return name
}

func newProblem(r *http.Request, f door.Refusal) problem {
	doc := problem{
		Error: nameOf(f.Error, r.URL.Path), Code: string(f.Code), Reason: f.Reason, Field: f.Field,
		Description: f.Detail.EN, DescriptionZH: f.Detail.ZH,
		NextStep: f.In(f.Next), NextStepZH: f.Next.ZH, NextStepEN: f.Next.EN,
		BusinessNo: f.BusinessNo, Challenge: f.Challenge, TriesLeft: f.TriesLeft, Instance: f.Instance,
	}
	if f.Field != "" {
		doc.Description = f.Field + ": " + f.Detail.EN
	}
	doc.Description = descriptive(doc.Description)
	if !f.Until.IsZero() {
		until := f.Until.UTC().Truncate(time.Second)
		doc.Until = &until
	}
	return doc
}

// descriptive keeps the characters that an error_description may have.
func descriptive(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return '?'
		}
		return c
	}, s)
}
