package keeper

import (
	"context"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
)

// Witnesses are the clocks among what keepers said of themselves by which somebody on a
// machine may tell whether its clock is right: those of machines that are neither this one
// (here, clock.Clock.Start) nor one another, since who moves a machine's clock moves it
// for every keeper and container on it. Who does not know its machine is none.
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

// WitnessTime moves the keeper's time up to its wall clock if what keepers on other
// machines said just now shows that this clock is right: q of them, which must have been
// asked over connections to other machines. It returns by how much. Errors:
// clock.ErrNotAhead (too few have the clock, or there is nothing to move), clock.ErrBehind.
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
