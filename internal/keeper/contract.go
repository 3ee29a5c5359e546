// Package keeper is a node that holds key shares and counts guesses, and the quorum
// client that asks several of them. A node guarantees that it evaluates a committed
// version only in exchange for a ledger.Spent, that is, after a durable count (I-1).
// The quorum guarantees that right and wrong rest on t evaluations (I-9) and that
// keepers which disagree give no verdict. A node does not trust the authority; the
// quorum does not trust any t-1 nodes.
//
// docs/ARCHITECTURE.md ("Walk 1: an attempt, from thumb to verdict") and
// docs/ARCHITECTURE.md ("Rollback and time") describe this in order;
// docs/decisions/0004-no-consensus-across-keepers.md says why keepers do not talk to
// one another.
//
// Start here: Keeper, then Node.Attempt and Quorum.Attempt.
package keeper

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// ID names a keeper, for example "k1". Settlements contain it under their signature. It
// has at most ledger.MaxKeeperName bytes.
type ID string

// Header is part of every request that a keeper answers durably.
type Header struct {
	Now  time.Time // the sender's wall clock
	Seen uint64    // the highest sequence that the sender ever received from this keeper
}

// Answer is part of every durable answer.
type Answer struct {
	Sequence    uint64
	Incarnation [16]byte
	here        bool // of an attempt: the ledger is in this process. Not sent over the network.
}

// AttemptRequest asks for one guess to be counted and evaluated. KeySet is the key set
// of Version; a keeper without that key set refuses before it counts.
type AttemptRequest struct {
	Header
	Card    liuma.CardID
	Head    uint64 // the revision of the card's row that the sender has
	Version liuma.Version
	KeySet  uint32
	Blinded split.Point
	Lane    ledger.Lane
	Reserve int
	Limits  ledger.Limits
	// Commit, when set, is a commit that this keeper may have missed; it is applied
	// first. Settlements are the settlements of this card that the keeper has not
	// acknowledged.
	Commit      *ledger.Commitment
	Settlements []ledger.Settlement
}

// AttemptAnswer holds either Shares and Spend, or a Refusal.
type AttemptAnswer struct {
	Answer
	Spend   uint64
	Left    int // guesses that this lane may still make before it locks here
	Shares  []split.Share
	Refusal *ledger.Refusal
}

// ProposeRequest asks a keeper to evaluate a version that is not committed yet. A
// keeper does that once per version.
type ProposeRequest struct {
	Header
	Card     liuma.CardID
	Head     uint64
	Version  liuma.Version
	Replaces liuma.Version // the current version; 0 at enrolment, when the request also names the holder's tag
	Tag      ledger.Tag
	KeySet   uint32
	Blinded  split.Point
}

// ProposeAnswer holds either Shares or a Refusal.
type ProposeAnswer struct {
	Answer
	Shares  []split.Share
	Refusal *ledger.Refusal
}

// CommitRequest makes a version current.
type CommitRequest struct {
	Header
	ledger.Commitment
	Head uint64
}

// CommitAnswer holds a Refusal if the commit was refused.
type CommitAnswer struct {
	Answer
	Refusal *ledger.Refusal
}

// RetagRequest moves a card to another tag of its holder.
type RetagRequest struct {
	Header
	Card     liuma.CardID
	Head     uint64
	Old, New ledger.Tag
}

// HeadAnswer lists the cards of which the keeper has seen a later row, with the
// keeper's heads.
type HeadAnswer struct {
	Answer
	Behind []ledger.Head
}

// StatusAnswer is a keeper's state of one card. Nothing in it is secret.
type StatusAnswer struct {
	Answer
	Row ledger.Row
}

// Keeper is the contract of one keeper, in process or behind a network
// connection.
//
// Attempt, Propose and Commit are durable before they return without error. An error
// does not tell whether the keeper did the act, so a transport never repeats Attempt;
// Propose may be repeated only with a higher version; Commit and Settle are idempotent
// and may be repeated at will. A refusal is an answer, not an error.
type Keeper interface {
	ID() ID
	Attempt(context.Context, AttemptRequest) (AttemptAnswer, error)
	Propose(context.Context, ProposeRequest) (ProposeAnswer, error)
	Commit(context.Context, CommitRequest) (CommitAnswer, error)
	// Settle takes proofs. It may return before they are on disk: losing one
	// only leaves a guess counted. A proof that does not verify is an error.
	Settle(context.Context, Header, []ledger.Settlement) (Answer, error)
	Status(context.Context, liuma.CardID) (StatusAnswer, error)
	// StatusOfTag returns the state of the card in use that has the tag; a Row without
	// a card if there is none.
	StatusOfTag(context.Context, ledger.Tag) (StatusAnswer, error)
	// Head raises the heads of cards. Like Settle it may return before they are written
	// to disk.
	Head(context.Context, Header, []ledger.Head) (HeadAnswer, error)
	// Retag moves a card to another tag. A refusal is an answer.
	Retag(context.Context, RetagRequest) (CommitAnswer, error)
	// Admit returns the error that every request with this header would get before the
	// keeper looks at its card, or nil if such a request would be served.
	Admit(context.Context, Header) error
	// Retire stops a card at this keeper; Unretire undoes it within 30 days.
	Retire(context.Context, Header, liuma.CardID) (Answer, error)
	Unretire(context.Context, Header, liuma.CardID) (Answer, error)
}

