package store

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

// LetterState is how far a letter has come.
type LetterState string

// A letter waits, is printed in one batch, is in the post, and may come back.
const (
	LetterWaiting  LetterState = "waiting"
	LetterPrinting LetterState = "printing" // given to a batch; its file may not be written yet
	LetterPrinted  LetterState = "printed"  // the batch's file is written
	LetterDone     LetterState = "done"     // posted
	LetterBack     LetterState = "back"     // it did not reach its person; final
)

// Why a letter came back (Letter.Why).
const (
	LetterReturned  = "returned"   // the post brought it back
	LetterNoAddress = "address"    // the registry has no address any more
	LetterNoPerson  = "nobody"     // the card's person is not to be written to any more
	LetterDamaged   = "unreadable" // its sealed part does not open
)

// Letter is a notice that goes on paper, to whom no phone can be told. It is inserted in
// the transaction of the act that it tells of. It holds no name and no address: both are
// read when it is printed.
type Letter struct {
	ID       string // 26 lower-case characters, random
	Card     liuma.CardID
	Template string
	Region   liuma.Region // the card's
	// Sealed are the parameters, the freeze code among them; bound to ID. Empty once it
	// is done or back.
	Sealed    []byte
	State     LetterState
	Batch     string // empty while it waits
	Sheet     int    // its page in the batch, from 1; letters of one person may share one
	Prints    int    // how often its batch was written out
	At        time.Time
	PrintedAt time.Time // given to the batch
	EndedAt   time.Time // posted, or found to have come back
	Why       string    // of LetterBack
	// Address is a keyed hash of where it was printed for, so that nothing is sent there
	// again once it came back.
	Address vault.MAC
}

// LetterReader reads letters; ErrNotFound if there is none.
type LetterReader interface {
	Letter(id string) (Letter, error)
	// LettersOf lists a card's that are kept, in order of ID.
	LettersOf(liuma.CardID) ([]Letter, error)
	// LettersIn lists those of a batch, in order of ID; an empty one has none.
	LettersIn(batch string) ([]Letter, error)
	// Letters lists those in a state in order of ID, after an ID; an empty state lists
	// all. A row that is refused raises its alarm and is passed over, here and below.
	Letters(state LetterState, after string, limit int) ([]Letter, error)
	// WaitingLetters lists those that wait, the oldest first, at most limit.
	WaitingLetters(limit int) ([]Letter, error)
}

// LetterWriter writes them.
type LetterWriter interface {
	InsertLetter(Letter) error // ErrExists: the ID is taken
	// UpdateLetter replaces a letter. ErrDecided: it came back, which is final.
	UpdateLetter(Letter) error
	DeleteLetter(id string) error
	// PruneLetters drops those that ended before a time, never one that is on its way, and
	// returns how many.
	PruneLetters(endedBefore time.Time) (int64, error)
}
