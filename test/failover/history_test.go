//go:build linux

package failover

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// card is the model's state of one card: its PIN, how many wrong answers came since the
// last proof, how many guesses may count against it at most, and whether it is frozen.
type card struct {
	pin          string
	wrong, count int
	frozen       bool
}

const (
	// soonest is after how many uncleared guesses a card may be locked: a stranger's
	// share where a link is known.
	soonest = 4
	// most is how many wrong answers there may be in a window.
	most = 6
)

// rules is what holders may be told, as a specification of one card: every answer must fit
// one order of the acts.
func rules() *porcupine.NondeterministicModel {
	return &porcupine.NondeterministicModel{
		Init: func() []any { return []any{card{}} },
		Step: func(state, in, out any) []any {
			var next []any
			for _, c := range step(state.(card), in.(act), out.(string)) {
				next = append(next, c)
			}
			return next
		},
	}
}

// step lists the states that a card may be in after an act, none if the answer cannot be.
func step(c card, in act, said string) []card {
	counted := c
	counted.count++
	failed := counted
	failed.wrong++
	set := card{pin: in.new, frozen: c.frozen}
	cleared := card{pin: c.pin, frozen: c.frozen}
	frozen := c
	frozen.frozen = true
	fits := in.old == c.pin
	switch said {
	case "right":
		switch {
		case in.kind == actFreeze:
			return []card{frozen}
		case in.kind == actSet && !c.frozen && (in.old == "" || fits):
			return []card{set}
		case in.kind == actVerify && !c.frozen && fits:
			return []card{cleared}
		}
		return nil
	case "wrong":
		if c.frozen || fits || in.old == "" || c.wrong >= most {
			return nil
		}
		return []card{failed}
	case "locked", "blocked":
		if c.count < soonest {
			return nil
		}
		return []card{c}
	case "suspended":
		if !c.frozen {
			return nil
		}
		return []card{c}
	}
	// unavailable or undecided: it may have come about or not.
	switch {
	case in.kind == actFreeze:
		return []card{c, frozen}
	case in.kind == actSet && (in.old == "" || fits):
		return []card{c, counted, set}
	case in.kind == actVerify && fits:
		return []card{c, counted, cleared}
	}
	return []card{c, counted, failed}
}

// checkHistories checks what everybody was told.
func (h *house) checkHistories() (operations int) {
	h.t.Helper()
	model := rules().ToModel()
	for _, p := range h.all {
		var ops []porcupine.Operation
		for _, a := range p.acts {
			ops = append(ops, porcupine.Operation{ClientId: a.device, Input: *a, Output: a.said, Call: a.began.UnixNano(), Return: a.ended.UnixNano()})
		}
		operations += len(ops)
		if result := porcupine.CheckOperationsTimeout(model, ops, 30*time.Second); result != porcupine.Ok {
			h.t.Errorf("card of %s: %s: %d acts fit no order", p.facts.CardNo, result, len(ops))
			for _, a := range p.acts {
				h.t.Logf("device %d %s-%s %s %s %q %q: %s %s, looked up: %v", a.device, clockOf(a.began), clockOf(a.ended), a.number, a.kind, a.old, a.new, a.said, a.code, a.looked)
			}
		}
	}
	return operations
}

func clockOf(t time.Time) string { return t.Format("15:04:05.000") }

// TestRules: the model that histories are checked by refuses what must never be told.
func TestRules(t *testing.T) {
	set := act{kind: actSet, new: "135790"}
	right, wrong := act{kind: actVerify, old: "135790"}, act{kind: actVerify, old: "246801"}
	change, freeze := act{kind: actSet, old: "135790", new: "246801"}, act{kind: actFreeze}
	for name, tt := range map[string]struct {
		in   []act
		said []string
		ok   bool
	}{
		"right and wrong":              {[]act{set, right, wrong}, []string{"right", "right", "wrong"}, true},
		"another PIN is right":         {[]act{set, wrong}, []string{"right", "right"}, false},
		"the PIN is wrong":             {[]act{set, right}, []string{"right", "wrong"}, false},
		"a change is undecided":        {[]act{set, change, wrong}, []string{"right", undecided, "right"}, true},
		"a change was told and lost":   {[]act{set, change, right}, []string{"right", "right", "right"}, false},
		"both PINs are right":          {[]act{set, change, right, wrong}, []string{"right", undecided, "right", "right"}, false},
		"a freeze was told and lost":   {[]act{set, freeze, right}, []string{"right", "right", "right"}, false},
		"a frozen card":                {[]act{set, freeze, right}, []string{"right", "right", "suspended"}, true},
		"frozen by nobody":             {[]act{set, right}, []string{"right", "suspended"}, false},
		"locked without a reason":      {[]act{set, right}, []string{"right", "locked"}, false},
		"wrong guesses were forgotten": {[]act{set, wrong, wrong, wrong, wrong, wrong, wrong, wrong}, []string{"right", "wrong", "wrong", "wrong", "wrong", "wrong", "wrong", "wrong"}, false},
	} {
		var ops []porcupine.Operation
		for i, in := range tt.in {
			ops = append(ops, porcupine.Operation{Input: in, Output: tt.said[i], Call: int64(2 * i), Return: int64(2*i + 1)})
		}
		if got := porcupine.CheckOperations(rules().ToModel(), ops); got != tt.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}
