// Package crash kills the real server, again and again, while holders use it,
// and compares the files on disk with the answers that holders got. It
// guarantees nothing by itself; it trusts SIGKILL to be as sudden as a power
// cut, except for data that the operating system already has.
//
// It tries docs/INVARIANTS.md I-1, I-7, I-9, I-11 and R-19.
//
// Start here: crash_test.go, then house_test.go.
package crash

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// kills is how often the server is killed: 6 in `make test`, LIUMA_CRASH_KILLS
// in `make crash`.
func kills(t *testing.T) int {
	s := os.Getenv("LIUMA_CRASH_KILLS")
	if s == "" {
		return 6
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("LIUMA_CRASH_KILLS=%q", s)
	}
	return n
}

// TestKilledServer is the whole story: holders verify rightly, wrongly, twice
// under one number, and change their PINs, all at once; the server is killed
// at a random moment; then
//
//   - every verdict that was given has its guess in the ledger and its row in
//     the store, with the same verdict;
//   - every acknowledged change holds;
//   - of the old and the new PIN of a change that was cut off, exactly one is
//     right.
func TestKilledServer(t *testing.T) {
	binary := build(t)
	for _, tt := range []struct {
		shape string
		share int // of the kills, out of 10
		life  int // of a server, milliseconds at the most
	}{{"1/1", 7, 500}, {"2/3", 3, 1200}} {
		t.Run(tt.shape, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 1))
			h := newHouse(t, binary, tt.shape, 16)
			n := max(1, kills(t)*tt.share/10)
			cut := 0
			for round := range n {
				h.start(t)
				if round == 0 {
					h.enrollAll(t)
				}
				for _, p := range h.holders {
					cut += p.resolve(t, h)
				}
				run(t, h, time.Duration(rng.IntN(tt.life))*time.Millisecond)
				h.checkDisk(t)
			}
			h.start(t)
			for _, p := range h.holders {
				cut += p.resolve(t, h)
			}
			h.kill(t)
			t.Logf("%d kills, %d verdicts checked, %d changes acknowledged, %d cut off", n, h.verdicts.Load(), h.changes.Load(), cut)
			if h.verdicts.Load() == 0 || h.changes.Load() == 0 {
				t.Error("nothing happened between the kills; the test proves nothing")
			}
		})
	}
}

// run lets all holders act until the server is killed under them.
func run(t *testing.T, h *house, life time.Duration) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range h.holders {
		wg.Go(func() { p.live(ctx, h) })
	}
	// A slow machine may not have answered any request yet, so the random
	// moment counts from the first verdict and change on.
	for deadline := time.Now().Add(2 * time.Minute); (h.verdicts.Load() == 0 || h.changes.Load() == 0) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(life)
	h.kill(t)
	cancel()
	wg.Wait()
	for _, p := range h.holders {
		if p.broken != nil {
			t.Fatal(p.broken)
		}
	}
}
