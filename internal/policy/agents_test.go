package policy

import (
	"strings"
	"testing"
)

// TestAgentsAreTheRegions: a region chooses for what somebody may come to a counter in
// another's place, the smallest one counts, and no channel has a say.
func TestAgentsAreTheRegions(t *testing.T) {
	for text, want := range map[string]Agents{
		"none": AgentsNone, "freeze": AgentsFreeze, "close": AgentsClose,
		"freeze, close": AgentsBoth, "close,freeze": AgentsBoth, "\"freeze, close\"": AgentsBoth,
	} {
		f, err := ParseFile("r", []byte("layer: region 33\nagents: "+text+"\n"))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		l, err := NewLayers(National(), f)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		p := l.For("330502", "app")
		if p.Agents != want || p.Agents.Freeze() != strings.Contains(text, "freeze") || p.Agents.Close() != strings.Contains(text, "close") {
			t.Errorf("%s: %q", text, p.Agents)
		}
		if got := l.For("44", "app").Agents; got != AgentsNone {
			t.Errorf("another region has %q", got)
		}
		if o, _ := l.Explain("330502", "app").Of("agents"); o.Layer != LayerRegion && want != AgentsNone || o.Is != want.text() {
			t.Errorf("explained as %+v", o)
		}
	}
	for _, text := range []string{"unfreeze", "reset", "freeze, reset", "freeze, freeze", "none, freeze", "\"\"", "true", "Freeze", "freeze,"} {
		if _, err := ParseFile("r", []byte("layer: region 33\nagents: "+text+"\n")); err == nil || !strings.Contains(err.Error(), "want none, freeze, close") {
			t.Errorf("%s: %v", text, err)
		}
	}
	refused := func(text string) {
		f, err := ParseFile("c", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewLayers(National(), f); err == nil || !strings.Contains(err.Error(), "a region decides it") {
			t.Errorf("%q: %v", text, err)
		}
	}
	refused("layer: channel app\nagents: freeze\n")
	refused("layer: channel app\nagents: none\n")
	if p, q := National(), National(); p.Agents != AgentsNone {
		t.Errorf("nationally %q", p.Agents)
	} else if q.Agents = AgentsBoth; p.Stricter(q).Agents != AgentsNone || q.Stricter(p).Agents != AgentsBoth {
		t.Error("another region's choice counts")
	}
}
