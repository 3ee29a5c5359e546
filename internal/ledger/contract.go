// Package ledger counts guesses durably, before they may be evaluated. It
// guarantees that a Spent value exists only after its spend number is on disk
// (I-1), that spent and cleared only rise (I-2), that a version is proposed at
// most once (I-3), that a setting of a PIN is taken whole or not at all (I-7),
// and that a request which knows less of a card than an earlier one did is
// refused (I-13). It trusts its Backend to be durable when it says so and its
// own clock within the bounds that it checks; it does not trust the authority: a request
// can tighten the limits, never loosen them.
//
// The rules are in docs/ARCHITECTURE.md ("Locks and lanes");
// docs/decisions/0003-count-before-evaluating.md says why guesses are counted
// first.
//
// Start here: Ledger.Spend, then tally.go.
package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/split/pinkey"
)

// Lane tells guesses through known links from guesses of strangers.
type Lane uint8

// The lanes. Stranger is the zero value, so a guess without a known link is
// a stranger's.
const (
	Stranger Lane = iota
	Known
)

// Limits bound the guesses on one card. All are positive.
type Limits struct {
	Attempts int           // that many uncleared spends within Window lock: 6, at most 6
	Window   time.Duration // 24 h
	LockFor  time.Duration // how long a lock lasts, from the spend that locked: 24 h
	Failures int           // that many failures in a lane since its last proof close or block it: 30
}

// NationalLimits are the limits of the national rule: six wrong PINs within 24
// hours lock for 24 hours, thirty in all block.
func NationalLimits() Limits {
	return Limits{Attempts: 6, Window: 24 * time.Hour, LockFor: 24 * time.Hour, Failures: 30}
}

// Tighten returns the stricter of l and other, member by member. Zero members
// of other leave l's.
func (l Limits) Tighten(other Limits) Limits {
	if other.Attempts > 0 {
		l.Attempts = min(l.Attempts, other.Attempts)
	}
	if other.Failures > 0 {
		l.Failures = min(l.Failures, other.Failures)
	}
	l.Window = max(l.Window, other.Window)
	l.LockFor = max(l.LockFor, other.LockFor)
	return l
}

// Validate refuses limits that could not be enforced with six kept spends.
func (l Limits) Validate() error {
	if l.Attempts < 1 || l.Attempts > maxRecent || l.Failures < 1 || l.Window <= 0 || l.LockFor <= 0 {
		return errors.New("limits: want 1 to 6 attempts and positive window, lock and failures")
	}
	return nil
}

// maxRecent is how many uncleared spends a row keeps of each lane: as many as
// the national limit needs. Six of each lane and not six in all, because
// otherwise the spends of known links would push out those of strangers, and
// a settled known spend would then shorten the strangers' lock.
const maxRecent = 6

// Mark is one uncleared spend: its number, its time and its lane.
type Mark struct {
	S    uint64
	At   time.Time // UTC, milliseconds
	Lane Lane
}

// Tally is the guess count of one card and one PIN: the part of a Row that
// limits are derived from. The authority keeps a tally of its own per card, so
// that it stops at the limit whatever subset of keepers answered. The zero
// Tally has no guesses. It is a value: copying it is safe.
type Tally struct {
	Spent    uint64              // number of guesses ever; only rises
	Cleared  [2]uint64           // by Lane: all spends of the lane up to this number were cleared; only rises
	Failures [2]uint32           // by Lane: number of the lane's spends after Cleared, at any time
	Recent   [2 * maxRecent]Mark // up to six uncleared spends of each lane, oldest first; the first Kept are used
	Kept     int
}

// Row is everything that a ledger holds about one card.
type Row struct {
	Card     liuma.CardID
	Version  liuma.Version // current; 0 before the first commit
	KeySet   uint32        // key set of Version
	Verifier liuma.Verifier
	Mark     liuma.Version // highest version ever proposed or committed
	Tally    Tally
	Retired  time.Time // zero while in use
	// Head is the highest head that a request named: the revision of the card's
	// row in the authority's database. It only rises.
	Head uint64
	Tag  Tag // of the holder, from the first commit on
}

