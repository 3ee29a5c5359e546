package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/strictjson"
	"github.com/liuma-pin/liuma/internal/vault"
)

// The routes.
const (
	pathHello        = "/v1/hello"
	pathStatus       = "/v1/status"
	pathClient       = "/v1/clients"
	pathChange       = "/v1/clients/change"
	pathImport       = "/v1/registry/import"
	pathAgencies     = "/v1/agencies"
	pathAgencyImport = "/v1/agencies/import"
	pathConflicts    = "/v1/registry/conflicts"
	pathDecide       = "/v1/registry/conflicts/decide"
	pathCorrect      = "/v1/registry/correct"
	pathCorrections  = "/v1/registry/corrections"
	pathNotCorrect   = "/v1/registry/corrections/cancel"
	pathGoOn         = "/v1/registry/corrections/go-on"
	pathHeld         = "/v1/registry/held"
	pathErase        = "/v1/registry/erase"
	pathMinors       = "/v1/registry/minors"
	pathTexts        = "/v1/texts"
	pathRetry        = "/v1/texts/retry"
	pathInbox        = "/v1/texts/inbox"
	pathDropText     = "/v1/texts/drop"
	pathAlarms       = "/v1/alarms"
	pathNumbers      = "/v1/numbers"
	pathFind         = "/v1/record/find"
	pathCheck        = "/v1/record/check"
	pathSeek         = "/v1/record/seek"
	pathRotate       = "/v1/keys/rotate"
	pathDrop         = "/v1/keys/drop"
	pathDigest       = "/v1/record/digest"
	pathResume       = "/v1/record/digest/resume"
	pathRecord       = "/v1/record"
	pathPlan         = "/v1/record/archive/plan"
	pathKeep         = "/v1/record/archive/keep"
	pathRoot         = "/v1/keys/vault/rotate"
	pathDropRoot     = "/v1/keys/vault/drop"
	pathHead         = "/v1/cards/head"
	pathAuthority    = "/v1/authorities"
	pathAccept       = "/v1/restore/accept"
	pathClock        = "/v1/clock"
	pathAcceptClock  = "/v1/clock/accept"
	pathKeepers      = "/v1/keepers"
	pathRepair       = "/v1/keepers/repair"
)

// greeting tells an administration door from any other program that may answer
// at the socket.
const greeting = "liuma-admin/2"

// Limits of requests and answers, in bytes.
const (
	maxBody   = 64 << 10 // of a change: a name, a key, regions
	maxAnswer = 64 << 20 // of an answer: a list of clients
)

// Code is an error code: the stable name of a refusal.
type Code string

// The error codes.
const (
	CodeTaken     Code = "taken"
	CodeReserved  Code = "reserved"
	CodeUnknown   Code = "unknown"
	CodeKey       Code = "key_invalid"
	CodeLastKey   Code = "last_key"
	CodeClient    Code = "client_invalid"
	CodeParent    Code = "channel_above"
	CodeNoText    Code = "text_unknown"
	CodeNoRetry   Code = "text_not_retriable"
	CodeNotDead   Code = "text_not_dead"
	CodeDays      Code = "days_invalid"
	CodeSearch    Code = "search_invalid"
	CodeNoStream  Code = "stream_unknown"
	CodeNoInbox   Code = "no_inbox"
	CodeKeyInUse  Code = "key_in_use"
	CodeKeyNeeded Code = "key_of_last_digest"
	CodeKeySigns  Code = "key_signs"
	CodeNoKey     Code = "key_unknown"
	CodeReason    Code = "reason_missing"
	CodeRootKeys  Code = "root_keys_full"
	CodeRootSeals Code = "root_key_seals"
	CodeNoRoot    Code = "root_key_unknown"
	CodeResealing Code = "resealing"
	CodeOthers    Code = "other_authorities"
	CodeBehind    Code = "clock_behind"
	CodeNotAhead  Code = "clock_not_ahead"
	CodeRequest   Code = "request_invalid"
	CodeTooLarge  Code = "too_large"
	CodeBusy      Code = "import_busy"  // one import at a time
	CodeNoFile    Code = "file_missing" // no open descriptor came
	CodeManyFiles Code = "file_several" // more than one came
	CodeFile      Code = "file_invalid" // not a regular file, too long, not to be read
	CodeChanged   Code = "file_changed" // during the import
	CodeStopping  Code = "stopping"     // the server is being stopped
	CodeStore     Code = "store_failed"
	CodeFull      Code = "disk_full"
	CodeUndecided Code = "store_undecided"
	CodeNoAnswer  Code = "store_unreachable"
	CodeFailed    Code = "failed"
	CodeNoServer  Code = "not_serving"
	CodeNoCard    Code = "card_unknown"
	CodeKeepers   Code = "keepers_disagree"
	CodeNothing   Code = "nothing_to_archive"
	CodeArchive   Code = "archive_not_next"
	CodeNoKeeper  Code = "keeper_unknown"
	CodeRepairing Code = "keeper_repairing"
	CodePeers     Code = "keepers_too_few"
	CodeElsewhere Code = "keeper_elsewhere"
	CodeConflict  Code = "conflict_unknown"
	CodeCardNo    Code = "card_number_taken"
	CodeAgrees    Code = "conflict_agrees"
	CodeAwaited   Code = "number_awaited"
	CodeNoCorrect Code = "correction_unknown"
	CodeCounts    Code = "correction_counts"
	CodeNotUntold Code = "correction_not_untold"
	CodeNotTaken  Code = "correction_not_taken"
	CodeCorrect   Code = "correction_refused"
	CodeNobody    Code = "person_unknown"
	CodeNumber    Code = "id_number_invalid"
	CodeLive      Code = "person_live"
	CodeFrozen    Code = "card_frozen"
	CodeReported  Code = "loss_reported"
	CodeUnderway  Code = "person_underway"
	CodeKept      Code = "card_kept_by_keepers"
	CodeRetire    Code = "keepers_not_all"
	CodeDigits    Code = "digits_invalid"
	CodePlace     Code = "place_invalid"
)

