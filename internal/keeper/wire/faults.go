package wire

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// faults are the errors that a keeper can send. An error's index in the list is its
// number on the wire: new ones are added at the end. For any other error the receiver
// only learns that there was one.
func faults() []error {
	return []error{
		ErrKeeper, ErrFrame, ErrRole, ErrBusy, keeper.ErrKeySet, keeper.ErrRequest, keeper.ErrMetered, keeper.ErrGone, keeper.ErrClosed, keeper.ErrNoRows,
		ledger.ErrPoisoned, ledger.ErrFull, ledger.ErrRolledBack, ledger.ErrRepairing, ledger.ErrOwner, ledger.ErrMissing, ledger.ErrClock, ledger.ErrClosed,
		ledger.ErrRequest, ledger.ErrSettlement, ledger.ErrConflict, split.ErrPoint, split.ErrWiped, context.DeadlineExceeded,
		keeper.ErrShareKeys, keeper.ErrUncounted,
	}
}

// numberOf returns an error's number on the wire.
func numberOf(err error) uint8 {
	for i, known := range faults() {
		if errors.Is(err, known) {
			return uint8(i) //nolint:gosec // the list is short
		}
	}
	return 0
}

// faultOf returns the error with a number.
func faultOf(n uint8) error {
	if all := faults(); int(n) < len(all) {
		return all[n]
	}
	return ErrKeeper
}
