package store

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Conflict is a row of an import that is about another person than the one who
// is registered under its number, until an operator decides whose the number is.
type Conflict struct {
	ID     string // the same for the same person of the same number, however often imported
	Person Person // what the row says; its Sealed is bound to Holder
	At     time.Time
	// KeptAt is when an operator decided that the registered person stays; zero:
	// nobody has decided. A decided one is no longer listed, and stays so that the
	// same row is not asked about again.
	KeptAt time.Time
	// Former is set where the row came as the correction of that number to Holder.
	Former vault.Index
	// FormerCard is the card number under which the former number's person was
	// registered then, where Person is as the row says and not as registered; zero:
	// Person has it.
	FormerCard vault.Index
}

// PersonChange is what the registry changed about the holder of a card, until the
// holder was told.
type PersonChange struct {
	Card   liuma.CardID
	Holder vault.Index
	What   []string // of the Changed constants, each once, in order
	// Sealed is the person of the number before, sealed and bound to the holder, where
	// an operator gave the number to another person; empty otherwise.
	Sealed []byte
	At     time.Time // of the first change that was not told
}

// What may change about a person.
const (
	ChangedName   = "name"
	ChangedPhone  = "phone"
	ChangedRegion = "region"
	ChangedCardNo = "card_no"
	ChangedPerson = "person" // the number is another person's now
	// ChangedShown is no change: what is held about the person was written out.
	ChangedShown = "shown"
)

// CorrectionState is how far the correction of a number has come.
type CorrectionState uint8

// A crash in CorrectionReceived or CorrectionWaiting leaves the old number; from
// CorrectionMoving on the card's tag is being moved at the keepers, and is carried
// through or taken back; CorrectionMoved only waits for keepers that were away.
const (
	CorrectionReceived  CorrectionState = 1 // nobody was told, and nothing waits yet
	CorrectionWaiting   CorrectionState = 2 // the holder is being told, and was told once Until is set
	CorrectionMoving    CorrectionState = 3 // keepers are asked to move the tag
	CorrectionUndoing   CorrectionState = 4 // they refused, and the tag is being put back
	CorrectionMoved     CorrectionState = 5 // card and person have the new number
	CorrectionStopped   CorrectionState = 6 // an operator decides
	CorrectionCancelled CorrectionState = 7 // an operator decided against it
)

// WhyUntold is Correction.Why where nobody could be told: an operator may let that one
// go on.
const WhyUntold = "untold"

// Correction is the correction of one person's number. Its row is there until all
// keepers have the new number; a cancelled one stays, so that the same word of the
// registry is not taken again.
type Correction struct {
	ID     string // the same for the same former number
	Former vault.Index
	Number vault.Index
	Card   liuma.CardID // zero where there was no card when it was received
	// Sealed are the person's facts with the new number, sealed and bound to Number.
	Sealed []byte
	State  CorrectionState
	Actor  string // who brought it
	At     time.Time
	Until  time.Time // from when the holder was told on; zero where there is no card
	Why    string    // of CorrectionStopped: what stopped it
	No     uint64    // the card's CorrectionNo, as long as this is its correction
	Notice string    // ID of the message that tells the holder; empty with Decided
	// Decided says that an operator let it go on although nobody could be told.
	Decided bool
	// Full is when the 72 hours are over, where two members of staff shortened them;
	// zero: they did not.
	Full time.Time
	// Earlier is the notice with which the 72 hours began, as long as Full says when they
	// are over.
	Earlier string
}

// Draft is a person's row that was made ready before its transaction.
type Draft interface{ Person() Person }

// PeopleReader reads what waits for somebody to hear of a change in the registry.
type PeopleReader interface {
	Conflict(id string) (Conflict, error)
	// Conflicts lists conflicts in the order of their IDs after one, at most limit,
	// those that are decided too.
	Conflicts(after string, limit int) ([]Conflict, error)
	// ConflictsOf lists those about one number.
	ConflictsOf(holder vault.Index) ([]Conflict, error)

	Correction(id string) (Correction, error)
	// CorrectionOf is the one of a former number, CorrectionTo that to a new one.
	CorrectionOf(former vault.Index) (Correction, error)
	CorrectionTo(number vault.Index) (Correction, error)
	// Corrections lists corrections in the order of their IDs after one, at most
	// limit. A row that is refused raises its alarm and is passed over.
	Corrections(after string, limit int) ([]Correction, error)
	// Persons lists people in the order of their blind indexes after one, at most
	// limit. A row that is refused raises its alarm and is passed over.
	Persons(after vault.Index, limit int) ([]Person, error)

	PersonChange(liuma.CardID) (PersonChange, error)
	// PersonChanges lists changes in the order of their cards after one, at most
	// limit. A row that is refused raises its alarm and is passed over.
	PersonChanges(after liuma.CardID, limit int) ([]PersonChange, error)
}

// PeopleWriter writes it.
type PeopleWriter interface {
	// PutConflict inserts a conflict or replaces the one with its ID.
	PutConflict(Conflict) error
	DeleteConflict(id string) error
	// PutCorrection inserts a correction or replaces the one with its ID. ErrExists:
	// another one is to the same number.
	PutCorrection(Correction) error
	DeleteCorrection(id string) error
	// PutPersonChange inserts a change or replaces that of its card.
	PutPersonChange(PersonChange) error
	DeletePersonChange(liuma.CardID) error

	// InsertDraft is InsertPerson of a row that Draft made ready. One that was sealed
	// under a root key which no longer seals is sealed anew.
	InsertDraft(Draft) error
	// DeletePerson drops a person's row; ErrNotFound.
	DeletePerson(holder vault.Index) error
	// EraseCard leaves of a card its ID, the end of its stream and ErasedAt: holder,
	// contacts, links with their claims, ration marks, one-time code and PIN go. The
	// row stays, because a stream without its head would look cut off (I-16), and
	// because no other card may have its ID. ErrNotFound.
	EraseCard(card liuma.CardID, at time.Time) error
	// DeleteMessage drops a message that is done, sent or given up. ErrConflict: it
	// still waits. ErrNotFound.
	DeleteMessage(id string) error
}

// EndCorrection has a card know no more of a correction that waits. Its row, or one
// from before that is put back, counts for nothing from then on. One that is being
// carried out goes on.
func (c *Card) EndCorrection() {
	c.Correcting, c.Untold = time.Time{}, false
	if !c.Moving {
		c.CorrectionNo++
	}
}

// IsCorrecting reports whether a correction of the holder's number waits.
func (c *Card) IsCorrecting() bool { return c.Untold || !c.Correcting.IsZero() }
