package ledgertest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// SpentOnlyAfterDurable checks I-1: no Spent before its number is on disk, and
// each Spent allows one evaluation.
func SpentOnlyAfterDurable(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	entered, release := r.fault.Hold()
	defer release() // also after a failure: closing the ledger waits for its write
	answers := make(chan *ledger.Spent, 1)
	go func() {
		spent, err := r.try(h, ledger.Stranger, 0)
		if err != nil {
			t.Error(err)
		}
		answers <- spent
	}()
	const patience = 2 * time.Minute
	select {
	case <-entered:
	case spent := <-answers:
		t.Fatalf("answered %+v without a write", spent)
	case <-time.After(patience):
		t.Fatal("neither a write nor an answer")
	}
	select {
	case spent := <-answers:
		t.Fatalf("answered %+v before it was durable", spent)
	case <-time.After(20 * time.Millisecond):
	}
	before := r.row(h).Tally.Spent
	release()
	var spent *ledger.Spent
	select {
	case spent = <-answers:
	case <-time.After(patience):
	}
	if spent == nil {
		t.Fatal("no answer")
	}
	if before != 0 || spent.S() != 1 || spent.Card() != h.card || spent.Version() != 1 || spent.KeySet() != 1 ||
		spent.Sequence() != 2 || spent.Incarnation() != r.ledger.Meta().Incarnation {
		t.Errorf("spent %+v, row said %d before", spent, before)
	}
	r.crash()
	if got := r.row(h).Tally.Spent; got != 1 {
		t.Fatalf("after a crash %d guesses are on disk, want 1", got)
	}
	redeemOnce(t, spent)
	if r.spend(h, ledger.Stranger, 0).S() != 2 {
		t.Error("a spend number was given twice")
	}
}

func redeemOnce(t *testing.T, spent *ledger.Spent) {
	t.Helper()
	var redeemed atomic.Int64
	var group sync.WaitGroup
	for range 50 {
		copied := *spent
		group.Go(func() {
			if copied.Redeem() == nil {
				redeemed.Add(1)
			}
		})
	}
	group.Wait()
	if n := redeemed.Load(); n != 1 {
		t.Errorf("redeemed %d times", n)
	}
	var none *ledger.Spent
	for _, s := range []*ledger.Spent{spent, {}, none} {
		if err := s.Redeem(); !errors.Is(err, ledger.ErrUsed) {
			t.Errorf("redeemed a used or made-up spend: %v", err)
		}
	}
	if err := (&ledger.Proposed{}).Redeem(); !errors.Is(err, ledger.ErrUsed) {
		t.Errorf("redeemed a made-up proposal: %v", err)
	}
}

// FaultsNeverFreeAGuess fails every call to the backend in turn, before it is
// done and after. No failed request gives a Spent; the ledger stops; after it
// is opened again, every answered guess is still counted.
func FaultsNeverFreeAGuess(t *testing.T, place func(testing.TB) Place) {
	for _, late := range []bool{false, true} {
		for at := 1; ; at++ {
			r := newRig(t, place(t))
			r.fault.FailAt(at, late)
			answered, failed := r.faultStory()
			if !failed {
				if at < 8 {
					t.Fatalf("the story makes %d calls only", at)
				}
				break
			}
			r.checkPoisoned(at, late)
			r.reopen()
			for h, a := range answered {
				row := r.row(h)
				if row.Tally.Spent < a.spent || row.Tally.Spent > a.spent+a.pending {
					t.Errorf("fault %d (late %v): %d on disk, answered %d, asked %d more", at, late, row.Tally.Spent, a.spent, a.pending)
				}
				if row.Mark < a.mark || row.Version < a.version {
					t.Errorf("fault %d (late %v): row %+v, answered %+v", at, late, row, a)
				}
				if late && a.pending > 0 && row.Tally.Spent != a.spent+1 {
					t.Errorf("fault %d after the write: a durable guess is not counted: %+v", at, row.Tally)
				}
			}
			r.ledger.Close()
		}
	}
}

// answers holds the ledger's answers about a card.
type answers struct {
	spent, pending uint64 // guesses with an answer, and without one
	mark, version  liuma.Version
}

// faultStory plays one request of each kind on two cards until one fails.
func (r *rig) faultStory() (map[*holder]*answers, bool) {
	told := map[*holder]*answers{}
	for range 2 {
		h := newHolder(r.t)
		a := &answers{}
		told[h] = a
		for _, do := range []func() error{
			func() error {
				p, err := r.propose(h, 0, 1)
				if err == nil {
					a.mark = p.Version()
				}
				return err
			},
			func() error {
				_, err := r.ledger.Commit(r.t.Context(), ledger.CommitRequest{Commitment: h.commitment(), Sender: r.clock.Now()})
				if err == nil {
					a.version = 1
				}
				return err
			},
			func() error { return r.faultGuess(h, a) },
			func() error { return r.faultGuess(h, a) },
			func() error { return r.settle(r.proof(h, 2, false)) },
			func() error { return r.faultGuess(h, a) },
		} {
			err := do()
			if err == nil {
				continue
			}
			if !errors.Is(err, ledger.ErrPoisoned) || !errors.Is(err, ErrInjected) {
				r.t.Errorf("a fault became %v", err)
			}
			return told, true
		}
	}
	return told, false
}

func (r *rig) faultGuess(h *holder, a *answers) error {
	a.pending++
	spent, err := r.try(h, ledger.Stranger, 0)
	if err != nil {
		if spent != nil {
			r.t.Errorf("a failed guess gave %+v", spent)
		}
		return err
	}
	a.pending--
	a.spent = spent.S()
	return nil
}

