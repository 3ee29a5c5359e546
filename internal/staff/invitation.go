package staff

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/written"
)

// A code has two halves of ten letters of this alphabet (50 bits each), which has no
// letter that looks like a digit. The member who proposes an invitation gets the first
// half, the member who approves it the second, so that neither can accept it in the
// invited person's place.
const (
	codeLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	halfLength  = 10
)

func newHalf() string {
	raw := make([]byte, halfLength)
	rand.Read(raw) // never fails since Go 1.24
	for i, b := range raw {
		raw[i] = codeLetters[b%32]
	}
	return string(raw)
}

// shown writes a half in two groups.
func shown(half string) string { return half[:5] + "-" + half[5:] }

// halves reads a code as a person typed it. It returns "", "" if it is no code.
func halves(code string) (first, second string) {
	typed := []byte(written.Number(code))
	for i, c := range typed { // letters that look alike
		switch c {
		case 'O':
			typed[i] = '0'
		case 'I', 'L':
			typed[i] = '1'
		}
	}
	code = string(typed)
	if len(code) != 2*halfLength || strings.Trim(code, codeLetters) != "" {
		return "", ""
	}
	return code[:halfLength], code[halfLength:]
}

func halfHash(first string) [32]byte { return sha256.Sum256([]byte("liuma/1/staff-half\x00" + first)) }

// codeHash is the stored form of a code: a hash of the second half under the hash of
// the first.
func codeHash(first [32]byte, second string) [32]byte {
	return sha256.Sum256(append(append([]byte("liuma/1/staff-code\x00"), first[:]...), second...))
}

// NewMember is the person to be invited.
type NewMember struct {
	ID     liuma.StaffID     `json:"id"`
	Name   string            `json:"name"`
	Roles  []liuma.StaffRole `json:"roles"`
	Agency liuma.Agency      `json:"agency,omitempty"`
	Region liuma.Region      `json:"region,omitempty"`
}

// maxName is the longest name, in characters.
const maxName = 40

func (n NewMember) check() error {
	if _, err := liuma.ParseStaffID(string(n.ID)); err != nil {
		return fmt.Errorf("%w: %w", ErrFilledIn, err)
	}
	if n.Name != written.Name(n.Name) || !written.NameShape(n.Name) || len(written.Letters(n.Name)) > maxName {
		return fmt.Errorf("%w: want a person's name, of at most %d characters", ErrFilledIn, maxName)
	}
	if _, err := liuma.ParseAgency(string(n.Agency)); err != nil {
		return fmt.Errorf("%w: %w", ErrFilledIn, err)
	}
	if region, err := liuma.ParseRegion(string(n.Region)); err != nil || region != n.Region {
		return fmt.Errorf("%w: region %q", ErrFilledIn, n.Region)
	}
	if err := liuma.CheckStaffRoles(n.Roles); err != nil {
		return fmt.Errorf("%w: %w", ErrRoles, err)
	}
	return nil
}

func (n NewMember) row(at time.Time) store.Member {
	m := store.Member{ID: n.ID, Name: n.Name, Roles: n.Roles, Agency: n.Agency, Region: n.Region, State: store.MemberInvited, At: at}
	rand.Read(m.Handle[:])
	return m
}

// invite opens an invitation of a member.
func invite(m *store.Member, first [32]byte, second string, now time.Time) {
	m.Invitation, m.InvitedUntil, m.InvitedFrom = codeHash(first, second), now.Add(InvitationLife), time.Time{}
}

// Invited is an invitation, as it is printed for the person. It is shown once.
type Invited struct {
	ID    liuma.StaffID `json:"id"`
	Name  string        `json:"name"`
	Code  string        `json:"code"` // or a half of it
	Until time.Time     `json:"until"`
	From  *time.Time    `json:"from,omitempty"` // nil: at once
}

// invited finds the member that a code invites. ErrCode, ErrEarly.
func (s *Staff) invited(r store.Reader, code string) (store.Member, error) {
	first, second := halves(code)
	if first == "" {
		return store.Member{}, ErrCode
	}
	hash := codeHash(halfHash(first), second)
	all, err := r.Members()
	if err != nil {
		return store.Member{}, err
	}
	i := slices.IndexFunc(all, func(m store.Member) bool { return m.Invitation == hash })
	switch now := s.c.Now(); {
	case i < 0, !now.Before(all[i].InvitedUntil):
		return store.Member{}, ErrCode
	case now.Before(all[i].InvitedFrom):
		return store.Member{}, fmt.Errorf("%w: from %s on", ErrEarly, all[i].InvitedFrom.Format(time.RFC3339))
	case all[i].State == store.MemberSuspended:
		return store.Member{}, ErrSuspended
	}
	return all[i], nil
}

// accepted ends the invitation and makes the member active. Earlier passkeys and
// accounts of the member are removed, since an invitation replaces them.
func accepted(m *store.Member, now time.Time) {
	m.Invitation, m.InvitedUntil, m.InvitedFrom = [32]byte{}, time.Time{}, time.Time{}
	m.State, m.Passkeys, m.Accounts, m.SessionsFrom = store.MemberActive, nil, nil, now
}

// AcceptAtTerminal accepts an invitation for an account of this machine, which acts as
// the member from then on. Errors: ErrCode, ErrEarly, ErrAccount, ErrSuspended. A crash
// before the commit leaves the invitation open.
func (s *Staff) AcceptAtTerminal(ctx context.Context, code string, account uint32) (Caller, error) {
	var c Caller
	err := s.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		m, err := s.invited(tx, code)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := freeAccount(tx, account, m.ID); err != nil {
			return audit.Entry{}, err
		}
		now := s.c.Now()
		accepted(&m, now)
		m.Accounts = []uint32{account}
		c = callerOf(m)
		return entry(now, m.ID, audit.StaffJoined, fmt.Sprintf("by=account account=%d", account)),
			errors.Join(tx.DeleteStaffSessionsOf(m.ID), tx.UpdateMember(m))
	})
	return c, err
}

// freeAccount refuses an account that acts as another member: otherwise the record
// would name the wrong one.
func freeAccount(r store.Reader, account uint32, but liuma.StaffID) error {
	all, err := r.Members()
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.ID != but && m.State != store.MemberSuspended && slices.Contains(m.Accounts, account) {
			return fmt.Errorf("%w: account %d is %s", ErrAccount, account, m.ID)
		}
	}
	return nil
}
