package admin

import (
	"context"
	"slices"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keyring"
)

// AuthorityWord is a person's word that an authority is what it says: its name, and the
// digits that its own machine shows.
type AuthorityWord struct {
	Name   string       `json:"name"`
	Digits string       `json:"digits"`
	Reason audit.Reason `json:"reason"`
}

// Authorities are those that work with one database.
type Authorities struct {
	// Serving are those whose process is there, by name; empty where nobody else can share
	// the database.
	Serving []AuthorityState `json:"serving"`
	// Keyring says how the keys stand that all of them have; null where nobody shares the database.
	Keyring *keyring.State `json:"keyring"`
}

// Authorities says who works with the database and which keys each has; Status has it too.
func (a *Admin) Authorities(ctx context.Context) (out Authorities, err error) {
	if out.Serving, err = a.authorities(ctx); err == nil {
		out.Keyring, err = a.c.Keyring.State(ctx)
	}
	return out, err
}

// ConfirmAuthority has this authority hand keys to another one, and take them from it.
// Errors: audit.ErrReason, keyring.ErrMember, keyring.ErrGone, vault.ErrNoIdentity, and ErrTakesTwo once
// there are members of staff.
func (a *Admin) ConfirmAuthority(ctx context.Context, q AuthorityWord) error {
	reason, err := audit.ParseReason(string(q.Reason))
	if err != nil {
		return err
	}
	if err := a.alone(ctx); err != nil {
		return err
	}
	return a.confirm(ctx, q.Name, q.Digits, reason)
}

func (a *Admin) confirm(ctx context.Context, name, digits string, reason audit.Reason) error {
	if a.c.Keyring == nil {
		return keyring.ErrMember
	}
	return a.c.Keyring.Confirm(ctx, ActorOf(ctx), name, digits, reason)
}

// DismissAuthority hands no more keys to an authority. Errors: audit.ErrReason,
// keyring.ErrMember.
func (a *Admin) DismissAuthority(ctx context.Context, name string, reason audit.Reason) error {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return err
	}
	if a.c.Keyring == nil {
		return keyring.ErrMember
	}
	return a.c.Keyring.Dismiss(ctx, ActorOf(ctx), name, reason)
}

// confirmable refuses an act of confirming that cannot be done here and now.
func (a *Admin) confirmable(ctx context.Context, q Act) error {
	if q.At != a.c.Store.Self().Name {
		return ErrElsewhereConfirmed
	}
	if a.c.Keyring == nil {
		return keyring.ErrMember
	}
	s, err := a.c.Keyring.State(ctx)
	if err != nil {
		return err
	}
	if s == nil || !s.Heard(q.ID, q.Digits) {
		return keyring.ErrMember
	}
	if slices.ContainsFunc(s.Members, func(m keyring.Member) bool { return m.Name == q.ID && m.Dismissed }) {
		return keyring.ErrGone
	}
	return nil
}
