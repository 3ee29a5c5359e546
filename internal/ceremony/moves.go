package ceremony

import (
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// Move is one move of a ceremony, from one step to another.
type Move struct{ From, To Step }

// mayGo is the whole table of moves. An open ceremony may be left, be refused, or
// expire at every step. A ceremony refused for want of evidence may go on with
// evidence, or expire. A success can only be undone by freezing the card. All other
// moves are the act's own. Staying at a step is not a move.
func (s *Ceremonies) mayGo(action liuma.Action, from, to Step) bool {
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
	return slices.Contains(s.acts[action].Moves, Move{from, to})
}

// goTo moves a ceremony. A move that is not in the table is a bug in this
// program: it fails, together with its transaction.
func (s *Ceremonies) goTo(c *store.Ceremony, to Step) error {
	if !s.mayGo(c.Action, Step(c.Step), to) {
		return fmt.Errorf("ceremony: %s has no move from %s to %s", c.Action, c.Step, to)
	}
	c.Step = string(to)
	return nil
}
