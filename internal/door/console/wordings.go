package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// wordings are the sentences of the console in one language.
type wordings struct {
	locale.Console
	all     *locale.Words
	hotline string
	place   func(*locale.Words, liuma.Region) string
}

// of picks this language of a bilingual text; if the text does not have it, Chinese.
func (t *wordings) of(text liuma.Text) string {
	if t.Lang() == door.English {
		return text.EN
	}
	return text.ZH
}

func (t *wordings) role(r liuma.StaffRole) string { return t.all.Word("role", string(r)) }

func (t *wordings) roles(all []liuma.StaffRole) string {
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = t.role(r)
	}
	return t.list(names)
}

// list joins words to a list.
func (t *wordings) list(words []string) string { return strings.Join(words, t.Between("", "")) }

// region names a region, with its number.
func (t *wordings) region(r liuma.Region) string {
	if r == "" {
		return t.Nation()
	}
	return strings.TrimSpace(string(r) + " " + t.place(t.all, r))
}

func (t *wordings) agency(a liuma.Agency) string {
	if a == "" {
		return t.EveryAgency()
	}
	return string(a)
}

func (t *wordings) orNone(s string) string {
	if s == "" {
		return t.None()
	}
	return s
}

func (t *wordings) yes(is bool) string {
	if is {
		return t.Yes()
	}
	return t.No()
}

func (t *wordings) where(r liuma.Region, a liuma.Agency) string {
	if a == "" {
		return t.region(r)
	}
	return t.Between(t.region(r), t.agency(a))
}

// done is the sentence about an act, by its name in the address; an unknown name gives
// none.
func (t *wordings) done(said string) string {
	if said == "" {
		return ""
	}
	return t.all.Done(said)
}

// said is the reason why something was not done, and the next step.
type said struct {
	Title, Text string
	Detail      string // about proposed files: each fault
	status      int
	internal    bool // a fault of the program, not of the member
}

// reason is an error of the packages below, with the name of its sentences and the
// status of its answer.
type reason struct {
	is     error
	name   string
	status int
}

// reasons lists the known errors. An error that is not here is a fault of the program;
// its text goes to the log.
func reasons() []reason {
	const bad, conflict, missing, forbidden = http.StatusUnprocessableEntity, http.StatusConflict, http.StatusNotFound, http.StatusForbidden
	return append(slices.Concat(recordReasons(), counterReasons()), []reason{
		{errForm, "form", http.StatusBadRequest},
		{admin.ErrRole, "role", forbidden}, {staff.ErrBounds, "bounds", forbidden},
		{staff.ErrChallenge, "challenge", bad}, {staff.ErrCopied, "copied", forbidden}, {staff.ErrPasskey, "passkey", forbidden},
		{staff.ErrCode, "code", bad}, {staff.ErrEarly, "early", conflict}, {staff.ErrSuspended, "suspended", forbidden},
		{staff.ErrUnknown, "member", missing}, {staff.ErrTaken, "taken", conflict}, {staff.ErrFilledIn, "filled_in", bad},
		{staff.ErrRoles, "roles", bad}, {staff.ErrState, "state", conflict}, {staff.ErrLast, "last", conflict}, {staff.ErrNumber, "number", bad},
		{proposal.ErrAlone, "alone", conflict}, {proposal.ErrRole, "two_roles", forbidden}, {proposal.ErrSame, "same", forbidden},
		{proposal.ErrPair, "pair", forbidden}, {proposal.ErrUnknown, "proposal", missing}, {proposal.ErrEnded, "ended", conflict},
		{proposal.ErrLate, "late", conflict}, {proposal.ErrTooMany, "many", conflict}, {proposal.ErrKind, "kind", conflict},
		{proposal.ErrBody, "body", bad}, {staff.ErrAccount, "account", conflict},
		{store.ErrFull, "full", http.StatusServiceUnavailable}, {store.ErrFailed, "store", http.StatusServiceUnavailable},
		{store.ErrUndecided, "undecided", http.StatusServiceUnavailable}, {store.ErrUnreachable, "unreachable", http.StatusServiceUnavailable},
		{audit.ErrReason, "reason", bad},
		{edition.ErrSet, "policy_set", bad}, {edition.ErrSame, "policy_same", conflict}, {edition.ErrMoved, "policy_moved", conflict},
		{edition.ErrDigest, "policy_digest", conflict}, {edition.ErrBounds, "policy_bounds", forbidden}, {edition.ErrUnknown, "policy_edition", missing},
		{agency.ErrUnknown, "agency", missing}, {admin.ErrUnknown, "client", missing}, {admin.ErrTaken, "client_taken", conflict}, {admin.ErrReserved, "client_reserved", bad}, {admin.ErrKey, "key", bad},
		{admin.ErrLastKey, "last_key", conflict}, {admin.ErrClient, "client_filled_in", bad},
		{errRedirect, "redirect", bad}, {admin.ErrParent, "parent", conflict},
		{admin.ErrNoFreeze, "no_freeze", missing}, {admin.ErrFreezes, "freezes", http.StatusTooManyRequests}, {admin.ErrNoReports, "no_reports", conflict},
		{admin.ErrRepeated, "repeated", conflict},
		{admin.ErrTakesTwo, "takes_two", conflict}, {admin.ErrAct, "kind", conflict}, {admin.ErrElsewhereConfirmed, "elsewhere", conflict}, {keyring.ErrMember, "authority", missing}, {keyring.ErrGone, "authority_gone", conflict}, {vault.ErrNoIdentity, "no_identity", conflict}, {authority.ErrNotHastened, "not_hastened", conflict},
		{admin.ErrNoCard, "no_card", missing}, {admin.ErrKeepers, "keepers", conflict},
		{admin.ErrNotServing, "not_serving", conflict}, {admin.ErrNumber, "number", bad},
		{registry.ErrNoConflict, "conflict", missing}, {registry.ErrCardTaken, "card_taken", conflict}, {registry.ErrAwaited, "awaited", conflict},
		{registry.ErrNoCorrection, "no_correction", conflict}, {registry.ErrAgrees, "agrees", conflict},
		{registry.ErrUnknownCorrection, "correction", missing}, {registry.ErrCounts, "counts", conflict}, {registry.ErrNotUntold, "not_untold", conflict},
	}...)
}

// errRedirect says that a ceremony cannot go back to this address.
var errRedirect = errors.New("this address is none to go back to")

// because explains an error.
func (t *wordings) because(err error) said {
	for _, r := range reasons() {
		if errors.Is(err, r.is) {
			what, next := t.all.Why(r.name)
			out := said{Title: what, Text: next, status: r.status, internal: r.status >= http.StatusInternalServerError}
			if r.is == edition.ErrSet {
				out.Detail = err.Error()
			}
			return out
		}
	}
	if e, ok := errors.AsType[*liuma.Error](err); ok && e.Code != liuma.CodeInternal {
		x := t.all.Explanation(e.Code, t.hotline)
		return said{Title: x.What, Text: x.Next, status: http.StatusUnprocessableEntity}
	}
	x := t.all.Explanation(liuma.CodeInternal, t.hotline)
	return said{Title: x.What, Text: x.Next, status: http.StatusInternalServerError, internal: true}
}
