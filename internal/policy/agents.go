package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Agents says for which acts somebody else may come to a counter in place of a living
// person (代办人). National: none. A region chooses; the person's own region counts, and
// channels have no influence. Nobody may set a PIN, bind a phone or unfreeze for
// another person, in any region; there is no value for that.
//
// A dead person has no agent: the heirs close the card in their own right, in every
// region.
type Agents string

// The acts, as files write sets of them.
const (
	AgentsNone     Agents = ""
	AgentsFreeze   Agents = "freeze"
	AgentsClose    Agents = "close"
	AgentsBoth     Agents = "freeze, close"
	agentsNoneText        = "none"
)

// Freeze reports whether an agent may have the card frozen.
func (a Agents) Freeze() bool { return a == AgentsFreeze || a == AgentsBoth }

// Close reports whether an agent may close the card of a person who emigrated.
func (a Agents) Close() bool { return a == AgentsClose || a == AgentsBoth }

// parseAgents reads a set as files write it: none, freeze, close, or both separated by
// a comma.
func parseAgents(text string) (Agents, error) {
	var acts []string
	for act := range strings.SplitSeq(text, ",") {
		acts = append(acts, strings.TrimSpace(act))
	}
	slices.Sort(acts)
	switch strings.Join(acts, " ") {
	case agentsNoneText:
		return AgentsNone, nil
	case "freeze":
		return AgentsFreeze, nil
	case "close":
		return AgentsClose, nil
	case "close freeze":
		return AgentsBoth, nil
	}
	return "", fmt.Errorf("%q, want none, freeze, close, or \"freeze, close\"", text)
}

func (a Agents) text() string {
	if a == AgentsNone {
		return agentsNoneText
	}
	return string(a)
}

func (a Agents) validate() error {
	if _, err := parseAgents(a.text()); err != nil {
		return fmt.Errorf("agents: %w", err)
	}
	return nil
}
