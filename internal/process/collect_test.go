package process

import (
	"runtime/debug"
	"testing"
)

func percent() int {
	now := debug.SetGCPercent(100)
	debug.SetGCPercent(now)
	return now
}

func TestCollectSeldomLeavesTheOperatorsChoice(t *testing.T) {
	before := percent()
	t.Cleanup(func() { debug.SetGCPercent(before) })
	for _, set := range [][2]string{{"GOGC", "50"}, {"GOGC", "off"}, {"GOMEMLIMIT", "100MiB"}} {
		t.Run(set[0]+"="+set[1], func(t *testing.T) {
			t.Setenv("GOGC", "")
			t.Setenv("GOMEMLIMIT", "")
			t.Setenv(set[0], set[1])
			if CollectSeldom() || percent() != before {
				t.Errorf("collects at %d percent", percent())
			}
		})
	}
}

func TestCollectSeldom(t *testing.T) {
	before := percent()
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	if !CollectSeldom() || percent() != collectAt {
		t.Errorf("collects at %d percent", percent())
	}
}
