package admin

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
)

// Guarded is the Administration of the process that has the store: Admin, for callers
// whose roles allow what they ask for. Each method asks before anything is read.
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

// Clients is Admin.Clients, for who may.
func (g *Guarded) Clients(ctx context.Context, kind store.ClientKind) ([]store.Client, error) {
	return allowed(ctx, g, "Clients", func(ctx context.Context) ([]store.Client, error) { return g.admin.Clients(ctx, kind) })
}

// AddClient is Admin.AddClient, for who may.
func (g *Guarded) AddClient(ctx context.Context, c Client) error {
	_, err := allowed(ctx, g, "AddClient", done(func(ctx context.Context) error { return g.admin.AddClient(ctx, c) }))
	return err
}

// StopClient is Admin.StopClient, for who may.
func (g *Guarded) StopClient(ctx context.Context, kind store.ClientKind, id string) error {
	_, err := allowed(ctx, g, "StopClient", done(func(ctx context.Context) error { return g.admin.StopClient(ctx, kind, id) }))
	return err
}

// ResumeClient is Admin.ResumeClient, for who may.
func (g *Guarded) ResumeClient(ctx context.Context, kind store.ClientKind, id string) error {
	_, err := allowed(ctx, g, "ResumeClient", done(func(ctx context.Context) error { return g.admin.ResumeClient(ctx, kind, id) }))
	return err
}

// SetAudience is Admin.SetAudience, for who may.
func (g *Guarded) SetAudience(ctx context.Context, id string, strict bool) error {
	_, err := allowed(ctx, g, "SetAudience", done(func(ctx context.Context) error { return g.admin.SetAudience(ctx, id, strict) }))
	return err
}

// AddClientKey is Admin.AddClientKey, for who may.
func (g *Guarded) AddClientKey(ctx context.Context, kind store.ClientKind, id string, key jose.JSONWebKey) error {
	_, err := allowed(ctx, g, "AddClientKey", done(func(ctx context.Context) error { return g.admin.AddClientKey(ctx, kind, id, key) }))
	return err
}

// RemoveClientKey is Admin.RemoveClientKey, for who may.
func (g *Guarded) RemoveClientKey(ctx context.Context, kind store.ClientKind, id, kid string) error {
	_, err := allowed(ctx, g, "RemoveClientKey", done(func(ctx context.Context) error { return g.admin.RemoveClientKey(ctx, kind, id, kid) }))
	return err
}

// ImportRegistry is Admin.ImportRegistry, for who may.
func (g *Guarded) ImportRegistry(ctx context.Context, file *os.File, c ImportConfig) (registry.Summary, error) {
	return allowed(ctx, g, "ImportRegistry", func(ctx context.Context) (registry.Summary, error) { return g.admin.ImportRegistry(ctx, file, c) })
}

// ImportAgencies is Admin.ImportAgencies, for who may.
func (g *Guarded) ImportAgencies(ctx context.Context, file *os.File, c ImportConfig) (agency.Summary, error) {
	return allowed(ctx, g, "ImportAgencies", func(ctx context.Context) (agency.Summary, error) { return g.admin.ImportAgencies(ctx, file, c) })
}

// Agencies is Admin.Agencies, for who may.
func (g *Guarded) Agencies(ctx context.Context, q AgencyQuery) (AgenciesFound, error) {
	return allowed(ctx, g, "Agencies", func(ctx context.Context) (AgenciesFound, error) { return g.admin.Agencies(ctx, q) })
}

// Conflicts is Admin.Conflicts, for who may.
func (g *Guarded) Conflicts(ctx context.Context, after string) ([]registry.ConflictView, error) {
	return allowed(ctx, g, "Conflicts", func(ctx context.Context) ([]registry.ConflictView, error) { return g.admin.Conflicts(ctx, after) })
}