// Meta is a ledger's own state, kept beside the rows.
type Meta struct {
	Incarnation [16]byte // changes with every restore
	Sequence    uint64   // rises with every durable batch; shows rollback
	// High is the ledger's high-water time, as kept with the last batch: its tally
	// and waits are stamped and judged by it (I-15).
	High clock.State
	// Owner says whose ledger this is; see Config.Owner. Zero in one that was
	// made before ledgers knew.
	Owner [32]byte
	// Repairing is set while rows of other keepers are taken in: until that has
	// ended, rows and counts may be missing.
	Repairing bool
}

// Backend is durable storage for rows. Package sqlite is one; the suite in
// ledgertest runs on every one.
//
// Apply is atomic: all rows and meta or none. It is durable when it returns
// nil. An error that is ErrFull means that nothing was written and that Apply may
// be called again when there is room. After any other error the state is
// unknown, so the Ledger poisons itself and never retries; opening the backend
// again recovers the last durable state. A backend is used by one Ledger at a
// time; opening it takes a lease that a second opener fails to get (ErrLeased),
// and Close gives it back. Close may be called more than once. Load, Meta and Scan may run beside each other and
// beside Apply; Apply runs alone.
type Backend interface {
	// Load returns the rows of the cards, in their order; a card without a
	// row gives a Row with only Card set. Cards do not repeat.
	Load(ctx context.Context, cards []liuma.CardID) ([]Row, error)
	// Tagged returns the cards whose rows have the tag, in any order. It runs
	// alone, as Apply does.
	Tagged(ctx context.Context, tag Tag) ([]liuma.CardID, error)
	// Apply upserts the rows and replaces meta, in one transaction.
	Apply(ctx context.Context, rows []Row, meta Meta) error
	// Meta returns the stored meta; a new backend has a random Incarnation.
	Meta(ctx context.Context) (Meta, error)
	// Scan calls visit for every row in card order, starting after the given
	// card, until visit returns an error. Repair uses it, and the demo's theft.
	Scan(ctx context.Context, after liuma.CardID, visit func(Row) error) error
	Close() error
}

// Reason is the reason of a refusal, which counted nothing.
type Reason string

// The reasons for a refusal.
const (
	Stale       Reason = "stale"        // the request's version is not the current one
	Locked      Reason = "locked"       // until Refusal.Until
	LaneClosed  Reason = "lane_closed"  // the stranger lane, until a known link reopens it
	Blocked     Reason = "blocked"      // until the PIN is reset
	Retired     Reason = "retired"      // the card was retired here
	VersionUsed Reason = "version_used" // propose: version not above the mark, or too far above
	Conflict    Reason = "conflict"     // propose, commit: another version than the one to be replaced, or not above it; retag: another tag
	Behind      Reason = "behind"       // the request's head is below the one kept here, which is Refusal.Head
	TagTaken    Reason = "tag_taken"    // another card in use has the tag
)

// Refusal is the error of a request that was refused and counted nothing.
type Refusal struct {
	Reason Reason
	Until  time.Time     // with Locked: when it ends; from a Ledger by the wall clock, from a Tally in H
	At     liuma.Version // the current version here, with Stale and Conflict
	Mark   liuma.Version // the highest proposed version here, with VersionUsed
	Head   uint64        // the highest head here, with Behind
}

func (r *Refusal) Error() string { return "ledger: refused: " + string(r.Reason) }

