package store

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TicketState is how far a ticket has come.
type TicketState uint8

// The states. The first three are live: a ticket in one of them ends by itself at its
// time. Of the others none is ever left.
const (
	TicketAsked     TicketState = 1 // a supervisor is to look; a browser that has it shows its number
	TicketOpened    TicketState = 2 // its minutes run, with RouteLink
	TicketTaken     TicketState = 3 // one browser goes on with it
	TicketUsed      TicketState = 4 // in the transaction of what it let its holder do
	TicketStopped   TicketState = 5 // by a freeze, or because it could not stand
	TicketDeclined  TicketState = 6 // by the supervisor
	TicketWithdrawn TicketState = 7 // by the clerk
	TicketExpired   TicketState = 8
)

// Name is the state's in answers; the catalogue has a word for each
// ("word.ticket_state.NAME").
func (s TicketState) Name() string {
	names := []string{"asked", "open", "taken", "used", "stopped", "declined", "withdrawn", "expired"}
	if s < 1 || int(s) > len(names) {
		return ""
	}
	return names[s-1]
}

// TicketRoute is whose word stands behind a ticket, beside the clerk's.
type TicketRoute string

// The routes. With RouteLink the holder proves their bound phone through a known link;
// anything else takes a supervisor, but for a freeze, which takes nothing away: that an
// agent has a clerk make at once.
const (
	RouteLink       TicketRoute = "link"
	RouteSupervisor TicketRoute = "supervisor"
	RouteAgent      TicketRoute = "agent"
)

// CameAs is as what somebody came to a counter who is not the person.
type CameAs string

// What they came as: in the place of the person, or with a person who needs a guardian.
const (
	CameAgent    CameAs = "agent"
	CameGuardian CameAs = "guardian"
)

// Came is somebody who came to a counter in the place of a person, or with one. Of the
// document that the clerk saw only the blind index is kept, and the name masked.
type Came struct {
	As       CameAs // empty: nobody came but the person
	Document vault.Index
	Name     string // masked
}

// Why a ticket ended (Ticket.Ended), beside what its state says.
const (
	TicketEndedFrozen = "frozen" // its card was frozen, or its loss reported
	TicketEndedAgent  = "agent"  // somebody else had its card frozen at a counter
	TicketEndedStaff  = "staff"  // its clerk or supervisor may not act any more
	TicketEndedCard   = "card"   // its card is not what it was
	TicketEndedLeft   = "left"   // its holder left the act
	TicketEndedTwice  = "twice"  // two browsers gave its code
	TicketEndedNumber = "number" // the supervisor typed numbers that its screen did not show
)

// Ticket is what a clerk opened for a holder who stands at a counter. Package counter
// says what it is worth.
type Ticket struct {
	ID    liuma.TicketID
	Kind  liuma.TicketKind
	State TicketState
	// Code is the blind index of the code that the holder types; zero before the clerk
	// asked for one.
	Code   vault.Index
	Card   liuma.CardID // zero for TicketEnroll, and before TicketOpen adopted it
	Holder vault.Index  // of the document that the clerk saw
	Region liuma.Region // the person's
	Agency liuma.Agency // the clerk's
	Clerk  liuma.StaffID
	// Supervisor was picked for an asked ticket, and has approved one that is open.
	// Empty with RouteLink.
	Supervisor liuma.StaffID
	Reason     string // of counter.Reasons
	Words      string // the clerk's own, or empty
	Lost       bool   // the bound phone is not there: it was lost, or left at home
	Route      TicketRoute
	Stops      uint64 // the card's, when the ticket was asked for
	Pad        string // the desk pad that it was sent to, or empty
	Ceremony   string // that took it, or empty; with RouteSupervisor before it is approved
	Wrong      uint64 // numbers that the supervisor typed and no screen showed

	AskedAt  time.Time
	OpenedAt time.Time // zero while it is asked for
	TakenAt  time.Time
	Until    time.Time // of the state that it is in; ended ones keep it
	EndedAt  time.Time // zero while it is live
	Ended    string    // why, of TicketStopped; the words of who declined it

	// ReviewUntil is by when a security officer is to look at it; zero: not sampled.
	ReviewUntil time.Time
	ReviewedAt  time.Time
	Reviewer    liuma.StaffID
	// Finding is "fine" or "wrong", and ReviewWords why.
	Finding     string
	ReviewWords string
	// Came is who came for the person, or with them.
	Came Came
}

// Live reports whether a ticket has not ended. Whether its time is over is another
// question.
func (t *Ticket) Live() bool {
	return t.State == TicketAsked || t.State == TicketOpened || t.State == TicketTaken
}

