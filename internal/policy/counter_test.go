package policy

import (
	"strings"
	"testing"
)

// TestCounterRationsAreOnlyLowered: a region lowers what a clerk does in a day, to 1, and no
// layer raises it; a channel has no say in it.
func TestCounterRationsAreOnlyLowered(t *testing.T) {
	for _, c := range []struct{ above, below, wrong string }{
		{"counter.look_ups: 60", "counter.look_ups: 1", ""}, {"counter.tickets: 8", "counter.tickets: 8", ""}, {"counter.pair: 2", "counter.pair: 1", ""},
		{"counter.look_ups: 61", "counter.pair: 5", "a:2: counter.look_ups: 61 is looser"},
		{"counter.tickets: 8", "counter.tickets: 9", "b:2: counter.tickets: 9 is looser than the layer above it, which has 8"},
		{"counter.pair: 5", "counter.pair: 0", "counter.pair: 0, want 1 to 5"}, {"counter.tickets: 20", "counter.tickets: -1", "counter.tickets: -1, want 1 to 20"},
	} {
		_, err := layered(t, map[string]string{"a": "layer: region 33\n" + c.above + "\n", "b": "layer: region 3305\n" + c.below + "\n"})
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s under %s: %v", c.below, c.above, err)
		}
	}
	if _, err := layered(t, map[string]string{"a": "layer: channel x\ncounter.tickets: 5\n"}); err == nil || !strings.Contains(err.Error(), "a channel cannot") {
		t.Errorf("a channel: %v", err)
	}
	l, err := layered(t, map[string]string{"a": "layer: region 3305\ncounter.tickets: 5\n"})
	if err != nil {
		t.Fatal(err)
	}
	if here, there := l.For("330502", "").Counter, l.For("33", "").Counter; here != (Counter{60, 5, 5}) || there != (Counter{60, 20, 5}) {
		t.Errorf("%+v, above it %+v", here, there)
	}
	if o, _ := l.Explain("330502", "").Of("counter.tickets"); o.Is != "5" {
		t.Errorf("%+v", o)
	}
}
