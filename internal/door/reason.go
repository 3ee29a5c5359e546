package door

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/strictjson"
	"github.com/liuma-pin/liuma/locale"
)

// Reason is a finer name beneath the error codes bad_request, unauthenticated and
// not_found. Like error codes, reasons are stable. Each door for programs
// has its own; reasons of more than one door are here.
type Reason string

// The shared reasons.
const (
	ReasonMethod          Reason = "method"
	ReasonPath            Reason = "path" // beneath not_found
	ReasonContentType     Reason = "content_type"
	ReasonContentEncoding Reason = "content_encoding"
	ReasonQuery           Reason = "query"
	ReasonBody            Reason = "body_unreadable"
	ReasonClientStopped   Reason = "client_stopped"
	// ReasonDocument says that the holder's number came in two members.
	ReasonDocument Reason = "document_twice"

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

// Explain adds the explanations from the catalogue to a door's reasons: the door's
// own ones, or those that are the same at every door.
func Explain(door string, reasons ...Reason) Reasons {
	all := make(Reasons, 0, len(reasons))
	for _, r := range reasons {
		all = append(all, Explained{Reason: r, Text: locale.Both(func(w *locale.Words) string { return w.Reason(door, string(r)) })})
	}
	return all
}

// Malformed names a fault in the form of a request. The field is a parameter's
// name or a dotted path into a body, or empty.
func Malformed(why Reason, field string) *liuma.Error {
	return &liuma.Error{Code: liuma.CodeBadRequest, Field: field, Reason: string(why)}
}

// NoSuchPath says that an address does not exist.
func NoSuchPath() *liuma.Error {
	return &liuma.Error{Code: liuma.CodeNotFound, Reason: string(ReasonPath)}
}

// Unauthenticated says why the client of a request is not known.
func Unauthenticated(why Reason, field string, cause error) *liuma.Error {
	return &liuma.Error{Code: liuma.CodeUnauthenticated, Field: field, Reason: string(why), Cause: cause}
}
