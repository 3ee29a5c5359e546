package remote

import (
	"context"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
)

// Clocks asks the keepers for their clocks, to check this machine's clock, and returns how
// many of them must agree with it: a quorum, of which at least one is honest. A keeper
// whose connection ends on this machine is no witness, and neither is one that
// keeper.Witnesses leaves out. It takes as long as the slowest answer, or until ctx ends.
// Earlier reports are not used.
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
	return keeper.Witnesses(said, k.c.Machine), k.c.Shape.Majority()
}
