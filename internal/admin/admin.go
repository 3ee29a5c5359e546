// Package admin holds the administration of an authority: operators register
// clients and their keys, import the registry, look after messages, change
// signing keys and read the status. It knows no HTTP and not how the process
// was put together, so that the command, the administration door and a console
// can all use it.
//
// It guarantees that every change of the authority's database has its audit
// entry in the same transaction, with Actor as its actor (I-8); that only
// public P-256 keys are kept, that a client always has at least one, and that
// an identifier belongs to one client for good; that an import reads one whole
// regular file, or reports that it did not, and keeps whole chunks; and that no
// answer holds secret or personal data (except Inbox, which only exists where
// no messages are sent). It trusts its caller: the door checks who that is.
//
// Start here: Administration, in admin.go.
package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Actor is the actor in the audit entries of administration.
const Actor = "operator"

// Administration is everything that an operator can do. Two types implement it:
// Admin, in the process that has the store, and the client of the
// administration door. Both do the same and return the same errors; both are
// safe for concurrent use. Both pass the trials of package admintest.
type Administration interface {
	// Clients returns the clients of a kind in the order of their identifiers.
	Clients(ctx context.Context, kind store.ClientKind) ([]store.Client, error)
	// AddClient registers a client. Errors: ErrClient, ErrKey, ErrTaken.
	AddClient(ctx context.Context, c Client) error
	// StopClient makes every door refuse the client, from its next request on.
	// ErrUnknown.
	StopClient(ctx context.Context, kind store.ClientKind, id string) error
	// ResumeClient lets a stopped client use the doors again. ErrUnknown.
	ResumeClient(ctx context.Context, kind store.ClientKind, id string) error
	// AddClientKey adds a key to a client's keys. Errors: ErrUnknown, ErrKey,
	// ErrTaken.
	AddClientKey(ctx context.Context, kind store.ClientKind, id string, key jose.JSONWebKey) error
	// RemoveClientKey removes a key, from the client's next request on. Errors:
	// ErrUnknown, ErrLastKey.
	RemoveClientKey(ctx context.Context, kind store.ClientKind, id, kid string) error

	// ImportRegistry imports a registry file (registry.Import describes its
	// format) from its first byte, and neither uses nor moves the file's
	// position. With an error, the Summary counts the rows that are certainly
	// kept; if the connection to a server is lost, the number is unknown. Errors:
	// ErrFile, ErrFileChanged, ErrImporting.
	ImportRegistry(ctx context.Context, file *os.File, c ImportConfig) (registry.Summary, error)

	// Conflicts lists rows of imports that are about another person than the one
	// registered under their number, until they are decided: in the order of their
	// IDs after one, at most MaxConflicts, masked. Conflict shows one, a decided one
	// too. registry.ErrNoConflict.
	Conflicts(ctx context.Context, after string) ([]registry.ConflictView, error)
	Conflict(ctx context.Context, id string) (registry.ConflictView, error)
	// KeepConflict decides that the registered person stays. Errors: audit.ErrReason,
	// registry.ErrNoConflict.
	KeepConflict(ctx context.Context, id string, reason audit.Reason) error
	// ReplaceConflict decides that the number is the other person's; an electronic
	// card under it is frozen. Errors: the same, registry.ErrCardTaken,
	// registry.ErrAgrees.
	ReplaceConflict(ctx context.Context, id string, reason audit.Reason) (registry.Replaced, error)

	Status(context.Context) (Status, error)

	// Texts lists messages of the outbox in a state, or in all, in the order of
	// their IDs after one, at most MaxTexts.
	Texts(ctx context.Context, state store.MessageState, after string) ([]notify.MessageView, error)
	// RetryText sends a dead notice again and returns its new ID. Errors:
	// store.ErrNotFound, notify.ErrNotRetriable.
	RetryText(ctx context.Context, id string) (string, error)
	// Inbox shows the messages that the inbox driver kept, one-time codes too.
	// ErrNoInbox: the driver is another.
	Inbox(context.Context) ([]InboxText, error)

	// Clock says how the times of the authority and its keepers stand.
	Clock(context.Context) (ClockState, error)
	// AcceptClock moves the kept time up to the machine's clock, on the record with
	// a reason. Errors: audit.ErrReason, ErrNotServing, clock.ErrNotAhead, clock.ErrBehind.
	AcceptClock(ctx context.Context, reason audit.Reason) (ClockState, error)

	// RotateSigningKey makes a new key the signing key, from the next start of a
	// server on.
	RotateSigningKey(context.Context) (RotatedKey, error)
	// DropSigningKey destroys a key that no longer signs and that the record does not
	// need. Errors: ErrKeyInUse, ErrLastDigestKey, vault.ErrNoSuchKey, vault.ErrKeySigns.
	DropSigningKey(ctx context.Context, kid string) (DroppedKey, error)

	// MakeDigest checks the entries since the last digest of the audit record and
	// makes the next digest now.
	MakeDigest(context.Context) (Digest, error)
	// ResumeDigests makes it where the key that signed the last one is not in the key
	// file any more, and checks that one with public keys that the operator kept.
	// Errors: audit.ErrReason.
	ResumeDigests(ctx context.Context, keys jose.JSONWebKeySet, reason audit.Reason) (Digest, error)
	// ExportRecord writes the audit record, or a part of it, as lines of JSON. It
	// ends with a line of its own; without that line it was cut off.
	ExportRecord(ctx context.Context, q record.Query, w io.Writer) error
	// PlanArchive says what the next archive of the record would hold: what digests from
	// before a time cover; a zero time is that up to which the record need not be kept.
	// ErrNothingToArchive.
	PlanArchive(ctx context.Context, before time.Time) (ArchivePlan, error)
	// KeepArchive takes an archive for written, by its signature: what it holds leaves
	// the database when its time comes. Errors: audit.ErrReason, ErrArchive.
	KeepArchive(ctx context.Context, token string, reason audit.Reason) (Archive, error)
	// RotateRootKey adds a root key to the vault; it seals from now on, in a
	// running server too. Errors: audit.ErrReason, vault.ErrRootKeys.
	RotateRootKey(ctx context.Context, reason audit.Reason) (RootKey, error)
	// DropRootKey destroys an older root key once nothing is sealed under it.
	// Errors: audit.ErrReason, ErrResealing, vault.ErrRootSeals, vault.ErrNoRootKey.
	DropRootKey(ctx context.Context, id uint32, reason audit.Reason) (DroppedRootKey, error)
	// Keepers says how each keeper stands; Status has it too.
	Keepers(context.Context) ([]KeeperState, error)
	// RepairKeeper begins to bring a keeper back from the others, on the record with
	// a reason. It goes on in the process that has the keepers; Keepers says how far
	// it is and how it ended. Errors: audit.ErrReason, ErrNoKeeper, ErrRepairing,
	// ErrPeers.
	RepairKeeper(ctx context.Context, id string, reason audit.Reason) error
	// RaiseHead brings one card's row, which was restored from an older copy, up
	// to what the keepers have seen, so that it is served again. Errors:
	// audit.ErrReason, ErrNotServing, ErrNoCard, ErrKeepers.
	RaiseHead(ctx context.Context, card liuma.CardID, reason audit.Reason) (authority.Raised, error)
	// AcceptRestore does so for the cards after one, step by step, until Done.
	// Errors: audit.ErrReason, ErrNotServing.
	AcceptRestore(ctx context.Context, after liuma.CardID, reason audit.Reason) (authority.Accepted, error)
}

