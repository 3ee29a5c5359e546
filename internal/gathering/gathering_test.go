package gathering_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma/internal/gathering"
)

// TestWhoCanRunIsWaitedFor: requests that others are about to bring share the commit.
func TestWhoCanRunIsWaitedFor(t *testing.T) {
	old := runtime.GOMAXPROCS(1) // nobody runs unless the writer gives way
	defer runtime.GOMAXPROCS(old)
	var queued atomic.Int64
	queued.Store(1)
	for range 20 {
		go queued.Add(1)
	}
	gathering.Wait(func() int { return int(queued.Load()) }, 100)
	if n := queued.Load(); n != 21 {
		t.Errorf("%d requests share the commit, want 21", n)
	}
}

// TestAFullBatchIsNotWaitedFor: who comes after it shares the next commit.
func TestAFullBatchIsNotWaitedFor(t *testing.T) {
	asked := 0
	gathering.Wait(func() int { asked++; return asked * 10 }, 40)
	if asked != 4 {
		t.Errorf("asked %d times, want 4: the batch was full then", asked)
	}
}

// TestNobodyIsWaitedFor: an empty queue waits for a signal, not here.
func TestNobodyIsWaitedFor(t *testing.T) {
	asked := 0
	gathering.Wait(func() int { asked++; return 0 }, 40)
	if asked != 1 {
		t.Errorf("asked %d times, want once", asked)
	}
}

// TestWaitEnds: those who bring requests without end are waited for, but not without end:
// then this test would never return.
func TestWaitEnds(t *testing.T) {
	asked := 0
	gathering.Wait(func() int { asked++; return asked }, 1<<60)
	if asked < 100 {
		t.Errorf("asked %d times, want more: each time a request had come", asked)
	}
}

func BenchmarkWaitForNobody(b *testing.B) {
	for b.Loop() {
		gathering.Wait(func() int { return 1 }, 128)
	}
}
