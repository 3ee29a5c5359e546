package ledgertest

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

func (r *rig) propose(h *holder, replaces, version liuma.Version) (*ledger.Proposed, error) {
	return r.ledger.Propose(r.t.Context(), ledger.ProposeRequest{
		Card: h.card, Head: h.head, Version: version, Replaces: replaces, Tag: h.tag(), Sender: r.clock.Now(),
	})
}

// ProposeOncePerVersion checks I-3: a version is proposed at most once, by any
// number of parallel callers, and also across crashes and unanswered requests.
func ProposeOncePerVersion(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll() // version 1, so the mark is 1
	var won atomic.Int64
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			p, err := r.propose(h, 1, 2)
			switch {
			case err == nil && p.Version() == 2 && p.Card() == h.card && p.Redeem() == nil:
				won.Add(1)
				if p.Redeem() == nil {
					t.Error("redeemed twice")
				}
			case refused(err) != ledger.VersionUsed:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 {
		t.Fatalf("version 2 was proposed %d times", won.Load())
	}
	r.crash()
	for _, c := range []struct {
		version liuma.Version
		mark    liuma.Version // of the refusal, or 0
	}{
		{1, 2}, {2, 2}, {1003, 2}, {1002, 0}, {1002, 1002}, {2003, 1002}, {math.MaxUint32, 1002}, {1003, 0},
	} {
		p, err := r.propose(h, 1, c.version)
		refusal, _ := errors.AsType[*ledger.Refusal](err)
		if c.mark == 0 && (err != nil || p.Version() != c.version) || c.mark != 0 &&
			(refusal == nil || refusal.Reason != ledger.VersionUsed || refusal.Mark != c.mark) {
			t.Fatalf("version %d: %+v, %v", c.version, p, err)
		}
	}
	if row := r.row(h); row.Version != 1 || row.Mark != 1003 || row.Tally.Spent != 0 {
		t.Errorf("proposals changed more than the mark: %+v", row)
	}
	if _, err := r.propose(h, 1, 0); !errors.Is(err, ledger.ErrRequest) {
		t.Errorf("version 0: %v", err)
	}
	r.fault.FailAt(r.calls()+1, true) // written to disk, but no caller got an answer
	if _, err := r.propose(h, 1, 1004); !errors.Is(err, ledger.ErrPoisoned) {
		t.Fatal(err)
	}
	r.reopen()
	_, err := r.propose(h, 1, 1004)
	r.wantRefused(err, ledger.VersionUsed)
}

func (r *rig) calls() int {
	calls, _ := r.fault.Calls()
	return calls
}

// CommitIsWholeAndOnce checks the ledger's part of I-7.
func CommitIsWholeAndOnce(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := newHolder(t)
	if _, err := r.propose(h, 0, 5); err != nil {
		t.Fatal(err)
	}
	_, err := r.try(h, ledger.Known, 0)
	r.wantRefused(err, ledger.Stale) // a proposed version is not current
	h.version = 3                    // below the mark and above the current one
	r.commit(h)
	if row := r.row(h); row.Mark != 5 || row.Version != 3 || row.Verifier != h.verifier() || row.KeySet != 1 {
		t.Fatalf("row %+v", row)
	}
	for range 6 {
		r.spend(h, ledger.Stranger, 0)
	}
	locked := r.row(h)
	r.commit(h)
	r.crash()
	r.commit(h)
	if row := r.row(h); row != locked {
		t.Fatalf("the same commitment again changed the row: %+v, was %+v", row, locked)
	}
	_, err = r.try(h, ledger.Stranger, 0)
	r.wantRefused(err, ledger.Locked) // the lock stays: no guess is freed

	for name, change := range map[string]func(*ledger.Commitment){
		"older":          func(c *ledger.Commitment) { c.Version = 2 },
		"other verifier": func(c *ledger.Commitment) { c.Verifier = newHolder(t).verifier() },
		"other key set":  func(c *ledger.Commitment) { c.KeySet = 2 },
	} {
		c := h.commitment()
		c.Replaces = 3
		change(&c)
		_, err := r.ledger.Commit(t.Context(), ledger.CommitRequest{Commitment: c, Sender: r.clock.Now()})
		if refusal, ok := errors.AsType[*ledger.Refusal](err); !ok || refusal.Reason != ledger.Conflict || refusal.At != 3 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*ledger.Commitment){
		"version 0":   func(c *ledger.Commitment) { c.Version = 0 },
		"no verifier": func(c *ledger.Commitment) { c.Verifier = liuma.Verifier{} },
		"no card":     func(c *ledger.Commitment) { c.Card = liuma.CardID{} },
	} {
		c := h.commitment()
		change(&c)
		if _, err := r.ledger.Commit(t.Context(), ledger.CommitRequest{Commitment: c, Sender: r.clock.Now()}); !errors.Is(err, ledger.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	next := newHolder(t)
	next.card, next.version = h.card, 9
	r.commitOver(next, 3)
	_, err = r.try(h, ledger.Stranger, 0)
	r.wantRefused(err, ledger.Stale)
	row := r.row(next)
	if row.Mark != 9 || row.Tally != (ledger.Tally{Spent: 6, Cleared: [2]uint64{6, 6}}) {
		t.Errorf("row after a commit: %+v", row)
	}
	if s := r.spend(next, ledger.Stranger, 0).S(); s != 7 {
		t.Errorf("spend number %d after a commit, want 7", s)
	}
}

// RetireIsReversible: for thirty days, with the counts as they were.
func RetireIsReversible(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	r.spend(h, ledger.Stranger, 0)
	req := func() ledger.RetireRequest { return ledger.RetireRequest{Card: h.card, Sender: r.clock.Now()} }
	must := func(seq uint64, err error) {
		t.Helper()
		if err != nil || seq == 0 {
			t.Fatal(seq, err)
		}
	}
	before := r.row(h)
	must(r.ledger.Unretire(t.Context(), req())) // in use already
	must(r.ledger.Retire(t.Context(), req()))
	retired := r.clock.Now()
	r.crash()
	r.clock.Move(29 * day)
	must(r.ledger.Retire(t.Context(), req())) // does not start the thirty days again
	if row := r.row(h); !row.Retired.Equal(retired) {
		t.Errorf("retired at %v, want %v", row.Retired, retired)
	}
	_, err := r.try(h, ledger.Stranger, 0)
	r.wantRefused(err, ledger.Retired)
	_, err = r.propose(h, 1, 2)
	r.wantRefused(err, ledger.Retired)
	_, err = r.ledger.Commit(t.Context(), ledger.CommitRequest{Commitment: h.commitment(), Sender: r.clock.Now()})
	r.wantRefused(err, ledger.Retired)
	r.clock.Move(day)
	must(r.ledger.Unretire(t.Context(), req()))
	if row := r.row(h); row != before {
		t.Errorf("row %+v, was %+v", row, before)
	}
	must(r.ledger.Retire(t.Context(), req()))
	r.clock.Move(30*day + time.Millisecond)
	_, err = r.ledger.Unretire(t.Context(), req())
	r.wantRefused(err, ledger.Retired)
	if _, err := r.ledger.Retire(t.Context(), ledger.RetireRequest{Sender: r.clock.Now()}); !errors.Is(err, ledger.ErrRequest) {
		t.Errorf("no card: %v", err)
	}
}
