package history

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// TestRules: histories that must never be told are refused.
func TestRules(t *testing.T) {
	const lost = "lost"
	set := Act{Kind: Set, New: "135790"}
	right, wrong := Act{Kind: Verify, Old: "135790"}, Act{Kind: Verify, Old: "246801"}
	change, freeze := Act{Kind: Set, Old: "135790", New: "246801"}, Act{Kind: Freeze}
	for name, tt := range map[string]struct {
		in   []Act
		said []string
		ok   bool
	}{
		"right and wrong":            {[]Act{set, right, wrong}, []string{"right", "right", "wrong"}, true},
		"another PIN is right":       {[]Act{set, wrong}, []string{"right", "right"}, false},
		"the PIN is wrong":           {[]Act{set, right}, []string{"right", "wrong"}, false},
		"a change was lost":          {[]Act{set, change, wrong}, []string{"right", lost, "right"}, true},
		"a change did not come":      {[]Act{set, change, right}, []string{"right", lost, "right"}, true},
		"a change was told and lost": {[]Act{set, change, right}, []string{"right", "right", "right"}, false},
		"both PINs are right":        {[]Act{set, change, right, wrong}, []string{"right", lost, "right", "right"}, false},
		"a change from nowhere":      {[]Act{set, {Set, "246801", "975310"}}, []string{"right", "right"}, false},
		"a freeze was told and lost": {[]Act{set, freeze, right}, []string{"right", "right", "right"}, false},
		"a frozen card":              {[]Act{set, freeze, right}, []string{"right", "right", "suspended"}, true},
		"frozen by nobody":           {[]Act{set, right}, []string{"right", "suspended"}, false},
		"locked without a reason":    {[]Act{set, right}, []string{"right", "locked"}, false},
		"a guess without end": {[]Act{set, wrong, wrong, wrong, wrong, wrong, wrong, wrong},
			[]string{"right", "wrong", "wrong", "wrong", "wrong", "wrong", "wrong", "wrong"}, false},
	} {
		var ops []porcupine.Operation
		for i, in := range tt.in {
			ops = append(ops, porcupine.Operation{Input: in, Output: tt.said[i], Call: int64(2 * i), Return: int64(2*i + 1)})
		}
		if got := Check(ops, time.Minute) == porcupine.Ok; got != tt.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}