// Refusal is the server's answer to a request that it did not carry out.
type Refusal struct {
	Code     Code
	Sentence string
}

func (r *Refusal) Error() string { return r.Sentence }

// Unwrap returns the error that the server had, so that callers see the same errors
// as without a server.
func (r *Refusal) Unwrap() error {
	for _, k := range known() {
		if k.code == r.Code {
			return k.err
		}
	}
	return nil
}

// Errors of the door itself.
var (
	errRequest = errors.New("the server does not understand this command; use the release of liuma that serves")
	errTooLong = errors.New("this is more than the operator's door takes")
	errStop    = errors.New("the server is being stopped")
)

type knownError struct {
	err    error
	code   Code
	status int
}

// known are the errors that callers can tell apart over the socket.
func known() []knownError {
	return append(slices.Concat(knownOfStaff(), knownOfKeepers(), knownOfPolicy(), knownOfFreezes(), knownOfDesk(), knownOfLetters(), knownOfAgencies(), knownOfAuthorities()), []knownError{
		{admin.ErrTaken, CodeTaken, http.StatusConflict},
		{admin.ErrUnknown, CodeUnknown, http.StatusNotFound},
		{admin.ErrKey, CodeKey, http.StatusUnprocessableEntity},
		{admin.ErrLastKey, CodeLastKey, http.StatusConflict},
		{admin.ErrClient, CodeClient, http.StatusUnprocessableEntity},
		{admin.ErrParent, CodeParent, http.StatusConflict},
		{store.ErrNotFound, CodeNoText, http.StatusNotFound},
		{notify.ErrNotRetriable, CodeNoRetry, http.StatusConflict},
		{notify.ErrNotDead, CodeNotDead, http.StatusConflict},
		{admin.ErrDays, CodeDays, http.StatusBadRequest},
		{admin.ErrSearch, CodeSearch, http.StatusBadRequest},
		{admin.ErrNoStream, CodeNoStream, http.StatusNotFound},
		{admin.ErrNoInbox, CodeNoInbox, http.StatusConflict},
		{admin.ErrKeyInUse, CodeKeyInUse, http.StatusConflict},
		{admin.ErrLastDigestKey, CodeKeyNeeded, http.StatusConflict},
		{vault.ErrKeySigns, CodeKeySigns, http.StatusConflict},
		{vault.ErrNoSuchKey, CodeNoKey, http.StatusNotFound},
		{audit.ErrReason, CodeReason, http.StatusUnprocessableEntity},
		{vault.ErrRootKeys, CodeRootKeys, http.StatusConflict},
		{vault.ErrRootSeals, CodeRootSeals, http.StatusConflict},
		{vault.ErrNoRootKey, CodeNoRoot, http.StatusNotFound},
		{admin.ErrResealing, CodeResealing, http.StatusConflict},
		{clock.ErrBehind, CodeBehind, http.StatusConflict},
		{clock.ErrNotAhead, CodeNotAhead, http.StatusConflict},
		{admin.ErrImporting, CodeBusy, http.StatusConflict},
		{admin.ErrFile, CodeFile, http.StatusUnprocessableEntity},
		{admin.ErrFileChanged, CodeChanged, http.StatusConflict},
		{errNoFile, CodeNoFile, http.StatusBadRequest},
		{errManyFiles, CodeManyFiles, http.StatusBadRequest},
		{admin.ErrNotServing, CodeNoServer, http.StatusConflict},
		{admin.ErrNoCard, CodeNoCard, http.StatusNotFound},
		{admin.ErrKeepers, CodeKeepers, http.StatusServiceUnavailable},
		{admin.ErrNothingToArchive, CodeNothing, http.StatusConflict},
		{admin.ErrArchive, CodeArchive, http.StatusConflict},
		{registry.ErrNoConflict, CodeConflict, http.StatusNotFound},
		{registry.ErrCardTaken, CodeCardNo, http.StatusConflict},
		{registry.ErrAgrees, CodeAgrees, http.StatusConflict},
		{registry.ErrAwaited, CodeAwaited, http.StatusConflict},
		{registry.ErrUnknownCorrection, CodeNoCorrect, http.StatusNotFound},
		{registry.ErrCounts, CodeCounts, http.StatusConflict},
		{registry.ErrNotUntold, CodeNotUntold, http.StatusConflict},
		{registry.ErrNoCorrection, CodeNotTaken, http.StatusConflict},
		{admin.ErrCorrection, CodeCorrect, http.StatusConflict},
		{registry.ErrNobody, CodeNobody, http.StatusNotFound},
		{registry.ErrDigits, CodeDigits, http.StatusUnprocessableEntity},
		{registry.ErrPlace, CodePlace, http.StatusUnprocessableEntity},
		{admin.ErrNumber, CodeNumber, http.StatusUnprocessableEntity},
		{authority.ErrLive, CodeLive, http.StatusConflict},
		{authority.ErrFrozen, CodeFrozen, http.StatusConflict},
		{authority.ErrReported, CodeReported, http.StatusConflict},
		{authority.ErrUnderway, CodeUnderway, http.StatusConflict},
		{authority.ErrKept, CodeKept, http.StatusConflict},
		{authority.ErrRetire, CodeRetire, http.StatusServiceUnavailable},
		{store.ErrFailed, CodeStore, http.StatusServiceUnavailable}, {store.ErrFull, CodeFull, http.StatusServiceUnavailable},
		{store.ErrUndecided, CodeUndecided, http.StatusServiceUnavailable}, {store.ErrUnreachable, CodeNoAnswer, http.StatusServiceUnavailable},
		{errRequest, CodeRequest, http.StatusBadRequest},
		{errTooLong, CodeTooLarge, http.StatusRequestEntityTooLarge},
		{errStop, CodeStopping, http.StatusServiceUnavailable},
	}...)
}

