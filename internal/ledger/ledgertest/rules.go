package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

const day = 24 * time.Hour

// step is one step of a story. It makes n guesses, each of which must be
// counted; if reason is set, one more guess follows that must be refused.
type step struct {
	after   time.Duration // since the step before
	lane    ledger.Lane
	reserve int
	n       int
	left    int           // after the last counted one
	settle  bool          // the last counted one was right
	reopen  bool          // and reopens the strangers' lane
	reason  ledger.Reason // why the guess after them is refused
	until   time.Duration // with Locked: from this step
	limits  ledger.Limits
}

const (
	s = ledger.Stranger
	k = ledger.Known
)

// stories has one story for each rule of docs/ARCHITECTURE.md ("Locks and
// lanes").
func stories() map[string][]step {
	return map[string][]step{
		"six lock for a day after the sixth": {
			{lane: s, n: 5, left: 1},
			{after: time.Hour, lane: s, n: 1, left: 0, reason: ledger.Locked, until: day},
			{after: day - time.Millisecond, lane: s, reason: ledger.Locked, until: time.Millisecond},
			{after: time.Millisecond, lane: s, n: 6, left: 0, reason: ledger.Locked, until: day},
		},
		"spends a day apart do not add up": {
			{lane: s, n: 5, left: 1},
			{after: day, lane: s, n: 5, left: 1},
			{after: day - time.Millisecond, lane: s, n: 1, left: 0, reason: ledger.Locked, until: day},
		},
		"the window rolls": {
			{lane: s, n: 1, left: 5},
			{after: 12 * time.Hour, lane: s, n: 4, left: 1},
			{after: 12 * time.Hour, lane: s, n: 1, left: 1},
			{lane: s, n: 1, left: 0, reason: ledger.Locked, until: day},
		},
		"settling the sixth undoes the lock": {
			{lane: k, reserve: 2, n: 6, left: 0, settle: true},
			{lane: k, reserve: 2, n: 6, left: 0, reason: ledger.Locked, until: day},
		},
		"strangers stop at four": {
			{lane: s, reserve: 2, n: 4, left: 0, reason: ledger.Locked, until: day},
			{lane: k, reserve: 2, n: 2, left: 0, reason: ledger.Locked, until: day},
			{after: day, lane: s, reserve: 2, n: 4, left: 0, reason: ledger.Locked, until: day},
		},
		"all together at six": {
			{lane: k, reserve: 2, n: 3, left: 3},
			{lane: s, reserve: 2, n: 3, left: 0, reason: ledger.Locked, until: day},
			{lane: k, reserve: 2, reason: ledger.Locked, until: day},
		},
		"a known proof clears the known lane alone": {
			{lane: s, reserve: 2, n: 4, left: 0},
			{lane: k, reserve: 2, n: 2, left: 0, settle: true},
			{lane: s, reserve: 2, reason: ledger.Locked, until: day},
			{lane: k, reserve: 2, n: 2, left: 0, reason: ledger.Locked, until: day},
		},
		"a known proof that reopens clears both": {
			{lane: s, reserve: 2, n: 4, left: 0},
			{lane: k, reserve: 2, n: 1, left: 1, settle: true, reopen: true},
			{lane: s, reserve: 2, n: 4, left: 0, reason: ledger.Locked, until: day},
		},
		"a stranger's proof clears both": {
			{lane: k, reserve: 2, n: 3, left: 3},
			{lane: s, reserve: 2, n: 3, left: 0, settle: true},
			{lane: k, reserve: 2, n: 6, left: 0, reason: ledger.Locked, until: day},
		},
		"thirty of strangers close their lane for good": append(days(7, step{lane: s, reserve: 2, n: 4, left: 0}),
			step{after: day, lane: s, reserve: 2, n: 2, left: 0, reason: ledger.LaneClosed},
			step{after: 1000 * day, lane: s, reserve: 2, reason: ledger.LaneClosed},
			step{lane: k, reserve: 2, n: 1, left: 5, settle: true},
			step{lane: s, reserve: 2, reason: ledger.LaneClosed},
			step{lane: k, reserve: 2, n: 1, left: 5, settle: true, reopen: true},
			step{lane: s, reserve: 2, n: 4, left: 0},
		),
		"thirty without known links block for good": append(days(4, step{lane: s, n: 6, left: 0}),
			step{after: day, lane: k, n: 6, left: 0, reason: ledger.Blocked},
			step{after: 1000 * day, lane: s, reason: ledger.Blocked},
		),
		"thirty in the known lane block both": append(days(5, step{lane: k, reserve: 2, n: 6, left: 0}),
			step{after: 1000 * day, lane: k, reserve: 2, reason: ledger.Blocked},
			step{lane: s, reserve: 2, reason: ledger.Blocked},
			step{lane: s, reserve: 0, reason: ledger.Blocked},
		),
		"a request tightens": {
			{lane: s, n: 2, left: 0, reason: ledger.Locked, until: 2 * day, limits: ledger.Limits{Attempts: 2, LockFor: 2 * day}},
			{lane: s, n: 4, left: 0, reason: ledger.Locked, until: day},
		},
		"a request does not loosen": {
			{lane: s, n: 6, left: 0, reason: ledger.Locked, until: day, limits: ledger.Limits{Attempts: 60, Window: 1, LockFor: 1, Failures: 99}},
		},
		"a reserve of all leaves strangers one": {
			{lane: s, reserve: 9, n: 1, left: 0, reason: ledger.Locked, until: day},
			{lane: k, reserve: 9, n: 5, left: 0, reason: ledger.Locked, until: day},
		},
	}
}

