package keeper

import (
	"context"
	"fmt"

	"github.com/liuma-pin/liuma/internal/ledger/sqlite"
)

// OpenToRepair opens a keeper whose ledger is lost or useless, for its Repair. The
// remains of the old ledger are moved into a directory beside it, whose name is
// returned, and an empty ledger is made that serves nobody until the repair has ended.
// The keeper's key file must be whole. The caller closes the node.
//
// A crash in here leaves no ledger, or one that says that its repair has not ended.
func OpenToRepair(ctx context.Context, dir string, c OpenConfig) (n *Node, aside string, err error) {
	if c.Logger == nil {
		return nil, "", fmt.Errorf("%w: a node needs a logger", ErrRequest)
	}
	stored, err := readKeeper(dir)
	if err != nil {
		return nil, "", err
	}
	defer stored.wipe()
	if aside, err = setAside(dir); err != nil {
		return nil, "", err
	}
	n, err = openStored(ctx, dir, stored, c, sqlite.MakeRepaired)
	return n, aside, err
}

// Stops reports whether an error of opening a keeper means that nobody may touch its
// ledger: another process has it, a later release wrote it, others than the owner can
// read it, or the share keys do not answer, which says nothing about the ledger.
func Stops(err error) bool { return stops(err) }

// Examine checks the whole ledger of a keeper that is to be repaired.
func (n *Node) Examine(ctx context.Context) error { return n.examine(ctx) }

// Taken returns how many rows of other keepers the repairs have taken in.
func (n *Node) Taken() uint64 { return n.taken.Load() }
