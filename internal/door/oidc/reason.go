package oidc

import (
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

// reason is a finer name beneath the error codes bad_request and unauthenticated. A
// reason that the native door has too has the same name there.
type reason = door.Reason

const (
	reasonMethod                 = door.ReasonMethod
	reasonPath                   = door.ReasonPath
	reasonContentType            = door.ReasonContentType
	reasonContentEncoding        = door.ReasonContentEncoding
	reasonQuery                  = door.ReasonQuery
	reasonBody                   = door.ReasonBody
	reasonFormSyntax      reason = "form_syntax"
	reasonUTF8            reason = "utf8"
	reasonMany            reason = "parameters_many"
	reasonDuplicate       reason = "parameter_duplicate"
	reasonMissing         reason = "parameter_missing"

	reasonShort  reason = "value_short"
	reasonLong   reason = "value_long"
	reasonForm   reason = "value_form"
	reasonChoice reason = "value_choice"

	reasonSyntax               = door.ReasonSyntax
	reasonDeep                 = reason(strictjson.Deep)
	reasonCount         reason = "details_count"
	reasonMemberTwice          = door.ReasonDuplicate
	reasonMemberMissing        = door.ReasonMissing
	reasonMemberUnknown        = door.ReasonUnknown
	reasonMemberType           = door.ReasonType
	reasonDocument             = door.ReasonDocument

	reasonRequestObject reason = "request_object"
	reasonRequestURI    reason = "request_uri"
	reasonResponseType  reason = "response_type"
	reasonResponseMode  reason = "response_mode"
	reasonScope         reason = "scope"
	reasonPrompt        reason = "prompt"
	reasonChallenge     reason = "code_challenge_method"
	reasonRedirectURI   reason = "redirect_uri"
	reasonGrantType     reason = "grant_type"

	reasonAuthMethod         reason = "auth_method"
	reasonAssertionMissing   reason = "assertion_missing"
	reasonAssertionForm      reason = "assertion_form"
	reasonAssertionType      reason = "assertion_typ"
	reasonAssertionSignature reason = "assertion_signature"
	reasonAssertionSubject   reason = "assertion_subject"
	reasonAssertionAudience  reason = "assertion_audience"
	reasonAssertionStrict    reason = "assertion_audience_strict"
	reasonAssertionLifetime  reason = "assertion_lifetime"
	reasonAssertionExpired   reason = "assertion_expired"
	reasonAssertionFuture    reason = "assertion_future"
	reasonAssertionID        reason = "assertion_jti"
	reasonAssertionUsed      reason = "assertion_used"
	reasonClientID           reason = "client_id"
	reasonClientStopped             = door.ReasonClientStopped

	reasonAccessMissing reason = "access_token_missing"
	reasonAccessInvalid reason = "access_token"
)

// reasons lists every reason of the door.
func reasons() door.Reasons {
	return slices.Concat(requestReasons(), detailsReasons(), flowReasons(), clientReasons(), accessReasons())
}

func requestReasons() door.Reasons {
	return door.Explain("oidc",
		reasonMethod,
		reasonPath,
		reasonContentType,
		reasonContentEncoding,
		reasonQuery,
		reasonBody,
		reasonFormSyntax,
		reasonUTF8,
		reasonMany,
		reasonDuplicate,
		reasonMissing,
		reasonShort,
		reasonLong,
		reasonForm,
		reasonChoice,
	)
}

func detailsReasons() door.Reasons {
	return door.Explain("oidc",
		reasonSyntax,
		reasonDeep,
		reasonCount,
		reasonMemberTwice,
		reasonMemberMissing,
		reasonMemberUnknown,
		reasonMemberType,
		reasonDocument,
	)
}

func flowReasons() door.Reasons {
	return door.Explain("oidc",
		reasonRequestObject,
		reasonRequestURI,
		reasonResponseType,
		reasonResponseMode,
		reasonScope,
		reasonPrompt,
		reasonChallenge,
		reasonRedirectURI,
		reasonGrantType,
	)
}

// clientReasons all give invalid_client, whose error code is unauthenticated.
func clientReasons() door.Reasons {
	return door.Explain("oidc",
		reasonAuthMethod,
		reasonAssertionMissing,
		reasonAssertionForm,
		reasonAssertionType,
		reasonAssertionSignature,
		reasonAssertionSubject,
		reasonAssertionAudience,
		reasonAssertionStrict,
		reasonAssertionLifetime,
		reasonAssertionExpired,
		reasonAssertionFuture,
		reasonAssertionID,
		reasonAssertionUsed,
		reasonClientID,
		reasonClientStopped,
	)
}

// accessReasons all give invalid_token, whose error code is unauthenticated.
func accessReasons() door.Reasons {
	return door.Explain("oidc",
		reasonAccessMissing,
		reasonAccessInvalid,
	)
}

// refuse names a fault in the form of a request, or of its assertion. The
// field is a parameter's name or a dotted path into one, or empty.
func refuse(why reason, field string) *liuma.Error {
	if clientReasons().Has(why) || accessReasons().Has(why) {
		return door.Unauthenticated(why, field, nil)
	}
	return door.Malformed(why, field)
}
