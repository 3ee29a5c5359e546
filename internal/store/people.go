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
)

// PeopleReader reads what waits for somebody to hear of a change in the registry.
type PeopleReader interface {
	Conflict(id string) (Conflict, error)
	// Conflicts lists conflicts in the order of their IDs after one, at most limit,
	// those that are decided too.
	Conflicts(after string, limit int) ([]Conflict, error)
	// ConflictsOf lists those about one number.
	ConflictsOf(holder vault.Index) ([]Conflict, error)

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
	// PutPersonChange inserts a change or replaces that of its card.
	PutPersonChange(PersonChange) error
	DeletePersonChange(liuma.CardID) error
}
