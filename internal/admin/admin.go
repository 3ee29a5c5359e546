// Package admin holds the administration of an authority: operators register clients and
// their keys, import the registry, look after messages, change signing keys and read the
// status. It knows neither HTTP nor how the process was started, so that the command, the
// administration door and a console can all use it.
//
// It guarantees that every change of the authority's database has its audit entry in the same
// transaction, with the member of staff who acts as its actor (I-8); that a member does only
// what their roles allow (Rules), and that a caller without a name can only look at the
// status; that only public P-256 keys are kept, that a client always has at least one, and
// that an identifier belongs to one client for good; that an import reads one whole regular
// file, or reports that it did not, and keeps whole chunks; and that no answer holds secret
// or personal data. Exceptions to the last are Inbox, which only exists where no messages are
// sent, and the data that is written out for a person or printed for them. It trusts its
// caller to say which account calls (Origin).
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
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Actor is the actor in the audit entries of administration before there is a member
// of staff; from then on it is the member (ActorOf).
const Actor = "operator"

// Administration is everything that an operator can do. Two types implement it:
// Guarded, in the process that has the store, and the client of the
// administration door. Both do the same and return the same errors; both are
// safe for concurrent use. Both pass the trials of package admintest.
type Administration interface {
	// Clients returns the clients of a kind in the order of their identifiers.
	Clients(ctx context.Context, kind store.ClientKind) ([]store.Client, error)
	// AddClient registers a client. Errors: ErrClient, ErrKey, ErrTaken, ErrReserved.
	AddClient(ctx context.Context, c Client) error
	// StopClient makes every door refuse the client, from its next request on.
	// ErrUnknown.
	StopClient(ctx context.Context, kind store.ClientKind, id string) error
	// ResumeClient lets a stopped client use the doors again. ErrUnknown.
	ResumeClient(ctx context.Context, kind store.ClientKind, id string) error
	// SetAudience says whether a channel's assertions must name the issuer alone.
	// ErrUnknown.
	SetAudience(ctx context.Context, id string, strict bool) error
	// AddClientKey adds a key to a client's keys. Errors: ErrUnknown, ErrKey,
	// ErrTaken.
	AddClientKey(ctx context.Context, kind store.ClientKind, id string, key jose.JSONWebKey) error
	// RemoveClientKey removes a key, from the client's next request on. Errors:
	// ErrUnknown, ErrLastKey.
	RemoveClientKey(ctx context.Context, kind store.ClientKind, id, kid string) error

	// ImportRegistry imports a registry file (registry.Import describes its format) from its
	// first byte, and neither uses nor moves the file's position. If there is an error, the
	// Summary counts the rows that are certainly kept; if the connection to a server is lost,
	// their number is unknown. Errors: ErrFile, ErrFileChanged, ErrImporting.
	ImportRegistry(ctx context.Context, file *os.File, c ImportConfig) (registry.Summary, error)

	// ImportAgencies imports a file of agencies (agency.Import describes it) in the same way
	// as ImportRegistry a file of people. Rows beyond the caller's region or agency are left
	// out. Errors: those of ImportRegistry, agency.ErrHeader.
	ImportAgencies(ctx context.Context, file *os.File, c ImportConfig) (agency.Summary, error)
	// Agencies lists agencies; it finds a closed one only by its code. Errors:
	// agency.ErrUnknown if there is no such code.
	Agencies(ctx context.Context, q AgencyQuery) (AgenciesFound, error)

	// Conflicts lists the undecided conflicts: rows of imports whose number is registered for
	// another person. They come masked, in the order of their IDs after a given one, at most
	// MaxConflicts. Conflict shows one, even if it is decided. registry.ErrNoConflict.
	Conflicts(ctx context.Context, after string) ([]registry.ConflictView, error)
	Conflict(ctx context.Context, id string) (registry.ConflictView, error)
	// KeepConflict decides that the registered person stays. Errors: audit.ErrReason,
	// registry.ErrNoConflict.
	KeepConflict(ctx context.Context, id string, reason audit.Reason) error
	// ReplaceConflict decides that the number is the other person's; an electronic card under
	// it is frozen. Errors: those of KeepConflict, registry.ErrCardTaken, registry.ErrAgrees.
	ReplaceConflict(ctx context.Context, id string, reason audit.Reason) (registry.Replaced, error)

	// CorrectNumber takes an operator's report that a person's ID number was corrected to
	// another. If the person has a card, the correction waits for 72 hours after the holder
	// was told. A running server starts it at once, otherwise the next server that starts.
	// Errors: audit.ErrReason, ErrCorrection.
	CorrectNumber(ctx context.Context, q NumberCorrection, reason audit.Reason) (CorrectedNumber, error)
	// Corrections lists corrections that wait or were stopped, masked, in the order of their
	// IDs after a given one, at most MaxCorrections.
	Corrections(ctx context.Context, after string) ([]registry.CorrectionView, error)
	// CancelCorrection cancels a correction that does not count yet. Errors: audit.ErrReason,
	// registry.ErrUnknownCorrection, registry.ErrCounts.
	CancelCorrection(ctx context.Context, id string, reason audit.Reason) error
	// GoOnUntold continues a correction that was stopped because its holder could not be
	// told. Errors: audit.ErrReason, registry.ErrUnknownCorrection, registry.ErrNotUntold,
	// and ErrTakesTwo once there are members of staff.
	GoOnUntold(ctx context.Context, id string, reason audit.Reason) (CorrectedNumber, error)
	// Held writes out the data held about the person of an ID number, because that person
	// asked for it; their bound phone is told. Errors: audit.ErrReason, ErrNumber,
	// registry.ErrNobody.
	Held(ctx context.Context, number string, reason audit.Reason) (registry.Held, error)
	// ErasePerson erases the data held about a person with a cancelled card, or begins to; a
	// trial changes nothing. Errors: audit.ErrReason, ErrNotServing, ErrNumber, ErrKeepers,
	// authority.ErrLive, authority.ErrFrozen, authority.ErrReported, authority.ErrUnderway,
	// authority.ErrKept, authority.ErrRetire.
	ErasePerson(ctx context.Context, number string, reason audit.Reason, trial bool) (authority.Erasure, error)
	// Minors counts the people under 18 on a day, by the first digits of their regions; one
	// call returns a part (registry.Registry.Minors). Errors: registry.ErrDigits,
	// registry.ErrPlace.
	Minors(ctx context.Context, on time.Time, digits int, from string) (registry.Minors, error)

	Status(context.Context) (Status, error)
	// Alarms lists the present alarms, the oldest first.
	Alarms(context.Context) ([]Alarm, error)
	// Numbers counts today's events by hours, or those of the last days by days, within the
	// bounds of the caller. Errors: ErrDays, staff.ErrBounds.
	Numbers(ctx context.Context, q NumbersQuery) (Numbers, error)

	// Texts lists messages of the outbox in a state, or in all, in the order of their IDs
	// after a given one, at most MaxTexts.
	Texts(ctx context.Context, state store.MessageState, after string) ([]notify.MessageView, error)
	// RetryText sends a dead notice again and returns its new ID. Errors:
	// store.ErrNotFound, notify.ErrNotRetriable.
	RetryText(ctx context.Context, id string) (string, error)
	// DropText deletes a message that was given up, on the record with a reason. Errors:
	// audit.ErrReason, store.ErrNotFound, notify.ErrNotDead.
	DropText(ctx context.Context, id string, reason audit.Reason) error

	// Letters lists letters of the caller's region in a state, or in all, in the order of
	// their IDs after a given one, at most MaxLetters. It and the methods below may return
	// ErrAtDesk.
	Letters(ctx context.Context, state store.LetterState, after string) ([]letter.View, error)
	// PrintLetters returns a batch of letters, with names and addresses; an empty batch if
	// none waits. LettersPrinted notes that the batch's file is written; until then
	// PrintLetters returns the same batch. Errors: letter.ErrNone, letter.ErrPrinted,
	// letter.ErrEnded.
	PrintLetters(ctx context.Context, o letter.Order) (letter.Batch, error)
	LettersPrinted(ctx context.Context, batch string) error
	// PostLetters records that a batch, a sheet or a letter was posted, and LetterBack that a
	// sheet or a letter did not reach its person. Each returns the number of letters. Errors:
	// those of letter.Done and letter.Back.
	PostLetters(ctx context.Context, name string) (int, error)
	LetterBack(ctx context.Context, name string) (int, error)
	// Inbox shows the messages that the inbox driver kept, including one-time codes.
	// ErrNoInbox: another driver is configured.
	Inbox(context.Context) ([]InboxText, error)

	// Clock returns the times of the authority and its keepers.
	Clock(context.Context) (ClockState, error)
	// AcceptClock moves the high-water time up to the machine's clock, on the record with a
	// reason. Errors: audit.ErrReason, ErrNotServing, clock.ErrNotAhead, clock.ErrBehind.
	AcceptClock(ctx context.Context, reason audit.Reason) (ClockState, error)

	// RotateSigningKey makes a new key the signing key, from the next start of a server on.
	// If several authorities use the database, the key is handed to all of them. Errors:
	// keyring.ErrUnconfirmed, keyring.ErrUnderWay.
	RotateSigningKey(context.Context) (RotatedKey, error)
	// DropSigningKey destroys a key that no longer signs and that the record does not
	// need. Errors: ErrKeyInUse, ErrLastDigestKey, vault.ErrNoSuchKey, vault.ErrKeySigns,
	// keyring.ErrLately.
	DropSigningKey(ctx context.Context, kid string) (DroppedKey, error)

	// MakeDigest checks the entries since the last digest of the audit record and
	// makes the next digest now.
	MakeDigest(context.Context) (Digest, error)
	// ResumeDigests makes the next digest when the key that signed the last one is no longer
	// in the key file. It checks the last digest with public keys that the operator kept.
	// Errors: audit.ErrReason.
	ResumeDigests(ctx context.Context, keys jose.JSONWebKeySet, reason audit.Reason) (Digest, error)
	// ExportRecord writes the audit record, or a part of it, as lines of JSON. The last line
	// says that the export is complete; if it is missing, the export was cut off.
	ExportRecord(ctx context.Context, q record.Query, w io.Writer) error
	// FindEntries searches the record; one call returns a part. Errors: ErrSearch.
	FindEntries(ctx context.Context, q RecordSearch) (FoundEntries, error)
	// CheckStream checks the hash chain of one stream. ErrSearch: the name has no valid form;
	// ErrNoStream.
	CheckStream(ctx context.Context, stream string) (StreamChecked, error)
	// SeekCard finds a person's card by their document, masked, with a reason and on the
	// record. Errors: audit.ErrReason, ErrNumber, registry.ErrNobody.
	SeekCard(ctx context.Context, number string, reason audit.Reason) (registry.Sought, error)
	// PlanArchive says what the next archive of the record would hold: the entries covered by
	// digests from before a given time. A zero time means the time until which the record
	// need not be kept. ErrNothingToArchive.
	PlanArchive(ctx context.Context, before time.Time) (ArchivePlan, error)
	// KeepArchive records that an archive was written, as its signature shows. The entries in
	// it leave the database when their time comes. Errors: audit.ErrReason, ErrArchive.
	KeepArchive(ctx context.Context, token string, reason audit.Reason) (Archive, error)
	// RotateRootKey adds a root key to the vault. It seals from now on, also in a running
	// server; with several authorities, once all have it. Errors: audit.ErrReason,
	// vault.ErrRootKeys, keyring.ErrUnconfirmed, keyring.ErrUnderWay.
	RotateRootKey(ctx context.Context, reason audit.Reason) (RootKey, error)
	// DropRootKey destroys an older root key once nothing is sealed under it.
	// Errors: audit.ErrReason, ErrResealing, vault.ErrRootSeals, vault.ErrNoRootKey.
	DropRootKey(ctx context.Context, id uint32, reason audit.Reason) (DroppedRootKey, error)
	// Authorities says who works with the database, and which keys each has.
	Authorities(context.Context) (Authorities, error)
	// ConfirmAuthority and DismissAuthority decide which authorities keys are handed to.
	// Errors: those of Admin's.
	ConfirmAuthority(ctx context.Context, q AuthorityWord) error
	DismissAuthority(ctx context.Context, name string, reason audit.Reason) error
	// Keepers returns the state of each keeper, which is in Status too.
	Keepers(context.Context) ([]KeeperState, error)
	// RepairKeeper starts to restore a keeper from the others, on the record with a reason.
	// The work goes on in the process that has the keepers; Keepers shows its progress and
	// result. Errors: audit.ErrReason, ErrNoKeeper, ErrRepairing, ErrPeers, ErrElsewhere.
	RepairKeeper(ctx context.Context, id string, reason audit.Reason) error
	// RaiseHead brings one card's row, which was restored from an older copy, above the head
	// that the keepers have seen, so that it is served again. Errors: audit.ErrReason,
	// ErrNotServing, ErrNoCard, ErrKeepers, and ErrTakesTwo once there are members of staff.
	RaiseHead(ctx context.Context, card liuma.CardID, reason audit.Reason) (authority.Raised, error)
	// AcceptRestore does RaiseHead for the cards after a given one, step by step, until Done.
	// Errors: audit.ErrReason, ErrNotServing, and ErrTakesTwo once there are members of
	// staff.
	AcceptRestore(ctx context.Context, after liuma.CardID, reason audit.Reason) (authority.Accepted, error)

	// BeginStaff invites the first operator and the first security officer, or a new one if
	// none is left (staff.Begin). The door sets the Account of the Beginning: any value but
	// nil is replaced by the calling account.
	BeginStaff(ctx context.Context, b staff.Beginning) ([]staff.Invited, error)
	// StaffMembers lists the members that the caller sees.
	StaffMembers(ctx context.Context) ([]staff.View, error)
	// ProposeStaff proposes a change of a member, and ApproveStaff carries out a change that
	// another member proposed. Errors: those of staff.Staff.Propose and Approve.
	ProposeStaff(ctx context.Context, c staff.Change) (staff.Proposed, error)
	ApproveStaff(ctx context.Context, id string) (staff.Approved, error)
	// Proposals lists proposals of all kinds that wait for an approval; WithdrawProposal
	// withdraws one. Errors: those of package proposal.
	Proposals(ctx context.Context) ([]ProposalView, error)
	WithdrawProposal(ctx context.Context, id string) error
	// SuspendStaff suspends a member at once. Errors: those of staff.Staff.Suspend.
	SuspendStaff(ctx context.Context, id liuma.StaffID, reason audit.Reason) error
	// AcceptInvitation accepts an invitation for the calling account. Errors: those of
	// staff.Staff.AcceptAtTerminal, staff.ErrNobody.
	AcceptInvitation(ctx context.Context, code string) (staff.Caller, error)
	// TerminalCode makes a code by which another terminal signs in as the caller, SignIn
	// turns the code into a session, and SignOut ends that session. Errors: staff.ErrCode,
	// staff.ErrSession.
	TerminalCode(ctx context.Context) (code string, until time.Time, err error)
	SignIn(ctx context.Context, code string) (SignedIn, error)
	SignOut(ctx context.Context) error
	// ExplainPolicy returns the policy of a region and a channel, with the layer that sets
	// each value and the members who proposed and approved it. Its error says why there is no
	// policy.
	ExplainPolicy(ctx context.Context, q edition.Question) (edition.Answer, error)
	// PolicyHistory lists editions of the policy, at most edition.MaxHistory, from the newest
	// down or from before a given number. PolicyEdition shows one, with its files.
	// edition.ErrUnknown.
	PolicyHistory(ctx context.Context, before uint64) ([]edition.Past, error)
	PolicyEdition(ctx context.Context, no uint64) (edition.Past, error)
	// CheckPolicy says what a policy would change. edition.ErrSet.
	CheckPolicy(ctx context.Context, d edition.Draft) (edition.Diff, error)
	// ProposePolicy stores a policy for another member to approve, and ProposedPolicy shows
	// it, with its digest. Errors: edition.ErrSet, edition.ErrSame, audit.ErrReason and those
	// of package proposal.
	ProposePolicy(ctx context.Context, d edition.Draft) (edition.Proposed, error)
	ProposedPolicy(ctx context.Context, id string) (edition.Proposed, error)
	// ApprovePolicy puts a proposed policy in force at once. The caller must name the digest
	// of the policy that they were shown. Errors: those of edition.Editions.Approve.
	ApprovePolicy(ctx context.Context, q edition.Approval) (edition.Approved, error)
	// ProposeAct proposes an act of another kind (ActHasten and the others), and ApproveAct
	// carries it out after another member's approval; ActRestore goes on, step by step, until
	// Done. Errors: those of Admin.ProposeAct and ApproveAct.
	ProposeAct(ctx context.Context, q Act) (ProposedAct, error)
	ApproveAct(ctx context.Context, q ActStep) (ActDone, error)
	// WhoAmI is the calling member; zero if there are no members yet. Errors:
	// staff.ErrNobody, staff.ErrSession.
	WhoAmI(ctx context.Context) (staff.Caller, error)

	// FreezeByPhone freezes the card of a holder who called, and ReportLossByPhone takes the
	// report of a loss, for a member of staff. Errors: ErrNoFreeze, ErrNumber, ErrFreezes,
	// ErrNoReports, ErrRepeated, ErrNotServing, staff.ErrNobody.
	FreezeByPhone(ctx context.Context, q PhoneFreeze) (PhoneFrozen, error)
	ReportLossByPhone(ctx context.Context, q PhoneFreeze) (PhoneFrozen, error)

	Desk
}

