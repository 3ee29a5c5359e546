package door

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestReadinessIsAskedSeldom: a thousand who ask within a quarter of a second
// cause a few looks, and an answer is never older than its question.
func TestReadinessIsAskedSeldom(t *testing.T) {
	var r Readiness
	var looks atomic.Int64
	down := errors.New("down")
	var fails atomic.Bool
	ready := func(context.Context) error {
		looks.Add(1)
		if fails.Load() {
			return down
		}
		return nil
	}
	var all sync.WaitGroup
	begun := time.Now()
	for range 1000 {
		time.Sleep(250 * time.Microsecond)
		all.Go(func() {
			if err := r.Ask(t.Context(), ready); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n, most := looks.Load(), int64(time.Since(begun)/readyEvery)+2; n > most {
		t.Errorf("%d looks, want at most %d", n, most)
	}
	fails.Store(true)
	if err := r.Ask(t.Context(), ready); !errors.Is(err, down) {
		t.Errorf("an old answer: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Ask(gone, ready); !errors.Is(err, context.Canceled) && !errors.Is(err, down) {
		t.Errorf("who left: %v", err)
	}
}
