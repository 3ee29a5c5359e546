package staff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/strictjson"
	"github.com/liuma-pin/liuma/internal/vault"
)

// The kinds of changes of members, which take two members.
const (
	KindInvite  = "staff.invite"
	KindRole    = "staff.role"    // roles, agency and region
	KindPasskey = "staff.passkey" // a new invitation, whose acceptance replaces passkeys and accounts
	KindMap     = "staff.map"     // an account of the machine acts as the member
	KindUnmap   = "staff.unmap"
	KindResume  = "staff.resume" // ends a suspension
	// KindDocument records the document by which the member is known as a person.
	KindDocument = "staff.document"
)

// Change is a change of one member that two members decide. Its JSON is the body of the
// proposal.
type Change struct {
	Kind    string    `json:"kind"`
	Member  NewMember `json:"member"`            // ID alone, but in KindInvite and KindRole
	Account *uint32   `json:"account,omitempty"` // of KindMap and KindUnmap
	// First is the hash of the first half of an invitation's code; empty if there is no code.
	First []byte `json:"first,omitempty"`
	// Number is the member's own document as it was typed, for KindDocument and, if it is
	// known then, for KindInvite. It is never stored: Document is its blind index, and Shown
	// its masked form for the member who approves.
	Number   string `json:"number,omitempty"`
	Document []byte `json:"document,omitempty"`
	Shown    string `json:"shown,omitempty"`
}

// document replaces a typed number by its index and masked form. ErrNumber.
func (s *Staff) document(c Change) (Change, error) {
	typed := c.Number
	c.Number, c.Document, c.Shown = "", nil, ""
	if typed == "" && c.Kind != KindDocument {
		return c, nil
	}
	id, err := registry.ParseIDNumber(typed)
	if err != nil || c.Kind != KindDocument && c.Kind != KindInvite {
		return c, ErrNumber // without the typed number
	}
	index := s.c.Challenges.Index(vault.IndexIDNumber, id.Canonical())
	c.Document, c.Shown = index[:], id.Masked()
	return c, nil
}

// Proposed is a change that waits for its approval.
type Proposed struct {
	ID proposal.ID `json:"id"`
	// Half is the first half of the invitation's code, for the invited person alone;
	// shown once.
	Half string `json:"half,omitempty"`
}

// Propose proposes a change, which another member approves. Errors: those of proposal.Propose,
// ErrFilledIn, ErrRoles, ErrTaken, ErrUnknown, ErrBounds, ErrState, ErrLast, ErrAccount,
// ErrNumber.
func (s *Staff) Propose(ctx context.Context, by Caller, c Change) (Proposed, error) {
	c.First = nil
	out := Proposed{}
	c, err := s.document(c)
	if err != nil {
		return Proposed{}, err
	}
	if c.Kind == KindInvite || c.Kind == KindPasskey {
		first := newHalf()
		hash := halfHash(first)
		c.First, out.Half = hash[:], shown(first)
	}
	// Judged now, so that the proposer learns of a fault, and again at the approval.
	err = s.c.Store.View(ctx, func(r store.Reader) error {
		who, err := active(r, by, liuma.RoleOperator, liuma.RoleOfficer)
		if err != nil {
			return err
		}
		_, err = s.judge(r, who, c)
		return err
	})
	if err != nil {
		return Proposed{}, err
	}
	body, err := json.Marshal(c)
	if err != nil {
		return Proposed{}, fmt.Errorf("staff: %w", err)
	}
	out.ID, err = s.proposals.Propose(ctx, c.Kind, body, by.ID)
	if err != nil {
		return Proposed{}, err
	}
	return out, nil
}

// judge returns the member as the change would leave them.
func (s *Staff) judge(r store.Reader, by Caller, c Change) (store.Member, error) {
	switch c.Kind {
	case KindInvite:
		return s.judgeInvite(r, by, c)
	case KindRole:
		return s.judgeRole(r, by, c)
	}
	m, err := target(r, by, c.Member.ID)
	if err != nil {
		return m, err
	}
	switch {
	case c.Kind == KindResume && m.State == store.MemberSuspended:
		m.State = store.MemberActive
		return m, nil
	case c.Kind == KindDocument && m.State != store.MemberSuspended && len(c.Document) == len(m.Document):
		m.Document = vault.Index(c.Document)
		return m, nil
	case c.Kind == KindPasskey && m.State != store.MemberSuspended:
		return m, nil
	case c.Kind == KindMap && m.Active() && c.Account != nil:
		if slices.Contains(m.Accounts, *c.Account) {
			return m, ErrAccount
		}
		m.Accounts = append(m.Accounts, *c.Account)
		return m, freeAccount(r, *c.Account, m.ID)
	case c.Kind == KindUnmap && c.Account != nil && slices.Contains(m.Accounts, *c.Account):
		m.Accounts = slices.DeleteFunc(m.Accounts, func(a uint32) bool { return a == *c.Account })
		return m, nil
	}
	return m, fmt.Errorf("%w: %s is %s", ErrState, m.ID, stateName(m.State))
}

