package admin

import (
	"context"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
)

// MaxConflicts is how many conflicts are listed at once.
const MaxConflicts = registry.MaxConflicts

// Conflicts lists the conflicts that operators have to decide.
func (a *Admin) Conflicts(ctx context.Context, after string) ([]registry.ConflictView, error) {
	return a.c.Registry.Conflicts(ctx, after)
}

// Conflict shows one conflict.
func (a *Admin) Conflict(ctx context.Context, id string) (registry.ConflictView, error) {
	return a.c.Registry.Conflict(ctx, id)
}

// KeepConflict decides that the registered person stays.
func (a *Admin) KeepConflict(ctx context.Context, id string, reason audit.Reason) error {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return err
	}
	return a.c.Registry.KeepRegistered(ctx, ActorOf(ctx), id, reason)
}

// ReplaceConflict decides that the number belongs to the person of the imported row.
func (a *Admin) ReplaceConflict(ctx context.Context, id string, reason audit.Reason) (registry.Replaced, error) {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return registry.Replaced{}, err
	}
	return a.c.Registry.ReplaceRegistered(ctx, ActorOf(ctx), id, reason)
}