// Conflict is Admin.Conflict, for who may.
func (g *Guarded) Conflict(ctx context.Context, id string) (registry.ConflictView, error) {
	return allowed(ctx, g, "Conflict", func(ctx context.Context) (registry.ConflictView, error) { return g.admin.Conflict(ctx, id) })
}

// KeepConflict is Admin.KeepConflict, for who may.
func (g *Guarded) KeepConflict(ctx context.Context, id string, reason audit.Reason) error {
	_, err := allowed(ctx, g, "KeepConflict", done(func(ctx context.Context) error { return g.admin.KeepConflict(ctx, id, reason) }))
	return err
}

// ReplaceConflict is Admin.ReplaceConflict, for who may.
func (g *Guarded) ReplaceConflict(ctx context.Context, id string, reason audit.Reason) (registry.Replaced, error) {
	return allowed(ctx, g, "ReplaceConflict", func(ctx context.Context) (registry.Replaced, error) { return g.admin.ReplaceConflict(ctx, id, reason) })
}

// CorrectNumber is Admin.CorrectNumber, for who may.
func (g *Guarded) CorrectNumber(ctx context.Context, q NumberCorrection, reason audit.Reason) (CorrectedNumber, error) {
	return allowed(ctx, g, "CorrectNumber", func(ctx context.Context) (CorrectedNumber, error) { return g.admin.CorrectNumber(ctx, q, reason) })
}

// Corrections is Admin.Corrections, for who may.
func (g *Guarded) Corrections(ctx context.Context, after string) ([]registry.CorrectionView, error) {
	return allowed(ctx, g, "Corrections", func(ctx context.Context) ([]registry.CorrectionView, error) { return g.admin.Corrections(ctx, after) })
}

// CancelCorrection is Admin.CancelCorrection, for who may.
func (g *Guarded) CancelCorrection(ctx context.Context, id string, reason audit.Reason) error {
	_, err := allowed(ctx, g, "CancelCorrection", done(func(ctx context.Context) error { return g.admin.CancelCorrection(ctx, id, reason) }))
	return err
}

// GoOnUntold is Admin.GoOnUntold, for who may.
func (g *Guarded) GoOnUntold(ctx context.Context, id string, reason audit.Reason) (CorrectedNumber, error) {
	return allowed(ctx, g, "GoOnUntold", func(ctx context.Context) (CorrectedNumber, error) { return g.admin.GoOnUntold(ctx, id, reason) })
}

// Held is Admin.Held, for who may.
func (g *Guarded) Held(ctx context.Context, number string, reason audit.Reason) (registry.Held, error) {
	return allowed(ctx, g, "Held", func(ctx context.Context) (registry.Held, error) { return g.admin.Held(ctx, number, reason) })
}

// ErasePerson is Admin.ErasePerson, for who may.
func (g *Guarded) ErasePerson(ctx context.Context, number string, reason audit.Reason, trial bool) (authority.Erasure, error) {
	return allowed(ctx, g, "ErasePerson", func(ctx context.Context) (authority.Erasure, error) {
		return g.admin.ErasePerson(ctx, number, reason, trial)
	})
}

// Minors is Admin.Minors, for who may.
func (g *Guarded) Minors(ctx context.Context, on time.Time, digits int, from string) (registry.Minors, error) {
	return allowed(ctx, g, "Minors", func(ctx context.Context) (registry.Minors, error) { return g.admin.Minors(ctx, on, digits, from) })
}

// Status is Admin.Status, for who may.
func (g *Guarded) Status(ctx context.Context) (Status, error) {
	return allowed(ctx, g, "Status", func(ctx context.Context) (Status, error) { return g.admin.Status(ctx) })
}

// Texts is Admin.Texts, for who may.
func (g *Guarded) Texts(ctx context.Context, state store.MessageState, after string) ([]notify.MessageView, error) {
	return allowed(ctx, g, "Texts", func(ctx context.Context) ([]notify.MessageView, error) { return g.admin.Texts(ctx, state, after) })
}