// ImportConfig says how a file is imported, and has the functions that an import
// reports to. All members are optional; the functions are called from
// ImportRegistry's own goroutine.
type ImportConfig struct {
	Encoding registry.Encoding // Guess: as the file begins
	DryRun   bool              // judge everything and write nothing
	// Progress gets the number of bytes that were worked through.
	Progress func(read int64)
	// Reject gets the line number, from 1, and the reason of each row that was not
	// imported.
	Reject func(line int, reason string)
	// Cell gets the same of each cell that was left out of a row that was imported.
	Cell func(line int, reason string)
}

// Registry imports people; *registry.Registry does. It keeps whole chunks, each
// in one transaction with its audit entry.
type Registry interface {
	Import(ctx context.Context, r io.Reader, c registry.ImportConfig) (registry.Summary, error)
	Conflicts(ctx context.Context, after string) ([]registry.ConflictView, error)
	Conflict(ctx context.Context, id string) (registry.ConflictView, error)
	KeepRegistered(ctx context.Context, actor, id string, reason audit.Reason) error
	ReplaceRegistered(ctx context.Context, actor, id string, reason audit.Reason) (registry.Replaced, error)
}

// Authority reports whether it can give verdicts now, and brings restored cards
// up to the keepers; *authority.Authority implements it.
type Authority interface {
	Ready(context.Context) error
	Spraying() authority.Spraying
	ChannelCodes(context.Context) ([]authority.ChannelCodes, error)
	RationUses(context.Context) ([]authority.RationUse, error)
	RaiseHead(ctx context.Context, actor string, card liuma.CardID, reason audit.Reason) (authority.Raised, error)
	AcceptRestore(ctx context.Context, actor string, after liuma.CardID, reason audit.Reason) (authority.Accepted, error)
}

