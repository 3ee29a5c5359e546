package staff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Beginning names the members to begin with: the first operator and the first security
// officer, or one of them if no active member with that role is left.
type Beginning struct {
	Operator *NewMember
	Officer  *NewMember
	// Account is the machine's user who calls; they act as the first operator from then
	// on. nil: no account is mapped. Used only if there are no members yet.
	Account *uint32
	Reason  audit.Reason // required if there are members already
}

// Contest is how long no member is begun in place of one whom another member suspended.
// Otherwise an operator could suspend the only security officer and choose the next one
// before anybody asks why.
const Contest = 7 * 24 * time.Hour

// Begin invites the first two members of staff. It returns their whole codes: a caller who
// makes a data directory controls it anyway, and hands the codes over. If there are
// members, but no active operator or no active security officer is left, it invites one in
// that place. Nobody approves that, so the invitation counts only after Wait, and is in
// the record and in every list meanwhile; the remaining members may stop it by a
// suspension. If another member suspended the last one with that role, Begin refuses for
// the time of Contest. Errors: ErrBegun, ErrContest, ErrFilledIn, ErrRoles, ErrTaken,
// audit.ErrReason.
func (s *Staff) Begin(ctx context.Context, b Beginning) ([]Invited, error) {
	var out []Invited
	type half struct{ first, second string }
	codes := map[liuma.StaffID]half{}
	for _, n := range []*NewMember{b.Operator, b.Officer} {
		if n != nil {
			codes[n.ID] = half{newHalf(), newHalf()}
		}
	}
	err := s.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		all, err := tx.Members()
		if err != nil {
			return audit.Entry{}, err
		}
		now := s.c.Now()
		again, note, err := b.allowed(all, now)
		if err != nil {
			return audit.Entry{}, err
		}
		out = nil
		for _, n := range []*NewMember{b.Operator, b.Officer} {
			if n == nil {
				continue
			}
			m, code := n.row(now), codes[n.ID]
			invite(&m, halfHash(code.first), code.second, now)
			in := Invited{ID: m.ID, Name: m.Name, Code: shown(code.first) + "-" + shown(code.second), Until: m.InvitedUntil}
			if again {
				m.InvitedFrom = now.Add(Wait)
				m.InvitedUntil = m.InvitedFrom.Add(InvitationLife)
				from := m.InvitedFrom
				in.From, in.Until = &from, m.InvitedUntil
			} else if n == b.Operator && b.Account != nil {
				m.State, m.Accounts = store.MemberActive, []uint32{*b.Account}
			}
			if err := insert(tx, m); err != nil {
				return audit.Entry{}, err
			}
			out = append(out, in)
		}
		return audit.Entry{At: now, Actor: unnamed, Event: audit.StaffBegun, Outcome: outcome(again), Note: note}, nil
	})
	return out, err
}

// insert adds a member, or invites a member again who never accepted an invitation.
func insert(tx store.Tx, m store.Member) error {
	was, err := tx.Member(m.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return tx.InsertMember(m)
	case err != nil:
		return err
	case was.State != store.MemberInvited:
		return fmt.Errorf("%w: %s", ErrTaken, m.ID)
	}
	return tx.UpdateMember(m)
}

// unnamed is the actor when no member of staff can be named.
const unnamed = "operator"

func outcome(again bool) string {
	if again {
		return "again"
	}
	return "ok"
}

// allowed decides who may be begun, and the note for the record.
func (b Beginning) allowed(all []store.Member, now time.Time) (again bool, note string, err error) {
	for _, n := range []*NewMember{b.Operator, b.Officer} {
		if n == nil {
			continue
		}
		if err := n.check(); err != nil {
			return false, "", err
		}
		note += fmt.Sprintf("invited=%s roles=%s ", n.ID, liuma.JoinStaffRoles(n.Roles, ","))
	}
	if b.Operator != nil && !hasRole(b.Operator, liuma.RoleOperator) || b.Officer != nil && !hasRole(b.Officer, liuma.RoleOfficer) {
		return false, "", fmt.Errorf("%w: want an operator and a security officer", ErrRoles)
	}
	joined := func(m store.Member) bool { return m.State != store.MemberInvited }
	if !slices.ContainsFunc(all, joined) {
		if b.Operator == nil || b.Officer == nil || b.Operator.ID == b.Officer.ID {
			return false, "", fmt.Errorf("%w: want an operator and a security officer, two people", ErrFilledIn)
		}
		return false, note + "until_now=unnamed", nil
	}
	for _, m := range all {
		if m.Active() && (b.Operator != nil && m.Has(liuma.RoleOperator) || b.Officer != nil && m.Has(liuma.RoleOfficer)) {
			return false, "", fmt.Errorf("%w: %s is active", ErrBegun, m.ID)
		}
	}
	if b.Operator == nil && b.Officer == nil {
		return false, "", ErrFilledIn
	}
	for _, m := range all {
		if m.SuspendedAt.IsZero() || m.State != store.MemberSuspended || !(b.Operator != nil && m.Has(liuma.RoleOperator) || b.Officer != nil && m.Has(liuma.RoleOfficer)) {
			continue
		}
		if until := m.SuspendedAt.Add(Contest); m.SuspendedBy != m.ID && now.Before(until) {
			return false, "", fmt.Errorf("%w: %s, by %s; from %s on", ErrContest, m.ID, m.SuspendedBy, until.UTC().Format(time.RFC3339))
		}
		note += fmt.Sprintf("suspended=%s by=%s ", m.ID, m.SuspendedBy)
	}
	reason, err := audit.ParseReason(string(b.Reason))
	return true, reason.Note(note), err
}

func hasRole(n *NewMember, r liuma.StaffRole) bool {
	m := store.Member{Roles: n.Roles}
	return m.Has(r)
}
