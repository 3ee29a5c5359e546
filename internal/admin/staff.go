package admin

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
)

// StaffStatus is the state of the staff, for Status.
type StaffStatus struct {
	// Begun is false while there are no members: acts are recorded as Actor.
	Begun  bool `json:"begun"`
	Active int  `json:"active"`
	// Operators and Officers count the active ones. If either is zero, no act that takes
	// two can be decided.
	Operators int `json:"operators"`
	Officers  int `json:"officers"`
	Proposals int `json:"proposals"` // that wait for an approval
	// Waiting are members who were invited without an approval, and whose invitations do
	// not count yet.
	Waiting []liuma.StaffID `json:"waiting,omitempty"`
	// Contested are operators and officers whom another member suspended within the last
	// days (staff.Contest).
	Contested []StaffSuspension `json:"contested,omitempty"`
}

// StaffSuspension is a suspension of a member by another.
type StaffSuspension struct {
	Member liuma.StaffID `json:"member"`
	By     liuma.StaffID `json:"by"`
	At     time.Time     `json:"at"`
	// Until is when another may be begun in their place, if nobody with their role is
	// left.
	Until time.Time `json:"until"`
}

// StaffStatus returns the state of the staff, which is in Status too.
func (a *Admin) StaffStatus(ctx context.Context) (s StaffStatus, err error) {
	if s.Begun, err = a.staff.Begun(ctx); err != nil {
		return s, err
	}
	open, err := a.staff.Proposals().List(ctx)
	if err != nil {
		return s, err
	}
	s.Proposals = len(open)
	err = a.c.Store.View(ctx, func(r store.Reader) error {
		all, err := r.Members()
		s.Active, s.Operators, s.Officers, s.Waiting, s.Contested = 0, 0, 0, nil, nil
		for _, m := range all {
			if until := m.SuspendedAt.Add(staff.Contest); m.State == store.MemberSuspended && m.SuspendedBy != m.ID && m.SuspendedBy != "" &&
				(m.Has(liuma.RoleOperator) || m.Has(liuma.RoleOfficer)) && a.c.Clock.Now().Before(until) {
				s.Contested = append(s.Contested, StaffSuspension{m.ID, m.SuspendedBy, m.SuspendedAt, until})
			}
			if m.State == store.MemberInvited && a.c.Clock.Now().Before(m.InvitedFrom) {
				s.Waiting = append(s.Waiting, m.ID)
			}
			if !m.Active() {
				continue
			}
			s.Active++
			if m.Has(liuma.RoleOperator) {
				s.Operators++
			}
			if m.Has(liuma.RoleOfficer) {
				s.Officers++
			}
		}
		return err
	})
	return s, err
}

// Staff are the members of staff, for the door that handles passkeys. Its acts check no
// role: a passkey, or an invitation's code, identifies the person.
func (a *Admin) Staff() *staff.Staff { return a.staff }

// BeginStaff invites the first two members of staff. If asked to, it lets the caller's
// account act as the operator.
func (a *Admin) BeginStaff(ctx context.Context, b staff.Beginning) ([]staff.Invited, error) {
	return a.staff.Begin(ctx, b)
}

// StaffMembers lists the members that the caller sees.
func (a *Admin) StaffMembers(ctx context.Context) ([]staff.View, error) {
	return a.staff.List(ctx, callerOf(ctx))
}

// ProposeStaff proposes a change of a member. If the directory has offices, the member's
// agency must be one of them.
func (a *Admin) ProposeStaff(ctx context.Context, c staff.Change) (staff.Proposed, error) {
	if own := c.Member.Agency; own != "" {
		listing := a.c.Agencies.Listing()
		if _, ok := listing.Agency(own); !ok && listing.Offices() {
			return staff.Proposed{}, agency.ErrUnknown
		}
	}
	return a.staff.Propose(ctx, callerOf(ctx), c)
}

// ApproveStaff carries out a change that another member proposed.
func (a *Admin) ApproveStaff(ctx context.Context, id string) (staff.Approved, error) {
	return a.staff.Approve(ctx, callerOf(ctx), proposal.ID(id))
}

// ProposalView is a proposal as lists show it.
type ProposalView struct {
	ID    string        `json:"id"`
	Kind  string        `json:"kind"`
	By    liuma.StaffID `json:"by"`
	At    time.Time     `json:"at"`
	Until time.Time     `json:"until"`
	Hash  string        `json:"hash"` // the first 16 digits, as the record has them
	// About describes the proposal in one line. Change has a change of a member in
	// parts, without anything of an invitation's code.
	About  string        `json:"about,omitempty"`
	Change *staff.Change `json:"change,omitempty"`
	// Act has an act on the service in parts.
	Act *Act `json:"act,omitempty"`
	// ApprovedAt is set for an act that the caller approved and that may not have been
	// carried out, because a process died in between: the caller approves it again.
	ApprovedAt *time.Time `json:"approved_at,omitempty"`
}

// Proposals lists the proposals that wait for an approval, within the caller's bounds,
// and after them the acts that the caller approved and can still carry out.
func (a *Admin) Proposals(ctx context.Context) ([]ProposalView, error) {
	open, err := a.staff.Proposals().List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]ProposalView, 0, len(open))
	for _, p := range open {
		if sees, err := a.staff.Sees(ctx, callerOf(ctx), p); err != nil {
			return nil, err
		} else if !sees {
			continue
		}
		out = append(out, viewed(p))
	}
	cut, err := a.cutShort(ctx)
	return append(out, cut...), err
}

func viewed(p store.Proposal) ProposalView {
	var act *Act
	if a, err := actOf(p); err == nil {
		act = &a
	}
	return ProposalView{Act: act, ID: p.ID, Kind: p.Kind, By: p.By, At: p.At, Until: p.Until, Hash: hex.EncodeToString(p.Hash[:8]),
		About: staff.About(p) + edition.About(p) + aboutAct(p), Change: staff.ChangeOf(p)}
}

// WithdrawProposal withdraws a proposal of any kind, within the caller's bounds.
func (a *Admin) WithdrawProposal(ctx context.Context, id string) error {
	p, err := a.staff.Proposals().Of(ctx, proposal.ID(id))
	if err != nil {
		return err
	}
	if sees, err := a.staff.Sees(ctx, callerOf(ctx), p); err != nil {
		return err
	} else if !sees {
		return staff.ErrBounds
	}
	return a.staff.Proposals().Withdraw(ctx, proposal.ID(id), callerOf(ctx).ID)
}

// SuspendStaff suspends a member at once.
func (a *Admin) SuspendStaff(ctx context.Context, id liuma.StaffID, reason audit.Reason) error {
	return a.staff.Suspend(ctx, callerOf(ctx), id, reason)
}

// SignedIn is a session of a terminal.
type SignedIn struct {
	Session string        `json:"session"` // its secret
	Until   time.Time     `json:"until"`
	ID      liuma.StaffID `json:"id"`
	Name    string        `json:"name"`
}

// SignIn turns a code into a session of the caller's terminal.
func (a *Admin) SignIn(ctx context.Context, code string) (SignedIn, error) {
	in, err := a.staff.SignInByCode(ctx, code)
	if err != nil {
		return SignedIn{}, err
	}
	return SignedIn{Session: string(in.Token), Until: in.Until, ID: in.ID, Name: in.Name}, nil
}

// TerminalCode makes a code by which another terminal can sign in as the caller.
func (a *Admin) TerminalCode(ctx context.Context) (code string, until time.Time, err error) {
	return a.staff.TerminalCode(ctx, callerOf(ctx))
}
