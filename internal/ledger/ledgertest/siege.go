package ledgertest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/ledger"
)

// ThousandParallelGuesses: of any number of parallel guesses six are counted,
// and strangers get four of them on a card with known links.
func ThousandParallelGuesses(t *testing.T, place func(testing.TB) Place) {
	for _, c := range []struct {
		name             string
		reserve          int
		known            bool // every second guess claims a known link
		strangers, total int
	}{
		{"no known links", 0, false, 6, 6},
		{"strangers", 2, false, 4, 4},
		{"both", 2, true, 4, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, place(t))
			h := r.enroll()
			var counted [2]atomic.Int64
			var group sync.WaitGroup
			for i := range 1000 {
				lane := ledger.Lane(i % 2)
				if !c.known {
					lane = ledger.Stranger
				}
				group.Go(func() {
					spent, err := r.try(h, lane, c.reserve)
					switch {
					case err == nil && spent.Redeem() == nil:
						counted[lane].Add(1)
					case refused(err) != ledger.Locked:
						t.Errorf("guess %d: %v", i, err)
					}
				})
			}
			group.Wait()
			strangers, known := counted[ledger.Stranger].Load(), counted[ledger.Known].Load()
			if int(strangers) > c.strangers || int(strangers+known) != c.total {
				t.Errorf("%d strangers and %d known counted, want at most %d and %d in all", strangers, known, c.strangers, c.total)
			}
			if row := r.row(h); row.Tally.Spent != uint64(c.total) {
				t.Errorf("row says %d", row.Tally.Spent)
			}
		})
	}
}

// SixtyHostileDays: a stranger who makes all possible guesses every day neither
// locks out the owner, who verifies through a known link, nor gets more than
// thirty guesses.
func SixtyHostileDays(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	hostile := 0
	for d := range 60 {
		for range 5 { // four are counted, the fifth is not
			_, err := r.try(h, ledger.Stranger, 2)
			switch reason := refused(err); {
			case err == nil:
				hostile++
			case hostile < 30 && reason == ledger.Locked, hostile == 30 && reason == ledger.LaneClosed:
			default:
				t.Fatalf("day %d, after %d hostile guesses: %v", d, hostile, err)
			}
		}
		r.clock.Move(time.Minute)
		r.spend(h, ledger.Known, 2) // the owner mistypes once
		own := r.spend(h, ledger.Known, 2)
		if err := r.settle(r.proof(h, own.S(), false)); err != nil {
			t.Fatalf("day %d: %v", d, err)
		}
		r.clock.Move(day)
	}
	if hostile != 30 {
		t.Errorf("%d hostile guesses, want 30", hostile)
	}
	_, err := r.try(h, ledger.Stranger, 2)
	r.wantRefused(err, ledger.LaneClosed)
	if row := r.row(h); row.Tally.Failures != [2]uint32{30, 0} || row.Tally.Spent != 150 {
		t.Errorf("row %+v", row.Tally)
	}
	own := r.spend(h, ledger.Known, 2)
	if err := r.settle(r.proof(h, own.S(), true)); err != nil {
		t.Fatal(err)
	}
	r.spend(h, ledger.Stranger, 2)
}
