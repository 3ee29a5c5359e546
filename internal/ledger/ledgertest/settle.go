package ledgertest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/ledger"
)

// OnlyProofsSettle is the part of I-2 about signatures: a settlement that is
// forged, changed, replayed or meant for another keeper, incarnation, card or
// version clears nothing.
func OnlyProofsSettle(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h, other := r.enroll(), r.enroll()
	own := r.spend(h, ledger.Known, 2)
	for range 3 {
		r.spend(h, ledger.Stranger, 2)
		r.spend(other, ledger.Known, 2)
	}
	good := r.proof(h, own.S(), false)
	before := r.row(h)
	for name, change := range map[string]func(*ledger.Settlement){
		"no signature":                func(p *ledger.Settlement) { p.Signature = [64]byte{} },
		"signature changed":           func(p *ledger.Settlement) { p.Signature[5] ^= 1 },
		"number changed":              func(p *ledger.Settlement) { p.S++ },
		"reopen added":                func(p *ledger.Settlement) { p.Reopen = true },
		"another key":                 func(p *ledger.Settlement) { *p = sign(other, *p) },
		"card changed":                func(p *ledger.Settlement) { p.Card = other.card },
		"another keeper":              func(p *ledger.Settlement) { p.Keeper = "k2"; *p = sign(h, *p) },
		"another incarnation":         func(p *ledger.Settlement) { p.Incarnation[0] ^= 1; *p = sign(h, *p) },
		"a version that never was":    func(p *ledger.Settlement) { p.Version = 2; *p = sign(h, *p) },
		"no version":                  func(p *ledger.Settlement) { p.Version = 0; *p = sign(h, *p) },
		"a number that never was":     func(p *ledger.Settlement) { p.S = 5; *p = sign(h, *p) },
		"an unknown card":             func(p *ledger.Settlement) { x := newHolder(t); p.Card = x.card; *p = sign(x, *p) },
		"a keeper's name cut in two":  func(p *ledger.Settlement) { p.Keeper = "k" },
		"everything, by another card": func(p *ledger.Settlement) { *p = r.proof(other, 99, true) },
	} {
		p := good
		change(&p)
		if err := r.settle(p); !errors.Is(err, ledger.ErrSettlement) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.reopen() // queued settlements are on disk now
	if row := r.row(h); row != before {
		t.Fatalf("a proof that does not hold changed %+v, was %+v", row, before)
	}
	bad := good
	bad.S++
	if err := r.settle(bad, good); !errors.Is(err, ledger.ErrSettlement) {
		t.Errorf("one good and one bad proof: %v", err)
	}
	r.reopen()
	if row := r.row(h); row.Tally.Cleared != [2]uint64{0, own.S()} || row.Tally.Failures != [2]uint32{3, 0} {
		t.Errorf("the good proof was not taken: %+v", row.Tally)
	}
}

// SettlementClearsNothingLater: a proof clears its own guess and earlier ones,
// however often and late it comes.
func SettlementClearsNothingLater(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	r.spend(h, ledger.Stranger, 0)
	own := r.spend(h, ledger.Stranger, 0)
	proof := r.proof(h, own.S(), true)
	for range 3 {
		r.spend(h, ledger.Stranger, 0)
	}
	for range 3 { // replays
		if err := r.settle(proof); err != nil {
			t.Fatal(err)
		}
		r.reopen()
		tally := r.row(h).Tally
		if tally.Cleared != [2]uint64{2, 2} || tally.Failures[0] != uint32(tally.Spent-2) || tally.Recent[0].S != 3 {
			t.Fatalf("after a proof of 2: %+v", tally)
		}
		if tally.Spent < 6 {
			r.spend(h, ledger.Stranger, 0)
		}
	}
	r.spend(h, ledger.Stranger, 0)
	r.spend(h, ledger.Stranger, 0)
	if err := r.settle(proof); err != nil {
		t.Fatal(err)
	}
	_, err := r.try(h, ledger.Stranger, 0)
	r.wantRefused(err, ledger.Locked)

	old := r.proof(h, 8, true)
	next := newHolder(t)
	next.card, next.version = h.card, 2
	r.commitOver(next, 1)
	for range 6 {
		r.spend(next, ledger.Stranger, 0)
	}
	if err := r.settle(old, proof); err != nil {
		t.Errorf("a proof of an older version: %v", err)
	}
	_, err = r.try(next, ledger.Stranger, 0)
	r.wantRefused(err, ledger.Locked)
}

// SettlementsRideAlong: the next guess sees a settlement at once, it shares a
// write with it, and without one it is written all the same.
func SettlementsRideAlong(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	_, before := r.fault.Calls()
	const rounds = 50
	for i := range rounds {
		var last *ledger.Spent
		for range 6 {
			last = r.spend(h, ledger.Stranger, 0)
		}
		if err := r.settle(r.proof(h, last.S(), false)); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	if _, after := r.fault.Calls(); after-before > 7*rounds {
		t.Errorf("%d writes for %d guesses", after-before, 6*rounds)
	}
	for deadline := time.Now().Add(10 * time.Second); r.row(h).Tally.Cleared[0] != 6*rounds; {
		if time.Now().After(deadline) {
			t.Fatal("a settlement alone is never written")
		}
		time.Sleep(time.Millisecond)
	}
	// Many at once, of many cards, and each seen by its own card's next guess.
	var group sync.WaitGroup
	for range 16 {
		h := r.enroll()
		group.Go(func() {
			for range 20 {
				var last *ledger.Spent
				for range 6 {
					var err error
					if last, err = r.try(h, ledger.Stranger, 0); err != nil {
						t.Error(err)
						return
					}
				}
				if err := r.settle(r.proof(h, last.S(), false)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}
