package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// TestALiarIsNotWhole: a keeper that answered otherwise than the others serves, and is
// told of for a while nevertheless, from its first lie on.
func TestALiarIsNotWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := newFakes(t, split.Shape{T: 2, N: 3})
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		target := set(t, q, liuma.NewCardID(), 1, good)
		whole := func(when string) {
			t.Helper()
			synctest.Wait()
			for _, c := range q.Conditions(t.Context()) {
				if c.Fault != "" {
					t.Errorf("%s: %+v", when, c)
				}
			}
		}
		whole("at first")
		fakes[0].does(script{lying: true})
		want(t, attemptPIN(t, q, target, good), liuma.Right)
		synctest.Wait()
		first := q.Conditions(t.Context())[0]
		if first.Fault != Disagrees || first.Since.IsZero() || !errors.Is(first.Why, errDiffers) {
			t.Errorf("a liar: %+v", first)
		}
		time.Sleep(differsFor - time.Second)
		want(t, attemptPIN(t, q, target, good), liuma.Right)
		synctest.Wait() // the verdict does not wait for the liar, which is to lie in this attempt
		fakes[0].does(script{})
		time.Sleep(differsFor - time.Second)
		want(t, attemptPIN(t, q, target, good), liuma.Right)
		synctest.Wait()
		if again := q.Conditions(t.Context())[0]; again.Fault != Disagrees || !again.Since.Equal(first.Since) {
			t.Errorf("a while after its last lie: %+v, first %+v", again, first)
		}
		time.Sleep(time.Minute)
		whole("long after its last lie")
	})
}

// TestABadDiskIsNamed: a keeper that says that its disk is full or failed is not merely
// silent.
func TestABadDiskIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := newFakes(t, split.Shape{T: 2, N: 3})
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		target := set(t, q, liuma.NewCardID(), 1, good)
		for _, cause := range []error{ledger.ErrFull, ledger.ErrPoisoned} {
			fakes[1].does(script{before: func(context.Context) error { return fmt.Errorf("wire: %w", cause) }})
			want(t, attemptPIN(t, q, target, good), liuma.Right)
			synctest.Wait()
			if c := q.Conditions(t.Context())[1]; c.Fault != DiskBad || !errors.Is(c.Why, cause) {
				t.Errorf("%v: %+v", cause, c)
			}
		}
	})
}

// TestAQuestionThatWeGaveUp: a caller who waits no longer is no refusal of a keeper, and
// nothing is logged of it.
func TestAQuestionThatWeGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := newFakes(t, split.Shape{T: 2, N: 3})
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		var said bytes.Buffer
		q.log = slog.New(slog.NewTextHandler(&said, nil))
		fakes[0].does(script{before: func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("k1: %w", ctx.Err())
		}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if c := q.Conditions(ctx)[0]; c.Fault != "" {
			t.Errorf("the keeper is called %s", c.Fault)
		}
		synctest.Wait()
		if said.Len() > 0 {
			t.Errorf("the log says: %s", said.String())
		}
	})
}
