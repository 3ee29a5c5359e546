package vault

import (
	"strings"
	"testing"
)

// TestRoutes: a token says where its rows lie to who has the key, and to nobody else
// anything.
func TestRoutes(t *testing.T) {
	v, other := newTestVault(t), newTestVault(t)
	home := Home{1, 2, 3, 15: 9}
	token := v.Routed("first", home)
	if got, ok := v.RouteOf(token); !ok || got != home {
		t.Errorf("%q leads to %x, %v", token, got, ok)
	}
	if got, _ := other.RouteOf(token); got == home {
		t.Error("a vault with another key reads the route")
	}
	again := v.Routed("second", home)
	if strings.TrimPrefix(again, "second") == strings.TrimPrefix(token, "first") {
		t.Error("two tokens of one home have the same route")
	}
	if got, ok := v.RouteOf(strings.Replace(token, "first", "firsT", 1)); ok && got == home {
		t.Error("the route of another text leads to the same home")
	}
	for _, without := range []string{"", "a", routeMark, v.Routed("first", Home{}), strings.Repeat("a", 26), strings.Repeat("b", 52),
		strings.Repeat("1", routeLength+1), "x" + routeMark + strings.Repeat("9", routeLength), "x" + routeMark + strings.Repeat("a", routeLength-1)} {
		if got, ok := v.RouteOf(without); ok {
			t.Errorf("%q leads to %x", without, got)
		}
	}
}
