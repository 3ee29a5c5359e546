// Package staff knows the members of staff (工作人员): who they are, what they may do, and how they
// prove who they are. It guarantees that nobody holds two roles that check each other; that
// after the first operator and the first security officer each invitation, change of roles,
// mapped account and replaced passkey is an act of two members (package proposal); that an
// invitation is used once, within 72 hours, and that neither of the two who made it knows the
// whole of its code; that a suspension counts from the next request on and ends every session;
// that a session lives 8 hours at most and 30 minutes without use; that only hashes of codes
// and sessions are kept; and that each act is recorded with the member's identifier in the same
// transaction (I-8). It trusts the door to say which account of the machine calls, and which
// browser.
//
// Start here: Staff, then Caller; a file per act: begin, change, invitation, session, passkey.
package staff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Times.
const (
	InvitationLife = 72 * time.Hour
	SessionLife    = 8 * time.Hour
	SessionIdle    = 30 * time.Minute
	CodeLife       = 5 * time.Minute // of a code for a terminal, and of a passkey's challenge
	// Wait is how long an invitation waits before it counts if nobody approved it, because
	// nobody was left who could. The remaining members may stop it meanwhile.
	Wait = 72 * time.Hour
)

// Errors that callers act on. With each of them nothing was changed.
var (
	ErrNobody    = errors.New("you act under no name here: make a code on the console, behind your name, or where you have one with 'liuma staff code', and sign in with 'liuma staff sign-in'; or have your account mapped with 'liuma staff map'")
	ErrBegun     = errors.New("somebody active has a role that you name ('liuma staff list' shows who is active and who is only invited): an active operator and an active security officer invite others together, with 'liuma staff invite'; where nobody active has a role, name that one alone")
	ErrContest   = errors.New("somebody else suspended the last member with this role less than seven days ago; nobody takes that place before")
	ErrUnknown   = errors.New("no such member of staff")
	ErrTaken     = errors.New("this identifier is another member's; it is never given twice")
	ErrFilledIn  = errors.New("the member of staff is not filled in")
	ErrRoles     = errors.New("these roles do not go together")
	ErrState     = errors.New("this does not fit how the member stands")
	ErrCode      = errors.New("this code is not known, was used, or is too old; ask for another")
	ErrEarly     = errors.New("this invitation does not count yet")
	ErrAccount   = errors.New("this account of the machine acts as another member already")
	ErrSession   = errors.New("this sign-in has ended; sign in again")
	ErrBounds    = errors.New("this is beyond your region or agency")
	ErrLast      = errors.New("this would leave nobody with the role: invite another first")
	ErrSuspended = errors.New("this member of staff is suspended")
	ErrNumber    = errors.New("this is no valid document number of a member of staff")
)

// Challenges makes and checks challenges of passkeys, and hashes values that are used once;
// *vault.Vault does.
type Challenges interface {
	NewChallenge(label liuma.ChannelID, now time.Time, ttl time.Duration) (string, error)
	CheckChallenge(label liuma.ChannelID, value string, now time.Time) error
	Index(kind vault.IndexKind, value string) vault.Index
}

// Config holds the parts that Staff works with.
type Config struct {
	Store      store.Store
	Challenges Challenges
	Now        func() time.Time // the database's time
	// Console is the address of the staff pages, https://host; passkeys belong to its host.
	// Empty: there are no staff pages, and passkeys are refused.
	Console string
}

// Staff are the members of staff of an authority. Safe for concurrent use.
type Staff struct {
	c         Config
	proposals *proposal.Proposals
	passkeys  *relying // nil without a Console
}

