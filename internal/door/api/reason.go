package api

import (
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

type reason = door.Reason

// The reasons of this door, beside the shared ones. Reasons about a body's form
// come from the strict reader.
const (
	reasonEmpty    = reason(strictjson.Empty)
	reasonUTF8     = reason(strictjson.UTF8)
	reasonTrailing = reason(strictjson.Trailing)
	reasonShort    = reason(strictjson.Short)
	reasonLong     = reason(strictjson.Long)
	reasonForm     = reason(strictjson.Form)
	reasonChoice   = reason(strictjson.Choice)

	reasonSubject reason = "subject_mixed"

	reasonTokenMissing   reason = "token_missing"
	reasonTokenForm      reason = "token_form"
	reasonTokenType      reason = "token_typ"
	reasonTokenSignature reason = "token_signature"
	reasonTokenSubject   reason = "token_subject"
	reasonTokenAudience  reason = "token_audience"
	reasonTokenLifetime  reason = "token_lifetime"
	reasonTokenExpired   reason = "token_expired"
	reasonTokenFuture    reason = "token_future"
)

// reasons lists every reason of the door, in the order of the document.
func reasons() door.Reasons { return append(requestReasons(), tokenReasons()...) }

// requestReasons are the reasons of bad_request.
func requestReasons() door.Reasons {
	return door.Explain("api",
		door.ReasonMethod,
		door.ReasonPath,
		door.ReasonContentType,
		door.ReasonContentEncoding,
		door.ReasonQuery,
		door.ReasonBody,
		reasonEmpty,
		door.ReasonSyntax,
		reasonUTF8,
		reasonTrailing,
		door.ReasonUnknown,
		door.ReasonDuplicate,
		door.ReasonMissing,
		door.ReasonType,
		reasonShort,
		reasonLong,
		reasonForm,
		reasonChoice,
		door.ReasonDocument,
		reasonSubject,
	)
}

// tokenReasons are the reasons of unauthenticated.
func tokenReasons() door.Reasons {
	return door.Explain("api",
		reasonTokenMissing,
		reasonTokenForm,
		reasonTokenType,
		reasonTokenSignature,
		reasonTokenSubject,
		reasonTokenAudience,
		reasonTokenLifetime,
		reasonTokenExpired,
		reasonTokenFuture,
		door.ReasonClientStopped,
	)
}
