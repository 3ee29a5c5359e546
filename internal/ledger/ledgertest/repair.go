package ledgertest

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/ledger"
)

// RolledBackStopsServing: a sender that received a later sequence shows that the ledger
// is an older copy. The ledger stops, and after repair serves again under a new
// incarnation, where older proofs are void.
func RolledBackStopsServing(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	own := r.spend(h, ledger.Stranger, 0)
	proof := r.proof(h, own.S(), true)
	backup := r.place.Crashed(t)
	for range 3 {
		r.spend(h, ledger.Stranger, 0)
	}
	ahead, seen := r.row(h), r.ledger.Meta().Sequence
	if err := r.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	r.place = backup
	r.open()
	was := r.ledger.Meta()
	req := r.request(h, ledger.Stranger, 0)
	req.Seen = was.Sequence
	if _, err := r.ledger.Spend(t.Context(), req); err != nil {
		t.Fatalf("a sender who has seen no more: %v", err)
	}
	req.Seen = seen
	for range 2 {
		if _, err := r.ledger.Spend(t.Context(), req); !errors.Is(err, ledger.ErrRolledBack) {
			t.Fatalf("a sender who has seen more: %v", err)
		}
		req.Seen = 0 // now every request is refused
	}
	if err := r.settle(proof); !errors.Is(err, ledger.ErrRolledBack) {
		t.Errorf("settle: %v", err)
	}
	if err := r.ledger.Merge(t.Context(), []ledger.Row{ahead}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.try(h, ledger.Stranger, 0); !errors.Is(err, ledger.ErrRolledBack) {
		t.Errorf("merged but not readmitted: %v", err)
	}
	meta, err := r.ledger.Readmit(t.Context(), seen)
	if err != nil || meta.Sequence <= seen || meta.Incarnation == was.Incarnation || meta != r.ledger.Meta() {
		t.Fatalf("readmitted as %+v: %v", meta, err)
	}
	r.crash()
	if got := r.ledger.Meta(); got != meta {
		t.Fatalf("meta %+v, want %+v", got, meta)
	}
	if err := r.settle(proof); !errors.Is(err, ledger.ErrSettlement) {
		t.Errorf("a proof from before the repair: %v", err)
	}
	req.Seen = seen
	if left := 6 - ahead.Tally.Failures[0]; left != 2 {
		t.Fatalf("the test's own count is off: %d", left)
	}
	for range 2 {
		if _, err := r.ledger.Spend(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	_, err = r.ledger.Spend(t.Context(), req)
	r.wantRefused(err, ledger.Locked)
}

// RepairVoidsOldProofs: a proof that arrived before a merge or a readmission and is
// applied after it clears nothing, because its numbers now belong to other guesses.
func RepairVoidsOldProofs(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h, other := r.enroll(), r.enroll()
	own := r.spend(h, ledger.Stranger, 0)
	theirs := r.row(h)
	for i := range 5 { // guesses at another keeper, after own
		theirs.Tally.Spend(r.clock.Now().Add(time.Duration(i)*time.Second), ledger.Stranger)
	}
	if err := r.ledger.Merge(t.Context(), []ledger.Row{theirs}); err != nil {
		t.Fatal(err)
	}
	if err := r.settle(r.proof(h, own.S(), true)); err != nil {
		t.Fatal(err)
	}
	r.clock.Move(time.Minute)
	_, err := r.try(h, ledger.Stranger, 0)
	r.wantRefused(err, ledger.Locked)

	last := r.spend(other, ledger.Stranger, 0)
	old := r.proof(other, last.S(), true)
	entered, release := r.fault.Hold()
	var group sync.WaitGroup
	group.Go(func() { r.spend(other, ledger.Stranger, 0) })
	<-entered
	group.Go(func() {
		if _, err := r.ledger.Readmit(t.Context(), 0); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(20 * time.Millisecond) // the readmission is in the queue
	if err := r.settle(old); err != nil {
		t.Fatal(err)
	}
	release()
	group.Wait()
	r.reopen()
	if tally := r.row(other).Tally; tally.Failures[0] != 2 {
		t.Errorf("a proof of the old incarnation cleared a guess: %+v", tally)
	}
}

// MergeNeverFreesAGuess: the higher counts win, in both directions and lane by lane.
func MergeNeverFreesAGuess(t *testing.T, place func(testing.TB) Place) {
	base := NewClock().Now()
	h := newHolder(t)
	row := func(version int, strangers, known int) ledger.Row {
		c := h.commitment()
		row := ledger.Row{Card: h.card, Version: c.Version, KeySet: 1, Verifier: c.Verifier, Mark: 1, Head: 2, Tag: c.Tag}
		if version == 2 {
			row.Version, row.Mark, row.Verifier[0] = 2, 7, row.Verifier[0]+1
			row.Head, row.Tag[31] = 5, 1 // retagged since
		}
		for i := range strangers {
			row.Tally.Spend(base.Add(time.Duration(i)*time.Second), ledger.Stranger)
		}
		for i := range known {
			row.Tally.Spend(base.Add(time.Minute+time.Duration(i)*time.Second), ledger.Known)
		}
		return row
	}
	proved := row(1, 6, 1)
	proved.Tally.Clear(7, true)
	retired := row(1, 1, 1)
	retired.Retired = base
	empty := ledger.Row{Card: h.card, Mark: 1, Head: 1}
	rows := []ledger.Row{empty, row(1, 0, 0), row(1, 5, 1), row(1, 1, 5), row(1, 12, 0), row(1, 3, 30), proved, retired, row(2, 1, 0), row(2, 0, 4)}
	for i, a := range rows {
		for j, b := range rows {
			r := newRig(t, place(t))
			for _, in := range []ledger.Row{a, b, b} {
				if err := r.ledger.Merge(t.Context(), []ledger.Row{in}); err != nil {
					t.Fatalf("%d with %d: %v", i, j, err)
				}
			}
			got := r.row(h)
			checkMerged(t, got, a, b)
			r.reopen()
			if r.row(h) != got {
				t.Fatalf("%d with %d: not kept", i, j)
			}
			r.ledger.Close()
		}
	}
	r := newRig(t, place(t))
	odd := row(1, 0, 0)
	odd.Verifier[3] ^= 1
	if err := r.ledger.Merge(t.Context(), []ledger.Row{row(1, 2, 0), odd}); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("two verifiers of one version: %v", err)
	}
	for _, bad := range []ledger.Row{{}, {Card: h.card, Version: 2}, {Card: h.card, Tally: ledger.Tally{Kept: -1}}} {
		if err := r.ledger.Merge(t.Context(), []ledger.Row{bad}); !errors.Is(err, ledger.ErrRequest) {
			t.Errorf("an impossible row: %v", err)
		}
	}
}

// MergeKeepsNumbersRising: a keeper that sends rows with made-up counts of spends can
// lock cards, and do no more: spend numbers go on rising, and rows can still be read
// and merged.
func MergeKeepsNumbersRising(t *testing.T, place func(testing.TB) Place) {
	for _, spent := range []uint64{math.MaxUint64, math.MaxUint64 - 3, 1<<63 + 5, 1<<62 + 1} {
		for _, own := range []int{0, 3} {
			r := newRig(t, place(t))
			h := r.enroll()
			for range own {
				if _, err := r.try(h, ledger.Stranger, 0); err != nil {
					t.Fatal(err)
				}
			}
			before := r.row(h)
			lie := before
			lie.Tally = ledger.Tally{Spent: spent - 4, Cleared: [2]uint64{spent - 5, spent - 5}}
			for range 4 {
				lie.Tally.Spend(r.clock.Now(), ledger.Known)
			}
			for range 2 {
				if err := r.ledger.Merge(t.Context(), []ledger.Row{lie}); err != nil {
					t.Fatal(err)
				}
			}
			merged := r.row(h).Tally
			if merged.Spent < before.Tally.Spent+4 || merged.Validate() != nil || merged.Failures[ledger.Known] != 4 || int(merged.Failures[ledger.Stranger]) != own {
				t.Fatalf("merged %+v with %+v: %+v", before.Tally, lie.Tally, merged)
			}
			if own > 0 {
				continue // all six of the window are used
			}
			spent, err := r.try(h, ledger.Stranger, 0)
			if err != nil || spent.S() <= merged.Spent {
				t.Fatalf("the next spend after %d: %v, %v", merged.Spent, spent, err)
			}
		}
	}
}

func checkMerged(t *testing.T, got, a, b ledger.Row) {
	t.Helper()
	newest := a
	if b.Version > a.Version {
		newest = b
	}
	if got.Version != newest.Version || got.Verifier != newest.Verifier || got.Mark != max(a.Mark, b.Mark) {
		t.Errorf("merged %+v of %+v and %+v", got, a, b)
	}
	if got.Head != max(a.Head, b.Head) || got.Tag != newest.Tag {
		t.Errorf("head %d, tag %x of %+v and %+v", got.Head, got.Tag, a, b)
	}
	if got.Retired.IsZero() != (a.Retired.IsZero() && b.Retired.IsZero()) {
		t.Errorf("retired %v", got.Retired)
	}
	l := ledger.NationalLimits()
	for _, in := range []ledger.Row{a, b} {
		if got.Tally.Spent < in.Tally.Spent {
			t.Errorf("spent fell from %d to %d", in.Tally.Spent, got.Tally.Spent)
		}
		if in.Version < got.Version {
			continue
		}
		for lane, n := range in.Tally.Failures {
			if got.Tally.Failures[lane] < n {
				t.Errorf("lane %d: failures fell from %d to %d", lane, n, got.Tally.Failures[lane])
			}
		}
		now := NewClock().Now().Add(2 * time.Minute)
		for _, reserve := range []int{0, 2} {
			for _, lane := range []ledger.Lane{ledger.Stranger, ledger.Known} {
				had, _ := in.Tally.Check(now, lane, reserve, l)
				if has, _ := got.Tally.Check(now, lane, reserve, l); has > had {
					t.Errorf("merging %+v and %+v freed guesses: %d, had %d", a.Tally, b.Tally, has, had)
				}
			}
		}
	}
}

// RepairCutOffStaysStopped: if a crash cuts a repair off, the ledger serves nobody when
// it is opened again, although the repair's writes raised its sequence above the
// highest that senders have seen. After a full repair it serves.
func RepairCutOffStaysStopped(t *testing.T, place func(testing.TB) Place) {
	for _, told := range []bool{false, true} {
		r := newRig(t, place(t))
		h := r.enroll()
		if told {
			if err := r.ledger.BeginRepair(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else { // a sender showed that the ledger is an older copy
			req := r.request(h, ledger.Stranger, 0)
			req.Seen = r.ledger.Meta().Sequence + 1
			if _, err := r.ledger.Spend(t.Context(), req); !errors.Is(err, ledger.ErrRolledBack) {
				t.Fatal(err)
			}
		}
		seen := r.ledger.Meta().Sequence + 1
		for i := range 3 {
			other := newHolder(t)
			c := other.commitment()
			row := ledger.Row{Card: other.card, Version: c.Version, KeySet: 1, Verifier: c.Verifier, Mark: 1, Head: uint64(i), Tag: c.Tag}
			if err := r.ledger.Merge(t.Context(), []ledger.Row{row}); err != nil {
				t.Fatal(err)
			}
		}
		r.crash()
		if got := r.ledger.Meta(); got.Sequence < seen || !got.Repairing {
			t.Fatalf("the test's own story is off: %+v", got)
		}
		if _, err := r.try(h, ledger.Stranger, 0); !errors.Is(err, ledger.ErrRepairing) {
			t.Errorf("cut off: a guess: %v", err)
		}
		if _, err := r.ledger.Row(t.Context(), h.card); !errors.Is(err, ledger.ErrRepairing) {
			t.Errorf("cut off: a row: %v", err)
		}
		if _, err := r.ledger.Readmit(t.Context(), seen); err != nil {
			t.Fatal(err)
		}
		r.reopen()
		r.spend(h, ledger.Stranger, 0)
		r.ledger.Close()
	}
}

// LedgerHasAnOwner: a ledger that was written for one keeper is refused to every other
// keeper, and a ledger without an owner gets one with its next write.
func LedgerHasAnOwner(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	mine, other := [32]byte{1}, [32]byte{2}
	openAs := func(owner [32]byte) error {
		if err := r.ledger.Close(); err != nil {
			t.Fatal(err)
		}
		backend := open(t, r.place)
		l, err := ledger.Open(t.Context(), ledger.Config{
			Keeper: keeperName, Backend: backend, Limits: ledger.NationalLimits(), Machine: r.clock, Owner: owner,
		})
		if err != nil {
			return errors.Join(err, backend.Close())
		}
		r.ledger = l
		return nil
	}
	for _, owner := range [][32]byte{other, mine} { // nothing was written as other
		if err := openAs(owner); err != nil {
			t.Fatal(err)
		}
	}
	r.spend(h, ledger.Stranger, 0)
	if err := openAs(other); !errors.Is(err, ledger.ErrOwner) {
		t.Fatalf("another keeper's: %v", err)
	}
	if err := openAs(mine); err != nil {
		t.Fatal(err)
	}
}