// days is a step that is repeated each day.
func days(n int, st step) (story []step) {
	for range n {
		st.after = day
		story = append(story, st)
	}
	return story
}

// RulesHold runs every rule as a story, each in one go and with the ledger
// opened again after every step.
func RulesHold(t *testing.T, place func(testing.TB) Place) {
	for name, story := range stories() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, place(t))
			once, again := r.enroll(), r.enroll()
			for _, st := range story {
				r.play(once, st)
			}
			for _, st := range story {
				r.play(again, st)
				// Only after Close is a settlement surely on disk.
				r.reopen()
			}
		})
	}
	t.Run("stale", func(t *testing.T) {
		r := newRig(t, place(t))
		h := r.enroll()
		for _, version := range []liuma.Version{0, 2} {
			req := r.request(h, k, 0)
			req.Version = version
			_, err := r.ledger.Spend(t.Context(), req)
			r.wantRefused(err, ledger.Stale)
		}
		_, err := r.try(newHolder(t), k, 0)
		r.wantRefused(err, ledger.Stale)
	})
	t.Run("malformed", func(t *testing.T) {
		r := newRig(t, place(t))
		h := r.enroll()
		for _, change := range []func(*ledger.SpendRequest){
			func(q *ledger.SpendRequest) { q.Card = liuma.CardID{} },
			func(q *ledger.SpendRequest) { q.Lane = 2 },
			func(q *ledger.SpendRequest) { q.Reserve = -1 },
		} {
			req := r.request(h, k, 0)
			change(&req)
			if _, err := r.ledger.Spend(t.Context(), req); !errors.Is(err, ledger.ErrRequest) {
				t.Errorf("%+v gave %v", req, err)
			}
		}
	})
}

func (r *rig) play(h *holder, st step) {
	r.t.Helper()
	r.clock.Move(st.after)
	req := r.request(h, st.lane, st.reserve)
	req.Limits = st.limits
	var last *ledger.Spent
	for i := range st.n {
		var err error
		if last, err = r.ledger.Spend(r.t.Context(), req); err != nil {
			r.t.Fatalf("%+v: guess %d: %v", st, i+1, err)
		}
	}
	if last != nil && last.Left() != st.left {
		r.t.Fatalf("%+v: left %d", st, last.Left())
	}
	if st.settle {
		if err := r.settle(r.proof(h, last.S(), st.reopen)); err != nil {
			r.t.Fatalf("%+v: %v", st, err)
		}
	}
	if st.reason == "" {
		return
	}
	_, err := r.ledger.Spend(r.t.Context(), req)
	refusal, ok := errors.AsType[*ledger.Refusal](err)
	if !ok || refusal.Reason != st.reason {
		r.t.Fatalf("%+v: got %v", st, err)
	}
	if want := r.clock.Now().Add(st.until); st.reason == ledger.Locked && !refusal.Until.Equal(want) {
		r.t.Fatalf("%+v: locked until %v, want %v", st, refusal.Until, want)
	}
}

// ClockMayNotJump: a jump of the ledger's or the sender's clock neither frees a
// guess nor locks for longer than the rule.
func ClockMayNotJump(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	for _, c := range []struct {
		sender time.Duration
		want   error
	}{
		{time.Minute, nil}, {-time.Minute, nil},
		{time.Minute + time.Millisecond, ledger.ErrClock}, {-time.Minute - time.Millisecond, ledger.ErrClock},
		{-1000 * day, ledger.ErrClock}, {1000 * day, ledger.ErrClock},
	} {
		req := r.request(h, k, 2)
		req.Sender = req.Sender.Add(c.sender)
		if _, err := r.ledger.Spend(t.Context(), req); !errors.Is(err, c.want) {
			t.Fatalf("sender off by %v: %v", c.sender, err)
		}
	}
	req := r.request(h, k, 2)
	req.Sender = time.Time{}
	if _, err := r.ledger.Spend(t.Context(), req); !errors.Is(err, ledger.ErrClock) {
		t.Fatalf("no sender's clock: %v", err)
	}
	written := r.clock.Now()
	r.clock.Move(-time.Minute)
	r.spend(h, k, 2) // a minute back: served, and counted at the later time
	if at := r.row(h).Tally.Recent[2].At; !at.Equal(written) {
		t.Fatalf("counted at %v, before %v", at, written)
	}
	other := r.enroll() // its first guess: only the ledger's clock is used
	if r.spend(other, k, 2); !r.row(other).Tally.Recent[0].At.Equal(written) {
		t.Fatalf("another card counted at %v, before %v", r.row(other).Tally.Recent[0].At, written)
	}
	r.reopen() // the clock comes from the disk, not from memory
	r.clock.Move(-time.Millisecond)
	if _, err := r.try(h, k, 2); !errors.Is(err, ledger.ErrClock) {
		t.Fatalf("own clock behind: %v", err)
	}
	if err := r.settle(r.proof(h, 1, false)); !errors.Is(err, ledger.ErrClock) {
		t.Fatalf("own clock behind, settle: %v", err)
	}
	r.clock.Move(time.Minute + time.Millisecond)
	for range 3 {
		r.spend(h, k, 2)
	}
	_, err := r.try(h, k, 2)
	refusal, ok := errors.AsType[*ledger.Refusal](err)
	if !ok || !refusal.Until.Equal(written.Add(day)) {
		t.Fatalf("after the jumps: %v", err)
	}
	r.clock.Move(day)
	r.spend(h, k, 2)
}
