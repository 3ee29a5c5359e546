package admin

import (
	"context"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
)

// Alarms is Admin.Alarms, for who may.
func (g *Guarded) Alarms(ctx context.Context) ([]Alarm, error) {
	return allowed(ctx, g, "Alarms", func(ctx context.Context) ([]Alarm, error) { return g.admin.Alarms(ctx) })
}

// Numbers is Admin.Numbers, for who may.
func (g *Guarded) Numbers(ctx context.Context, q NumbersQuery) (Numbers, error) {
	return allowed(ctx, g, "Numbers", func(ctx context.Context) (Numbers, error) { return g.admin.Numbers(ctx, q) })
}

// DropText is Admin.DropText, for who may.
func (g *Guarded) DropText(ctx context.Context, id string, reason audit.Reason) error {
	_, err := allowed(ctx, g, "DropText", done(func(ctx context.Context) error { return g.admin.DropText(ctx, id, reason) }))
	return err
}

// FindEntries is Admin.FindEntries, for who may.
func (g *Guarded) FindEntries(ctx context.Context, q RecordSearch) (FoundEntries, error) {
	return allowed(ctx, g, "FindEntries", func(ctx context.Context) (FoundEntries, error) { return g.admin.FindEntries(ctx, q) })
}

// CheckStream is Admin.CheckStream, for who may.
func (g *Guarded) CheckStream(ctx context.Context, stream string) (StreamChecked, error) {
	return allowed(ctx, g, "CheckStream", func(ctx context.Context) (StreamChecked, error) { return g.admin.CheckStream(ctx, stream) })
}

// SeekCard is Admin.SeekCard, for who may.
func (g *Guarded) SeekCard(ctx context.Context, number string, reason audit.Reason) (registry.Sought, error) {
	return allowed(ctx, g, "SeekCard", func(ctx context.Context) (registry.Sought, error) { return g.admin.SeekCard(ctx, number, reason) })
}
