package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
)

// tighten draws layers for a province, a city and a channel, and wants of those
// that are accepted that no value is looser than in a layer above.
func tighten(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		var files []File
		for _, scope := range []string{"region 33", "region 3305", "channel app"} {
			f, err := ParseFile(scope, []byte("layer: "+scope+"\n"+drawn(t)))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		l, err := NewLayers(National(), files...)
		if err != nil {
			return
		}
		accepted++
		above := National()
		for _, p := range []Policy{l.For("33", ""), l.For("3305", ""), l.For("330502", "app")} {
			if p.Limits != above.Limits.Tighten(p.Limits) {
				t.Fatalf("limits %+v under %+v", p.Limits, above.Limits)
			}
			if p.Limits != ledger.NationalLimits().Tighten(p.Limits) {
				t.Fatalf("limits %+v, looser than the keepers'", p.Limits)
			}
			if !p.PIN.Covers(above.PIN) {
				t.Fatalf("PIN rules %+v under %+v", p.PIN, above.PIN)
			}
			if p.Recovery.Hold < above.Recovery.Hold || p.Recovery.Unconfirmed > above.Recovery.Unconfirmed {
				t.Fatalf("recovery %+v under %+v", p.Recovery, above.Recovery)
			}
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			above = p
		}
		if city, app := l.For("3305", ""), l.For("3305", "app"); app.Passphrase && !city.Passphrase {
			t.Fatal("a channel permitted passphrases")
		}
		if l.For("3305", liuma.ChannelID("other")) != l.For("3305", "") {
			t.Fatal("a channel without a file changed something")
		}
	})
	if accepted == 0 {
		t.Error("no drawn layers were accepted")
	}
}

// drawn returns some settings, each of which a file may hold.
func drawn(t *rapid.T) string {
	var text strings.Builder
	p := National()
	for _, v := range values() {
		if v.stricter >= nation || rapid.IntRange(0, 14).Draw(t, "set") != 0 {
			continue
		}
		// Mostly in the stricter direction, or hardly any would be accepted.
		steps := rapid.SampledFrom([]int{0, 1, 2, 3, 1, 2, 3, -1}).Draw(t, v.name)
		if v.stricter == more {
			steps = -steps
		}
		switch is := v.at(&p).(type) {
		case *int:
			fmt.Fprintf(&text, "%s: %d\n", v.name, max(1, *is-steps))
		case *bool:
			fmt.Fprintf(&text, "%s: %v\n", v.name, v.stricter == on || steps > 2)
		case *time.Duration:
			fmt.Fprintf(&text, "%s: %s\n", v.name, *is-time.Duration(steps)*(*is/5))
		case *pin.List:
			fmt.Fprintf(&text, "%s: %s\n", v.name, pin.Lists()[max(0, steps)%2])
		case *Variant:
			all := variants(v.action())
			fmt.Fprintf(&text, "%s: %s\n", v.name, all[max(0, steps)%len(all)].name)
		}
	}
	return text.String()
}

// TestStricterIsAsStrictAsBoth: of two drawn policies neither is stricter in any value
// that limits, and what a region chooses for its own stays the first one's.
func TestStricterIsAsStrictAsBoth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var both []Policy
		for _, scope := range []string{"region 33", "region 44"} {
			p := National()
			f, err := ParseFile(scope, []byte("layer: "+scope+"\n"+drawn(t)))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range f.settings {
				s.copied(&p, &s.policy)
			}
			p.Hotline = scope[len(scope)-2:]
			if rapid.Bool().Draw(t, "forced") {
				p.ForceAfter = MinForceAfter * time.Duration(rapid.IntRange(1, 9).Draw(t, "after"))
			}
			both = append(both, p)
		}
		p := both[0].Stricter(both[1])
		for _, v := range values() {
			if v.stricter == nation || v.stricter == onlyCode || v.stricter == free || v.stricter == named {
				if v.text(&p) != v.text(&both[0]) {
					t.Fatalf("%s became %s", v.name, v.text(&p))
				}
				continue
			}
			for i := range both {
				if v.looser(&p, &both[i]) {
					t.Fatalf("%s is %s, and was %s and %s", v.name, v.text(&p), v.text(&both[0]), v.text(&both[1]))
				}
			}
		}
		if again := p.Stricter(both[1]); again != p {
			t.Fatal("twice is not once")
		}
	})
}
