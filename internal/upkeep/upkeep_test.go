package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liuma-pin/liuma/internal/upkeep"
)

// TestEvery: a step comes after each pause, and after one that failed as well.
func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var told bytes.Buffer
		var at []time.Duration
		begun := time.Now()
		go upkeep.Every(ctx, time.Second, slog.New(slog.NewTextHandler(&told, nil)), "rows not dropped", func(context.Context) error {
			at = append(at, time.Since(begun))
			if len(at) == 2 {
				return errors.New("the disk is full")
			}
			return nil
		})
		time.Sleep(3500 * time.Millisecond)
		stop()
		synctest.Wait()
		if len(at) != 3 || at[0] != time.Second || at[2] != 3*time.Second {
			t.Errorf("steps at %v, want after 1, 2 and 3 s", at)
		}
		if n := strings.Count(told.String(), `level=WARN msg="rows not dropped" err="the disk is full"`); n != 1 {
			t.Errorf("the log has the failure %d times, want 1:\n%s", n, told.String())
		}
	})
}

// TestEveryEnds: what a step returns because it was ended is no failure.
func TestEveryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var told bytes.Buffer
		ended := false
		go func() {
			upkeep.Every(ctx, time.Second, slog.New(slog.NewTextHandler(&told, nil)), "rows not dropped", func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			})
			ended = true
		}()
		time.Sleep(1500 * time.Millisecond) // in the middle of the first step
		stop()
		synctest.Wait()
		if !ended {
			t.Error("it goes on after its context has ended")
		}
		if told.Len() > 0 {
			t.Errorf("the log has %q, want nothing", told.String())
		}
	})
}
