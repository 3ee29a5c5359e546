package admin

import (
	"context"
	"time"

	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/staff"
)

//go:generate go run ./genguarded

// Guarded is the Administration of the process that has the store: Admin, for callers
// whose roles allow what they ask for. Each method asks before anything is read. Most
// methods do no more than that, and are generated; the others stand here.
type Guarded struct {
	admin *Admin
	fixed *Origin // of every call; nil: of each call's context (From)
}

var _ Administration = (*Guarded)(nil)

// Guarded lets in who may, each call from where its context says (From).
func (a *Admin) Guarded() *Guarded { return &Guarded{admin: a} }

// GuardedFrom lets in who may, all from one place.
func (a *Admin) GuardedFrom(o Origin) *Guarded { return &Guarded{admin: a, fixed: &o} }

// allowed asks, and then calls.
func allowed[T any](ctx context.Context, g *Guarded, method string, f func(context.Context) (T, error)) (T, error) {
	ctx, err := g.may(ctx, method)
	if err != nil {
		var none T
		return none, err
	}
	return f(ctx)
}

// done makes a function of one result one of two, for allowed.
func done(f func(context.Context) error) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) }
}

// ApproveTicket is Admin.ApproveTicket, for callers who may and sit at the console, which asked
// for their passkey.
func (g *Guarded) ApproveTicket(ctx context.Context, q TicketApproval) (counter.View, error) {
	return allowed(ctx, g, "ApproveTicket", func(ctx context.Context) (counter.View, error) {
		if !g.origin(ctx).Pages {
			return counter.View{}, ErrOnlyPages
		}
		return g.admin.ApproveTicket(ctx, q)
	})
}

// BeginStaff takes the account from where the call comes from, never from the call.
func (g *Guarded) BeginStaff(ctx context.Context, b staff.Beginning) ([]staff.Invited, error) {
	if b.Account != nil {
		b.Account = g.origin(ctx).Account
	}
	return allowed(ctx, g, "BeginStaff", func(ctx context.Context) ([]staff.Invited, error) { return g.admin.BeginStaff(ctx, b) })
}

// AcceptInvitation accepts an invitation for the account that calls.
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

// SignOut ends the session that the call comes with.
func (g *Guarded) SignOut(ctx context.Context) error {
	_, err := allowed(ctx, g, "SignOut", done(func(ctx context.Context) error { return g.admin.staff.End(ctx, g.origin(ctx).Session) }))
	return err
}

// WhoAmI is the member who calls.
func (g *Guarded) WhoAmI(ctx context.Context) (staff.Caller, error) {
	return allowed(ctx, g, "WhoAmI", func(ctx context.Context) (staff.Caller, error) {
		begun, err := g.admin.staff.Begun(ctx)
		if err != nil || !begun {
			return staff.Caller{}, err
		}
		return g.caller(ctx)
	})
}