func (s *Staff) judgeInvite(r store.Reader, by Caller, c Change) (store.Member, error) {
	if err := c.Member.check(); err != nil {
		return store.Member{}, err
	}
	if !by.Sees(c.Member.Region, c.Member.Agency) {
		return store.Member{}, ErrBounds
	}
	if _, err := r.Member(c.Member.ID); !errors.Is(err, store.ErrNotFound) {
		return store.Member{}, errors.Join(fmt.Errorf("%w: %s", ErrTaken, c.Member.ID), err)
	}
	m := c.Member.row(s.c.Now())
	if len(c.Document) == len(m.Document) {
		m.Document = vault.Index(c.Document)
	}
	return m, nil
}

func (s *Staff) judgeRole(r store.Reader, by Caller, c Change) (store.Member, error) {
	m, err := target(r, by, c.Member.ID)
	if err != nil {
		return m, err
	}
	c.Member.Name = m.Name
	if err := c.Member.check(); err != nil {
		return m, err
	}
	if !by.Sees(c.Member.Region, c.Member.Agency) {
		return m, ErrBounds
	}
	if m.State == store.MemberSuspended {
		return m, fmt.Errorf("%w: %s is %s", ErrState, m.ID, stateName(m.State))
	}
	was := m
	m.Roles, m.Agency, m.Region = c.Member.Roles, c.Member.Agency, c.Member.Region
	return m, keepsOne(r, was, m)
}

// keepsOne refuses a change of roles after which either operators or security officers would
// have no active member: every further act takes both.
func keepsOne(r store.Reader, was, will store.Member) error {
	all, err := r.Members()
	if err != nil {
		return err
	}
	for _, role := range []liuma.StaffRole{liuma.RoleOperator, liuma.RoleOfficer} {
		if !was.Active() || !was.Has(role) || will.Has(role) {
			continue
		}
		if !slices.ContainsFunc(all, func(m store.Member) bool { return m.ID != was.ID && m.Active() && m.Has(role) }) {
			return fmt.Errorf("%w: %s", ErrLast, role)
		}
	}
	return nil
}