// Desk holds the acts of members of staff at a counter. Errors: ErrNotServing,
// staff.ErrNobody, and those of the named methods of counter.Counter.
type Desk interface {
	// LookUpPerson is counter.Counter.LookUp, and LookedUp is counter.Counter.Person.
	LookUpPerson(ctx context.Context, q counter.Seeking) (counter.Person, error)
	LookedUp(ctx context.Context, lookUp string) (counter.Person, error)
	// OpenTicket is Open of counter.Counter; Tickets and Ticket are its Tickets and Progress.
	OpenTicket(ctx context.Context, q counter.Opening) (counter.View, error)
	Tickets(ctx context.Context, after liuma.TicketID) ([]counter.View, error)
	Ticket(ctx context.Context, id liuma.TicketID) (counter.View, error)
	// TicketCode is NewCode: eight characters, shown once (counter.ShownCode).
	TicketCode(ctx context.Context, id liuma.TicketID) (string, error)
	// WithdrawTicket is Withdraw.
	WithdrawTicket(ctx context.Context, id liuma.TicketID) error

	// PairPad, UnpairPad, Pads and SendToPad are the methods of the same names.
	PairPad(ctx context.Context, number string) (counter.PadView, error)
	UnpairPad(ctx context.Context, pad string) error
	Pads(ctx context.Context) ([]counter.PadView, error)
	SendToPad(ctx context.Context, q PadTicket) error

	// AskedTickets is Waiting, AskedTicket is Asked.
	AskedTickets(ctx context.Context) ([]counter.View, error)
	AskedTicket(ctx context.Context, id liuma.TicketID) (counter.View, error)
	// ApproveTicket is Approve. ErrOnlyPages: the call comes from a terminal.
	ApproveTicket(ctx context.Context, q TicketApproval) (counter.View, error)
	// DeclineTicket is Decline.
	DeclineTicket(ctx context.Context, q TicketDecision) error

	// Reviews, Review and DecideReview are the methods of the same names.
	Reviews(ctx context.Context, after liuma.TicketID) ([]counter.View, error)
	Review(ctx context.Context, id liuma.TicketID) (counter.View, error)
	DecideReview(ctx context.Context, q TicketDecision) error
}

