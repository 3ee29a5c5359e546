package store

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"
)

// Errors of what several authorities on one database have between them.
var (
	// ErrHeld is returned by Hold while another has the key.
	ErrHeld = errors.New("store: another works on it")
	// ErrUnheld is returned by an Update under a hold that another has taken over, or that
	// the database lost: nothing was kept.
	ErrUnheld = errors.New("store: the hold that this was done under is another's by now; nothing was kept")
)

// Among is what the authorities on one database have between them. Times of holds and
// duties are judged by the database's clock alone, so the machines' clocks may differ. A
// database of one process (package sqlite) has the same from memory: Alone.
//
// Nothing here is sealed and nothing of it decides: who writes to the database can deny
// service with it, or let two guesses at one card run at once, and each keeper counts
// both.
type Among interface {
	// Self is this process.
	Self() Peer
	// Peers lists the processes that work with the database, this one too, by name.
	Peers(ctx context.Context) ([]Peer, error)
	// Away lists the authorities that worked with the database and do not now, by name:
	// Seen is when each was there last, and Process is empty.
	Away(ctx context.Context) ([]Peer, error)
	// Ended reports that a process keeps nothing any more that it writes from now on. It
	// is false where that is not known.
	Ended(process string) bool

	// Hold takes a key for at most d. ErrHeld: another has it. A hold that ran out is
	// taken over by the next who asks; until then it stands. One whose process has ended
	// ends with it.
	Hold(ctx context.Context, key HoldKey, d time.Duration) (Hold, error)
	// Release gives a hold back. One that is another's by now stays as it is.
	Release(ctx context.Context, h Hold) error

	// TakeDuty takes a duty that nobody has, or keeps one that this process has, for d
	// from now on, and reports whether it did.
	TakeDuty(ctx context.Context, name Duty, d time.Duration) (bool, error)
	// DropDuty gives a duty back; one that another has stays there.
	DropDuty(ctx context.Context, name Duty) error
	// Duties lists who has which duty, by name.
	Duties(ctx context.Context) ([]DutyState, error)
}

// Peer is an authority's process on the database.
type Peer struct {
	// Name is the authority's own, which its data directory keeps; empty for a process
	// that has the database to itself.
	Name string
	// Process is another with every start.
	Process string
	Host    string
	PID     int
	// Release is that of its program, and Knows the newest migration of the database which
	// that knows. Empty and 0: it is from before it said so.
	Release string
	Knows   int64
	Since   time.Time
	// Seen is when it last said that it is there; Absent, that its connection is gone
	// since.
	Seen   time.Time
	Absent bool
}

// HoldKey names what is held: a card, or a holder who may have none yet.
type HoldKey [32]byte

// Hold is the right to work on one thing. The zero value is none.
type Hold struct {
	Key   HoldKey
	Token [16]byte
	// Here says that the hold is in this process's memory, where one process alone has the
	// database: giving it back waits for nobody.
	Here bool

	given *atomic.Bool // it was given back already; nil: nobody would know
}

// NewHold makes a hold's token.
func NewHold(key HoldKey) Hold {
	h := Hold{Key: key, given: new(atomic.Bool)}
	rand.Read(h.Token[:])
	return h
}

// Give notes that a store gave the hold back with what it wrote.
func (h Hold) Give() {
	if h.given != nil {
		h.given.Store(true)
	}
}

// Given reports whether that was noted: nothing is left to release.
func (h Hold) Given() bool { return h.given != nil && h.given.Load() }

// IsZero reports whether there is no hold.
func (h Hold) IsZero() bool { return h == Hold{} }

type underKey struct{}

// Under has Updates with the context kept only while the hold stands, beside those that the
// context has already (ErrUnheld). A zero hold asks for none, whatever the context had.
func Under(ctx context.Context, h Hold) context.Context {
	var all []Hold
	if !h.IsZero() {
		all = append(append(all, HoldsIn(ctx)...), h)
	}
	return context.WithValue(ctx, underKey{}, all)
}

// HoldsIn are the holds that an Update with the context is under.
func HoldsIn(ctx context.Context) []Hold {
	all, _ := ctx.Value(underKey{}).([]Hold)
	return all
}

type lastKey struct{}

// Last says that nothing more is written under the hold that a context had last (Under) once
// an Update with it is kept. A store that keeps holds elsewhere may then give that one back in
// the transaction of that Update, and notes it (Hold.Give). Where the Update is not kept, or
// nobody knows, it is not noted, and the hold is to be released as ever.
func Last(ctx context.Context) context.Context { return context.WithValue(ctx, lastKey{}, true) }

// IsLast reports whether Last was said.
func IsLast(ctx context.Context) bool {
	last, _ := ctx.Value(lastKey{}).(bool)
	return last
}

// Duty names a work that one authority does for all of them.
type Duty string

// The duties.
const (
	DutyOutbox    Duty = "outbox"    // sends messages to phones
	DutyDigests   Duty = "digests"   // signs the record's digests, and drops what was archived
	DutyUpkeep    Duty = "upkeep"    // finishes what was left open, and drops what has expired
	DutyRetention Duty = "retention" // drops requests that were kept long enough
	DutyReseal    Duty = "reseal"    // seals rows anew under the newest root key
	DutyImport    Duty = "import"    // reads a registry's file
)

// DutyState is who has a duty.
type DutyState struct {
	Name    Duty
	Process string
	Since   time.Time
}
