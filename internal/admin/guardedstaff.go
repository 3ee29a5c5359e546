package admin

import (
	"context"
	"time"

	"github.com/liuma-pin/liuma/internal/staff"
)

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

// TerminalCode is Admin.TerminalCode, for who may.
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

// FreezeByPhone is Admin.FreezeByPhone, for who may.
func (g *Guarded) FreezeByPhone(ctx context.Context, q PhoneFreeze) (PhoneFrozen, error) {
	return allowed(ctx, g, "FreezeByPhone", func(ctx context.Context) (PhoneFrozen, error) { return g.admin.FreezeByPhone(ctx, q) })
}

// ReportLossByPhone is Admin.ReportLossByPhone, for who may.
func (g *Guarded) ReportLossByPhone(ctx context.Context, q PhoneFreeze) (PhoneFrozen, error) {
	return allowed(ctx, g, "ReportLossByPhone", func(ctx context.Context) (PhoneFrozen, error) { return g.admin.ReportLossByPhone(ctx, q) })
}