// Errors that say nothing about a card. Nothing was counted, except after
// ErrPoisoned, where it is unknown.
var (
	ErrPoisoned   = errors.New("ledger: an I/O error made the state unknown; restart the keeper")
	ErrFull       = errors.New("ledger: no room on the disk; nothing was counted")
	ErrRolledBack = errors.New("ledger: below a sequence that it once answered; repair the keeper")
	// ErrRepairing: rows are missing until the repair that was begun has ended.
	ErrRepairing = errors.New("ledger: its repair was begun and has not ended; repair the keeper again")
	// ErrOwner: the file is the ledger of another keeper.
	ErrOwner = errors.New("ledger: of another keeper, or of another quorum")
	// ErrMissing: there is no ledger where one must be.
	ErrMissing = errors.New("ledger: gone")
	// ErrClock also says that H is 60 s ahead of this machine's wall clock.
	ErrClock  = errors.New("ledger: clock differs by more than 60 s from the sender's or the ledger's")
	ErrClosed = errors.New("ledger: closed")
	ErrLeased = errors.New("ledger: another process holds the lease")
	// ErrRequest is a request that no correct sender makes.
	ErrRequest = errors.New("ledger: malformed request")
	// ErrKeySet: the version is of another key set than the sender holds. No crash
	// leaves that behind.
	ErrKeySet = errors.New("ledger: the version is of another key set")
	// ErrSettlement is a proof that is not valid here: forged, of another key set,
	// without a spend of this keeper and incarnation, for a spend or version that
	// never existed, or in another order than the one.
	ErrSettlement = errors.New("ledger: settlement does not verify")
	// ErrUsed is returned by the second Redeem of a Spent or Proposed, and by
	// any Redeem of one that no ledger made.
	ErrUsed = errors.New("ledger: used already, or not made by a ledger")
	// ErrConflict is returned by Merge for two verifiers of one version.
	ErrConflict = errors.New("ledger: two verifiers for one version")
)

// Settlement is a proof, by the key of the PIN itself, that spends were right:
// one signature for all keepers that counted the same guess. It names each of
// them with incarnation and number, so at no keeper does it clear anything later
// than that keeper's own spend, and it cannot be replayed elsewhere or after a
// restore.
type Settlement struct {
	Card    liuma.CardID
	Version liuma.Version
	KeySet  uint32 // of Version
	// Reopen, from the known lane only, clears the stranger lane as well: the
	// holder reopens it through a known link. It is covered by the signature.
	Reopen bool
	// Spends are those that were right, one a keeper, in strictly rising order of
	// the keepers' names. The sender takes the names from its connections, never
	// from what a keeper says, so that no keeper can name a spend of another.
	Spends    []SettledSpend
	Signature [64]byte // Ed25519 over SettlementMessage
	// Proof is of the same message, in place of the signature, where whoever has the PIN's
	// key and all keepers are one process.
	Proof pinkey.Proof
}

// SettledSpend is one keeper's part of a Settlement.
type SettledSpend struct {
	Keeper      string
	Incarnation [16]byte
	S           uint64
}

const (
	// MaxSettled is how many spends one Settlement covers at most: the keepers of
	// the largest shape.
	MaxSettled = 5
	// MaxKeeperName bounds the name of a keeper, in bytes.
	MaxKeeperName = 32
)

// SpendRequest asks for one guess to be counted.
type SpendRequest struct {
	Card    liuma.CardID
	Head    uint64 // of the sender's row of the card
	Version liuma.Version
	KeySet  uint32 // key set of Version, as the sender holds it; 0 compares nothing
	Lane    Lane
	Reserve int    // spends kept for known links: 0, or 2 on a card that has some
	Limits  Limits // tighten only; zero members leave the ledger's own
	// Sender is the sender's wall clock; Seen the highest Sequence that it has had
	// from this ledger.
	Sender time.Time
	Seen   uint64
}

// Commitment makes a version current in the place of another.
type Commitment struct {
	Card     liuma.CardID
	Version  liuma.Version
	Replaces liuma.Version // the version that is current until then; 0 at enrolment
	KeySet   uint32
	Verifier liuma.Verifier
	Tag      Tag // of the holder; a ledger that holds no version yet needs and keeps it
}
