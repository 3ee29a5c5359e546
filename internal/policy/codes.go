package policy

import (
	"errors"
	"fmt"
)

// Codes bounds one-time codes through one channel, and the numbers to which they
// may go. The numbers of codes for a card, a phone number and a link in a day
// are the same everywhere (docs/RECOVERY.md).
type Codes struct {
	// Hour and Day are how many codes a channel may cause in an hour and in 24
	// hours, to all phones together. So somebody with a channel's stolen key, or a
	// hacked app, can spend only so much of the operator's money and reach only so
	// many phones. National: 10,000 and 100,000; layers may lower them, to 1. Day
	// is not less than Hour.
	Hour, Day int
	// OtherNumbers lets codes go to numbers that are not mobile numbers of mainland
	// China (1, then 3 to 9, eleven digits), where the registry accepts such
	// numbers. A call or text to another country may cost a hundred times as much,
	// and the owner of the number may earn that money. National: off; a region may
	// set it looser than the nation.
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