// RetryText is Admin.RetryText, for who may.
func (g *Guarded) RetryText(ctx context.Context, id string) (string, error) {
	return allowed(ctx, g, "RetryText", func(ctx context.Context) (string, error) { return g.admin.RetryText(ctx, id) })
}

// Inbox is Admin.Inbox, for who may.
func (g *Guarded) Inbox(ctx context.Context) ([]InboxText, error) {
	return allowed(ctx, g, "Inbox", func(ctx context.Context) ([]InboxText, error) { return g.admin.Inbox(ctx) })
}

// Clock is Admin.Clock, for who may.
func (g *Guarded) Clock(ctx context.Context) (ClockState, error) {
	return allowed(ctx, g, "Clock", func(ctx context.Context) (ClockState, error) { return g.admin.Clock(ctx) })
}

// AcceptClock is Admin.AcceptClock, for who may.
func (g *Guarded) AcceptClock(ctx context.Context, reason audit.Reason) (ClockState, error) {
	return allowed(ctx, g, "AcceptClock", func(ctx context.Context) (ClockState, error) { return g.admin.AcceptClock(ctx, reason) })
}

// RotateSigningKey is Admin.RotateSigningKey, for who may.
func (g *Guarded) RotateSigningKey(ctx context.Context) (RotatedKey, error) {
	return allowed(ctx, g, "RotateSigningKey", func(ctx context.Context) (RotatedKey, error) { return g.admin.RotateSigningKey(ctx) })
}

// DropSigningKey is Admin.DropSigningKey, for who may.
func (g *Guarded) DropSigningKey(ctx context.Context, kid string) (DroppedKey, error) {
	return allowed(ctx, g, "DropSigningKey", func(ctx context.Context) (DroppedKey, error) { return g.admin.DropSigningKey(ctx, kid) })
}

// MakeDigest is Admin.MakeDigest, for who may.
func (g *Guarded) MakeDigest(ctx context.Context) (Digest, error) {
	return allowed(ctx, g, "MakeDigest", func(ctx context.Context) (Digest, error) { return g.admin.MakeDigest(ctx) })
}

// ResumeDigests is Admin.ResumeDigests, for who may.
func (g *Guarded) ResumeDigests(ctx context.Context, keys jose.JSONWebKeySet, reason audit.Reason) (Digest, error) {
	return allowed(ctx, g, "ResumeDigests", func(ctx context.Context) (Digest, error) { return g.admin.ResumeDigests(ctx, keys, reason) })
}

// ExportRecord is Admin.ExportRecord, for who may.
func (g *Guarded) ExportRecord(ctx context.Context, q record.Query, w io.Writer) error {
	_, err := allowed(ctx, g, "ExportRecord", done(func(ctx context.Context) error { return g.admin.ExportRecord(ctx, q, w) }))
	return err
}

// PlanArchive is Admin.PlanArchive, for who may.
func (g *Guarded) PlanArchive(ctx context.Context, before time.Time) (ArchivePlan, error) {
	return allowed(ctx, g, "PlanArchive", func(ctx context.Context) (ArchivePlan, error) { return g.admin.PlanArchive(ctx, before) })
}

// KeepArchive is Admin.KeepArchive, for who may.
func (g *Guarded) KeepArchive(ctx context.Context, token string, reason audit.Reason) (Archive, error) {
	return allowed(ctx, g, "KeepArchive", func(ctx context.Context) (Archive, error) { return g.admin.KeepArchive(ctx, token, reason) })
}

// RotateRootKey is Admin.RotateRootKey, for who may.
func (g *Guarded) RotateRootKey(ctx context.Context, reason audit.Reason) (RootKey, error) {
	return allowed(ctx, g, "RotateRootKey", func(ctx context.Context) (RootKey, error) { return g.admin.RotateRootKey(ctx, reason) })
}

