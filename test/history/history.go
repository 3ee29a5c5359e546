// Package history says what a holder may be told, as a specification of one card: every
// answer must fit one order of the acts. It guarantees that what it refuses can be told by no
// service that counts and keeps what it acknowledges; what it takes may still be wrong. It
// trusts the caller to give each act the times at which it was asked and answered. Beside
// it are the holders of trials, who act at authorities that may be gone: each keeps what was
// said of which act, and when.
//
// Start here: Check, then Crowd.
package history

import (
	"time"

	"github.com/anishathalye/porcupine"
)

// Kind is what a holder does.
type Kind string

// The kinds of acts.
const (
	Verify Kind = "verify"
	Set    Kind = "set" // enrol, change or reset
	Freeze Kind = "freeze"
)

// Act is one act, the input of an operation. Its output is the verdict as a string:
// "right", "wrong", "locked", "blocked", "suspended", or anything else where nobody knows
// whether it came about.
type Act struct {
	Kind Kind
	Old  string // the PIN that was given; a Set without it needs none
	New  string // the PIN that is set
}

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
	// most is how many wrong answers there may be in a window: the authority's own
	// record stops at it, whichever keepers answered.
	most = 6
)

// Check looks for an order of one card's acts that all answers fit, for at most a time.
func Check(ops []porcupine.Operation, within time.Duration) porcupine.CheckResult {
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{card{}} },
		Step: func(state, in, out any) []any {
			var next []any
			for _, c := range step(state.(card), in.(Act), out.(string)) {
				next = append(next, c)
			}
			return next
		},
	}
	return porcupine.CheckOperationsTimeout(model.ToModel(), ops, within)
}

// step lists the states that a card may be in after an act, none if the answer cannot be.
func step(c card, in Act, said string) []card {
	counted := c
	counted.count++
	failed := counted
	failed.wrong++
	set := card{pin: in.New, frozen: c.frozen}
	cleared := card{pin: c.pin, frozen: c.frozen}
	frozen := c
	frozen.frozen = true
	fits := in.Old == c.pin
	switch said {
	case "right":
		switch {
		case in.Kind == Freeze:
			return []card{frozen}
		case in.Kind == Set && !c.frozen && (in.Old == "" || fits):
			return []card{set}
		case in.Kind == Verify && !c.frozen && fits:
			return []card{cleared}
		}
		return nil
	case "wrong":
		if c.frozen || fits || in.Old == "" || c.wrong >= most {
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
	// Unavailable, undecided, or no answer came: it may have come about or not.
	switch {
	case in.Kind == Freeze:
		return []card{c, frozen}
	case in.Kind == Set && (in.Old == "" || fits):
		return []card{c, counted, set}
	case in.Kind == Verify && fits:
		return []card{c, counted, cleared}
	}
	return []card{c, counted, failed}
}
