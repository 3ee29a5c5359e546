package admintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
)

// Upkeep stands in for the keepers of a directory.
type Upkeep struct {
	mu     sync.Mutex
	states []admin.KeeperState // guarded by mu
	acts   []string            // guarded by mu
}

// Set makes the keepers stand so.
func (u *Upkeep) Set(states ...admin.KeeperState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.states = states
}

// Keepers implements admin.Upkeep.
func (u *Upkeep) Keepers(context.Context) ([]admin.KeeperState, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.states), nil
}

// Repair repairs k2, is busy for k1, lacks peers for k3, does not have k5 and knows no
// other.
func (u *Upkeep) Repair(_ context.Context, id string, reason audit.Reason) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch id {
	case "k1":
		return admin.ErrRepairing
	case "k2":
		u.acts = append(u.acts, "repaired "+id+": "+string(reason))
		return nil
	case "k3":
		return fmt.Errorf("%w (1 of 3)", admin.ErrPeers)
	case "k5":
		return admin.ErrElsewhere
	}
	return admin.ErrNoKeeper
}

// keepers are told of, and repaired with a reason.
func keepers(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	since := Start.Add(-time.Minute)
	want := []admin.KeeperState{
		{ID: "k1", Sequence: 7, State: admin.KeeperWhole, Repaired: &admin.KeeperRepaired{At: Start, From: []string{"k2", "k3"}, Rows: 4, KeyFile: true, NewLedger: true, Aside: "aside-1"}},
		{ID: "k2", Sequence: 9, State: "gone", Since: &since, Why: "no such file"},
		{ID: "k3", Sequence: 1, State: admin.KeeperRepairing, Rows: 256, Remote: &admin.RemoteKeeper{Member: 3, Address: "k3.example:7601", Until: &since, RoundTrip: 1.25, Release: "1.0", KeySets: []uint32{1, 2}, InUse: 2}},
	}
	w.Upkeep.Set(want...)
	got, err := a.Keepers(ctx)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, reason := range []audit.Reason{"", " ", "two\nlines"} {
		if err := a.RepairKeeper(ctx, "k2", reason); !errors.Is(err, audit.ErrReason) {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	for id, want := range map[string]error{"k1": admin.ErrRepairing, "k2": nil, "k3": admin.ErrPeers, "k5": admin.ErrElsewhere, "k4": admin.ErrNoKeeper, "": admin.ErrNoKeeper} {
		if err := a.RepairKeeper(ctx, id, "its disk died"); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", id, err, want)
		}
	}
	w.Upkeep.mu.Lock()
	defer w.Upkeep.mu.Unlock()
	if want := []string{"repaired k2: its disk died"}; !slices.Equal(w.Upkeep.acts, want) {
		t.Errorf("acts %q, want %q", w.Upkeep.acts, want)
	}
}
