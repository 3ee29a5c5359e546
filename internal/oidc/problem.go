package oidc

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/liuma-pin/liuma"
)

// problem is an OAuth error (RFC 6749, 5.2; RFC 9126, 2.3), with the members
// that the native door's problem documents have.
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
	Challenge     string     `json:"challenge,omitempty"` // with evidence_required: what the evidence must be bound to
	TriesLeft     *int       `json:"tries_left,omitempty"`
	Until         *time.Time `json:"until,omitempty"`
	Instance      string     `json:"instance"` // this occurrence; name it when asking for help
}

// oauthRow is how a code reads in OAuth: at the PAR endpoint and at the token
// endpoint, and the HTTP status at both.
type oauthRow struct {
	par, token string
	status     int
}

// oauthOf is the one table from code to OAuth error. The second result is
// false for a code without a row; a test holds the table and the codes
// together.
func oauthOf(c liuma.Code) (oauthRow, bool) {
	switch c {
	case liuma.CodeInternal:
		return oauthRow{"server_error", "server_error", http.StatusInternalServerError}, true
	case liuma.CodeUnavailable:
		return oauthRow{"temporarily_unavailable", "temporarily_unavailable", http.StatusServiceUnavailable}, true
	case liuma.CodeBusy, liuma.CodeChangeUnderWay:
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
		liuma.CodeEnvelopeInvalid, liuma.CodePINFormat, liuma.CodeWeakPIN, liuma.CodePhoneInvalid:
		return oauthRow{detailsError, "invalid_grant", http.StatusBadRequest}, true
	case liuma.CodeAlreadyEnrolled, liuma.CodeRefused, liuma.CodeWrong, liuma.CodeLocked, liuma.CodeBlocked,
		liuma.CodeFrozen, liuma.CodeCancelled, liuma.CodeLeft,
		liuma.CodeReceiptInvalid, liuma.CodeReceiptSpent, liuma.CodeReceiptStale,
		liuma.CodeCeremonyExpired, liuma.CodeCeremonyElsewhere, liuma.CodeCeremonyMoved,
		liuma.CodePhoneCodeFormat, liuma.CodePhoneCodeWrong, liuma.CodePhoneCodeExpired, liuma.CodePhoneCodesSpent,
		liuma.CodePhoneCodeSoon, liuma.CodePhoneCodeLimit, liuma.CodePhoneSame, liuma.CodePhoneNone,
		liuma.CodePhoneLate, liuma.CodePhoneStale, liuma.CodePINReset, liuma.CodeNotFrozen, liuma.CodeOnlineOff,
		liuma.CodeResetPlanned, liuma.CodeCardNoWrong, liuma.CodeCardNoSpent,
		liuma.CodeFreezeCodeInvalid, liuma.CodeFreezeCodeLimit:
		return oauthRow{"access_denied", "invalid_grant", http.StatusBadRequest}, true
	case liuma.CodeRequestURIInvalid, liuma.CodeCodeInvalid:
		return oauthRow{"invalid_request", "invalid_grant", http.StatusBadRequest}, true
	}
	return oauthRow{"server_error", "server_error", http.StatusInternalServerError}, false
}

// shown reduces err to what may leave the house. What nobody classified is an
// internal error and nothing more; the one refusal carries nothing that would
// tell its causes apart.
func shown(err error) *liuma.Error {
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok {
		return &liuma.Error{Code: liuma.CodeInternal}
	}
	if _, known := oauthOf(e.Code); !known {
		return &liuma.Error{Code: liuma.CodeInternal}
	}
	switch e.Code {
	case liuma.CodeInternal, liuma.CodeRefused:
		return &liuma.Error{Code: e.Code}
	}
	return e
}

// answerOf is the OAuth error and HTTP status of e at a path.
func answerOf(e *liuma.Error, path string) (name string, status int) {
	row, _ := oauthOf(e.Code)
	name, status = row.par, row.status
	if path == TokenPath {
		name = row.token
	}
	if e.Code == liuma.CodeBadRequest {
		if x, ok := reason(e.Reason).explain(); ok && x.oauth != "" {
			name = x.oauth
		}
		if strings.HasPrefix(e.Field, detailsName+".") {
			name = detailsError
		}
	}
	switch reason(e.Reason) {
	case reasonMethod:
		status = http.StatusMethodNotAllowed
	case reasonContentType, reasonContentEncoding:
		status = http.StatusUnsupportedMediaType
	}
	return name, status
}

// fail answers with an OAuth error and logs the cause.
func (d *Door) fail(v *visit, r *http.Request, err error) {
	e := shown(err)
	if r.Context().Err() != nil {
		// The caller is gone or the server is stopping; nobody is at fault.
		e = &liuma.Error{Code: liuma.CodeUnavailable}
	}
	name, status := answerOf(e, r.URL.Path)
	d.logFailure(v, r, status, e.Code, err)
	h := v.Header()
	h.Add("Vary", "Accept-Language")
	if s := retryAfter(e, d.now()); s > 0 {
		h.Set("Retry-After", strconv.Itoa(s))
	}
	doc := d.tongue.problem(e, r.Header.Get("Accept-Language"))
	doc.Error = name
	doc.Instance = "urn:liuma:request:" + v.id
	doc.BusinessNo = string(v.businessNo)
	if err := answer(v, status, doc); err != nil {
		d.log.ErrorContext(r.Context(), "OAuth error", "request", v.id, "error", err)
	}
}

// logFailure keeps the cause, which is never shown. Errors in the house hold
// nothing personal, so the cause may be logged.
func (d *Door) logFailure(v *visit, r *http.Request, status int, code liuma.Code, err error) {
	level := slog.LevelDebug
	switch {
	case r.Context().Err() != nil:
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case code == liuma.CodeUnauthenticated || code == liuma.CodeForbidden || code == liuma.CodeCodeInvalid:
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

func (t tongue) problem(e *liuma.Error, acceptLanguage string) problem {
	x := liuma.Explain(e.Code)
	what := x.What
	if r, ok := reason(e.Reason).explain(); ok {
		what = r.text
	}
	if e.Sentence != (liuma.Text{}) {
		what = e.Sentence
	}
	doc := problem{
		Code: string(e.Code), Reason: e.Reason, Field: e.Field,
		Description: what.EN, DescriptionZH: what.ZH,
		NextStepZH: x.Next.ZH, NextStepEN: x.Next.EN, NextStep: x.Next.ZH,
		Challenge: e.Challenge, TriesLeft: e.TriesLeft,
	}
	if e.Field != "" {
		doc.Description = e.Field + ": " + what.EN
	}
	doc.Description = descriptive(doc.Description)
	if !e.Until.IsZero() {
		until := e.Until.UTC().Truncate(time.Second)
		doc.Until = &until
	}
	if t.english(acceptLanguage) {
		doc.NextStep = x.Next.EN
	}
	return doc
}

// descriptive keeps what an error_description may have.
func descriptive(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return '?'
		}
		return c
	}, s)
}
