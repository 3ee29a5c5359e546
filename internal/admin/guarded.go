package admin

import (
	"context"
	"time"

	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/staff"
)

//go:generate go run ./genguarded

// Guarded is the Administration of the process that has the store: Admin, but only for callers
// whose roles allow the act. Each method checks this before it reads anything. Most methods do
// no more than that, and are generated; the others are in this file.
type Guarded struct {
	admin *Admin
	fixed *Origin // of every call; nil: each call's context has its own (From)
}

var _ Administration = (*Guarded)(nil)

// Guarded returns an Administration that takes each call's origin from its context (From).
func (a *Admin) Guarded() *Guarded { return &Guarded{admin: a} }

// GuardedFrom returns an Administration whose calls all have one origin.
func (a *Admin) GuardedFrom(o Origin) *Guarded { return &Guarded{admin: a, fixed: &o} }

// allowed checks the caller, and then calls f.
func allowed[T any](ctx context.Context, g *Guarded, method string, f func(context.Context) (T, error)) (T, error) {
	ctx, err := g.may(ctx, method)
	if err != nil {
		var none T
		return none, err
	}
	return f(ctx)
}

// done adapts a function that returns only an error, for allowed.
func done(f func(context.Context) error) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) }
}

// ApproveTicket is Admin.ApproveTicket. The caller must also come from the console, which asked
// for their passkey.
func (g *Guarded) ApproveTicket(ctx context.Context, q TicketApproval) (counter.View, error) {
	return allowed(ctx, g, "ApproveTicket", func(ctx context.Context) (counter.View, error) {
		if !g.origin(ctx).Pages {
			return counter.View{}, ErrOnlyPages
		}
		return g.admin.ApproveTicket(ctx, q)
	})
}

// BeginStaff takes the account from the origin of the call, never from its parameters.
func (g *Guarded) BeginStaff(ctx context.Context, b staff.Beginning) ([]staff.Invited, error) {
	if b.Account != nil {
		b.Account = g.origin(ctx).Account
	}
	return allowed(ctx, g, "BeginStaff", func(ctx context.Context) ([]staff.Invited, error) { return g.admin.BeginStaff(ctx, b) })
}

// AcceptInvitation accepts an invitation for the calling account.
func (g *Guarded) AcceptInvitation(ctx context.Context, code string) (staff.Caller, error) {
	return allowed(ctx, g, "AcceptInvitation", func(ctx context.Context) (staff.Caller, error) {
		o := g.origin(ctx)
		if o.Account == nil {
			return staff.Caller{}, staff.ErrNobody
		}
		return g.admin.staff.AcceptAtTerminal(ctx, code, *o.Account)
	})
}

// TerminalCode is Admin.TerminalCode, for callers who may.
func (g *Guarded) TerminalCode(ctx context.Context) (string, time.Time, error) {
	var until time.Time
	code, err := allowed(ctx, g, "TerminalCode", func(ctx context.Context) (code string, err error) {
		code, until, err = g.admin.TerminalCode(ctx)
		return code, err
	})
	return code, until, err
}

// SignOut ends the session of the call.
func (g *Guarded) SignOut(ctx context.Context) error {
	_, err := allowed(ctx, g, "SignOut", done(func(ctx context.Context) error { return g.admin.staff.End(ctx, g.origin(ctx).Session) }))
	return err
}

// WhoAmI is the calling member.
func (g *Guarded) WhoAmI(ctx context.Context) (staff.Caller, error) {
	return allowed(ctx, g, "WhoAmI", func(ctx context.Context) (staff.Caller, error) {
		begun, err := g.admin.staff.Begun(ctx)
		if err != nil || !begun {
			return staff.Caller{}, err
		}
		return g.caller(ctx)
	})
}
