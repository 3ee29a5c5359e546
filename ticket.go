package liuma

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
)

// TicketID names one ticket (凭单) of a counter. It is random, is no secret and proves
// nothing.
type TicketID [16]byte

// NewTicketID draws an identifier from the system's random source.
func NewTicketID() TicketID {
	var id TicketID
	rand.Read(id[:]) // never fails since Go 1.24
	return id
}

// ParseTicketID reads the 32 lower-case hexadecimal digits that String writes.
func ParseTicketID(s string) (TicketID, error) {
	var id TicketID
	if n, err := hex.Decode(id[:], []byte(s[:min(len(s), 2*len(id))])); err != nil || n != len(id) || id.String() != s {
		return TicketID{}, fmt.Errorf("ticket id: want 32 hexadecimal digits in lower case")
	}
	return id, nil
}

func (id TicketID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id names no ticket.
func (id TicketID) IsZero() bool { return id == TicketID{} }

// MarshalText writes String, for JSON.
func (id TicketID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads it.
func (id *TicketID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseTicketID(string(b))
	return err
}

// TicketKind is what a ticket lets its holder do at a counter.
type TicketKind string

// The kinds. None of them lets a member of staff enter, set or learn a PIN.
const (
	TicketReset       TicketKind = "reset"        // a forgotten PIN is set anew
	TicketRebind      TicketKind = "rebind"       // another phone takes the bound one's place
	TicketRebindReset TicketKind = "rebind_reset" // both, at once
	TicketUnfreeze    TicketKind = "unfreeze"     // a frozen card works again
	TicketEnroll      TicketKind = "enroll"       // the first PIN, of a person without a card here
	TicketOpen        TicketKind = "open"         // a card that only the keepers knew is opened, with a new PIN
	TicketFreeze      TicketKind = "freeze"       // somebody else came for the holder, and has the card frozen; one clerk, at once
	TicketClose       TicketKind = "close"        // death or emigration; staff alone, two of them
)

// TicketKinds lists every kind, in the order in which pages show them.
func TicketKinds() []TicketKind {
	return []TicketKind{TicketReset, TicketRebind, TicketRebindReset, TicketUnfreeze, TicketEnroll, TicketOpen, TicketFreeze, TicketClose}
}

// Holderless reports whether no holder takes part in a kind: members of staff do all
// of it, with the ticket or its approval.
func (k TicketKind) Holderless() bool { return k == TicketFreeze || k == TicketClose }

// ParseTicketKind reads a kind's name.
func ParseTicketKind(s string) (TicketKind, error) {
	if k := TicketKind(s); slices.Contains(TicketKinds(), k) {
		return k, nil
	}
	return "", fmt.Errorf("ticket %q: want reset, rebind, rebind_reset, unfreeze, enroll, open, freeze or close", s)
}