// knownOfKeepers are the errors about the keepers.
func knownOfKeepers() []knownError {
	return []knownError{
		{admin.ErrNoKeeper, CodeNoKeeper, http.StatusNotFound},
		{admin.ErrRepairing, CodeRepairing, http.StatusConflict},
		{admin.ErrPeers, CodePeers, http.StatusConflict},
		{admin.ErrElsewhere, CodeElsewhere, http.StatusConflict},
	}
}

// problem is a refusal on the wire (RFC 9457, with an error code).
type problem struct {
	Status int    `json:"status"`
	Code   Code   `json:"code"`
	Detail string `json:"detail"`
}

func (p *problem) refusal() error { return &Refusal{Code: p.Code, Sentence: p.Detail} }

// explain turns an error into an answer. This program's errors hold nothing
// personal or secret, so an operator gets the same text as the log.
func explain(err error) *problem {
	if errors.Is(err, context.Canceled) {
		err = errStop // if the client went away instead, it reads no answer
	}
	if long, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = fmt.Errorf("%w: at most %d bytes", errTooLong, long.Limit)
	}
	for _, k := range known() {
		if errors.Is(err, k.err) {
			return &problem{Status: k.status, Code: k.code, Detail: err.Error()}
		}
	}
	return &problem{Status: http.StatusInternalServerError, Code: CodeFailed, Detail: err.Error()}
}

// hello is the answer to pathHello.
type hello struct {
	Door string `json:"door"`
}

// listed is the answer to a list.
type listed struct {
	Clients []store.Client `json:"clients"`
}

// done is the answer to a change.
type done struct{}

// textsListed and inboxListed are answers.
type textsListed struct {
	Texts []notify.MessageView `json:"texts"`
}

type inboxListed struct {
	Texts []admin.InboxText `json:"texts"`
}

// retryText asks to send a message again, and retried answers it.
type retryText struct {
	ID string `json:"id"`
}

type retried struct {
	ID string `json:"id"` // that it goes by now
}

// rotateKey and dropKey ask for a change of the signing keys.
type rotateKey struct{}

type dropKey struct {
	KID string `json:"kid"`
}

// rotateRoot asks for a new root key of the vault.
type rotateRoot struct {
	Reason audit.Reason `json:"reason"`
}

// dropRoot asks to destroy an older root key.
type dropRoot struct {
	ID     uint32       `json:"id"`
	Reason audit.Reason `json:"reason"`
}

