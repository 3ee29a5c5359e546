package keeper

import (
	"context"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
)

// Witnesses returns, from the keepers' reports, the clocks that can show whether this
// machine's clock is right. They must be on other machines than this one (here,
// clock.Clock.Start) and on different machines from one another, because whoever sets a
// machine's clock sets it for every keeper and container on it. A keeper that does not
// know its machine is not used.
func Witnesses(said []*About, here [clock.StartSize]byte) (clocks []time.Time) {
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

// WitnessTime moves the keeper's time up to its wall clock if the reports (said) that
// keepers on other machines gave just now show that this clock is right. At least q of them
// must agree, and they must have been asked over connections to other machines. It returns
// how far the time moved. Errors: clock.ErrNotAhead (too few clocks agree, or there is
// nothing to move), clock.ErrBehind.
func (n *Node) WitnessTime(ctx context.Context, said []*About, q int) (by time.Duration, err error) {
	leave, err := n.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	before := n.ledger.Times().High
	if err := n.ledger.WitnessTime(ctx, Witnesses(said, n.ledger.Start()), q); err != nil {
		return 0, err
	}
	return n.ledger.Times().High.Sub(before), nil
}
