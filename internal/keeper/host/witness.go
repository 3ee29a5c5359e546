package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
)

const (
	// witnessEvery is how often the other keepers are asked for their clocks while this
	// one's time lags.
	witnessEvery = time.Minute
	// witnessTime is how long they have to answer.
	witnessTime = 3 * time.Second
)

// watchTime lets the ledger's time jump to the machine's clock if the other keepers have
// the same time. The ledger itself cannot know how long the machine was off.
func (h *Host) watchTime(ctx context.Context) {
	t := time.NewTicker(witnessEvery)
	defer t.Stop()
	for {
		h.witness(ctx)
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// witness asks the other keepers once, if the time lags.
func (h *Host) witness(ctx context.Context) {
	n, err := h.seat.sits()
	if err != nil || n.Times().Lag() < clock.MaxBehind {
		return
	}
	quorum := h.dir.Shape.Majority()
	by, err := n.WitnessTime(ctx, h.otherClocks(ctx), quorum)
	switch {
	case err == nil:
		h.log.WarnContext(ctx, "the kept time jumped to the machine's clock: keepers on other machines have it, too", "by", by)
	case !errors.Is(err, clock.ErrNotAhead):
		h.log.WarnContext(ctx, "the kept time did not move to the machine's clock", "err", err)
	}
}

// otherClocks returns the reports of the keepers that admitted this one and that are on
// other machines, according to the connections' addresses.
func (h *Host) otherClocks(ctx context.Context) []*keeper.About {
	peers, err := h.dir.Peers()
	if err != nil {
		h.log.WarnContext(ctx, "the other keepers were not asked for their clocks", "err", err)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, witnessTime)
	defer cancel()
	said := make([]*keeper.About, len(peers))
	var all sync.WaitGroup
	for i, a := range peers {
		all.Go(func() { said[i] = h.otherClock(ctx, a) })
	}
	all.Wait()
	return said
}

func (h *Host) otherClock(ctx context.Context, a *admission.Admission) *keeper.About {
	c, err := h.dir.client(a, h.dial, h.log)
	if err != nil {
		return nil // an expired admission is reported elsewhere
	}
	defer func() { _ = c.Close() }() // it was only read from
	said, here, err := c.AboutFrom(ctx)
	if err != nil || here || said.ID != a.Keeper || said.Member != a.Member || said.Shape != a.Shape {
		return nil
	}
	return &said
}
