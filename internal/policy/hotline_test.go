package policy

import (
	"strings"
	"testing"
)

func TestHotlineIsNeverLooserThanTheNation(t *testing.T) {
	for _, c := range []struct {
		hour, day int
		wrong     string
	}{{300, 2000, ""}, {1, 1, ""}, {20, 100, ""}, {301, 2000, "hotline.hour"}, {300, 2001, "hotline.day"},
		{0, 2000, "hotline.hour"}, {-1, 2000, "hotline.hour"}, {300, 0, "hotline.day"}, {200, 100, "less than in an hour"}} {
		p := National()
		p.Hotline = Hotline{Hour: c.hour, Day: c.day}
		err := p.Validate()
		if (c.wrong == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%d, %d: %v, want an error about %q", c.hour, c.day, err, c.wrong)
		}
	}
	if h := National().Hotline; h.Hour != 300 || h.Day != 2000 {
		t.Errorf("national: %+v", h)
	}
}
