package store

import (
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
)

// ErrNotArchived is returned by UpdateArchive and InsertArchive when a part of
// the record would leave the database out of its order, or before an archive
// holds it (I-16).
var ErrNotArchived = errors.New("store: this part of the record is in no archive")

// RequestKey names a request.
type RequestKey struct {
	Channel    liuma.ChannelID
	BusinessNo liuma.BusinessNo
}

// Walked is what a walk through requests came by.
type Walked struct {
	Rows   int          // that were read
	Old    []RequestKey // that last changed before the time
	Oldest time.Time    // the last change of the oldest other one; zero: none
	Next   []byte       // where to go on; nil: the end was reached
}

// Sweep is how far the walk through old requests has come. It goes through the
// table in the order of the keys, again and again.
type Sweep struct {
	After   []byte    // nil: the next step begins a round
	BegunAt time.Time // of this round
	Oldest  time.Time // of the requests that this round kept
	Kept    uint64    // how many
	// Of the last whole round.
	EndedAt    time.Time
	LastOldest time.Time
	LastKept   uint64
}

// HandleKey names the claim of a handle, and the card that it was claimed for.
type HandleKey struct {
	Channel liuma.ChannelID
	Handle  Handle
	Card    liuma.CardID
}

// WalkedHandles is what a walk through claims of handles came by.
type WalkedHandles struct {
	Rows  int         // that were read
	Loose []HandleKey // whose card is there and has no such link
	Next  []byte      // where to go on; nil: the end was reached
}

// Archive is a file that holds a part of the record, from the digest after the
// archive before it to its own. Only its signature is kept here.
type Archive struct {
	Number uint64 // 1, 2, 3 … without gaps
	Digest uint64 // the last digest that it holds
	Token  string // its signature (audit.ParseArchive)
	At     time.Time
	// LeavesAt is when what it holds began to leave the database, and LeftAt when the
	// last of it was gone; zero: not yet.
	LeavesAt time.Time
	LeftAt   time.Time
}

// RetainReader reads what is kept for a time only.
type RetainReader interface {
	// WalkRequests reads at most limit requests in the order of their keys, after
	// one (nil: from the first). A request whose row was altered raises its alarm,
	// and is passed over.
	WalkRequests(after []byte, before time.Time, limit int) (Walked, error)
	// Sweep returns the zero Sweep before the first.
	Sweep() (Sweep, error)
	// WalkHandles reads at most limit claims of handles in the order of their keys, after one
	// (nil: from the first). A claim or a card whose row was altered raises its alarm, and is
	// passed over, as is a claim of a card that is not there.
	WalkHandles(after []byte, limit int) (WalkedHandles, error)
	// HandleSweep is how far that walk has come: After, BegunAt and EndedAt alone.
	HandleSweep() (Sweep, error)
	// EndedCeremonies lists ceremonies that ended before a time, and not before another
	// (zero: whenever), those that ended first first, at most limit.
	EndedCeremonies(from, before time.Time, limit int) ([]Ceremony, error)
	// Archives lists the archives by number, at most limit, after a number.
	Archives(after uint64, limit int) ([]Archive, error)
	// LastArchive returns the latest one; ErrNotFound if there is none.
	LastArchive() (Archive, error)
	// Cuts lists the cuts of streams in the order of Streams, at most limit, after
	// a stream: the last entries of them that have left, or are leaving.
	Cuts(after audit.Stream, limit int) ([]audit.Head, error)
}

// RetainWriter lets go what was kept long enough.
type RetainWriter interface {
	// DeleteRequest frees the business number; ErrNotFound. A request whose row was
	// altered is not deleted.
	DeleteRequest(RequestKey) error
	// SaveSweep needs no audit entry: it says only how far a walk has come.
	SaveSweep(Sweep) error
	// SaveHandleSweep needs none either.
	SaveHandleSweep(Sweep) error
	// PruneHandle drops the claim of a handle that leads nowhere: its card is there, has no
	// such link, and is not known to be behind. It reports whether it did. It counts as a
	// change of the card: a transaction that makes the link meanwhile is run again, and
	// claims the handle anew.
	PruneHandle(HandleKey) (bool, error)
	// DeleteCeremony drops a ceremony and its one-time code; ErrNotFound.
	DeleteCeremony(id string) error
	// InsertArchive keeps the next archive. ErrNotArchived: its number is not the
	// next, or its digest not a later one that is there.
	InsertArchive(Archive) error
	// UpdateArchive sets LeavesAt, and later LeftAt, and nothing else. ErrNotArchived:
	// the one before it has not left.
	UpdateArchive(Archive) error
	// DropArchived deletes at most limit rows of what the archive that is leaving
	// holds, the oldest first, and reports whether all of it has left. Without an
	// archive that is leaving it deletes nothing. It needs no audit entry beside that
	// of UpdateArchive, which let the archive leave.
	DropArchived(limit int) (n int, done bool, err error)
}