// End ends a live ticket, and has the code find it no more.
func (t *Ticket) End(s TicketState, why string, at time.Time) {
	t.State, t.Ended, t.EndedAt, t.Code = s, why, at, vault.Index{}
}

// LookUp is one look of a clerk at a person, with the reason. It holds no personal
// data of theirs: what the clerk sees is read from the registry each time.
type LookUp struct {
	ID     string // 26 lower-case characters, random
	Clerk  liuma.StaffID
	Holder vault.Index
	Reason string
	Words  string
	At     time.Time
	Until  time.Time
	Came   Came // who came for the person, or with them
}

// DeskPad is a device on a clerk's desk that shows a holder's pages. A clerk has one.
type DeskPad struct {
	ID  string // 32 hexadecimal digits, of the hash of its key
	Key []byte // public ES256 key, uncompressed point

	Clerk    liuma.StaffID
	Agency   liuma.Agency
	Region   liuma.Region
	PairedAt time.Time
	Until    time.Time
	SeenAt   time.Time      // to the minute
	Ticket   liuma.TicketID // that the clerk sent to it last
}

// TicketPlace is a place in a list of tickets that is in the order of a time and then of
// their IDs. A list after it goes on behind the ticket of that place; the zero place is
// the beginning.
type TicketPlace struct {
	At time.Time
	ID liuma.TicketID
}

// TicketReader reads tickets, look-ups and desk pads; ErrNotFound if there is none.
type TicketReader interface {
	Ticket(liuma.TicketID) (Ticket, error)
	// TicketByCode finds a live ticket; a zero index finds none.
	TicketByCode(vault.Index) (Ticket, error)
	// TicketsOf lists a card's tickets that are kept, the oldest first.
	TicketsOf(liuma.CardID) ([]Ticket, error)
	// TicketsFor lists those of a person which have no card, the oldest first.
	TicketsFor(holder vault.Index) ([]Ticket, error)
	// TicketsBy lists a clerk's after a place (by AskedAt), the newest first, at most limit.
	TicketsBy(clerk liuma.StaffID, after TicketPlace, limit int) ([]Ticket, error)
	// TicketsAsked lists those that wait for a supervisor, the oldest first, those whose
	// time is over too.
	TicketsAsked(supervisor liuma.StaffID) ([]Ticket, error)
	// DueTickets lists live ones whose time was over by now, at most limit. A row that is
	// refused raises its alarm and is passed over, here and in the lists below.
	DueTickets(now time.Time, limit int) ([]Ticket, error)
	// StoppedTickets lists those that were stopped after a place (by EndedAt), in that
	// order, at most limit.
	StoppedTickets(after TicketPlace, limit int) ([]Ticket, error)
	// TicketsToReview lists those of a region that a security officer is to look at, after
	// a place (by ReviewUntil), those due first first, at most limit.
	TicketsToReview(within liuma.Region, after TicketPlace, limit int) ([]Ticket, error)
	// EndedTickets lists those that ended before a time, at most limit.
	EndedTickets(before time.Time, limit int) ([]Ticket, error)

	LookUp(id string) (LookUp, error)

	DeskPad(id string) (DeskPad, error)
	// DeskPadOf is the pad that is paired with a clerk, also when its time is over.
	DeskPadOf(liuma.StaffID) (DeskPad, error)
}

// TicketWriter writes them.
type TicketWriter interface {
	// InsertTicket refuses a second ticket of the same ID or, while it is live, of the
	// same Code (ErrExists).
	InsertTicket(Ticket) error
	// UpdateTicket replaces a ticket. ErrExists: the Code is another live one's.
	// ErrDecided: it has ended; then only the members of its review may change, and
	// those once.
	UpdateTicket(Ticket) error
	// DeleteTicket drops one that has ended; ErrConflict for one that has not.
	DeleteTicket(liuma.TicketID) error

	InsertLookUp(LookUp) error
	// PruneLookUps drops those whose time was over before now, and returns how many.
	PruneLookUps(now time.Time) (int64, error)

	// PutDeskPad inserts a pad or replaces that of its ID. ErrExists: the Clerk has
	// another.
	PutDeskPad(DeskPad) error
	// DeleteDeskPad drops one. ErrNotFound.
	DeleteDeskPad(id string) error
	// SeeDeskPad notes that a pad asked. It needs no entry: it says only that time
	// passed. ErrNotFound.
	SeeDeskPad(id string, at time.Time) error
	// PruneDeskPads drops those whose time was over before a time, and returns how many.
	PruneDeskPads(before time.Time) (int64, error)
}
