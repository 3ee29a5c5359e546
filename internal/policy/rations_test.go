package policy

import (
	"strings"
	"testing"
)

func TestRationsAreNeverLooserThanTheNation(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Rations)
		wrong  string
	}{
		{"national", func(*Rations) {}, ""},
		{"fewer", func(r *Rations) { r.Freezes = Ration{1, 1} }, ""},
		{"more an hour", func(r *Rations) { r.Cancellations.Hour++ }, "rations.cancellations.hour"},
		{"more a day", func(r *Rations) { r.HotlineFreezes.Day++ }, "rations.hotline_freezes.day"},
		{"none", func(r *Rations) { r.Evidence = Ration{} }, "rations.evidence.hour"},
		{"a day that is shorter than an hour", func(r *Rations) { r.Unlinks.Day = r.Unlinks.Hour - 1 }, "rations.unlinks.day: less"},
	} {
		p := National()
		c.change(&p.Rations)
		err := p.Validate()
		if (c.wrong == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v, want an error about %q", c.name, err, c.wrong)
		}
	}
	if r := National().Rations; r.HotlineFreezes != (Ration{300, 2000}) || r.Freezes != (Ration{300, 2000}) || r.Cancellations != (Ration{50, 200}) {
		t.Errorf("national: %+v", r)
	}
}
