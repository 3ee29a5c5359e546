// Package upkeep repeats the small steps by which a process keeps its data in order: old
// rows are dropped, what another process changed is read anew. It guarantees that a step
// that fails is told of and comes again. It trusts that a step may be repeated, and may be
// lost with the process, without harm.
//
// Start here: Every.
package upkeep

import (
	"context"
	"log/slog"
	"time"
)

// Every runs step after each pause, one at a time, until ctx ends. An error is logged as
// the warning failed, unless it comes from the end of ctx. A step that takes longer than
// pause is followed by the next one at once.
func Every(ctx context.Context, pause time.Duration, log *slog.Logger, failed string, step func(context.Context) error) {
	t := time.NewTicker(pause)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := step(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, failed, "err", err)
		}
	}
}