// ImportConfig says how a file is imported, and has the functions that an import reports to.
// All members are optional; the functions are called from ImportRegistry's own goroutine.
type ImportConfig struct {
	Encoding sheet.Encoding // Guess: as the file begins
	DryRun   bool           // judge everything and write nothing
	// Progress gets the number of bytes that were worked through.
	Progress func(read int64)
	// Reject gets the line number, from 1, and the reason of each row that was not
	// imported.
	Reject func(line int, reason string)
	// Cell gets line number and reason for each cell that was left out of a row that was
	// imported.
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
	CorrectNumber(ctx context.Context, q registry.Correction, reason audit.Reason) (registry.Corrected, error)
	Corrections(ctx context.Context, after string) ([]registry.CorrectionView, error)
	CancelCorrection(ctx context.Context, actor, id string, reason audit.Reason) error
	GoOn(ctx context.Context, actor, id string, reason audit.Reason) error
	Held(ctx context.Context, actor string, id registry.IDNumber, reason audit.Reason) (registry.Held, error)
	Minors(ctx context.Context, on time.Time, digits int, from string) (registry.Minors, error)
	Children(ctx context.Context, on time.Time) (registry.Children, error)
	Seek(ctx context.Context, actor string, id registry.IDNumber, reason audit.Reason) (registry.Sought, error)
}