// Quorum returns the highest sequence number that each keeper sent;
// *keeper.Quorum implements it.
type Quorum interface {
	Seen() map[keeper.ID]uint64
}

// Outbox is an outbox that sends; *notify.Outbox implements it.
type Outbox interface {
	Stats(context.Context) (notify.Stats, error)
	Wake() // looks for messages at once
}

// Inbox keeps messages instead of sending them; *notify.Inbox implements it.
type Inbox interface {
	Texts(phone string) []notify.Received // all, if phone is empty
}

// Config holds the parts that an Admin works with. All members but Server and
// Logger are required.
type Config struct {
	Store    store.Store
	Registry Registry
	Record   Record
	Vault    *vault.Vault // seals messages that are sent again
	KeyFile  string       // the file that Vault was opened from
	Clock    *clock.Clock // the time of Store
	Logger   *slog.Logger // default: discard
	// From the configuration, for Status.
	Issuer, Shape, TextsDriver string
	TextsVoice                 bool      // codes are read out by phone call, too
	Retention                  Retention // its days
	DatabaseFile               string    // its size is shown; "": it is not
	// Upkeep looks after the keepers whose directories this process has.
	Upkeep Upkeep
	// Server is the server in this process; nil if none runs.
	Server *Server
}

// Server holds the parts of a serving process. Authority, Quorum and
// Keepers are required.
type Server struct {
	Since     time.Time
	Authority Authority
	Quorum    Quorum
	Keepers   Keepers
	Doors     Doors  // nil if none is served
	Outbox    Outbox // nil if no messages are sent
	Inbox     Inbox  // nil unless the driver is the inbox
}

func (c *Config) check() error {
	if c.Store == nil || c.Registry == nil || c.Record == nil || c.Vault == nil || c.KeyFile == "" || c.Clock == nil {
		return errors.New("admin: config: want Store, Registry, Record, Vault, KeyFile and Clock")
	}
	if c.Upkeep == nil {
		return errors.New("admin: config: want Upkeep")
	}
	if c.Issuer == "" || c.Shape == "" || c.TextsDriver == "" {
		return errors.New("admin: config: want Issuer, Shape and TextsDriver")
	}
	if s := c.Server; s != nil && (s.Since.IsZero() || s.Authority == nil || s.Quorum == nil || s.Keepers == nil) {
		return errors.New("admin: config: want Since, Authority, Quorum and Keepers of the server")
	}
	return nil
}

// Admin is the Administration of the process that has the store.
type Admin struct {
	c Config
	// importing is held during an import: there is one at a time, because each
	// takes memory for every row of its file.
	importing sync.Mutex
}

var _ Administration = (*Admin)(nil)

// New checks the Config.
func New(c Config) (*Admin, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Admin{c: c}, nil
}
