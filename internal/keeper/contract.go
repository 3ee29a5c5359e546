// Package keeper is a node that holds key shares and counts guesses, and the
// quorum client that asks several of them. A node guarantees that it evaluates
// a committed version only in exchange for a ledger.Spent, which is to say
// after a durable count (I-1). The quorum guarantees that right and wrong rest
// on t evaluations (I-9) and that keepers which disagree give no verdict. A
// node does not trust the authority; the quorum does not trust any t-1 nodes.
//
// docs/ARCHITECTURE.md ("Walk 1: an attempt, from thumb to verdict") and
// docs/ARCHITECTURE.md ("Rollback and time") tell it in order;
// docs/decisions/0004-no-consensus-across-keepers.md says why keepers do not
// talk to one another.
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

// ID names a keeper, for example "k1". It is signed into settlements, and has at
// most ledger.MaxKeeperName bytes.
type ID string

// Header comes with every request that a keeper answers durably.
type Header struct {
	Now  time.Time // the sender's wall clock
	Seen uint64    // highest sequence that the sender has had from this keeper
}

// Answer comes with every durable answer.
type Answer struct {
	Sequence    uint64
	Incarnation [16]byte
	here        bool // of an attempt: the ledger is in this process. No wire carries it.
}

// AttemptRequest asks for one guess to be counted and evaluated. KeySet is the
// key set of Version; a keeper that lacks it says so before it counts.
type AttemptRequest struct {
	Header
	Card    liuma.CardID
	Head    uint64 // of the card's row at the sender
	Version liuma.Version
	KeySet  uint32
	Blinded split.Point
	Lane    ledger.Lane
	Reserve int
	Limits  ledger.Limits
	// Commit, when set, is a commit that this keeper may have missed; it is
	// applied first. Settlements are those of this card that the keeper has not
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

// ProposeRequest asks a keeper to evaluate a version that is not committed yet;
// it does so once per version.
type ProposeRequest struct {
	Header
	Card     liuma.CardID
	Head     uint64
	Version  liuma.Version
	Replaces liuma.Version // the current version; 0 at enrolment, which names the holder's tag
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

// CommitAnswer holds a Refusal where the commit was not taken.
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

// HeadAnswer names the cards of which the keeper has seen a later row, with
// their heads.
type HeadAnswer struct {
	Answer
	Behind []ledger.Head
}

// StatusAnswer is a keeper's state of a card. Nothing in it is secret.
type StatusAnswer struct {
	Answer
	Row ledger.Row
}

// Keeper is the contract of one keeper, in process or behind a network
// connection.
//
// Attempt, Propose and Commit are durable before they return without error. An
// error does not tell whether the keeper did it, so Attempt is never repeated
// by a transport; Propose may be repeated only with a higher version; Commit
// and Settle are idempotent and may be repeated at will. A refusal is an
// answer, not an error.
type Keeper interface {
	ID() ID
	Attempt(context.Context, AttemptRequest) (AttemptAnswer, error)
	Propose(context.Context, ProposeRequest) (ProposeAnswer, error)
	Commit(context.Context, CommitRequest) (CommitAnswer, error)
	// Settle takes proofs. It may return before they are on disk: losing one
	// only leaves a guess counted. A proof that does not verify is an error.
	Settle(context.Context, Header, []ledger.Settlement) (Answer, error)
	Status(context.Context, liuma.CardID) (StatusAnswer, error)
	// StatusOfTag is the state of the card in use that has the tag; a Row
	// without a card if there is none.
	StatusOfTag(context.Context, ledger.Tag) (StatusAnswer, error)
	// Head raises the heads of cards. Like Settle it may return before they are
	// on disk.
	Head(context.Context, Header, []ledger.Head) (HeadAnswer, error)
	// Retag moves a card to another tag. A refusal is an answer.
	Retag(context.Context, RetagRequest) (CommitAnswer, error)
	// Admit returns the error that every request with this header would get before
	// its card is looked at; nil: it would be served.
	Admit(context.Context, Header) error
	// Retire stops a card at this keeper; Unretire undoes it within 30 days.
	Retire(context.Context, Header, liuma.CardID) (Answer, error)
	Unretire(context.Context, Header, liuma.CardID) (Answer, error)
}

// Target is the PIN that an attempt is made against, as the authority holds it.
type Target struct {
	Card     liuma.CardID
	Version  liuma.Version
	KeySet   uint32
	Verifier liuma.Verifier
	Tag      ledger.Tag // of the holder, for a keeper that missed the enrolment
	Head     Head
	// Unacknowledged is set while some keeper has not acknowledged the commit
	// of Version; the attempt then carries it, as the successor of Replaces.
	Unacknowledged bool
	Replaces       liuma.Version
}

// Head says from which revision of a card's row a request is made.
type Head struct {
	At uint64
	// Again reads the row's revision once more, because a keeper has seen a
	// later one. Without it, or where it gives no later one, the keeper's refusal
	// stands.
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
	// Evaluated is how many keepers counted and evaluated the guess. It is
	// at least t with Right and Wrong, and may be above 0 with the others.
	Evaluated int
	// TriesLeft is how many more guesses a quorum would evaluate now, in the
	// lane of the guess. A keeper that gave no answer counts as having none
	// left. With Right, guesses that the settlement gives back are not included
	// yet.
	TriesLeft int
	Until     time.Time // with Locked: when a quorum evaluates again, by the wall clock
	// Stale is set when a keeper holds a later version than the target's: an
	// intent was committed and not finished, so finish it and attempt again.
	Stale bool
	// Behind is set when so many keepers have seen a later row of the card that
	// the others are too few: the row was put back, and an operator has to look at
	// it. It is the lowest head that they named.
	Behind uint64
}

// Alarm reports a keeper that misbehaved: it answered differently from the
// others, was rolled back, or its clock is off. Where the PIN was not right,
// two keepers that differ cannot always be told apart, and both are named.
type Alarm struct {
	Keeper ID
	Card   liuma.CardID
	Fault  Fault
	Head   uint64 // with RowBehind: the head that was seen
	// Proved, with RowBehind, says that the row was read below Head before this
	// process wrote it, so that its revision now shows nothing. Keeper is empty
	// where it was this process that had seen Head.
	Proved bool
}

// Fault is the kind of an alarm.
type Fault string

// The kinds of alarms.
const (
	Disagrees  Fault = "disagrees"
	RolledBack Fault = "rolled_back"
	ClockOff   Fault = "clock"
	// Gone is a keeper whose keys or ledger are not there, or not its own; it is
	// repaired from the others.
	Gone Fault = "gone"
	// NoShareKeys is a keeper whose share keys do not answer: its token is away.
	NoShareKeys Fault = "share_keys"
	// Uncounted is a keeper whose share keys were asked too often for what its ledger
	// refused.
	Uncounted Fault = "uncounted"
	// CertificateBad is a keeper that the authority may not speak to: the certificate of
	// one of them has ended, was dismissed, or lacks the role.
	CertificateBad Fault = "certificate"
	// Stranger is another keeper in this one's place: another id, member, shape or issuer,
	// or share keys that are not those of the others.
	Stranger Fault = "stranger"
	// DiskBad is a keeper whose disk has no room or failed: it counts nothing, and gives no
	// answer.
	DiskBad Fault = "disk"
	// Silent is a keeper that gave no answer, for whatever other reason.
	Silent Fault = "silent"
	// Slow is a keeper that serves and takes longer to answer than a wrong PIN may wait.
	Slow Fault = "slow"
	// RowBehind is the database's fault, not the keeper's: the keeper has seen a
	// later row of the card, unless the row moved on while the keeper answered.
	RowBehind Fault = "row_behind"
	// SecondCard is the database's fault as well: keepers hold another card in use
	// of the holder whose first PIN was to be committed.
	SecondCard Fault = "second_card"
)

// Errors of a node. It has counted and evaluated nothing then.
var (
	ErrKeySet  = errors.New("keeper: no such key set here, or not that of the version")
	ErrRequest = errors.New("keeper: malformed request")
	ErrMetered = errors.New("keeper: too many commits, retirements or corrections within the hour")
	// ErrShareKeys: a share key gave no answer, because the token that it lives in is
	// away, or the ring is wiped.
	ErrShareKeys = errors.New("keeper: the share keys do not answer; nothing was counted")
	// ErrUncounted: somebody makes this keeper ask its share keys again and again for
	// what its ledger then refuses.
	ErrUncounted = errors.New("keeper: the share keys were asked too often, within the hour, for what the ledger refused")
	// ErrGone: there is no keeper in its place, or not the one that belongs there.
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
