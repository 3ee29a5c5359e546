package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Agents says for what somebody else may come to a counter in the place of a living
// person (代办人). National: for nothing. A region chooses; the person's own counts, and
// no channel has a say. What nobody can be let do for another, in no region: set a PIN,
// bind a phone, unfreeze. There is no value for it.
//
// Who died has no agent: heirs close the card in their own right, in every region.
type Agents string

// The acts, and what a file writes of a set of them.
const (
	AgentsNone     Agents = ""
	AgentsFreeze   Agents = "freeze"
	AgentsClose    Agents = "close"
	AgentsBoth     Agents = "freeze, close"
	agentsNoneText        = "none"
)

// Freeze reports whether an agent may have the card frozen.
func (a Agents) Freeze() bool { return a == AgentsFreeze || a == AgentsBoth }

// Close reports whether an agent may have the card of a person closed who emigrated.
func (a Agents) Close() bool { return a == AgentsClose || a == AgentsBoth }

// parseAgents reads a set as files write it: none, freeze, close, or both after one
// another with a comma.
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