// Authority is the authority of a running server; *authority.Authority implements it.
type Authority interface {
	Ready(context.Context) error
	Spraying() authority.Spraying
	ChannelCodes(context.Context) ([]authority.ChannelCodes, error)
	RationUses(context.Context) ([]authority.RationUse, error)
	RaiseHead(ctx context.Context, actor string, card liuma.CardID, reason audit.Reason) (authority.Raised, error)
	AcceptRestore(ctx context.Context, actor string, after liuma.CardID, reason audit.Reason) (authority.Accepted, error)
	GoOnCorrecting(ctx context.Context, id string) error
	FreezeByStaff(ctx context.Context, by authority.ByStaff, q authority.HotlineFreeze) (authority.Verification, error)
	ReportLossByStaff(ctx context.Context, by authority.ByStaff, q authority.HotlineFreeze) (authority.Verification, error)
	Hastenable(ctx context.Context, id string) (no uint64, until time.Time, err error)
	Hasten(ctx context.Context, actor, id string, no uint64, until time.Time, reason audit.Reason) error
	ErasePerson(ctx context.Context, actor string, holder vault.Index, reason audit.Reason, trial bool) (authority.Erasure, error)
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
	Agencies *agency.Book
	Record   Record
	Vault    *vault.Vault // seals messages that are sent again
	Clock    *clock.Clock // the time of Store
	Logger   *slog.Logger // default: discard
	// From the configuration, for Status.
	Issuer, Shape, TextsDriver string
	TextsVoice                 bool                        // codes can also be read out by phone call
	Retention                  Retention                   // the configured numbers of days
	DatabaseBytes              func(context.Context) int64 // size of the database; nil: not shown
	Console                    string                      // address of the staff pages; "": there are none
	Policy                     *edition.Editions           // the policy of the service
	Letters                    *letter.Letters             // the print queue
	// Refused returns, by table, when an altered row was first refused since the process
	// began; nil: not known.
	Refused func() map[string]time.Time
	// Upkeep looks after the keepers whose directories this process has.
	Upkeep Upkeep
	// Keyring hands keys over between authorities; nil: no other authority can share Store.
	Keyring *keyring.Keyring
	// Server is the server in this process; nil if none runs. Alone says that no other
	// process serves Store either, so that an import may hold the writer for longer.
	Server *Server
	Alone  bool
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
	Counter   *counter.Counter
}

func (c *Config) check() error {
	if c.Store == nil || c.Registry == nil || c.Agencies == nil || c.Record == nil || c.Vault == nil || c.Clock == nil || c.Policy == nil || c.Letters == nil {
		return errors.New("admin: config: want Store, Registry, Agencies, Record, Vault, Clock, Policy and Letters")
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
	staff     *staff.Staff
}

// New checks the Config.
func New(c Config) (*Admin, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	who, err := staff.New(staff.Config{Store: c.Store, Challenges: c.Vault, Now: c.Clock.Now, Console: c.Console})
	if err != nil {
		return nil, err
	}
	return &Admin{c: c, staff: who}, nil
}
