package policy

import (
	"errors"
	"fmt"
)

// Codes bounds one-time codes through one channel, and to which numbers they may
// go. What a card, a number and a link get in a day is the same for all
// (docs/RECOVERY.md).
type Codes struct {
	// Hour and Day are how many codes a channel may have sent in an hour and in 24
	// hours, to all phones together. A channel's key in other hands, or an app that
	// is broken into, spends no more of the operator's money, and reaches no more
	// phones. National: 10,000 and 100,000; layers may lower them, to 1. Day is not
	// less than Hour.
	Hour, Day int
	// OtherNumbers lets codes go to numbers that are no mobile numbers of mainland
	// China (1, then 3 to 9, eleven digits), where the registry takes such numbers.
	// Elsewhere a call or text may cost a hundred times as much, and who owns the
	// number earns it. National: off; a region may set it looser than the nation.
	OtherNumbers bool
}

func nationalCodes() Codes { return Codes{Hour: 10_000, Day: 100_000} }

func (c Codes) validate() error {
	n := nationalCodes()
	var errs []error
	for _, v := range []struct {
		name    string
		is, top int
	}{{"codes.hour", c.Hour, n.Hour}, {"codes.day", c.Day, n.Day}} {
		if v.is < 1 || v.is > v.top {
			errs = append(errs, fmt.Errorf("%s: %d, want 1 to %d", v.name, v.is, v.top))
		}
	}
	if c.Day < c.Hour {
		errs = append(errs, errors.New("codes.day: less than in an hour"))
	}
	return errors.Join(errs...)
}
