package door

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

// Reason is a finer name beneath the error codes bad_request and
// unauthenticated. Like error codes, reasons are stable. Each door for programs
// has its own; reasons of more than one door are here.
type Reason string

// The shared reasons.
const (
	ReasonMethod          Reason = "method"
	ReasonContentType     Reason = "content_type"
	ReasonContentEncoding Reason = "content_encoding"
	ReasonQuery           Reason = "query"
	ReasonBody            Reason = "body_unreadable"
	ReasonClientStopped   Reason = "client_stopped"

	ReasonSyntax    = Reason(strictjson.Syntax)
	ReasonDuplicate = Reason(strictjson.Duplicate)
	ReasonMissing   = Reason(strictjson.Missing)
	ReasonUnknown   = Reason(strictjson.Unknown)
	ReasonType      = Reason(strictjson.Type)
)

// Explained is a reason with its explanation for the developer of a client.
// English is ASCII without quotes, since it may become an OAuth
// error_description (RFC 6749, 5.2).
type Explained struct {
	Reason Reason
	Text   liuma.Text
}

// Reasons are a door's reasons, in the order of its document.
type Reasons []Explained

// Text returns the explanation of a reason; false if the door has no such
// reason.
func (all Reasons) Text(r Reason) (liuma.Text, bool) {
	for _, e := range all {
		if e.Reason == r {
			return e.Text, true
		}
	}
	return liuma.Text{}, false
}

// Has reports whether the list holds a reason.
func (all Reasons) Has(r Reason) bool {
	_, ok := all.Text(r)
	return ok
}

// Says makes the row of a reason.
func Says(r Reason, zh, en string) Explained {
	return Explained{Reason: r, Text: liuma.Text{ZH: zh, EN: en}}
}

// Shared returns a reason with the explanation that is the same at every door.
// It is for tables of reasons; a reason without a shared explanation gets an
// empty one, which the tests of the tables refuse.
func Shared(r Reason) Explained {
	switch r {
	case ReasonMethod:
		return Says(r, "该地址不支持此方法。", "This address does not answer to this method.")
	case ReasonContentEncoding:
		return Says(r, "请求体不得压缩。", "The body must not be compressed.")
	case ReasonQuery:
		return Says(r, "地址中不得带查询参数。", "The address must not carry a query.")
	case ReasonBody:
		return Says(r, "请求体没有收完整。", "The body did not arrive whole.")
	case ReasonDuplicate:
		return Says(r, "字段重复。", "A member appears twice.")
	case ReasonMissing:
		return Says(r, "缺少必填字段。", "A required member is missing.")
	case ReasonType:
		return Says(r, "字段类型不对。", "A member has the wrong type.")
	}
	return Explained{Reason: r}
}

// Malformed names a fault in the form of a request. The field is a parameter's
// name or a dotted path into a body, or empty.
func Malformed(why Reason, field string) *liuma.Error {
	return &liuma.Error{Code: liuma.CodeBadRequest, Field: field, Reason: string(why)}
}

// Unauthenticated says why it is not known whose request it is.
func Unauthenticated(why Reason, field string, cause error) *liuma.Error {
	return &liuma.Error{Code: liuma.CodeUnauthenticated, Field: field, Reason: string(why), Cause: cause}
}