// Target is the PIN that an attempt is checked against, as the authority holds it.
type Target struct {
	Card     liuma.CardID
	Version  liuma.Version
	KeySet   uint32
	Verifier liuma.Verifier
	Tag      ledger.Tag // of the holder; for a keeper that missed the enrolment
	Head     Head
	// Unacknowledged is set while some keeper has not acknowledged the commit of
	// Version; the attempt then carries that commit, which replaces the version
	// Replaces.
	Unacknowledged bool
	Replaces       liuma.Version
}

// Head is the revision of a card's row on which a request is based.
type Head struct {
	At uint64
	// Again reads the row's revision once more if a keeper has seen a later row. If
	// Again is nil or returns no later revision, the keeper's refusal stands.
	Again func(context.Context) (uint64, error)
}

// Guess says how an attempt is to be counted.
type Guess struct {
	Lane    ledger.Lane
	Reserve int
	Limits  ledger.Limits
	Reopen  bool // with Lane Known and a right PIN: reopen the stranger lane
}

// Outcome is a quorum's verdict on an attempt.
type Outcome struct {
	Verdict liuma.Verdict // Right, Wrong, Locked, Blocked or Unavailable
	// Evaluated is how many keepers counted and evaluated the guess. It is at least t
	// with Right and Wrong, and may be above 0 with the other verdicts.
	Evaluated int
	// TriesLeft is how many more guesses a quorum would evaluate now, in the lane of
	// the guess. A keeper that gave no answer counts as having none left. With Right,
	// it does not yet include the guesses that the settlement will give back.
	TriesLeft int
	Until     time.Time // with Locked: when a quorum evaluates again, by the wall clock
	// Stale is set if a keeper holds a later version than the target's: an intent was
	// committed but not finished. Finish it and attempt again.
	Stale bool
	// Behind is set if so many keepers have seen a later row of the card that too few
	// others remain: an old row was put back into the database, and an operator has to
	// look at it. Behind is the lowest head that those keepers named.
	Behind uint64
}

// Alarm reports a keeper that misbehaved: it answered differently from the others, was
// rolled back, or its clock is off. If the PIN was not right, it is not always possible
// to tell which of two differing keepers is wrong; then both are named.
type Alarm struct {
	Keeper ID
	Card   liuma.CardID
	Fault  Fault
	Head   uint64 // with RowBehind: the head that the keeper has seen
	// Proved, with RowBehind, means that the row was read below Head before this
	// process wrote it, so its present revision proves nothing. Keeper is empty if this
	// process itself had seen Head.
	Proved bool
}

// Fault is the kind of an alarm.
type Fault string

// The kinds of alarms.
const (
	Disagrees  Fault = "disagrees"
	RolledBack Fault = "rolled_back"
	ClockOff   Fault = "clock"
	// Gone: the keeper's keys or ledger are missing, or belong to another keeper. It is
	// repaired from the other keepers.
	Gone Fault = "gone"
	// NoShareKeys: the keeper's share keys do not answer, because its token is not
	// reachable.
	NoShareKeys Fault = "share_keys"
	// Uncounted: the keeper's share keys were used too often for requests that its
	// ledger then refused.
	Uncounted Fault = "uncounted"
	// CertificateBad: the authority may not talk to the keeper, because the certificate
	// of one of the two has expired, was dismissed, or lacks the role.
	CertificateBad Fault = "certificate"
	// Stranger: another keeper answers in this one's place. It has another id, member
	// number, shape or issuer, or its share keys differ from those of the other keepers.
	Stranger Fault = "stranger"
	// DiskBad: the keeper's disk is full or failed. It counts nothing and gives no answer.
	DiskBad Fault = "disk"
	// Silent: the keeper gave no answer, for any other reason.
	Silent Fault = "silent"
	// Slow: the keeper serves, but its answers take longer than a wrong PIN may wait.
	Slow Fault = "slow"
	// RowBehind is the database's fault, not the keeper's: the keeper has seen a later
	// row of the card. It may also be that the row changed while the keeper answered.
	RowBehind Fault = "row_behind"
	// SecondCard is also the database's fault: a first PIN was to be committed for a
	// holder for whom the keepers already hold another card in use.
	SecondCard Fault = "second_card"
)

// Errors of a node. If it returns one of them, it has counted and evaluated nothing.
var (
	ErrKeySet  = errors.New("keeper: no such key set here, or not that of the version")
	ErrRequest = errors.New("keeper: malformed request")
	ErrMetered = errors.New("keeper: too many commits, retirements or corrections within the hour")
	// ErrShareKeys: a share key gave no answer, because its token is not reachable or
	// the ring is wiped.
	ErrShareKeys = errors.New("keeper: the share keys do not answer; nothing was counted")
	// ErrUncounted: somebody makes this keeper use its share keys again and again for
	// requests that its ledger then refuses.
	ErrUncounted = errors.New("keeper: the share keys were asked too often, within the hour, for what the ledger refused")
	// ErrGone: there is no keeper in this place, or it is another keeper than the right
	// one.
	ErrGone = errors.New("keeper: gone")
)

// ErrClosed is returned after Close.
var ErrClosed = errors.New("keeper: closed")

// Errors of the quorum when it sets a PIN.
var (
	ErrNoQuorum    = errors.New("keeper: too few keepers answered")
	ErrDisagree    = errors.New("keeper: keepers disagree")
	ErrVersionUsed = errors.New("keeper: the version was proposed before; reserve a higher one")
	ErrStale       = errors.New("keeper: the version does not follow the current one")
	ErrBehind      = errors.New("keeper: keepers have seen a later row of the card")
	ErrMoved       = errors.New("keeper: the card's row has moved on since it was read")
	ErrTagTaken    = errors.New("keeper: another card in use has the holder's tag")
)