// New checks the Config.
func New(c Config) (*Staff, error) {
	if c.Store == nil || c.Challenges == nil || c.Now == nil {
		return nil, errors.New("staff: config: want Store, Challenges and Now")
	}
	p, err := proposal.New(proposal.Config{Store: c.Store, Now: c.Now})
	if err != nil {
		return nil, err
	}
	s := &Staff{c: c, proposals: p}
	if c.Console != "" {
		if s.passkeys, err = newRelying(c.Console); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Proposals are the acts that take two members.
func (s *Staff) Proposals() *proposal.Proposals { return s.proposals }

// Caller is the active member who acts. Only this package makes one that is not zero, after it
// has checked who it is.
type Caller struct {
	ID     liuma.StaffID     `json:"id"`
	Name   string            `json:"name"`
	Roles  []liuma.StaffRole `json:"roles"`
	Agency liuma.Agency      `json:"agency,omitempty"`
	Region liuma.Region      `json:"region,omitempty"`
}

func callerOf(m store.Member) Caller {
	return Caller{ID: m.ID, Name: m.Name, Roles: slices.Clone(m.Roles), Agency: m.Agency, Region: m.Region}
}

// Is reports whether the caller has one of the roles.
func (c Caller) Is(roles ...liuma.StaffRole) bool {
	return slices.ContainsFunc(c.Roles, func(r liuma.StaffRole) bool { return slices.Contains(roles, r) })
}

// Sees reports whether a thing of a region and agency is within the caller's bounds. A thing of
// no agency is seen only by members who are not bound to an agency.
func (c Caller) Sees(region liuma.Region, agency liuma.Agency) bool {
	return c.Region.Contains(region) && (c.Agency == "" || c.Agency == agency)
}

// Begun reports whether there is any member of staff, invited or active. Before that, acts are
// recorded without a name.
func (s *Staff) Begun(ctx context.Context) (begun bool, err error) {
	err = s.c.Store.View(ctx, func(r store.Reader) error {
		all, err := r.Members()
		begun = slices.ContainsFunc(all, func(m store.Member) bool { return m.State != store.MemberInvited })
		return err
	})
	return begun, err
}

// View is a member as lists show them: without keys and hashes.
type View struct {
	ID       liuma.StaffID     `json:"id"`
	Name     string            `json:"name"`
	Roles    []liuma.StaffRole `json:"roles"`
	Agency   liuma.Agency      `json:"agency,omitempty"`
	Region   liuma.Region      `json:"region,omitempty"`
	State    string            `json:"state"` // invited, active, suspended
	Passkeys int               `json:"passkeys"`
	Document bool              `json:"document,omitempty"` // it is known by which document they are known
	Software bool              `json:"software,omitempty"` // a passkey is a program's, which proves no device
	Accounts []uint32          `json:"accounts,omitempty"`
	// InvitedUntil is set while an invitation is open, and InvitedFrom if it counts only later.
	InvitedUntil *time.Time `json:"invited_until,omitempty"`
	InvitedFrom  *time.Time `json:"invited_from,omitempty"`
	At           time.Time  `json:"at"`
}

// List lists the members that a caller sees; a zero Caller sees none.
func (s *Staff) List(ctx context.Context, by Caller) ([]View, error) {
	var out []View
	err := s.c.Store.View(ctx, func(r store.Reader) error {
		out = nil
		all, err := r.Members()
		for _, m := range all {
			if by.ID != "" && by.Sees(m.Region, m.Agency) {
				out = append(out, s.view(m))
			}
		}
		return err
	})
	return out, err
}

func (s *Staff) view(m store.Member) View {
	v := View{ID: m.ID, Name: m.Name, Roles: m.Roles, Agency: m.Agency, Region: m.Region, State: stateName(m.State),
		Passkeys: len(m.Passkeys), Accounts: m.Accounts, At: m.At, Document: m.Document != (vault.Index{}),
		Software: slices.ContainsFunc(m.Passkeys, func(k store.Passkey) bool { return k.Software })}
	if m.Invitation != [32]byte{} && s.c.Now().Before(m.InvitedUntil) {
		v.InvitedUntil = &m.InvitedUntil
		if s.c.Now().Before(m.InvitedFrom) {
			v.InvitedFrom = &m.InvitedFrom
		}
	}
	return v
}

func stateName(s store.MemberState) string {
	switch s {
	case store.MemberInvited:
		return "invited"
	case store.MemberActive:
		return "active"
	}
	return "suspended"
}

// OfAccount is the member that an account of the machine acts as. ErrNobody: it is mapped to no
// active member.
func (s *Staff) OfAccount(ctx context.Context, account uint32) (c Caller, err error) {
	err = s.c.Store.View(ctx, func(r store.Reader) error {
		all, err := r.Members()
		if err != nil {
			return err
		}
		for _, m := range all {
			if m.Active() && slices.Contains(m.Accounts, account) {
				c = callerOf(m)
				return nil
			}
		}
		return ErrNobody
	})
	return c, err
}

// active is the caller as this transaction reads them: a caller who was suspended or lost a
// role since is refused.
func active(r store.Reader, by Caller, roles ...liuma.StaffRole) (Caller, error) {
	m, err := r.Member(by.ID)
	if errors.Is(err, store.ErrNotFound) {
		return Caller{}, ErrNobody
	}
	if err != nil {
		return Caller{}, err
	}
	if !m.Active() {
		return Caller{}, ErrSuspended
	}
	if c := callerOf(m); len(roles) == 0 || c.Is(roles...) {
		return c, nil
	}
	return Caller{}, proposal.ErrRole
}

// target is a member that the caller may act on.
func target(r store.Reader, by Caller, id liuma.StaffID) (store.Member, error) {
	m, err := r.Member(id)
	if errors.Is(err, store.ErrNotFound) {
		return m, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	if err == nil && !by.Sees(m.Region, m.Agency) {
		err = ErrBounds
	}
	return m, err
}

func entry(at time.Time, by liuma.StaffID, ev audit.Event, note string) audit.Entry {
	return audit.Entry{At: at, Actor: by.Actor(), Event: ev, Outcome: "ok", Note: note}
}
