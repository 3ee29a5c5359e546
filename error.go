package liuma

import (
	"errors"
	"fmt"
	"time"
)

// Code is an error code: the stable name of an error, in snake case. Channels
// branch on it; its meaning never changes.
type Code string

// Error is an error that may be shown outside the process. Every member is safe
// to show but Cause, which is for the log alone.
type Error struct {
	Code Code
	// Field names the request's member that is at fault, as a dotted path,
	// or is empty.
	Field string
	// TriesLeft is how many wrong PINs remain, or nil where that may not be
	// said: a channel without a link to the card learns nothing.
	TriesLeft *int
	// Until is when the refusal ends by itself, or zero.
	Until time.Time
	// Reason is a finer error code beneath Code, such as the PIN rule that refused.
	Reason string
	// Sentence says in plain words what Reason means, and how to do better.
	Sentence Text
	// Challenge, with CodeEvidenceRequired, is the challenge that the evidence
	// must be bound to.
	Challenge string
	// Cause is never shown.
	Cause error
}

// Fail makes an Error with a cause for the log. The cause may be nil.
func Fail(code Code, cause error) *Error { return &Error{Code: code, Cause: cause} }

// FailField makes an Error that names the member at fault.
func FailField(code Code, field string, cause error) *Error {
	return &Error{Code: code, Field: field, Cause: cause}
}

