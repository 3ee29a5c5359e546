// Package ledger counts guesses durably, before they may be evaluated. It guarantees
// that a Spent value exists only after its spend number is on disk (I-1), that spent and
// cleared only rise (I-2), that a version is proposed at most once (I-3), that the
// setting of a PIN takes effect whole or not at all (I-7), and that a request from an
// older state of a card than an earlier request had is refused (I-13). It trusts its
// Backend to be durable when it says so and its own clock within the bounds that it
// checks. It does not trust the authority: a request can tighten the limits, never
// loosen them.
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
	Attempts int           // so many uncleared spends within Window lock the card: 6, at most 6
	Window   time.Duration // 24 h
	LockFor  time.Duration // how long a lock lasts, from the spend that locked: 24 h
	Failures int           // so many failures in a lane since its last proof close or block it: 30
}

// NationalLimits are the limits of the national rule: six wrong PINs within 24
// hours lock for 24 hours, thirty in all block.
func NationalLimits() Limits {
	return Limits{Attempts: 6, Window: 24 * time.Hour, LockFor: 24 * time.Hour, Failures: 30}
}

// Tighten returns the stricter of l and other, member by member. A zero member of other
// leaves the member of l unchanged.
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

// Validate refuses limits that the ledger could not enforce, because it keeps only six
// spends of each lane.
func (l Limits) Validate() error {
	if l.Attempts < 1 || l.Attempts > maxRecent || l.Failures < 1 || l.Window <= 0 || l.LockFor <= 0 {
		return errors.New("limits: want 1 to 6 attempts and positive window, lock and failures")
	}
	return nil
}

// maxRecent is how many uncleared spends a row keeps of each lane: as many as the
// national limit needs. Six of each lane and not six in all, because otherwise the
// spends of known links would push out the spends of strangers, and a settled known
// spend would then shorten the strangers' lock.
const maxRecent = 6

// Mark is one uncleared spend: its number, its time and its lane.
type Mark struct {
	S    uint64
	At   time.Time // UTC, milliseconds
	Lane Lane
}

// Tally is the guess count of one card and one PIN: the part of a Row from which locks
// and blocks are derived. The authority keeps a tally of its own for each card, so that
// it stops at the limit whichever keepers answered. The zero Tally has no guesses. It
// is a value: copying it is safe.
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
	// Head is the highest head that any request for the card carried. A head is the
	// revision of the card's row in the authority's database. It only rises.
	Head uint64
	Tag  Tag // of the holder; set by the first commit
}

// Meta is a ledger's own state, kept beside the rows.
type Meta struct {
	Incarnation [16]byte // changes with every restore
	Sequence    uint64   // rises with every durable batch that changes a row; shows rollback
	// High is the ledger's high-water time, as saved with the last batch: the ledger
	// stamps its tallies and measures its waits by it (I-15).
	High clock.State
	// Owner says to which keeper this ledger belongs; see Config.Owner. It is zero in a
	// ledger that an earlier release made.
	Owner [32]byte
	// Repairing is set while a repair takes in rows of other keepers: until the repair
	// has ended, rows and counts may be missing.
	Repairing bool
}

// Backend is durable storage for rows. Package sqlite is one; the suite in ledgertest
// tests every Backend.
//
// Apply is atomic: all rows and meta or none. It is durable when it returns nil. ErrFull means
// that nothing was written and that Apply may be called again when there is room. After any other
// error the state is unknown, so the Ledger poisons itself and never retries; opening the backend
// again recovers the last durable state. One Ledger at a time uses a backend: opening it takes a
// lease, a second opener gets ErrLeased, and Close gives the lease back. Close may be called more
// than once. Load, Meta and Scan may run at the same time as each other and as Apply; two calls
// of Apply may not.
type Backend interface {
	// Load returns the rows of the cards, in their order; for a card without a row it
	// returns a Row with only Card set. No card is given twice.
	Load(ctx context.Context, cards []liuma.CardID) ([]Row, error)
	// Tagged returns the cards whose rows have the tag, in any order. It does not run
	// at the same time as Apply or another Tagged.
	Tagged(ctx context.Context, tag Tag) ([]liuma.CardID, error)
	// Apply upserts the rows and replaces meta, in one transaction.
	Apply(ctx context.Context, rows []Row, meta Meta) error
	// Meta returns the stored meta; a new backend has a random Incarnation.
	Meta(ctx context.Context) (Meta, error)
	// Scan calls visit for every row in card order, starting after the given card,
	// until visit returns an error. Repair uses it, and the demo that steals a ledger.
	Scan(ctx context.Context, after liuma.CardID, visit func(Row) error) error
	Close() error
}

// Reason says why a request was refused. A refused request counted nothing.
type Reason string

// The reasons for a refusal.
const (
	Stale       Reason = "stale"        // the request's version is not the current one
	Locked      Reason = "locked"       // until Refusal.Until
	LaneClosed  Reason = "lane_closed"  // the stranger lane, until a known link reopens it
	Blocked     Reason = "blocked"      // until the PIN is reset
	Retired     Reason = "retired"      // the card was retired here
	VersionUsed Reason = "version_used" // propose: version not above the mark, or too far above it
	Conflict    Reason = "conflict"     // propose, commit: the current version is not the one that the request replaces, or the new one is not above it; retag: the card has another tag
	Behind      Reason = "behind"       // the request's head is below the head kept here, which is in Refusal.Head
	TagTaken    Reason = "tag_taken"    // another card in use has the tag
)

