package host

import (
	"context"
	"errors"
)

// RepairStopped repairs a keeper that no process serves, as BeginRepair does for a
// served one; it opens no door meanwhile. If the keeper is served, the error is
// ErrServed. seen is the highest sequence that anybody received from the keeper. If it
// is too low, that shows when the keeper is served again, and the repair is done once
// more. rows is as in BeginRepair.
//
// A crash in here, or the end of ctx, leaves a ledger that says that its repair has not
// ended, and serves nobody: repair it again.
func RepairStopped(ctx context.Context, dir *Dir, o Options, seen, rows uint64) (RepairStatus, error) {
	h, err := Start(ctx, dir, o)
	if err != nil {
		return RepairStatus{}, err
	}
	stop := context.AfterFunc(ctx, h.stop)
	defer stop()
	if err := h.BeginRepair(seen, rows); err != nil {
		return RepairStatus{}, errors.Join(err, h.close())
	}
	h.mending.Lock() // waits until the repair has ended
	h.mu.Lock()
	done := h.repair
	h.mu.Unlock()
	h.mending.Unlock()
	return done, h.close()
}