func (e *Error) Error() string {
	s := string(e.Code)
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.Cause != nil {
		return fmt.Sprintf("%s: %v", s, e.Cause)
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// Is makes errors.Is(err, &Error{Code: c}) match on the error code alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf returns the error code of the outermost Error in err's chain. Any other
// error gives CodeInternal, so an error without an error code is never shown.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// Outward returns err if it is an *Error, and otherwise an *Error that says no
// more than that the service was unable: what is not classified is never a
// verdict (I-9). nil stays nil.
func Outward(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return Fail(CodeUnavailable, err)
}

// AtField names the member of a request that an *Error is about. An inability
// is about no member, and stays as it is.
func AtField(err error, field string) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Code != CodeUnavailable {
		c := *e
		c.Field = field
		return &c
	}
	return err
}

// The error codes. Each has its sentences in package locale; a test compares the two. Those
// named CodePhone… are about one-time codes and the bound phone.
const (
	CodeInternal         Code = "internal"
	CodeUnavailable      Code = "unavailable"
	CodeBusy             Code = "busy"
	CodeTooManyRequests  Code = "too_many_requests" // of one client or source at once; nothing was done
	CodeBadRequest       Code = "bad_request"
	CodeUnauthenticated  Code = "unauthenticated"
	CodeForbidden        Code = "forbidden"
	CodeNotFound         Code = "not_found"
	CodeTooLarge         Code = "too_large"
	CodeBusinessNoUsed   Code = "business_no_used"
	CodeSlowDown         Code = "slow_down" // the PIN that was typed is being tried on many cards
	CodeUndecided        Code = "undecided"
	CodeEnvelopeInvalid  Code = "envelope_invalid"
	CodeChallengeExpired Code = "challenge_expired"
	CodeEvidenceRequired Code = "evidence_required"
	CodeEvidenceInvalid  Code = "evidence_invalid"
	CodeEvidenceUsed     Code = "evidence_used"
	CodeIDNumberInvalid  Code = "id_number_invalid"
	CodeIDNumber15       Code = "id_number_15_digits"
	CodeDocumentInvalid  Code = "document_invalid"       // type or number
	CodeDocumentState    Code = "document_state_missing" // a passport without its issuing state
	CodeGuardian         Code = "guardian_needed"        // the holder is too young to act alone
	CodeBirthdayUnknown  Code = "birthday_unknown"       // neither the number nor the registry has it
	CodeConsentRequired  Code = "consent_required"       // the holder has not agreed to the present text
	CodeNotInRegistry    Code = "not_in_registry"
	CodeAlreadyEnrolled  Code = "already_enrolled"
	CodeCardRestored     Code = "card_restored" // only the keepers knew the holder's card
	CodeCardClosed       Code = "card_closed"   // the holder applies anew from a time on
	CodePINFormat        Code = "pin_format"
	CodeWeakPIN          Code = "weak_pin"
	CodePINTooOld        Code = "pin_too_old" // the region wants a new PIN before this one proves anything
	CodeChangeUnderWay   Code = "change_under_way"
	CodeRefused          Code = "refused"    // the only refusal that a channel without a link gets
	CodeLinkLimit        Code = "link_limit" // the PIN was right, and the card was linked three times within a day
	CodeLinksFull        Code = "links_full" // the PIN was right, and the card has ten links that are known
	CodeWrong            Code = "wrong_pin"
	CodeLocked           Code = "locked"
	CodeBlocked          Code = "blocked"
	CodeFrozen           Code = "frozen"
	CodeCancelled        Code = "cancelled"
	CodeLossReported     Code = "loss_reported"   // by phone; ends by itself
	CodeLossReportOff    Code = "loss_report_off" // the card's region takes no such reports
	CodeReceiptInvalid   Code = "receipt_invalid"
	CodeReceiptSpent     Code = "receipt_spent"
	CodeReceiptStale     Code = "receipt_stale"

	CodeCeremonyExpired   Code = "ceremony_expired"
	CodeCeremonyElsewhere Code = "ceremony_elsewhere" // another browser goes on with it
	CodeCeremonyMoved     Code = "ceremony_moved"     // another page of the same ceremony was ahead
	CodeLeft              Code = "left_by_holder"
	CodeTooManyOpen       Code = "too_many_open" // ten ceremonies of the holder were begun in the channel and not ended
	CodeRequestURIInvalid Code = "request_uri_invalid"
	CodeNotReturned       Code = "not_returned" // the verdict did not come back by the browser that gave the PIN
	CodeCodeInvalid       Code = "code_invalid" // authorization code unknown, used, late or for another

	CodePhoneCodeFormat Code = "phone_code_format"
	CodePhoneCodeWrong  Code = "phone_code_wrong"
	// CodePhoneCodeSuperseded is a code that was sent, before another one.
	CodePhoneCodeSuperseded Code = "phone_code_superseded"
	CodePhoneCodeExpired    Code = "phone_code_expired" // none was sent, or it is used or too old
	CodePhoneCodesSpent     Code = "phone_codes_spent"  // too many wrong codes within a day
	CodePhoneCodeSoon       Code = "phone_code_too_soon"
	CodePhoneCodeLimit      Code = "phone_code_limit"         // too many codes to this number within a day
	CodePhoneCodeLink       Code = "phone_code_link_limit"    // too many codes through this link within a day
	CodePhoneCodesKept      Code = "phone_codes_kept"         // what is left is for known links
	CodePhoneCodeChannel    Code = "phone_code_channel_limit" // the channel's budget is spent
	CodePhoneNumbers        Code = "phone_numbers_limit"      // too many numbers that are not bound, for this card within a day
	CodePhoneInvalid        Code = "phone_invalid"
	CodePhoneSame           Code = "phone_same" // it is the bound one already
	CodePhoneNone           Code = "phone_not_bound"
	CodePhoneLate           Code = "phone_bound_lately"
	CodePhoneStale          Code = "phone_unconfirmed"
	CodePINReset            Code = "pin_reset" // the ceremony ended because the PIN was reset meanwhile
	CodeNotFrozen           Code = "not_frozen"
	CodeContested           Code = "card_contested"      // the holder's number was given to another person
	CodeOnlineOff           Code = "online_recovery_off" // this service sends no codes
	CodeResetPlanned        Code = "reset_planned"       // noted; the new PIN can be set after a day
	CodeCardNoWrong         Code = "card_number_wrong"
	CodeCardNoSpent         Code = "card_numbers_spent" // too many wrong card numbers within a day
	CodeCardNoNeeded        Code = "card_number_needed" // the region asks for it beside the other proofs
	CodeFreezeCodeInvalid   Code = "freeze_code_invalid"
	CodeFreezeCodeLimit     Code = "freeze_code_limit" // too many wrong ones from one network; a right one works
	CodeHotlineLimit        Code = "hotline_limit"     // a hotline asked for more freezes than its ration
	CodeFreezesSpent        Code = "freezes_spent"     // as many cards were frozen through a channel as its ration allows
	CodeRationSpent         Code = "ration_spent"      // any other client did something as often as its ration allows
	CodeNumberCorrecting    Code = "number_correcting" // a correction of the holder's number waits

	CodeTicketUnknown Code = "ticket_unknown" // no live ticket has this code, or it is not of this act and card
	CodeTicketEnded   Code = "ticket_ended"   // its time is over, it was used, or what it stood on is gone
	CodeTicketTaken   Code = "ticket_taken"   // another browser goes on with it
	CodeTicketWaits   Code = "ticket_waits"   // a supervisor has not approved it yet
	CodeTicketApp     Code = "ticket_app"     // it counts in the holder's own app alone
	CodeTicketPage    Code = "ticket_page"    // it has a page of its own, and counts in no app
	CodeTicketLink    Code = "ticket_link"    // the app's link is not known: a ticket takes nothing's place there
	CodePINNotYet     Code = "pin_not_yet"    // set at a counter without a known contact; it counts from a time on
	CodePINStopped    Code = "pin_stopped"    // its card was stopped before it counted: only the counter helps

	CodeCorrectionSame      Code = "correction_same"      // former and new number are one
	CodeCorrectionWaits     Code = "correction_waits"     // another correction waits for one of the numbers
	CodeCorrectionStopped   Code = "correction_stopped"   // a freeze or an operator stopped this very correction
	CodeCorrectionHasCard   Code = "correction_has_card"  // there is an electronic card under the new number
	CodeCorrectionContested Code = "correction_contested" // the new number is another person's; an operator decides
)

// Text is the same words in Chinese and English.
type Text struct{ ZH, EN string }
