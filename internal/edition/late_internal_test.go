package edition

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/policy"
)

// TestALatePolicyDoesNotStand: an authority that cannot go by the edition that was approved
// last decides nothing after half a minute, and goes on when it can.
func TestALatePolicyDoesNotStand(t *testing.T) {
	l, err := policy.NewLayers(policy.National())
	if err != nil {
		t.Fatal(err)
	}
	e, why := &Editions{running: policy.NewRunning(l)}, errors.New("a rule of a later release")
	if e.late(why, LookLate-time.Second); e.running.Standing() != nil {
		t.Error("it stops at once")
	}
	if e.late(why, LookLate); !errors.Is(e.running.Standing(), ErrLate) || !errors.Is(e.running.Standing(), why) {
		t.Errorf("half a minute late: %v", e.running.Standing())
	}
	if e.late(nil, 0); e.running.Standing() != nil {
		t.Errorf("in time again: %v", e.running.Standing())
	}
}
