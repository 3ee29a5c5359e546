package policy

import (
	"errors"
	"fmt"
)

// Counter bounds what a clerk does at a counter within 24 hours. It is that of the region
// that the clerk is bound to, the nation's for one without: it is the office's rule about
// its own people. By the region of the person who came, a clerk would choose it with the
// people they look up, and who does not exist has none.
type Counter struct {
	// LookUps are looks of a clerk at people, and Tickets what the clerk asks for.
	// National: 60 and 20. Layers may lower them, to 1.
	LookUps, Tickets int
	// Pair are a clerk's tickets that come to one supervisor; then another one is asked, of
	// the region above if need be. National: 5. Layers may lower it, to 1.
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