// Approved is the result of an approval.
type Approved struct {
	Kind   string        `json:"kind"`
	Member liuma.StaffID `json:"member"`
	// Half is the second half of an invitation's code, for the invited person alone;
	// shown once. Until is when the invitation ends.
	Half  string    `json:"half,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// Approve carries out a change that another member proposed, in the transaction of
// the approval: a crash leaves both or neither. Errors: those of Propose and of
// proposal.Proposals.Together.
func (s *Staff) Approve(ctx context.Context, by Caller, id proposal.ID) (Approved, error) {
	row, err := s.proposals.Of(ctx, id)
	if err != nil {
		return Approved{}, err
	}
	if !slices.Contains([]string{KindInvite, KindRole, KindPasskey, KindMap, KindUnmap, KindResume, KindDocument}, row.Kind) {
		return Approved{}, proposal.ErrKind
	}
	second := newHalf()
	out := Approved{}
	err = s.proposals.Together(ctx, id, row.Kind, by.ID, func(tx store.Tx, p store.Proposal) (string, error) {
		out = Approved{}
		c, err := strictjson.Canonical[Change](p.Body)
		if err != nil || c.Kind != p.Kind {
			return "", proposal.ErrKind
		}
		approver, err := active(tx, by, liuma.RoleOperator, liuma.RoleOfficer)
		if err != nil {
			return "", err
		}
		// The approval must be within the bounds of both members.
		proposer, err := active(tx, Caller{ID: p.By})
		if err != nil {
			return "", err
		}
		if _, err := s.judge(tx, proposer, c); err != nil {
			return "", err
		}
		m, err := s.judge(tx, approver, c)
		if err != nil {
			return "", err
		}
		out = Approved{Kind: c.Kind, Member: m.ID}
		if len(c.First) == len(m.Invitation) {
			invite(&m, [32]byte(c.First), second, s.c.Now())
			out.Half, out.Until = shown(second), m.InvitedUntil
		}
		return note(c), s.keep(tx, c, m)
	})
	if err != nil {
		return Approved{}, err
	}
	return out, nil
}

// keep writes the changed member. Lost roles and a lost account count from the next request
// on, since each request reads the row.
func (s *Staff) keep(tx store.Tx, c Change, m store.Member) error {
	if c.Kind == KindInvite {
		return tx.InsertMember(m)
	}
	return tx.UpdateMember(m)
}

// note is the text of the audit entry: what was changed about whom.
func note(c Change) string {
	words := "member=" + string(c.Member.ID)
	if c.Kind == KindInvite || c.Kind == KindRole {
		words += " roles=" + liuma.JoinStaffRoles(c.Member.Roles, ",")
		if c.Member.Region != "" {
			words += " region=" + string(c.Member.Region)
		}
		if c.Member.Agency != "" {
			words += " agency=" + string(c.Member.Agency)
		}
	}
	if len(c.Document) > 0 {
		words += " document=set"
	}
	if c.Account != nil {
		words += fmt.Sprintf(" account=%d", *c.Account)
	}
	return words
}

// Suspend suspends a member at once. An operator or a security officer may do so alone, and
// all members may suspend themselves. The member's sessions and open invitations end, and
// their proposals can no longer be approved. Errors: ErrUnknown, ErrBounds, ErrState,
// proposal.ErrRole.
func (s *Staff) Suspend(ctx context.Context, by Caller, id liuma.StaffID, reason audit.Reason) error {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return err
	}
	return s.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		var roles []liuma.StaffRole
		if id != by.ID {
			roles = []liuma.StaffRole{liuma.RoleOperator, liuma.RoleOfficer}
		}
		who, err := active(tx, by, roles...)
		if err != nil {
			return audit.Entry{}, err
		}
		m, err := target(tx, who, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if m.State == store.MemberSuspended {
			return audit.Entry{}, fmt.Errorf("%w: %s is suspended", ErrState, id)
		}
		now := s.c.Now()
		note := "member=" + string(id)
		if m.Active() {
			m.SuspendedAt, m.SuspendedBy = now, who.ID
			last, err := lastOf(tx, m)
			if err != nil {
				return audit.Entry{}, err
			}
			note += last
		}
		m.State, m.SessionsFrom = store.MemberSuspended, now
		m.Invitation, m.InvitedUntil, m.InvitedFrom = [32]byte{}, time.Time{}, time.Time{}
		return entry(now, who.ID, audit.StaffSuspended, reason.Note(note)),
			errors.Join(tx.UpdateMember(m), tx.DeleteStaffSessionsOf(id))
	})
}

// lastOf names, for the record, the roles of operator or security officer that no active
// member has any more.
func lastOf(r store.Reader, m store.Member) (note string, err error) {
	all, err := r.Members()
	for _, role := range []liuma.StaffRole{liuma.RoleOperator, liuma.RoleOfficer} {
		other := func(x store.Member) bool { return x.ID != m.ID && x.Active() && x.Has(role) }
		if m.Has(role) && !slices.ContainsFunc(all, other) {
			note += " last=" + string(role)
		}
	}
	return note, err
}

// Sees reports whether a proposal is within a caller's bounds: it is their own, or about a
// member whom they see both before and after the change. A proposal about the whole service is
// only for members without bounds.
func (s *Staff) Sees(ctx context.Context, by Caller, p store.Proposal) (sees bool, err error) {
	if by.Region == "" && by.Agency == "" || p.By == by.ID {
		return true, nil
	}
	c := ChangeOf(p)
	if c == nil {
		return false, nil
	}
	m := c.Member
	sees = true
	if c.Kind == KindInvite || c.Kind == KindRole {
		sees = by.Sees(m.Region, m.Agency)
	}
	if c.Kind == KindInvite || !sees {
		return sees, nil
	}
	err = s.c.Store.View(ctx, func(r store.Reader) error {
		_, err := target(r, by, m.ID)
		sees = err == nil
		if errors.Is(err, ErrBounds) || errors.Is(err, ErrUnknown) {
			err = nil
		}
		return err
	})
	return sees, err
}

// ChangeOf is the change of a proposal, without the hash of a code's half; nil for other kinds
// of proposals.
func ChangeOf(p store.Proposal) *Change {
	c, err := strictjson.Canonical[Change](p.Body)
	if err != nil || c.Kind != p.Kind {
		return nil
	}
	c.First, c.Document = nil, nil
	return &c
}

// About describes in words what a proposal would change; empty for other kinds of proposals.
func About(p store.Proposal) string {
	c, err := strictjson.Canonical[Change](p.Body)
	if err != nil || c.Kind != p.Kind {
		return ""
	}
	return note(c)
}
