package ceremony

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/liuma-pin/liuma"
)

// TestMovesAreDrawn compares the diagrams of docs/ARCHITECTURE.md ("The states
// of a ceremony") with the table of moves, action by action.
func TestMovesAreDrawn(t *testing.T) {
	doc, err := os.ReadFile("../../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	diagram := regexp.MustCompile("(?s)<!-- moves: ([a-z]+) -->\n```mermaid\nstateDiagram-v2\n(.*?)```")
	arrow := regexp.MustCompile(`(?m)^  (\[\*\]|[a-z]+) --> (\[\*\]|[a-z]+)(?:: .+)?$`)
	table, drawn := acts(), map[liuma.Action]bool{}
	for _, m := range diagram.FindAllStringSubmatch(string(doc), -1) {
		action := liuma.Action(m[1])
		drawn[action] = true
		act := table[action]
		want, got := act.Moves, []Move{}
		for _, a := range arrow.FindAllStringSubmatch(m[2], -1) {
			switch {
			case a[1] == "[*]":
				if Step(a[2]) != act.First {
					t.Errorf("%s begins at %s, drawn at %s", action, act.First, a[2])
				}
			case a[2] == "[*]":
				if Step(a[1]) != StepDone {
					t.Errorf("%s: drawn to succeed at %s", action, a[1])
				}
			default:
				got = append(got, Move{Step(a[1]), Step(a[2])})
			}
		}
		for _, p := range got {
			if !slices.Contains(want, p) {
				t.Errorf("%s: %s to %s is drawn and is no move", action, p.From, p.To)
			}
		}
		for _, p := range want {
			if !slices.Contains(got, p) {
				t.Errorf("%s: the move from %s to %s is not drawn", action, p.From, p.To)
			}
		}
	}
	for _, a := range append(liuma.Actions(), liuma.ActionCounter) {
		if (len(table[a].Moves) > 0) != drawn[a] {
			t.Errorf("%s: drawn is %v, and it has %d moves", a, drawn[a], len(table[a].Moves))
		}
	}
}
