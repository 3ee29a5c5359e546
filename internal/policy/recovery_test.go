package policy

import (
	"strings"
	"testing"
	"time"
)

func TestRecoveryIsNeverLooserThanTheNation(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name   string
		change func(*Recovery)
		wrong  string
	}{
		{"national", func(*Recovery) {}, ""},
		{"longer hold", func(r *Recovery) { r.Hold = 7 * day }, ""},
		{"shorter hold", func(r *Recovery) { r.Hold = 3*day - 1 }, "recovery.hold"},
		{"hold without end", func(r *Recovery) { r.Hold = 31 * day }, "recovery.hold"},
		{"confirmed more often", func(r *Recovery) { r.Unconfirmed = 30 * day }, ""},
		{"confirmed less often", func(r *Recovery) { r.Unconfirmed = 91 * day }, "recovery.unconfirmed:"},
		{"confirmed all the time", func(r *Recovery) { r.Unconfirmed = day }, "recovery.unconfirmed:"},
		{"less often with evidence", func(r *Recovery) { r.UnconfirmedEvidence = 401 * day }, "unconfirmed_evidence"},
		{"evidence counts for less than nothing", func(r *Recovery) { r.UnconfirmedEvidence = 60 * day }, "less than without"},
		{"by card number", func(r *Recovery) { r.CardNumber = true }, ""},
	} {
		p := National()
		c.change(&p.Recovery)
		err := p.Validate()
		if (c.wrong == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v, want an error about %q", c.name, err, c.wrong)
		}
	}
	if r := National().Recovery; r.Hold != 72*time.Hour || r.Unconfirmed != 90*day || r.UnconfirmedEvidence != 400*day || r.CardNumber {
		t.Errorf("national: %+v", r)
	}
}
