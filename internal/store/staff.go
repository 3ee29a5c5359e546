package store

import (
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

// MemberState is whether a member of staff may act.
type MemberState uint8

// The states. One who is suspended stays in the table: the record names them.
const (
	MemberInvited   MemberState = 1 // has an invitation, and has not accepted it
	MemberActive    MemberState = 2
	MemberSuspended MemberState = 3
)

// Member is one member of staff. The table is shared: a row that was deleted or
// put back is refused.
type Member struct {
	ID     liuma.StaffID
	Name   string // as pages and the invitation show it
	Roles  []liuma.StaffRole
	Agency liuma.Agency // empty: every agency of the region
	Region liuma.Region // empty: the nation
	State  MemberState
	At     time.Time // of the first invitation

	// Invitation is the hash of a code that is not used yet, InvitedUntil when it
	// ends, and InvitedFrom from when it counts; zero: at once.
	Invitation   [32]byte
	InvitedUntil time.Time
	InvitedFrom  time.Time

	// Handle is the member's name to authenticators: random, so that it says nothing.
	Handle   [32]byte
	Passkeys []Passkey
	// Accounts are users of this machine who act as the member on the command line.
	Accounts []uint32
	// SessionsFrom ends every session that began before it.
	SessionsFrom time.Time
	// SuspendedAt is when the member, being active, was suspended last; zero of one whose
	// suspension is older than this field.
	SuspendedAt time.Time
	// SuspendedBy is who did it; themself, if they stopped themself.
	SuspendedBy liuma.StaffID
	// Document is the blind index of the member's own document, as Person.Holder is
	// made: nobody serves themself nor their household. Zero: it is not known, and the
	// member opens and approves no ticket.
	Document vault.Index
}

// Passkey is the public half of an authenticator's key.
type Passkey struct {
	ID        []byte
	Key       []byte // COSE
	AAGUID    []byte
	SignCount uint32
	Eligible  bool // may be copied to other devices of its owner
	BackedUp  bool
	At        time.Time
	UsedAt    time.Time
	// Software marks one that a program keeps, of a demo: it proves no device.
	Software bool
}

// Active reports whether the member may act.
func (m *Member) Active() bool { return m.State == MemberActive }

// Has reports whether the member has a role.
func (m *Member) Has(r liuma.StaffRole) bool { return slices.Contains(m.Roles, r) }

// StaffSession is a log-in of a member of staff, or a code for one. Only the hash of its
// secret is kept.
type StaffSession struct {
	Hash   [32]byte
	Member liuma.StaffID
	Code   bool // a code that another device turns into a session, once
	At     time.Time
	Seen   time.Time // to the minute, to write less
	Until  time.Time // however often it is used
}

// ProposalState is how far a two-person act has come.
type ProposalState uint8

// The states. An open one ends by itself at its time.
const (
	ProposalOpen      ProposalState = 1
	ProposalApproved  ProposalState = 2
	ProposalWithdrawn ProposalState = 3
)

// Proposal is an act that takes two members of staff. The table is shared: one
// that was withdrawn or approved does not come back.
type Proposal struct {
	ID    string
	Kind  string
	Body  []byte // what is to be done; the approver sees it
	Hash  [32]byte
	By    liuma.StaffID
	At    time.Time
	Until time.Time
	State ProposalState
	// Approver approved it, or withdrew it, at Ended.
	Approver liuma.StaffID
	Ended    time.Time
}

// StaffReader reads members of staff, their sessions and proposals.
type StaffReader interface {
	Member(liuma.StaffID) (Member, error)
	// Members lists all, in the order of their IDs.
	Members() ([]Member, error)
	StaffSession(hash [32]byte) (StaffSession, error)
	// StaffSessionsOf lists a member's, codes and those that are over too.
	StaffSessionsOf(liuma.StaffID) ([]StaffSession, error)
	Proposal(id string) (Proposal, error)
	// Proposals lists all that are kept, the oldest first.
	Proposals() ([]Proposal, error)
}

// StaffWriter writes them.
type StaffWriter interface {
	// InsertMember refuses a second member of the same ID (ErrExists). No member is
	// ever deleted.
	InsertMember(Member) error
	UpdateMember(Member) error
	PutStaffSession(StaffSession) error
	// SeeStaffSession notes that a session was used. It needs no entry: it says only
	// that time passed. ErrNotFound.
	SeeStaffSession(hash [32]byte, at time.Time) error
	DeleteStaffSession(hash [32]byte) error
	// DeleteStaffSessionsOf drops all of a member.
	DeleteStaffSessionsOf(liuma.StaffID) error
	// PruneStaffSessions drops those whose time is before now.
	PruneStaffSessions(now time.Time) (int64, error)
	InsertProposal(Proposal) error
	UpdateProposal(Proposal) error
	DeleteProposal(id string) error
}