// DropRootKey is Admin.DropRootKey, for who may.
func (g *Guarded) DropRootKey(ctx context.Context, id uint32, reason audit.Reason) (DroppedRootKey, error) {
	return allowed(ctx, g, "DropRootKey", func(ctx context.Context) (DroppedRootKey, error) { return g.admin.DropRootKey(ctx, id, reason) })
}

// Keepers is Admin.Keepers, for who may.
func (g *Guarded) Keepers(ctx context.Context) ([]KeeperState, error) {
	return allowed(ctx, g, "Keepers", func(ctx context.Context) ([]KeeperState, error) { return g.admin.Keepers(ctx) })
}

// RepairKeeper is Admin.RepairKeeper, for who may.
func (g *Guarded) RepairKeeper(ctx context.Context, id string, reason audit.Reason) error {
	_, err := allowed(ctx, g, "RepairKeeper", done(func(ctx context.Context) error { return g.admin.RepairKeeper(ctx, id, reason) }))
	return err
}

// RaiseHead is Admin.RaiseHead, for who may.
func (g *Guarded) RaiseHead(ctx context.Context, card liuma.CardID, reason audit.Reason) (authority.Raised, error) {
	return allowed(ctx, g, "RaiseHead", func(ctx context.Context) (authority.Raised, error) { return g.admin.RaiseHead(ctx, card, reason) })
}

// AcceptRestore is Admin.AcceptRestore, for who may.
func (g *Guarded) AcceptRestore(ctx context.Context, after liuma.CardID, reason audit.Reason) (authority.Accepted, error) {
	return allowed(ctx, g, "AcceptRestore", func(ctx context.Context) (authority.Accepted, error) {
		return g.admin.AcceptRestore(ctx, after, reason)
	})
}

// StaffMembers is Admin.StaffMembers, for who may.
func (g *Guarded) StaffMembers(ctx context.Context) ([]staff.View, error) {
	return allowed(ctx, g, "StaffMembers", func(ctx context.Context) ([]staff.View, error) { return g.admin.StaffMembers(ctx) })
}

// ProposeStaff is Admin.ProposeStaff, for who may.
func (g *Guarded) ProposeStaff(ctx context.Context, c staff.Change) (staff.Proposed, error) {
	return allowed(ctx, g, "ProposeStaff", func(ctx context.Context) (staff.Proposed, error) { return g.admin.ProposeStaff(ctx, c) })
}

// ApproveStaff is Admin.ApproveStaff, for who may.
func (g *Guarded) ApproveStaff(ctx context.Context, id string) (staff.Approved, error) {
	return allowed(ctx, g, "ApproveStaff", func(ctx context.Context) (staff.Approved, error) { return g.admin.ApproveStaff(ctx, id) })
}

// Proposals is Admin.Proposals, for who may.
func (g *Guarded) Proposals(ctx context.Context) ([]ProposalView, error) {
	return allowed(ctx, g, "Proposals", func(ctx context.Context) ([]ProposalView, error) { return g.admin.Proposals(ctx) })
}

// WithdrawProposal is Admin.WithdrawProposal, for who may.
func (g *Guarded) WithdrawProposal(ctx context.Context, id string) error {
	_, err := allowed(ctx, g, "WithdrawProposal", done(func(ctx context.Context) error { return g.admin.WithdrawProposal(ctx, id) }))
	return err
}

// SuspendStaff is Admin.SuspendStaff, for who may.
func (g *Guarded) SuspendStaff(ctx context.Context, id liuma.StaffID, reason audit.Reason) error {
	_, err := allowed(ctx, g, "SuspendStaff", done(func(ctx context.Context) error { return g.admin.SuspendStaff(ctx, id, reason) }))
	return err
}

// SignIn is Admin.SignIn, for who may.
func (g *Guarded) SignIn(ctx context.Context, code string) (SignedIn, error) {
	return allowed(ctx, g, "SignIn", func(ctx context.Context) (SignedIn, error) { return g.admin.SignIn(ctx, code) })
}
