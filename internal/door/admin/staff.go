package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/staff"
)

// beginStaff asks to invite the first members. Map says that the calling account
// shall act as the operator; the kernel alone says which account that is.
type beginStaff struct {
	Operator *staff.NewMember `json:"operator,omitempty"`
	Officer  *staff.NewMember `json:"officer,omitempty"`
	Map      bool             `json:"map"`
	Reason   audit.Reason     `json:"reason"`
}

type staffInvited struct {
	Invited []staff.Invited `json:"invited"`
}

type staffListed struct {
	Members []staff.View `json:"members"`
}

type proposalsListed struct {
	Proposals []admin.ProposalView `json:"proposals"`
}

// byID names the thing to approve or withdraw.
type byID struct {
	ID string `json:"id"`
}

type suspendStaff struct {
	ID     liuma.StaffID `json:"id"`
	Reason audit.Reason  `json:"reason"`
}

// withCode brings a code, and codeMade returns a new one.
type withCode struct {
	Code string `json:"code"`
}

type codeMade struct {
	Code  string    `json:"code"`
	Until time.Time `json:"until"`
}

// noWords is the body of a request without content.
type noWords struct{}

// staffRoutes are the routes of staff and proposals. Codes and sessions are not
// logged.
func (d *Door) staffRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+pathStaff, d.answer(func(r *http.Request) (any, error) {
		found, err := d.admin.StaffMembers(r.Context())
		return staffListed{found}, err
	}))
	mux.HandleFunc("GET "+pathProposals, d.answer(func(r *http.Request) (any, error) {
		found, err := d.admin.Proposals(r.Context())
		return proposalsListed{found}, err
	}))
	mux.HandleFunc("GET "+pathWho, d.answer(func(r *http.Request) (any, error) { return d.admin.WhoAmI(r.Context()) }))
	mux.HandleFunc("POST "+pathBegin, d.answer(d.beginStaff))
	mux.HandleFunc("POST "+pathPropose, d.answer(asked(d.admin.ProposeStaff)))
	mux.HandleFunc("POST "+pathApprove, d.answer(asked(func(ctx context.Context, q byID) (staff.Approved, error) { return d.admin.ApproveStaff(ctx, q.ID) })))
	mux.HandleFunc("POST "+pathWithdraw, d.answer(asked(func(ctx context.Context, q byID) (done, error) {
		return done{}, d.admin.WithdrawProposal(ctx, q.ID)
	})))
	mux.HandleFunc("POST "+pathSuspend, d.answer(asked(func(ctx context.Context, q suspendStaff) (done, error) {
		return done{}, d.admin.SuspendStaff(ctx, q.ID, q.Reason)
	})))
	mux.HandleFunc("POST "+pathJoin, d.answer(asked(func(ctx context.Context, q withCode) (staff.Caller, error) {
		return d.admin.AcceptInvitation(ctx, q.Code)
	})))
	mux.HandleFunc("POST "+pathCode, d.answer(asked(func(ctx context.Context, _ noWords) (codeMade, error) {
		code, until, err := d.admin.TerminalCode(ctx)
		return codeMade{code, until}, err
	})))
	mux.HandleFunc("POST "+pathSignIn, d.answer(asked(func(ctx context.Context, q withCode) (admin.SignedIn, error) {
		return d.admin.SignIn(ctx, q.Code)
	})))
	mux.HandleFunc("POST "+pathSignOut, d.answer(asked(func(ctx context.Context, _ noWords) (done, error) { return done{}, d.admin.SignOut(ctx) })))
}

// asked adapts a function to the body that a request brings.
func asked[Q, A any](f func(context.Context, Q) (A, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		q, err := decode[Q](r.Body)
		if err != nil {
			return nil, err
		}
		return f(r.Context(), q)
	}
}

func (d *Door) beginStaff(r *http.Request) (any, error) {
	q, err := decode[beginStaff](r.Body)
	if err != nil {
		return nil, err
	}
	b := staff.Beginning{Operator: q.Operator, Officer: q.Officer, Reason: q.Reason}
	if q.Map {
		b.Account = new(uint32)
	}
	invited, err := d.admin.BeginStaff(r.Context(), b)
	if err != nil {
		return nil, err
	}
	for _, in := range invited {
		d.logger.WarnContext(r.Context(), "operator door: a member of staff was invited without an approval", "member", string(in.ID))
	}
	return staffInvited{invited}, nil
}

// BeginStaff invites the first members.
func (r *Remote) BeginStaff(ctx context.Context, b staff.Beginning) ([]staff.Invited, error) {
	var out staffInvited
	err := r.call(ctx, http.MethodPost, pathBegin, beginStaff{b.Operator, b.Officer, b.Account != nil, b.Reason}, &out)
	return out.Invited, err
}

// StaffMembers lists the members whom the caller sees.
func (r *Remote) StaffMembers(ctx context.Context) ([]staff.View, error) {
	var out staffListed
	err := r.call(ctx, http.MethodGet, pathStaff, nil, &out)
	return out.Members, err
}

// ProposeStaff proposes a change of a member.
func (r *Remote) ProposeStaff(ctx context.Context, c staff.Change) (out staff.Proposed, err error) {
	err = r.call(ctx, http.MethodPost, pathPropose, c, &out)
	return out, err
}

// ApproveStaff carries out a change that another member proposed.
func (r *Remote) ApproveStaff(ctx context.Context, id string) (out staff.Approved, err error) {
	err = r.call(ctx, http.MethodPost, pathApprove, byID{id}, &out)
	return out, err
}

// Proposals lists the proposals that wait for an approval.
func (r *Remote) Proposals(ctx context.Context) ([]admin.ProposalView, error) {
	var out proposalsListed
	err := r.call(ctx, http.MethodGet, pathProposals, nil, &out)
	return out.Proposals, err
}

// WithdrawProposal withdraws a proposal.
func (r *Remote) WithdrawProposal(ctx context.Context, id string) error {
	return r.call(ctx, http.MethodPost, pathWithdraw, byID{id}, &done{})
}

// SuspendStaff suspends a member at once.
func (r *Remote) SuspendStaff(ctx context.Context, id liuma.StaffID, reason audit.Reason) error {
	return r.call(ctx, http.MethodPost, pathSuspend, suspendStaff{id, reason}, &done{})
}

// AcceptInvitation accepts an invitation for this account.
func (r *Remote) AcceptInvitation(ctx context.Context, code string) (out staff.Caller, err error) {
	err = r.call(ctx, http.MethodPost, pathJoin, withCode{code}, &out)
	return out, err
}

// TerminalCode makes a code for another terminal.
func (r *Remote) TerminalCode(ctx context.Context) (string, time.Time, error) {
	var out codeMade
	err := r.call(ctx, http.MethodPost, pathCode, noWords{}, &out)
	return out.Code, out.Until, err
}

// SignIn turns a code into a session.
func (r *Remote) SignIn(ctx context.Context, code string) (out admin.SignedIn, err error) {
	err = r.call(ctx, http.MethodPost, pathSignIn, withCode{code}, &out)
	return out, err
}

// SignOut ends this terminal's session.
func (r *Remote) SignOut(ctx context.Context) error {
	return r.call(ctx, http.MethodPost, pathSignOut, noWords{}, &done{})
}

// WhoAmI is the calling member.
func (r *Remote) WhoAmI(ctx context.Context) (out staff.Caller, err error) {
	err = r.call(ctx, http.MethodGet, pathWho, nil, &out)
	return out, err
}
