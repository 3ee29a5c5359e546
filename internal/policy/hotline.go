package policy

import (
	"errors"
	"fmt"
)

// Hotline bounds how often one hotline may ask for a freeze, whether there was
// a card or not. A freeze takes an ID number and no secret, so without a bound
// a stolen key could stop every card. One call takes minutes: 300 an hour are
// thirty agents who do nothing else. A larger hotline registers one client for
// each of its centres, with its own key; then a stolen key reaches no further
// than one centre.
type Hotline struct {
	// Hour and Day are how many in any hour and in any 24 hours. National: 300
	// and 2,000; layers may lower them, to 1. Day is not less than Hour.
	Hour, Day int
}

func nationalHotline() Hotline { return Hotline{Hour: 300, Day: 2000} }

func (h Hotline) validate() error {
	n := nationalHotline()
	var errs []error
	for _, v := range []struct {
		name    string
		is, top int
	}{{"hotline.hour", h.Hour, n.Hour}, {"hotline.day", h.Day, n.Day}} {
		if v.is < 1 || v.is > v.top {
			errs = append(errs, fmt.Errorf("%s: %d, want 1 to %d", v.name, v.is, v.top))
		}
	}
	if h.Day < h.Hour {
		errs = append(errs, errors.New("hotline.day: less than in an hour"))
	}
	return errors.Join(errs...)
}
