package policy

import (
	"strings"
	"testing"
)

func TestCodesAreNeverLooserThanTheNation(t *testing.T) {
	for _, c := range []struct {
		hour, day int
		wrong     string
	}{{10_000, 100_000, ""}, {1, 1, ""}, {10_001, 100_000, "codes.hour"}, {10_000, 100_001, "codes.day"},
		{0, 100, "codes.hour"}, {-1, 100, "codes.hour"}, {10, 0, "codes.day"}, {200, 100, "less than in an hour"}} {
		p := National()
		p.Codes = Codes{Hour: c.hour, Day: c.day}
		err := p.Validate()
		if (c.wrong == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%d, %d: %v, want an error about %q", c.hour, c.day, err, c.wrong)
		}
	}
	if c := National().Codes; c.Hour != 10_000 || c.Day != 100_000 || c.OtherNumbers {
		t.Errorf("national: %+v", c)
	}
}
