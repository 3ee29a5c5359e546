package authority

import (
	"errors"
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// path is one move of a ceremony, from a step to another.
type path struct{ from, to Step }

// paths are the moves that an action has of its own. What every action has
// besides is in mayGo.
func paths(a liuma.Action) []path {
	switch a {
	case liuma.ActionEnroll:
		return []path{
			{StepConfirm, StepCode}, {StepConfirm, StepPIN}, // without an outbox
			{StepCode, StepPIN}, {StepPIN, StepDone},
			{StepPIN, StepCode}, // another browser, or the code is too old
		}
	case liuma.ActionLink:
		return []path{{StepConfirm, StepPIN}, {StepPIN, StepDone}}
	case liuma.ActionVerify, liuma.ActionChange:
		return append(turned(),
			path{StepPIN, StepDone},
			// The PIN that was right was given before the holder turned to a reset.
			path{StepCode, StepDone}, path{StepEvidence, StepDone})
	case liuma.ActionReset:
		return []path{
			{StepConfirm, StepCode}, {StepCode, StepEvidence}, {StepEvidence, StepPIN}, {StepPIN, StepDone},
			{StepCode, StepPIN}, // evidence is there already
			{StepEvidence, StepCode}, {StepPIN, StepCode},
		}
	case liuma.ActionRebind:
		return append(turned(),
			path{StepConfirm, StepPIN}, path{StepPIN, StepEvidence}, path{StepEvidence, StepPhone},
			path{StepPhone, StepCode}, path{StepCode, StepDone},
			path{StepPIN, StepPhone},  // evidence is there already
			path{StepPhone, StepPIN},  // another browser
			path{StepCode, StepPhone}) // right, and given before the holder turned to a reset
	case liuma.ActionUnfreeze:
		return []path{{StepConfirm, StepCode}, {StepCode, StepPIN}, {StepPIN, StepDone}, {StepPIN, StepCode}}
	}
	return nil
}

// turned are the moves of a ceremony whose holder forgot the PIN, and back.
func turned() []path {
	return []path{
		{StepPIN, StepCode}, {StepRefused, StepCode}, {StepCode, StepEvidence}, {StepEvidence, StepPIN}, {StepPIN, StepReset},
		{StepCode, StepPIN}, {StepEvidence, StepCode},
	}
}

// mayGo is the whole table of moves. Whoever is at an open step may leave, be
// refused, or be too late; a refusal for want of evidence may be mended by
// evidence, or run out; what is done can only be undone by freezing the card.
// Staying is no move.
func mayGo(a liuma.Action, from, to Step) bool {
	open := !from.over() && from != StepDone
	switch {
	case from == to:
		return true
	case to == StepLeft:
		return open
	case to == StepExpired:
		return open || from == StepRefused
	case to == StepRefused:
		return open || from == StepDone
	case from == StepRefused && to == StepPIN:
		return true
	}
	return slices.Contains(paths(a), path{from, to})
}

// goTo moves a ceremony. A move that the table does not have is a fault of
// ours: it fails, and with it the transaction that it is in.
func goTo(c *store.Ceremony, to Step) error {
	if !mayGo(c.Action, Step(c.Step), to) {
		return fmt.Errorf("authority: %s has no move from %s to %s", c.Action, c.Step, to)
	}
	c.Step = string(to)
	return nil
}

// setting reports whether the last try of a ceremony is setting a PIN that the
// keepers may hold already: until that is settled, nobody can say that nothing
// changed.
func setting(r store.Reader, c store.Ceremony) (bool, error) {
	row, err := r.Request(c.Channel, tryNo(c.BusinessNo, c.Tries))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	in, err := r.Intent(row.Card)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && in.Channel == row.Channel && in.BusinessNo == row.BusinessNo && in.State != store.IntentFlipped, err
}
