package policy

import (
	"errors"
	"fmt"
)

// Counter bounds a clerk's acts at a counter within 24 hours. The values of the region to
// which the clerk is bound apply, or the nation's for a clerk without a region: it is the
// office's rule for its own people. If the region of the person who came counted, a clerk
// could choose the rule by choosing whom to look up, and a person who does not exist has
// no region.
type Counter struct {
	// LookUps are a clerk's look-ups of people, and Tickets the tickets that the clerk
	// asks for. National: 60 and 20. Layers may lower them, to 1.
	LookUps, Tickets int
	// Pair is how many of a clerk's tickets go to one supervisor; after that another
	// supervisor is asked, if necessary of the region above. National: 5. Layers may lower
	// it, to 1.
	Pair int
}

func nationalCounter() Counter { return Counter{LookUps: 60, Tickets: 20, Pair: 5} }

func (c Counter) validate() error {
	n := nationalCounter()
	var errs []error
	for _, v := range []struct {
		name    string
		is, top int
	}{{"counter.look_ups", c.LookUps, n.LookUps}, {"counter.tickets", c.Tickets, n.Tickets}, {"counter.pair", c.Pair, n.Pair}} {
		if v.is < 1 || v.is > v.top {
			errs = append(errs, fmt.Errorf("%s: %d, want 1 to %d", v.name, v.is, v.top))
		}
	}
	return errors.Join(errs...)
}
