package remote

import (
	"context"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
)

// Clocks asks the keepers for their clocks, to tell whether this machine's is right, and
// says how many of them must agree with it: a quorum, in which at least one is honest.
// Only a keeper on another machine is a witness, since who moves this machine's clock
// moves it for everybody on it: one whose connection ends on this machine is none, and
// none whose machine is this one or that of another witness (containers of one machine
// have one clock and different addresses). It takes as long as the slowest, or until ctx
// ends. Nothing that was said before is used.
func (k *Keepers) Clocks(ctx context.Context) (clocks []time.Time, quorum int) {
	said := make([]*keeper.About, len(k.posts))
	var all sync.WaitGroup
	for i, p := range k.posts {
		all.Go(func() {
			a, here, err := p.client.AboutFrom(ctx)
			if err == nil && !here && k.heard(p, a) == nil {
				said[i] = &a
			}
		})
	}
	all.Wait()
	return witnesses(said, k.c.Machine), max(k.c.Shape.T, k.c.Shape.N-k.c.Shape.T+1)
}

// witnesses are the clocks of machines that are neither this one nor one another.
func witnesses(said []*keeper.About, here [clock.StartSize]byte) (clocks []time.Time) {
	var none [clock.StartSize]byte
	if here == none {
		return nil
	}
	known := map[[clock.StartSize]byte]bool{none: true, here: true}
	for _, a := range said {
		if a == nil || a.Wall.IsZero() || known[a.Machine] {
			continue
		}
		known[a.Machine] = true
		clocks = append(clocks, a.Wall)
	}
	return clocks
}