// raiseHead and acceptRestore ask for acts on restored cards; Card is empty in
// the first step of the second.
type raiseHead struct {
	Card   string       `json:"card"`
	Reason audit.Reason `json:"reason"`
}

type acceptRestore struct {
	After  string       `json:"after"`
	Reason audit.Reason `json:"reason"`
}

// acceptedStep is authority.Accepted on the wire.
type acceptedStep struct {
	Cards  int64  `json:"cards"`
	Raised int64  `json:"raised"`
	Failed int64  `json:"failed"`
	Last   string `json:"last"`
	Done   bool   `json:"done"`
}

// planArchive asks what the next archive would hold, and keepArchive records that it
// was written.
type planArchive struct {
	Before int64 `json:"before"` // milliseconds since 1970; 0: what need not be kept
}

type keepArchive struct {
	Token  string       `json:"token"`
	Reason audit.Reason `json:"reason"`
}

// acceptClock asks for the machine's clock to be accepted.
type acceptClock struct {
	Reason audit.Reason `json:"reason"`
}

// keepersListed is the answer to pathKeepers.
type keepersListed struct {
	Keepers []admin.KeeperState `json:"keepers"`
}

// repairKeeper asks to restore a keeper from the others.
type repairKeeper struct {
	ID     string       `json:"id"`
	Reason audit.Reason `json:"reason"`
}

// change is one change of a registered client.
type change struct {
	What what             `json:"what"`
	Kind store.ClientKind `json:"kind"`
	ID   string           `json:"id"`
	KID  string           `json:"kid,omitempty"` // with removeKey
	Key  *jose.JSONWebKey `json:"key,omitempty"` // with addKey
}

type what string

const (
	stop      what = "stop"
	resume    what = "resume"
	addKey    what = "add_key"
	removeKey what = "remove_key"
	// The audience of a channel's assertions.
	strictAudience what = "audience_strict"
	anyAudience    what = "audience_any"
)

// event is one line of the answer to an import; one member is set.
type event struct {
	Read   *int64    `json:"read,omitempty"` // bytes worked through
	Reject *rejected `json:"reject,omitempty"`
	Cell   *rejected `json:"cell,omitempty"`
	End    *ended    `json:"end,omitempty"` // the last line
}

type rejected struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

type ended struct {
	Read     int64 `json:"read"` // rows
	Kept     int64 `json:"kept"`
	Rejected int64 `json:"rejected"`
	// The members below are set only by a server that knows them.
	Unchanged int64 `json:"unchanged,omitempty"`
	Cells     int64 `json:"cells,omitempty"`
	Abolished int64 `json:"abolished,omitempty"`
	// For agencies.
	Added      int64    `json:"added,omitempty"`
	Changed    int64    `json:"changed,omitempty"`
	Telephones int64    `json:"telephones,omitempty"`
	Problem    *problem `json:"problem,omitempty"`
}

func (e *ended) summary() registry.Summary {
	return registry.Summary{
		Read: e.Read, Kept: e.Kept, Rejected: e.Rejected, Unchanged: e.Unchanged, Cells: e.Cells, Abolished: e.Abolished,
	}
}

func (e *ended) agencies() agency.Summary {
	return agency.Summary{Read: e.Read, Kept: e.Kept, Rejected: e.Rejected, Unchanged: e.Unchanged, Added: e.Added, Changed: e.Changed, Telephones: e.Telephones}
}

// The words of an import's query.
const (
	queryEncoding = "encoding"
	queryDryRun   = "dry_run"
)

// importQuery writes into a request's address how its file is imported; importConfig
// reads exactly that spelling.
func importQuery(c admin.ImportConfig) string {
	q := url.Values{}
	if c.Encoding != sheet.Guess {
		q.Set(queryEncoding, string(c.Encoding))
	}
	if c.DryRun {
		q.Set(queryDryRun, "true")
	}
	return q.Encode()
}

func importConfig(raw string) (c admin.ImportConfig, err error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return c, errRequest
	}
	c.DryRun = q.Get(queryDryRun) != ""
	if c.Encoding, err = sheet.ParseEncoding(q.Get(queryEncoding)); err != nil || importQuery(c) != raw {
		return c, errRequest
	}
	return c, nil
}

// decode reads one JSON value and accepts only the exact bytes that this release
// writes for it. So no member is unknown, doubled or spelled in another case, nothing
// follows the value, and no other reader can read the same bytes differently. Only
// the command of the same release calls here.
func decode[T any](r io.Reader) (v T, err error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return v, err
	}
	if v, err = strictjson.Canonical[T](raw); err != nil {
		return v, errRequest
	}
	return v, nil
}

// sendable refuses a private key: it must never be sent.
func sendable(key jose.JSONWebKey) error {
	if !key.Valid() || !key.IsPublic() {
		return admin.ErrKey
	}
	return nil
}
