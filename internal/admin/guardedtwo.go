package admin

import (
	"context"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/edition"
)

// ExplainPolicy is Admin.ExplainPolicy, for who may.
func (g *Guarded) ExplainPolicy(ctx context.Context, q edition.Question) (edition.Answer, error) {
	return allowed(ctx, g, "ExplainPolicy", func(ctx context.Context) (edition.Answer, error) { return g.admin.ExplainPolicy(ctx, q) })
}

// PolicyHistory is Admin.PolicyHistory, for who may.
func (g *Guarded) PolicyHistory(ctx context.Context, before uint64) ([]edition.Past, error) {
	return allowed(ctx, g, "PolicyHistory", func(ctx context.Context) ([]edition.Past, error) { return g.admin.PolicyHistory(ctx, before) })
}

// PolicyEdition is Admin.PolicyEdition, for who may.
func (g *Guarded) PolicyEdition(ctx context.Context, no uint64) (edition.Past, error) {
	return allowed(ctx, g, "PolicyEdition", func(ctx context.Context) (edition.Past, error) { return g.admin.PolicyEdition(ctx, no) })
}

// CheckPolicy is Admin.CheckPolicy, for who may.
func (g *Guarded) CheckPolicy(ctx context.Context, d edition.Draft) (edition.Diff, error) {
	return allowed(ctx, g, "CheckPolicy", func(ctx context.Context) (edition.Diff, error) { return g.admin.CheckPolicy(ctx, d) })
}

// ProposePolicy is Admin.ProposePolicy, for who may.
func (g *Guarded) ProposePolicy(ctx context.Context, d edition.Draft) (edition.Proposed, error) {
	return allowed(ctx, g, "ProposePolicy", func(ctx context.Context) (edition.Proposed, error) { return g.admin.ProposePolicy(ctx, d) })
}

// ProposedPolicy is Admin.ProposedPolicy, for who may.
func (g *Guarded) ProposedPolicy(ctx context.Context, id string) (edition.Proposed, error) {
	return allowed(ctx, g, "ProposedPolicy", func(ctx context.Context) (edition.Proposed, error) { return g.admin.ProposedPolicy(ctx, id) })
}

// ApprovePolicy is Admin.ApprovePolicy, for who may.
func (g *Guarded) ApprovePolicy(ctx context.Context, q edition.Approval) (edition.Approved, error) {
	return allowed(ctx, g, "ApprovePolicy", func(ctx context.Context) (edition.Approved, error) { return g.admin.ApprovePolicy(ctx, q) })
}

// ProposeAct is Admin.ProposeAct, for who may.
func (g *Guarded) ProposeAct(ctx context.Context, q Act) (ProposedAct, error) {
	return allowed(ctx, g, "ProposeAct", func(ctx context.Context) (ProposedAct, error) { return g.admin.ProposeAct(ctx, q) })
}

// ApproveAct is Admin.ApproveAct, for who may.
func (g *Guarded) ApproveAct(ctx context.Context, q ActStep) (ActDone, error) {
	return allowed(ctx, g, "ApproveAct", func(ctx context.Context) (ActDone, error) { return g.admin.ApproveAct(ctx, q) })
}

// Authorities is Admin.Authorities, for who may.
func (g *Guarded) Authorities(ctx context.Context) (Authorities, error) {
	return allowed(ctx, g, "Authorities", func(ctx context.Context) (Authorities, error) { return g.admin.Authorities(ctx) })
}

// ConfirmAuthority is Admin.ConfirmAuthority, for who may.
func (g *Guarded) ConfirmAuthority(ctx context.Context, q AuthorityWord) error {
	_, err := allowed(ctx, g, "ConfirmAuthority", done(func(ctx context.Context) error { return g.admin.ConfirmAuthority(ctx, q) }))
	return err
}

// DismissAuthority is Admin.DismissAuthority, for who may.
func (g *Guarded) DismissAuthority(ctx context.Context, name string, reason audit.Reason) error {
	_, err := allowed(ctx, g, "DismissAuthority", done(func(ctx context.Context) error { return g.admin.DismissAuthority(ctx, name, reason) }))
	return err
}
