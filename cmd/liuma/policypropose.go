package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/locale"
)

// policyProposeCmd is "liuma policy propose".
type policyProposeCmd struct {
	Layers []string `arg:"" name:"layers"`
	JSON   bool     `name:"json"`
	reasonFlag
}

// Run proposes the layers, and shows what they change.
func (a *policyProposeCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma policy propose")
	if err != nil {
		return err
	}
	draft, err := readLayers("liuma policy propose", a.Layers)
	if err != nil {
		return err
	}
	draft.Reason = reason
	return c.administer(ctx, t, func(adm admin.Administration) error {
		p, err := adm.ProposePolicy(ctx, draft)
		if err != nil {
			return err
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(p)
		}
		if err := printProposed(t, p); err != nil {
			return err
		}
		return t.line(t.shown().PolicyNext(string(p.ID)))
	})
}

// printProposed shows a proposal.
func printProposed(t *terminal, p edition.Proposed) error {
	say, state := t.shown(), p.State
	switch {
	case p.Moved:
		state = say.PolicyMoved()
	case p.Approver != "":
		state = say.PolicyStateBy(state, string(p.Approver))
	}
	return errors.Join(
		t.line(say.PolicyProposal(string(p.ID), string(p.By), p.Until.Format(time.RFC3339), state)),
		t.line("  "+say.PolicyReason(string(p.Reason))),
		printDiff(t, p.Diff),
		t.line(say.PolicyDigest(p.Digest)))
}

// policyProposalsCmd is "liuma policy proposals".
type policyProposalsCmd struct {
	JSON bool `name:"json"`
}

// Run lists policies that wait for an approval.
func (a *policyProposalsCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		all, err := adm.Proposals(ctx)
		if err != nil {
			return err
		}
		none := true
		for _, p := range all {
			if p.Kind != edition.Kind {
				continue
			}
			none = false
			if a.JSON {
				err = json.NewEncoder(t.out).Encode(p)
			} else {
				err = t.line(p.ID + "  " + t.shown().PolicyWaiting(string(p.By), p.Until.UTC().Format(time.RFC3339)) + "  " + p.About)
			}
			if err != nil {
				return err
			}
		}
		if !none || a.JSON {
			return nil
		}
		return t.line(t.shown().PolicyNoneWaits())
	})
}

// policyShowCmd is "liuma policy show".
type policyShowCmd struct {
	proposalArg
	JSON bool `name:"json"`
}

// Run shows what the proposer saw.
func (a *policyShowCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		p, err := adm.ProposedPolicy(ctx, a.ID)
		if err != nil {
			return err
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(p)
		}
		return printProposed(t, p)
	})
}

// policyApproveCmd is "liuma policy approve".
type policyApproveCmd struct {
	proposalArg
	Digest string `name:"digest" placeholder:"HEX"`
}

// Run approves the policy that was shown, or shows it.
func (a *policyApproveCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if a.Digest == "" {
			p, err := adm.ProposedPolicy(ctx, a.ID)
			if err != nil {
				return err
			}
			if err := printProposed(t, p); err != nil || p.State != "open" || p.Moved {
				return err
			}
			_, err = fmt.Fprintf(t.out, "%s\n  liuma policy approve %s --digest %s\n", t.shown().PolicyNotApproved(), p.ID, p.Digest)
			return err
		}
		done, err := adm.ApprovePolicy(ctx, edition.Approval{ID: proposal.ID(a.ID), Digest: a.Digest})
		if err != nil {
			return err
		}
		if !done.Runs {
			return t.line(t.shown().PolicyApprovedLater(num(done.Edition)))
		}
		return t.line(t.shown().PolicyApproved(num(done.Edition)))
	})
}

// policyWithdrawCmd is "liuma policy withdraw".
type policyWithdrawCmd struct{ proposalArg }

// Run withdraws. It checks the kind first, so that a wrong identifier does not withdraw
// another proposal.
func (a *policyWithdrawCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if _, err := adm.ProposedPolicy(ctx, a.ID); err != nil {
			return err
		}
		if err := adm.WithdrawProposal(ctx, a.ID); err != nil {
			return err
		}
		return t.line(t.shown().PolicyWithdrawn())
	})
}

// policyHistoryCmd is "liuma policy history".
type policyHistoryCmd struct {
	Edition string `arg:"" optional:"" placeholder:"NUMBER"`
	JSON    bool   `name:"json"`
}

// Run lists editions, or prints one.
func (a *policyHistoryCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	var no uint64
	if a.Edition != "" {
		n, err := strconv.ParseUint(a.Edition, 10, 64)
		if err != nil || n == 0 {
			return wrongUse("liuma policy history", func(w *locale.Words) string { return w.Refused.PolicyEdition(strconv.Quote(a.Edition)) })
		}
		no = n
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if no > 0 {
			return a.one(ctx, adm, t, no)
		}
		none, err := inParts(edition.MaxHistory, func(before uint64) ([]edition.Past, error) { return adm.PolicyHistory(ctx, before) },
			func(e edition.Past) (uint64, error) { return e.Edition, a.print(t, e) })
		if err != nil || !none || a.JSON {
			return err
		}
		return t.line(t.shown().PolicyNoEdition())
	})
}

func (a *policyHistoryCmd) print(t *terminal, e edition.Past) error {
	if a.JSON {
		return json.NewEncoder(t.out).Encode(e)
	}
	say := t.shown()
	sum := say.PolicyNationalAlone()
	if e.Sum != "" {
		sum = e.Sum[:16]
	}
	if e.Approver == "" {
		return t.line(num(e.Edition) + "  " + say.PolicyPastFiles(e.At.Format(time.RFC3339), sum, num(e.Layers)))
	}
	return t.line(num(e.Edition) + "  " + say.PolicyPast(e.At.Format(time.RFC3339), sum, num(e.Layers), string(e.By), string(e.Approver), e.Reason))
}

func (a *policyHistoryCmd) one(ctx context.Context, adm admin.Administration, t *terminal, no uint64) error {
	e, err := adm.PolicyEdition(ctx, no)
	if err != nil {
		return err
	}
	err = a.print(t, e)
	for _, f := range e.Files {
		if !a.JSON {
			_, werr := fmt.Fprintf(t.out, "# %s\n%s\n", f.Name, f.Text)
			err = errors.Join(err, werr)
		}
	}
	return err
}
