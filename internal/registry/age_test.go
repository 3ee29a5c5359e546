package registry

import (
	"testing"
	"time"
)

// A year of age is complete when the birthday is over, by China's calendar.
func TestOfAge(t *testing.T) {
	for name, c := range map[string]struct {
		born  string
		years int
		at    string // UTC
		want  bool
	}{
		"the day before":                   {"20120505", 14, "2026-05-04T12:00:00Z", false},
		"the birthday, late in China":      {"20120505", 14, "2026-05-05T15:59:59Z", false},
		"the day after, in China":          {"20120505", 14, "2026-05-05T16:00:00Z", true},
		"29 February, 28 February":         {"20120229", 14, "2026-02-28T15:59:59Z", false},
		"29 February, 1 March":             {"20120229", 14, "2026-02-28T16:00:00Z", true},
		"29 February, leap year, the 28th": {"20120229", 16, "2028-02-28T16:00:00Z", false},
		"29 February, leap year, 1 March":  {"20120229", 16, "2028-02-29T16:00:00Z", true},
		"31 December":                      {"20111231", 14, "2025-12-31T16:00:00Z", true},
		"not born yet":                     {"20300101", 14, "2026-01-01T00:00:00Z", false},
		"old":                              {"19000228", 16, "2026-01-01T00:00:00Z", true},
		"unknown":                          {"", 14, "2026-01-01T00:00:00Z", false},
		"no date":                          {"20110231", 14, "2026-01-01T00:00:00Z", false},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		must(t, err)
		if got := OfAge(c.born, c.years, at); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhichBirthdayCounts(t *testing.T) {
	old := "permanent_residence:" + oldResidenceNumber("DEU31011502081")
	for name, c := range map[string]struct {
		f    Facts
		born string
	}{
		"an ID number's own":              {Facts{IDNumber: goodID, BirthDate: "20000101"}, "19491231"},
		"the registry's":                  {Facts{IDNumber: "passport:DEU-C01X00T47", BirthDate: "20000101"}, "20000101"},
		"nobody's":                        {Facts{IDNumber: "passport:DEU-C01X00T47"}, ""},
		"a century that is left open":     {Facts{IDNumber: old}, "20150208"},
		"a century that the registry has": {Facts{IDNumber: old, BirthDate: "19150208"}, "19150208"},
	} {
		if got := c.f.Born(); got != c.born {
			t.Errorf("%s: %q", name, got)
		}
	}
}
