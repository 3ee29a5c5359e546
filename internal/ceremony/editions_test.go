package ceremony_test

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// layersOf are layers of one file over the rule of tests.
func layersOf(t *testing.T, text string) *policy.Layers {
	t.Helper()
	national := policy.National()
	national.AllowStandInEvidence = true
	f, err := policy.ParseFile("layer.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	l, err := policy.NewLayers(national, f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestAnOpenCeremonyFollowsTheStricter: while a page is open the policy changes. What
// is stricter counts at once; what is looser counts for who comes later, also for the
// card's own region, by which no push goes.
func TestAnOpenCeremonyFollowsTheStricter(t *testing.T) {
	const strict, loose = "layer: region 3305\nlimits.attempts: 3\n", "layer: region 3305\nlimits.attempts: 5\n"
	for _, tt := range []struct {
		name, before, after string
		pushed              liuma.Region
		open, later         int
	}{
		{"stricter", loose, strict, "330500", 3, 3},
		{"looser", strict, loose, "330500", 3, 5},
		{"looser, of the card's region", strict, loose, "440100", 3, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules := policy.NewRunning(layersOf(t, tt.before))
			x := newPhoned(t, testkit.Options{Rules: rules})
			x.moveCard("330500")
			q := x.push(liuma.ActionVerify)
			q.Region = tt.pushed
			p, h := x.OpenPage(x.ch, q)
			x.Clock.Advance(time.Second)
			rules.Swap(layersOf(t, tt.after), x.System.Authority.Now())
			x.Clock.Advance(time.Second)
			later := x.push(liuma.ActionVerify)
			later.Region = tt.pushed
			if p, _ := x.OpenPage(x.ch, later); p.TriesLeft == nil || *p.TriesLeft != tt.later {
				t.Errorf("who comes later has %v tries, want %d", p.TriesLeft, tt.later)
			}
			for left := tt.open - 1; left >= 0; left-- {
				if p = x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN); p.TriesLeft != nil && *p.TriesLeft != left {
					t.Fatalf("%d tries left on the open page, want %d", *p.TriesLeft, left)
				}
			}
			if p.Step != ceremony.StepRefused || p.Code != liuma.CodeLocked {
				t.Errorf("after %d wrong PINs %s %s, want locked", tt.open, p.Step, p.Code)
			}
		})
	}
}