func (r *rig) checkPoisoned(at int, late bool) {
	r.t.Helper()
	calls, _ := r.fault.Calls()
	h := newHolder(r.t)
	_, spendErr := r.try(h, ledger.Stranger, 0)
	_, proposeErr := r.propose(h, 0, 1)
	_, commitErr := r.ledger.Commit(r.t.Context(), ledger.CommitRequest{Commitment: h.commitment(), Sender: r.clock.Now()})
	_, rowErr := r.ledger.Row(r.t.Context(), h.card)
	mergeErr := r.ledger.Merge(r.t.Context(), []ledger.Row{{Card: h.card}})
	_, readmitErr := r.ledger.Readmit(r.t.Context(), 0)
	for i, err := range []error{spendErr, proposeErr, commitErr, rowErr, mergeErr, readmitErr, r.settle(), r.ledger.Poisoned()} {
		if !errors.Is(err, ledger.ErrPoisoned) {
			r.t.Errorf("fault %d (late %v): request %d after it gave %v", at, late, i, err)
		}
	}
	if after, _ := r.fault.Calls(); after != calls {
		r.t.Errorf("fault %d: a poisoned ledger used its backend", at)
	}
}

// RefusalsWriteNothing: a refused request costs no write and changes no row.
func RefusalsWriteNothing(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	for range 6 {
		r.spend(h, ledger.Stranger, 0)
	}
	row, meta := r.row(h), r.ledger.Meta()
	_, applied := r.fault.Calls()
	r.clock.Move(time.Hour)
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			_, err := r.try(h, ledger.Stranger, 0)
			if refused(err) != ledger.Locked {
				t.Error(err)
			}
		})
	}
	group.Wait()
	_, err := r.propose(h, 1, 1)
	r.wantRefused(err, ledger.VersionUsed)
	r.commit(h) // the same again
	if _, again := r.fault.Calls(); again != applied || r.row(h) != row || r.ledger.Meta() != meta {
		t.Errorf("refusals wrote: %d writes, were %d; meta %+v, was %+v", again, applied, r.ledger.Meta(), meta)
	}
}

// OneBatchCountsACardTwice: guesses that share a write are applied one after
// another.
func OneBatchCountsACardTwice(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h, other := r.enroll(), r.enroll()
	_, before := r.fault.Calls()
	entered, release := r.fault.Hold()
	var group sync.WaitGroup
	group.Go(func() { r.try(other, ledger.Stranger, 0) })
	<-entered
	numbers := make(chan uint64, 20)
	for range 20 {
		group.Go(func() {
			if spent, err := r.try(h, ledger.Stranger, 0); err == nil {
				numbers <- spent.S()
			}
		})
	}
	time.Sleep(250 * time.Millisecond) // all twenty are in the queue, on a busy machine too
	release()
	group.Wait()
	close(numbers)
	seen := map[uint64]bool{}
	for n := range numbers {
		seen[n] = true
	}
	_, after := r.fault.Calls()
	if len(seen) != 6 || r.row(h).Tally.Spent != 6 {
		t.Errorf("counted %d, row says %d; want 6", len(seen), r.row(h).Tally.Spent)
	}
	if after-before > 3 {
		t.Errorf("%d writes for two batches", after-before)
	}
	if seq := r.ledger.Meta().Sequence; seq != uint64(after) {
		t.Errorf("sequence %d after %d writes", seq, after)
	}
}

// CloseDrains: Close answers the requests in the queue and refuses later ones.
func CloseDrains(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	own := r.spend(h, ledger.Stranger, 0)
	entered, release := r.fault.Hold()
	var group sync.WaitGroup
	var answered atomic.Int64
	for range 5 {
		group.Go(func() {
			if _, err := r.try(h, ledger.Stranger, 0); err == nil {
				answered.Add(1)
			} else {
				t.Error(err)
			}
		})
	}
	<-entered
	time.Sleep(10 * time.Millisecond)
	if err := r.settle(r.proof(h, own.S(), false)); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- r.ledger.Close() }()
	time.Sleep(10 * time.Millisecond)
	if _, err := r.try(h, ledger.Stranger, 0); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("a closing ledger answered %v", err)
	}
	release()
	group.Wait()
	if err := <-closed; err != nil || answered.Load() != 5 {
		t.Errorf("close: %v, %d answered", err, answered.Load())
	}
	if _, err := r.ledger.Row(t.Context(), h.card); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("a closed ledger read a row: %v", err)
	}
	r.open()
	if row := r.row(h); row.Tally.Spent != 6 || row.Tally.Cleared[0] != own.S() {
		t.Errorf("after close: %+v", row.Tally)
	}
}

// CancelledCallersAreCounted: a caller that cancels gets no Spent, and its
// guess stays counted.
func CancelledCallersAreCounted(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	ctx, cancel := context.WithCancel(t.Context())
	entered, release := r.fault.Hold()
	defer release()
	failed := make(chan error, 1)
	go func() {
		spent, err := r.ledger.Spend(ctx, r.request(h, ledger.Stranger, 0))
		if spent != nil {
			t.Error("a caller that went away got a Spent")
		}
		failed <- err
	}()
	<-entered
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	if s := r.spend(h, ledger.Stranger, 0).S(); s != 2 {
		t.Errorf("next spend number %d, want 2", s)
	}
	if _, err := r.ledger.Spend(ctx, r.request(h, ledger.Stranger, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s := r.spend(h, ledger.Stranger, 0).S(); s != 3 {
		t.Errorf("a request that came cancelled was counted: next number %d", s)
	}
}
