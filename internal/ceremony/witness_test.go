package ceremony_test

import (
	"context"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestWitnessesMoveTheTime: the kept time jumps to the wall clock only if enough
// keepers on other machines have it, and the jump is on record (I-15).
func TestWitnessesMoveTheTime(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	rules, err := policy.NewLayers(policy.National())
	if err != nil {
		t.Fatal(err)
	}
	s := env.System
	var others []time.Time
	engine, err := authority.New(authority.Config{Store: s.Store, Vault: s.Vault, Quorum: s.Quorum, Policy: rules,
		Registry: s.Registry, Issuer: s.Config.Issuer, Process: "another", Clock: s.Clock,
		Witnesses: func(context.Context) ([]time.Time, int) { return others, 2 }})
	if err != nil {
		t.Fatal(err)
	}
	jumps := func() (n int) {
		if err := engine.MaintainOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Store.View(t.Context(), func(r store.Reader) error {
			all, err := storetest.Record(r)
			n = 0
			for _, e := range all {
				if e.Event == audit.ClockWitnessed {
					n++
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := engine.Now()
	env.Clock.Step(time.Hour)
	wall := env.Clock.Now()
	for _, few := range [][]time.Time{nil, {wall}, {wall, wall.Add(2 * time.Minute)}} {
		others = few
		if n := jumps(); n != 0 || !engine.Now().Equal(before) {
			t.Errorf("with %d others the time went to %v (%d entries)", len(few), engine.Now(), n)
		}
	}
	others = []time.Time{wall.Add(30 * time.Second), wall, wall.Add(time.Hour)}
	if n := jumps(); n != 1 || !engine.Now().Equal(wall) {
		t.Errorf("with two that agree: %v (%d entries), want %v", engine.Now(), n, wall)
	}
}
