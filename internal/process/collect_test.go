package process

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
			if CollectSeldom()(); percent() != before {
				t.Errorf("collects at %d percent", percent())
			}
		})
	}
}

// TestCollectSeldom: the heap may grow to three times the spare, until that is released.
func TestCollectSeldom(t *testing.T) {
	before := percent()
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	least := goal()
	release := CollectSeldom()
	if percent() != collectAt {
		t.Errorf("collects at %d percent", percent())
	}
	if got := goal(); got < 3*spareHeap {
		t.Errorf("collects at %d bytes, want at least %d", got, 3*spareHeap)
	}
	release()
	if got := goal(); got >= max(3*spareHeap, 2*least) {
		t.Errorf("collects at %d bytes after the release", got)
	}
}

// goal is how large the heap may grow before garbage is collected again.
func goal() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
