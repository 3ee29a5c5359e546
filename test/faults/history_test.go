//go:build linux

package faults

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// card is the model's state of one card: its PIN, how many wrong answers came since the
// last proof, and how many guesses may count against it at most.
type card struct {
	pin          string
	wrong, count int
}

const (
	// soonest is after how many uncleared guesses a card may be locked: a stranger's
	// share where a link is known.
	soonest = 4
	// most is how many wrong answers there may be in a window: the authority's own
	// record stops at it, whichever keepers answered.
	most = 6
)

// rules is what holders may be told. It is a specification for one card: every answer
// must fit one order of the acts.
func rules() *porcupine.NondeterministicModel {
	return &porcupine.NondeterministicModel{
		Init: func() []any { return []any{card{}} },
		Step: func(state, in, out any) []any {
			var next []any
			for _, c := range step(state.(card), in.(input), out.(string)) {
				next = append(next, c)
			}
			return next
		},
	}
}

// step lists the states that a card may be in after an act, none if the answer cannot be.
func step(c card, in input, said string) []card {
	counted := card{c.pin, c.wrong, c.count + 1}
	fits := in.old == c.pin
	switch said {
	case "right":
		switch {
		case in.act == actSet && (in.old == "" || fits):
			return []card{{pin: in.new}}
		case in.act == actVerify && fits:
			return []card{{pin: c.pin}}
		}
		return nil
	case "wrong":
		if fits || in.old == "" || c.wrong >= most {
			return nil
		}
		return []card{{c.pin, c.wrong + 1, c.count + 1}}
	case "locked", "blocked":
		if c.count < soonest {
			return nil
		}
		return []card{c}
	}
	// unavailable, or the answer was lost: it may have come about or not.
	if in.act == actSet && (in.old == "" || fits) {
		return []card{counted, {pin: in.new}}
	}
	if in.act == actVerify && fits {
		return []card{counted, {pin: c.pin}}
	}
	return []card{counted, {c.pin, c.wrong, c.count}}
}

// checkHistories checks what everybody was told.
func (h *house) checkHistories(t *testing.T) (operations int) {
	t.Helper()
	model := rules().ToModel()
	for _, p := range h.all {
		p.mu.Lock()
		ops := p.ops
		p.mu.Unlock()
		if p.first != "" {
			ops = append([]porcupine.Operation{{Input: input{act: actSet, new: p.first}, Output: "right"}}, ops...)
		}
		operations += len(ops)
		if result := porcupine.CheckOperationsTimeout(model, ops, 20*time.Second); result != porcupine.Ok {
			t.Errorf("card of %s: %s: %d acts fit no order", p.facts.CardNo, result, len(ops))
			for _, op := range ops {
				t.Logf("device %d %d-%d %+v: %v", op.ClientId, op.Call, op.Return, op.Input, op.Output)
			}
		}
	}
	return operations
}

// TestRules: the model that histories are checked by refuses what must never be told.
func TestRules(t *testing.T) {
	set := input{act: actSet, new: "135790"}
	right, wrong := input{act: actVerify, old: "135790"}, input{act: actVerify, old: "246801"}
	for name, tt := range map[string]struct {
		in   []input
		said []string
		ok   bool
	}{
		"right and wrong":         {[]input{set, right, wrong}, []string{"right", "right", "wrong"}, true},
		"another PIN is right":    {[]input{set, wrong}, []string{"right", "right"}, false},
		"the PIN is wrong":        {[]input{set, right}, []string{"right", "wrong"}, false},
		"a change was lost":       {[]input{set, {actSet, "135790", "246801"}, wrong}, []string{"right", lost, "right"}, true},
		"a change was lost too":   {[]input{set, {actSet, "135790", "246801"}, right}, []string{"right", lost, "right"}, true},
		"both PINs are right":     {[]input{set, {actSet, "135790", "246801"}, right, wrong}, []string{"right", lost, "right", "right"}, false},
		"a change from nowhere":   {[]input{set, {actSet, "246801", "975310"}}, []string{"right", "right"}, false},
		"locked without a reason": {[]input{set, right}, []string{"right", "locked"}, false},
		"a guess without end": {[]input{set, wrong, wrong, wrong, wrong, wrong, wrong, wrong},
			[]string{"right", "wrong", "wrong", "wrong", "wrong", "wrong", "wrong", "wrong"}, false},
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
