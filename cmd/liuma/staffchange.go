package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/written"
	"github.com/liuma-pin/liuma/locale"
)

// reasoned is the reason as typed; the door checks it if one is required.
func (a *staffBeginCmd) reasoned() audit.Reason { return audit.Reason(a.Reason) }

// memberArg names a member.
type memberArg struct {
	ID string `arg:""`
}

// propose proposes a change and prints the next step.
func propose(ctx context.Context, c *cli, t *terminal, change staff.Change) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		p, err := adm.ProposeStaff(ctx, change)
		if err != nil {
			return err
		}
		fmt.Fprintln(t.out, t.shown().StaffProposed(string(p.ID)))
		if p.Half != "" {
			return t.line(t.shown().StaffFirstHalf(string(change.Member.ID)) + "\n  " + p.Half)
		}
		return nil
	})
}

// staffInviteCmd is "liuma staff invite".
type staffInviteCmd struct {
	ID   string `arg:""`
	Name string `name:"name" required:"" placeholder:"NAME"`
	memberFlags
}

// Run proposes the invitation.
func (a *staffInviteCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	n := staff.NewMember{ID: liuma.StaffID(a.ID), Name: written.Name(a.Name)}
	if err := a.fill("liuma staff invite", &n); err != nil {
		return err
	}
	return propose(ctx, c, t, staff.Change{Kind: staff.KindInvite, Member: n})
}

// staffRoleCmd is "liuma staff role".
type staffRoleCmd struct {
	memberArg
	memberFlags
}

// Run proposes the roles, which replace all that the member has.
func (a *staffRoleCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	n := staff.NewMember{ID: liuma.StaffID(a.ID)}
	if err := a.fill("liuma staff role", &n); err != nil {
		return err
	}
	return propose(ctx, c, t, staff.Change{Kind: staff.KindRole, Member: n})
}

// staffPasskeyCmd is "liuma staff passkey".
type staffPasskeyCmd struct{ memberArg }

// Run proposes the invitation.
func (a *staffPasskeyCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return propose(ctx, c, t, staff.Change{Kind: staff.KindPasskey, Member: staff.NewMember{ID: liuma.StaffID(a.ID)}})
}

// staffDocumentCmd is "liuma staff document".
type staffDocumentCmd struct {
	memberArg
	numberFlag
}

// Run proposes it.
func (a *staffDocumentCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	number, err := a.number(t)
	if err != nil {
		return err
	}
	return propose(ctx, c, t, staff.Change{Kind: staff.KindDocument, Member: staff.NewMember{ID: liuma.StaffID(a.ID)}, Number: number})
}

// staffMapCmd is "liuma staff map".
type staffMapCmd struct {
	memberArg
	Account uint32 `name:"account" required:"" placeholder:"UID"`
	Remove  bool   `name:"remove"`
}

// Run proposes it.
func (a *staffMapCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	kind := staff.KindMap
	if a.Remove {
		kind = staff.KindUnmap
	}
	return propose(ctx, c, t, staff.Change{Kind: kind, Member: staff.NewMember{ID: liuma.StaffID(a.ID)}, Account: &a.Account})
}

// staffResumeCmd is "liuma staff resume".
type staffResumeCmd struct{ memberArg }

// Run proposes it.
func (a *staffResumeCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return propose(ctx, c, t, staff.Change{Kind: staff.KindResume, Member: staff.NewMember{ID: liuma.StaffID(a.ID)}})
}

// staffProposalsCmd is "liuma staff proposals".
type staffProposalsCmd struct {
	JSON bool `name:"json"`
}

// Run lists.
func (a *staffProposalsCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		all, err := adm.Proposals(ctx)
		if err != nil {
			return err
		}
		for _, p := range all {
			switch {
			case a.JSON:
				err = json.NewEncoder(t.out).Encode(p)
			case p.ApprovedAt != nil:
				_, err = fmt.Fprintf(t.out, "%s  %s  %s  %s\n", p.ID, p.Kind, t.shown().StaffAgain(p.ApprovedAt.UTC().Format(time.RFC3339), p.ID), p.About)
			default:
				_, err = fmt.Fprintf(t.out, "%s  %s  %s  %s  %s\n", p.ID, p.Kind, t.shown().StaffProposal(string(p.By), p.Until.UTC().Format(time.RFC3339)), p.Hash, p.About)
			}
			if err != nil {
				return err
			}
		}
		if len(all) > 0 || a.JSON {
			return nil
		}
		return t.line(t.shown().StaffNothingWaits())
	})
}

// proposalArg names a proposal.
type proposalArg struct {
	ID string `arg:""`
}

// staffApproveCmd is "liuma staff approve".
type staffApproveCmd struct{ proposalArg }

// Run approves.
func (a *staffApproveCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		done, err := adm.ApproveStaff(ctx, a.ID)
		if errors.Is(err, proposal.ErrKind) {
			return a.act(ctx, adm, t)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(t.out, t.shown().StaffApproved(string(done.Member), done.Kind))
		if done.Half != "" {
			return t.line(t.shown().StaffSecondHalf(string(done.Member), done.Until.UTC().Format(time.RFC3339)) + "\n  " + done.Half)
		}
		return nil
	})
}

// act approves proposals that are not about a member. A policy is approved where its
// diff is shown.
func (a *staffApproveCmd) act(ctx context.Context, adm admin.Administration, t *terminal) error {
	id := proposal.ID(a.ID)
	done, err := adm.ApproveAct(ctx, admin.ActStep{ID: id})
	switch {
	case errors.Is(err, proposal.ErrKind):
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.PolicyShownFirst(why, a.ID) })
	case err != nil:
		return err
	case done.Raised != nil:
		return sayRaised(t, *done.Raised)
	case done.Correction != nil:
		return sayCorrection(t, *done.Correction)
	case done.Accepted == nil:
		return nil
	}
	first := done.Accepted
	return acceptAll(t, func(after liuma.CardID) (authority.Accepted, error) {
		if first != nil {
			step := *first
			first = nil
			return step, nil
		}
		next, err := adm.ApproveAct(ctx, admin.ActStep{ID: id, After: after.String()})
		if err != nil || next.Accepted == nil {
			return authority.Accepted{}, err
		}
		return *next.Accepted, nil
	})
}

// staffWithdrawCmd is "liuma staff withdraw".
type staffWithdrawCmd struct{ proposalArg }

// Run withdraws.
func (a *staffWithdrawCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if err := adm.WithdrawProposal(ctx, a.ID); err != nil {
			return err
		}
		return t.line(t.shown().StaffWithdrawn())
	})
}

// staffSuspendCmd is "liuma staff suspend".
type staffSuspendCmd struct {
	memberArg
	reasonFlag
}

// Run suspends.
func (a *staffSuspendCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma staff suspend")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if err := adm.SuspendStaff(ctx, liuma.StaffID(a.ID), reason); err != nil {
			return err
		}
		return t.line(t.shown().StaffSuspended(a.ID))
	})
}
