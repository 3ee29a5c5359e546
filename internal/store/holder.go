package store

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

// HolderWriter is the part of Tx that says which card a holder will have, before the card is
// inserted. A database that spreads its rows needs that: two enrolments of one person may
// begin at different machines.
type HolderWriter interface {
	// TakeHolder claims a holder for a card that is not there yet, in a transaction of its own
	// and before InsertCard, and returns the card that the claim names: that one is to be
	// inserted, or is there already. A holder that has been claimed stays with that card. A
	// store that keeps all rows together writes nothing, and returns the card that it was given.
	TakeHolder(holder vault.Index, card liuma.CardID) (liuma.CardID, error)
	// DropHolder drops the claim of a holder who has no card, and has the card that it names
	// never come about. ErrExists: the holder has that card. Without a claim it does nothing.
	DropHolder(holder vault.Index) error
}