// Refusal is the error of a request that was refused and counted nothing.
type Refusal struct {
	Reason Reason
	Until  time.Time     // with Locked: when the lock ends; from a Ledger in wall-clock time, from a Tally in high-water time (H)
	At     liuma.Version // the current version here, with Stale and Conflict
	Mark   liuma.Version // the highest proposed version here, with VersionUsed
	Head   uint64        // the highest head here, with Behind
}

func (r *Refusal) Error() string { return "ledger: refused: " + string(r.Reason) }

// Errors that say nothing about a card. Nothing was counted, except that after
// ErrPoisoned it is unknown whether something was.
var (
	ErrPoisoned   = errors.New("ledger: an I/O error made the state unknown; restart the keeper")
	ErrFull       = errors.New("ledger: no room on the disk; nothing was counted")
	ErrRolledBack = errors.New("ledger: below a sequence that it once answered; repair the keeper")
	// ErrRepairing: a repair has begun and not ended, so rows may be missing.
	ErrRepairing = errors.New("ledger: its repair was begun and has not ended; repair the keeper again")
	// ErrOwner: the file is the ledger of another keeper or quorum.
	ErrOwner = errors.New("ledger: of another keeper, or of another quorum")
	// ErrMissing: there is no ledger in a place that must have one.
	ErrMissing = errors.New("ledger: gone")
	// ErrClock is also returned if the ledger's high-water time (H) is 60 s ahead of
	// this machine's wall clock.
	ErrClock  = errors.New("ledger: clock differs by more than 60 s from the sender's or the ledger's")
	ErrClosed = errors.New("ledger: closed")
	ErrLeased = errors.New("ledger: another process holds the lease")
	// ErrRequest is a request that no correct sender makes.
	ErrRequest = errors.New("ledger: malformed request")
	// ErrKeySet: the version belongs to another key set than the one that the sender
	// holds. No crash can cause this.
	ErrKeySet = errors.New("ledger: the version is of another key set")
	// ErrSettlement: a proof is not valid here. It is forged, of another key set,
	// without a spend of this keeper and incarnation, for a spend or version that never
	// existed, or its spends are not in the required order.
	ErrSettlement = errors.New("ledger: settlement does not verify")
	// ErrUsed is returned by the second Redeem of a Spent or Proposed, and by any
	// Redeem of a value that no ledger made.
	ErrUsed = errors.New("ledger: used already, or not made by a ledger")
	// ErrConflict is returned by Merge if two rows have different verifiers for one
	// version.
	ErrConflict = errors.New("ledger: two verifiers for one version")
)

// Settlement proves with the PIN's own key that guesses were right: one signature for
// all keepers that counted the same guess. It names each keeper's spend with
// incarnation and number. So at no keeper does it clear a spend later than that
// keeper's own, and it cannot be replayed at another keeper or after a restore.
type Settlement struct {
	Card    liuma.CardID
	Version liuma.Version
	KeySet  uint32 // of Version
	// Reopen clears the stranger lane as well: the holder reopens that lane through a
	// known link. It is allowed in the known lane only. The signature covers it.
	Reopen bool
	// Spends are the right guesses, one for each keeper, in strictly rising order of
	// the keepers' names. The sender takes the names from its connections, never from a
	// keeper's answers, so that no keeper can name a spend of another.
	Spends    []SettledSpend
	Signature [64]byte // Ed25519 over SettlementMessage
	// Proof covers the same message and takes the place of the signature if the holder of
	// the PIN's key and all keepers are in one process.
	Proof pinkey.Proof
}

// SettledSpend is one keeper's part of a Settlement.
type SettledSpend struct {
	Keeper      string
	Incarnation [16]byte
	S           uint64
}

const (
	// MaxSettled is the largest number of spends in one Settlement: the number of
	// keepers in the largest shape.
	MaxSettled = 5
	// MaxKeeperName bounds the name of a keeper, in bytes.
	MaxKeeperName = 32
)

// SpendRequest asks for one guess to be counted.
type SpendRequest struct {
	Card    liuma.CardID
	Head    uint64 // the revision of the card's row that the sender has
	Version liuma.Version
	KeySet  uint32 // the key set of Version that the sender holds; 0: not compared
	Lane    Lane
	Reserve int    // spends kept for known links: 0, or 2 on a card that has some
	Limits  Limits // tighten only; zero members leave the ledger's own
	// Sender is the sender's wall clock. Seen is the highest Sequence that the sender
	// ever received from this ledger.
	Sender time.Time
	Seen   uint64
}

// Commitment makes a version current in place of another version.
type Commitment struct {
	Card     liuma.CardID
	Version  liuma.Version
	Replaces liuma.Version // the version that is current now; 0 at enrolment
	KeySet   uint32
	Verifier liuma.Verifier
	Tag      Tag // of the holder; required and kept by a ledger that holds no version of the card yet
}
