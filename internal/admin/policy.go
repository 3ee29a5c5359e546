package admin

import (
	"context"

	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/proposal"
)

// ExplainPolicy returns the policy of a region and a channel, and who put it in
// force.
func (a *Admin) ExplainPolicy(ctx context.Context, q edition.Question) (edition.Answer, error) {
	return a.c.Policy.Explain(ctx, q)
}

// PolicyHistory lists the editions of the policy.
func (a *Admin) PolicyHistory(ctx context.Context, before uint64) ([]edition.Past, error) {
	return a.c.Policy.History(ctx, before)
}

// PolicyEdition shows one edition, with its files.
func (a *Admin) PolicyEdition(ctx context.Context, no uint64) (edition.Past, error) {
	return a.c.Policy.Edition(ctx, no)
}

// CheckPolicy says what a policy would change.
func (a *Admin) CheckPolicy(ctx context.Context, d edition.Draft) (edition.Diff, error) {
	return a.c.Policy.Check(ctx, d)
}

// ProposePolicy stores a policy for another member of staff to approve.
func (a *Admin) ProposePolicy(ctx context.Context, d edition.Draft) (edition.Proposed, error) {
	return a.c.Policy.Propose(ctx, callerOf(ctx).ID, d)
}

// ProposedPolicy shows a proposal.
func (a *Admin) ProposedPolicy(ctx context.Context, id string) (edition.Proposed, error) {
	return a.c.Policy.Of(ctx, proposal.ID(id))
}

// ApprovePolicy puts a proposed policy in force.
func (a *Admin) ApprovePolicy(ctx context.Context, q edition.Approval) (edition.Approved, error) {
	return a.c.Policy.Approve(ctx, callerOf(ctx).ID, q)
}
