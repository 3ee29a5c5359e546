package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/ledger"
)

// FullDiskCountsNothing gives every kind of request a full disk, and then room.
// On the full disk the request is refused with ErrFull, changes no row and does
// not stop the ledger; with room, the same request is taken as if it were the
// first.
func FullDiskCountsNothing(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := newHolder(t)
	for what, do := range []func() error{
		func() error {
			_, err := r.propose(h, 0, 1)
			return err
		},
		func() error {
			_, err := r.ledger.Commit(t.Context(), ledger.CommitRequest{Commitment: h.commitment(), Sender: r.clock.Now()})
			return err
		},
		func() error {
			s, err := r.try(h, ledger.Stranger, 0)
			if (s == nil) == (err == nil) {
				t.Errorf("a grant with %v", err)
			}
			return err
		},
		func() error { _, err := r.ledger.Readmit(t.Context(), 0); return err },
	} {
		row, meta := r.row(h), r.ledger.Meta()
		r.fault.Full(true)
		for range 2 {
			if err := do(); !errors.Is(err, ledger.ErrFull) || errors.Is(err, ledger.ErrPoisoned) {
				t.Errorf("request %d without room: %v, want %v", what, err, ledger.ErrFull)
			}
			if now := r.row(h); now != row || r.ledger.Meta() != meta || r.ledger.Poisoned() != nil {
				t.Errorf("request %d without room: row %+v, was %+v; stopped: %v", what, now, row, r.ledger.Poisoned())
			}
		}
		r.fault.Full(false)
		if err := do(); err != nil {
			t.Errorf("request %d with room: %v", what, err)
		}
	}
	if row := r.row(h); row.Tally.Spent != 1 || row.Version != 1 {
		t.Errorf("in the end %+v", row)
	}
	r.crash()
	if row := r.row(h); row.Tally.Spent != 1 || row.Version != 1 {
		t.Errorf("after a crash %+v", row)
	}
}

// FullDiskKeepsProofs: settlements that meet a full disk are not lost and delay
// nobody. They are written when there is room, and the next guess sees them.
func FullDiskKeepsProofs(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	for range 5 {
		r.spend(h, ledger.Stranger, 0)
	}
	last := r.spend(h, ledger.Stranger, 0)
	r.fault.Full(true)
	for range 600 { // more than fit into one write
		if err := r.settle(r.proof(h, last.S(), false)); err != nil {
			t.Fatal(err)
		}
	}
	calls, _ := r.fault.Calls()
	for range 5 {
		if _, err := r.try(h, ledger.Stranger, 0); !errors.Is(err, ledger.ErrFull) {
			t.Fatalf("a guess without room: %v, want %v", err, ledger.ErrFull)
		}
	}
	time.Sleep(100 * time.Millisecond)
	if after, _ := r.fault.Calls(); after-calls > 20 {
		t.Errorf("a full disk was asked %d times for 5 guesses", after-calls)
	}
	if row := r.row(h); row.Tally.Cleared[ledger.Stranger] != 0 {
		t.Errorf("cleared without room: %+v", row.Tally)
	}
	r.fault.Full(false)
	if s := r.spend(h, ledger.Stranger, 0); s.S() != 7 {
		t.Errorf("guess %d, want 7", s.S())
	}
	r.crash()
	if row := r.row(h); row.Tally.Cleared[ledger.Stranger] != 6 || row.Tally.Spent != 7 {
		t.Errorf("after a crash %+v", row.Tally)
	}
	// Closing the ledger does not wait for room.
	r.fault.Full(true)
	if err := r.settle(r.proof(h, 7, false)); err != nil {
		t.Fatal(err)
	}
	r.reopen()
	if row := r.row(h); row.Tally.Cleared[ledger.Stranger] != 6 {
		t.Errorf("after it was closed without room %+v", row.Tally)
	}
}
