package admin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
)

// Errors of RepairKeeper. With each of them nothing was changed.
var (
	ErrNoKeeper  = errors.New("no such keeper: 'liuma keeper status' lists them")
	ErrRepairing = errors.New("a keeper is being repaired already: 'liuma keeper status' says how far it is")
	ErrElsewhere = errors.New("the keeper is on a machine of its own and is repaired there: its administrator runs 'liuma-keeper repair'")
	ErrPeers     = errors.New("a keeper is brought back from the others, and too few of them are whole: restore the directories of those that are gone from a backup ('Lost keepers' in docs/OPERATIONS.md)")
)

// The states of a keeper that serves, and of one that is being repaired. The other
// states are the kinds of alarms about keepers (keeper.Fault).
const (
	KeeperWhole     = "whole"
	KeeperRepairing = "repairing"
)

// KeeperState is the state of one keeper.
type KeeperState struct {
	ID       string     `json:"id"`
	Sequence uint64     `json:"sequence"`        // the highest that was heard from it
	State    string     `json:"state,omitempty"` // empty: not known
	Since    *time.Time `json:"since,omitempty"` // if it is not whole: when the process that answers found it so
	Why      string     `json:"why,omitempty"`   // if it is not whole
	// Rows is how many rows were copied from the others, while it is repaired.
	Rows     uint64          `json:"rows,omitempty"`
	Repaired *KeeperRepaired `json:"repaired,omitempty"` // the last repair that this process did
	// Remote is set for a keeper on a machine of its own.
	Remote *RemoteKeeper `json:"remote,omitempty"`
}

// RemoteKeeper holds the facts about a keeper on a machine of its own.
type RemoteKeeper struct {
	Member    int        `json:"member"`
	Address   string     `json:"address"`
	Until     *time.Time `json:"admission_until,omitempty"` // when this authority's admission ends
	RoundTrip float64    `json:"round_trip_ms,omitempty"`   // of the last look; zero: it did not answer
	Release   string     `json:"release,omitempty"`         // of its program, as it says
	KeySets   []uint32   `json:"key_sets,omitempty"`        // that it holds, as it says
	InUse     uint32     `json:"key_set,omitempty"`         // that new PINs are made with
}

// KeeperRepaired is the result of a repair.
type KeeperRepaired struct {
	At        time.Time `json:"at"`
	From      []string  `json:"from"`       // whose rows and keys it took
	Rows      uint64    `json:"rows"`       // that were taken in
	KeyFile   bool      `json:"key_file"`   // keeper.json was made anew
	NewLedger bool      `json:"new_ledger"` // the ledger was made anew
	Aside     string    `json:"aside"`      // where what was there lies now, in the keeper's directory; may be empty
}

// Upkeep looks after the keepers.
type Upkeep interface {
	// Keepers returns the states of all keepers.
	Keepers(context.Context) ([]KeeperState, error)
	// Repair starts a repair and returns; Keepers shows its progress. Errors:
	// ErrNoKeeper, ErrRepairing, ErrPeers; ErrElsewhere if this process does not have
	// the keeper's directory.
	Repair(ctx context.Context, id string, reason audit.Reason) error
}

// Keepers returns the states of all keepers.
func (a *Admin) Keepers(ctx context.Context) ([]KeeperState, error) {
	return a.c.Upkeep.Keepers(ctx)
}

// RepairKeeper starts a repair; it requires a reason.
func (a *Admin) RepairKeeper(ctx context.Context, id string, reason audit.Reason) error {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return err
	}
	return a.c.Upkeep.Repair(ctx, id, reason)
}

// keepers returns the states of the keepers, with the highest sequence numbers seen.
func (a *Admin) keepers(ctx context.Context, seen map[string]uint64) ([]KeeperState, error) {
	out, err := a.c.Upkeep.Keepers(ctx)
	if err != nil {
		return nil, err
	}
	for i, k := range out {
		out[i].Sequence = max(k.Sequence, seen[k.ID])
		delete(seen, k.ID)
	}
	for id, sequence := range seen {
		out = append(out, KeeperState{ID: id, Sequence: sequence})
	}
	slices.SortFunc(out, func(x, y KeeperState) int { return strings.Compare(x.ID, y.ID) })
	return out, nil
}
