package keeper

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

const (
	good = "314159"
	bad  = "271828"
)

// TestHonestQuorum plays the national rule at every shape: six wrong PINs lock
// for 24 hours from the sixth, the right PIN is refused meanwhile, and counts
// again afterwards.
func TestHonestQuorum(t *testing.T) {
	for _, shape := range shapes() {
		t.Run(shape.String(), func(t *testing.T) {
			h := newHouse(t, shape)
			q := h.quorum()
			if err := q.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			target := set(t, q, liuma.NewCardID(), 1, good)
			want(t, attemptPIN(t, q, target, good), liuma.Right)
			h.settledAll(target.Card)
			for i := range 6 {
				out := attemptPIN(t, q, target, bad)
				want(t, out, liuma.Wrong)
				if out.TriesLeft != 5-i || out.Evaluated != shape.N {
					t.Fatalf("wrong PIN %d: %+v", i+1, out)
				}
			}
			end := h.clock.Now().Add(24 * time.Hour)
			for _, pin := range []string{good, bad} {
				out := attemptPIN(t, q, target, pin)
				want(t, out, liuma.Locked)
				if !out.Until.Equal(end) || out.Evaluated != 0 {
					t.Fatalf("%+v, want locked until %s", out, end)
				}
			}
			h.clock.Add(24 * time.Hour)
			want(t, attemptPIN(t, q, target, good), liuma.Right)
			if a := h.alarms; len(a) != 0 {
				t.Errorf("alarms: %v", a)
			}
		})
	}
}

// settledAll waits until no keeper holds a spend of the card uncleared.
func (h *house) settledAll(card liuma.CardID) {
	h.t.Helper()
	eventually(h.t, "every keeper settled", func() bool {
		for i := range h.nodes {
			if h.row(i, card).Tally.Kept != 0 {
				return false
			}
		}
		return true
	})
}

// TestRightClearsBeforeTheNextAttempt: at one keeper in process the next
// attempt always finds the settlement, so a holder who mistypes five times a
// day between right PINs is never locked.
func TestRightClearsBeforeTheNextAttempt(t *testing.T) {
	h := newHouse(t, split.Shape{T: 1, N: 1})
	var settled atomic.Int32
	q := h.quorum(at(func(k Keeper) Keeper {
		return &faulty{Keeper: k, settle: func(ctx context.Context, hd Header, list []ledger.Settlement) (Answer, error) {
			settled.Add(int32(len(list)))
			return k.Settle(ctx, hd, list)
		}}
	}, 1))
	target := set(t, q, liuma.NewCardID(), 1, good)
	for day := range int32(4) {
		for i := range 5 {
			out := attemptPIN(t, q, target, bad)
			want(t, out, liuma.Wrong)
			if out.TriesLeft != 5-i {
				t.Fatalf("%d tries left, want %d", out.TriesLeft, 5-i)
			}
		}
		want(t, attemptPIN(t, q, target, good), liuma.Right)
		if n := settled.Load(); n != day+1 {
			t.Fatalf("%d settlements handed over with the verdict, want %d", n, day+1)
		}
	}
}

// TestSettlementOfTheSixthUndoesTheLock: a lock follows from the spends, so the
// proof that the sixth was right takes it away.
func TestSettlementOfTheSixthUndoesTheLock(t *testing.T) {
	h := newHouse(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	for range 5 {
		want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	}
	want(t, attemptPIN(t, q, target, good), liuma.Right)
	h.settledAll(target.Card)
	want(t, attemptPIN(t, q, target, good), liuma.Right)
}

// TestLyingKeeper: with one liar of three the holder gets in and the liar is
// named; wrong stays wrong; and with only one honest keeper there is no
// verdict (I-9).
func TestLyingKeeper(t *testing.T) {
	first := func(s split.Subset) bool { return s == 3 }
	for name, lies := range map[string]func(split.Subset) bool{"everything": nil, "one share": first} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, split.Shape{T: 2, N: 3})
			target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
			q := h.quorum(at(lie(lies), 1))
			want(t, attemptPIN(t, q, target, good), liuma.Right)
			eventually(t, "the liar is named", func() bool { return slices.Equal(h.alarmed(Disagrees), []ID{"k1"}) })
			want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
			if got := h.alarmed(Disagrees); !slices.Contains(got, "k1") {
				t.Errorf("named %v, want k1 among them", got)
			}
			lone := h.quorum(at(lie(lies), 1), at(kill, 3))
			for _, pin := range []string{good, bad} {
				want(t, attemptPIN(t, lone, target, pin), liuma.Unavailable)
				if got := h.alarmed(Disagrees); !slices.Equal(got, []ID{"k1", "k2"}) {
					t.Errorf("named %v, want both that differ", got)
				}
			}
		})
	}
}

// TestHonestHolderGetsInPastBadKeepers: one bad keeper of three, two of five,
// bad in every pairing of ways.
func TestHonestHolderGetsInPastBadKeepers(t *testing.T) {
	locked := func(k Keeper) Keeper {
		return &faulty{Keeper: k, attempt: func(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
			s, err := k.Status(ctx, r.Card)
			return AttemptAnswer{Answer: s.Answer, Refusal: &ledger.Refusal{Reason: ledger.Locked, Until: r.Now.Add(time.Hour)}}, err
		}}
	}
	garbled := func(k Keeper) Keeper {
		return &faulty{Keeper: k, attempt: func(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
			a, err := k.Attempt(ctx, r)
			slices.Reverse(a.Shares)
			return a, err
		}}
	}
	ways := map[string]func(Keeper) Keeper{"lies": lie(nil), "dead": kill, "locked": locked, "garbled": garbled}
	three, five := newHouse(t, split.Shape{T: 2, N: 3}), newHouse(t, split.Shape{T: 3, N: 5})
	honest3, honest5 := three.quorum(), five.quorum()
	for one, x := range ways {
		t.Run("one of three "+one, func(t *testing.T) {
			target := set(t, honest3, liuma.NewCardID(), 1, good)
			want(t, attemptPIN(t, three.quorum(at(x, 2)), target, good), liuma.Right)
		})
		for two, y := range ways {
			t.Run("two of five "+one+" and "+two, func(t *testing.T) {
				target := set(t, honest5, liuma.NewCardID(), 1, good)
				want(t, attemptPIN(t, five.quorum(at(x, 1), at(y, 4)), target, good), liuma.Right)
			})
		}
	}
}

// TestLiarsCannotMakeAWrongPINRight (I-9): t-1 keepers that answer anything
// they like, knowing all that the honest ones answer, do not make a wrong PIN
// right, and never make the authority sign a settlement.
func TestLiarsCannotMakeAWrongPINRight(t *testing.T) {
	for _, shape := range shapes()[1:] {
		t.Run(shape.String(), func(t *testing.T) {
			h := newHouse(t, shape)
			target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
			var settled atomic.Int32
			strategies := map[string]func([]split.Share) []split.Share{
				"honest":    func(s []split.Share) []split.Share { return s },
				"random":    func(s []split.Share) []split.Share { s[0].Point = strangePoint(); return s },
				"all same":  func(s []split.Share) []split.Share { s[1].Point = s[0].Point; return s },
				"swapped":   func(s []split.Share) []split.Share { s[0].Point, s[1].Point = s[1].Point, s[0].Point; return s },
				"zero":      func(s []split.Share) []split.Share { s[0].Point = split.Point{}; return s },
				"too few":   func(s []split.Share) []split.Share { return s[1:] },
				"too many":  func(s []split.Share) []split.Share { return append(s, split.Share{Subset: 6, Point: strangePoint()}) },
				"no shares": func([]split.Share) []split.Share { return nil },
			}
			for name, strategy := range strategies {
				liar := func(k Keeper) Keeper {
					return &faulty{
						Keeper: k,
						attempt: func(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
							a, err := k.Attempt(ctx, r)
							if a.Refusal == nil {
								a.Shares = strategy(slices.Clone(a.Shares))
							}
							return a, err
						},
						settle: func(context.Context, Header, []ledger.Settlement) (Answer, error) {
							settled.Add(1)
							return Answer{}, errDown
						},
					}
				}
				numbers := []int{1, 3}[:shape.T-1]
				q := h.quorum(at(liar, numbers...))
				out := attemptPIN(t, q, target, bad)
				if out.Verdict != liuma.Wrong && out.Verdict != liuma.Unavailable {
					t.Errorf("%s: %+v", name, out)
				}
				h.clock.Add(25 * time.Hour)
			}
			if n := settled.Load(); n != 0 {
				t.Errorf("%d settlements for wrong PINs", n)
			}
		})
	}
}

// TestOneKeeperLockedWhileOthersAreNot: the other two give the verdict; with
// two locked there is a lock until the earlier of them ends.
func TestOneKeeperLockedWhileOthersAreNot(t *testing.T) {
	h := newHouse(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	lock := func(i int) {
		t.Helper()
		for range 6 {
			if _, err := h.nodes[i].Attempt(t.Context(), h.request(target)); err != nil {
				t.Fatal(err)
			}
		}
	}
	lock(0)
	want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	out := attemptPIN(t, q, target, good)
	want(t, out, liuma.Right)
	if got := h.alarmed(Disagrees); len(got) != 0 {
		t.Errorf("alarms about %v: being locked is no lie", got)
	}
	first := h.clock.Now().Add(24 * time.Hour)
	h.clock.Add(time.Hour)
	eventually(t, "settled", func() bool { return h.row(1, target.Card).Tally.Kept == 0 })
	lock(1)
	out = attemptPIN(t, q, target, good)
	want(t, out, liuma.Locked)
	if !out.Until.Equal(first) {
		t.Errorf("locked until %s, want %s", out.Until, first)
	}
}

// request is an attempt sent to a keeper by itself.
func (h *house) request(target Target) AttemptRequest {
	return AttemptRequest{
		Header: Header{Now: h.clock.Now()}, Card: target.Card, Version: target.Version,
		KeySet: target.KeySet, Blinded: strangePoint(),
	}
}

// TestClosedLaneIsBlocked: time does not open the strangers' lane again, so the
// verdict promises no time; known devices still get in.
func TestClosedLaneIsBlocked(t *testing.T) {
	h := newHouse(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	stranger := Guess{Lane: ledger.Stranger, Reserve: 2}
	for day := range 8 {
		for range 4 {
			if _, err := q.Attempt(t.Context(), target, stranger, []byte(bad)); err != nil {
				t.Fatalf("day %d: %v", day, err)
			}
		}
		h.clock.Add(25 * time.Hour)
	}
	out, err := q.Attempt(t.Context(), target, stranger, []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want(t, out, liuma.Blocked)
	known := Guess{Lane: ledger.Known, Reserve: 2, Reopen: true}
	if out, err = q.Attempt(t.Context(), target, known, []byte(good)); err != nil {
		t.Fatal(err)
	}
	want(t, out, liuma.Right)
	h.settledAll(target.Card)
	if out, err = q.Attempt(t.Context(), target, stranger, []byte(good)); err != nil {
		t.Fatal(err)
	}
	want(t, out, liuma.Right)
}

// counting notes every evaluation a keeper gives out.
type counting struct {
	Keeper
	evaluated atomic.Uint64
}

func (c *counting) Attempt(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
	a, err := c.Keeper.Attempt(ctx, r)
	if len(a.Shares) > 0 {
		c.evaluated.Add(1)
	}
	return a, err
}

// TestNothingIsEvaluatedUncounted (I-1): under 200 parallel wrong guesses on
// one card, every keeper evaluates six, and has counted each.
func TestNothingIsEvaluatedUncounted(t *testing.T) {
	for _, shape := range shapes() {
		t.Run(shape.String(), func(t *testing.T) {
			h := newHouse(t, shape)
			counters := make([]*counting, shape.N)
			q := h.quorum(func(i int, k Keeper) Keeper {
				counters[i] = &counting{Keeper: k}
				return counters[i]
			})
			target := set(t, q, liuma.NewCardID(), 1, good)
			var wg sync.WaitGroup
			var wrong, locked atomic.Int32
			for i := range 200 {
				wg.Go(func() {
					out, err := q.Attempt(t.Context(), target, Guess{}, fmt.Appendf(nil, "%06d", i))
					switch {
					case err != nil:
						t.Error(err)
					case out.Verdict == liuma.Wrong:
						wrong.Add(1)
					case out.Verdict == liuma.Locked:
						locked.Add(1)
					}
				})
			}
			wg.Wait()
			for i, c := range counters {
				spent := h.row(i, target.Card).Tally.Spent
				if n := c.evaluated.Load(); n != 6 || spent != 6 {
					t.Errorf("%s: %d evaluated, %d counted, want 6", c.ID(), n, spent)
				}
			}
			// Guesses that meet in different orders at different keepers may
			// get no verdict, but never more than the limit allows.
			if w := wrong.Load(); int(w) > 6*shape.N/shape.T {
				t.Errorf("%d verdicts", w)
			}
			if locked.Load() == 0 {
				t.Error("nobody was locked out")
			}
		})
	}
}

// TestLimitAcrossKeepers: an authority that sends each guess to just two of
// three keepers gets no share key evaluated more than (n-t+1) x 6 times, and
// so at most twelve guesses, however it combines them.
func TestLimitAcrossKeepers(t *testing.T) {
	h := newHouse(t, split.Shape{T: 2, N: 3})
	target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
	perKey := map[split.Subset]int{}
	whole := 0
	for round := range 60 {
		pair := [][2]int{{0, 1}, {1, 2}, {0, 2}}[round%3]
		got := 0
		for _, i := range pair {
			a, err := h.nodes[i].Attempt(t.Context(), h.request(target))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range a.Shares {
				perKey[s.Subset]++
			}
			if a.Refusal == nil {
				got++
			}
		}
		if got == 2 {
			whole++
		}
	}
	for s, n := range perKey {
		if n > 12 {
			t.Errorf("the key of subset %b was used %d times", s, n)
		}
	}
	if whole > 12 || whole < 6 {
		t.Errorf("%d whole guesses, want between 6 and 12", whole)
	}
}

// TestMissedCommit: a keeper that was away for a commit gets it with the next
// attempt while it is owed, and in the background when it answers stale.
func TestMissedCommit(t *testing.T) {
	h := newHouse(t, split.Shape{T: 2, N: 3})
	away := h.quorum(at(kill, 3))
	card := liuma.NewCardID()

	target := set(t, away, card, 1, good)
	if !target.Unacknowledged {
		t.Fatal("all have it, though one was away")
	}
	if v := h.row(2, card).Version; v != 0 {
		t.Fatalf("k3 holds version %d", v)
	}
	q := h.quorum()
	if out := attemptPIN(t, q, target, bad); out.Verdict != liuma.Wrong || out.Evaluated != 3 {
		t.Fatalf("carried commit: %+v, want wrong by all three", out)
	}

	target = set(t, away, card, 2, bad)
	target.Unacknowledged = false
	out := attemptPIN(t, q, target, good)
	want(t, out, liuma.Wrong)
	if out.Evaluated != 2 || out.Stale {
		t.Errorf("%+v, want the other two, and nothing stale about the target", out)
	}
	eventually(t, "k3 caught up", func() bool { return h.row(2, card).Version == 2 })
	if got := h.row(2, card).Tally.Spent; got != 1 {
		t.Errorf("k3 counted %d, want 1: the attempt must not be repeated", got)
	}
	if all, err := q.Commit(t.Context(), target.commitment()); err != nil || !all {
		t.Errorf("repeated commit: all %v, %v", all, err)
	}
}

// TestStaleTarget: when keepers hold a later version than the authority, the
// outcome says so.
func TestStaleTarget(t *testing.T) {
	h := newHouse(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	card := liuma.NewCardID()
	old := set(t, q, card, 1, good)
	set(t, q, card, 2, bad)
	out := attemptPIN(t, q, old, good)
	want(t, out, liuma.Unavailable)
	if !out.Stale || out.Evaluated != 0 {
		t.Errorf("%+v, want stale", out)
	}
	for i := range h.nodes {
		if v := h.row(i, card).Version; v != 2 {
			t.Errorf("k%d went back to version %d", i+1, v)
		}
	}
}

// TestRolledBackKeeper: a keeper whose ledger was put back stops serving and
// is named; the others give the verdict; repaired, it counts as they do.
func TestRolledBackKeeper(t *testing.T) {
	h := newHouse(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	restore := h.snapshot(2)
	q = h.quorumWith(QuorumConfig{Seen: q.Seen()})
	for range 3 {
		want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	}
	eventually(t, "all have answered", func() bool { return q.Seen()["k3"] == h.nodes[2].answer().Sequence })
	seen := q.Seen()
	restore()

	q = h.quorumWith(QuorumConfig{Seen: seen})
	want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	eventually(t, "k3 is named", func() bool { return slices.Equal(h.alarmed(RolledBack), []ID{"k3"}) })
	before := h.nodes[2].answer().Incarnation

	if err := h.nodes[2].Repair(t.Context(), seen["k3"], h.nodes[0]); !errors.Is(err, ErrPeers) {
		t.Errorf("repair from one peer: %v, want ErrPeers", err)
	}
	if err := h.nodes[2].Readmit(t.Context(), seen["k3"]); !errors.Is(err, ErrPeers) {
		t.Errorf("readmit beside others: %v, want ErrPeers", err)
	}
	if err := h.nodes[2].Repair(t.Context(), seen["k3"], h.nodes[0], h.nodes[1]); err != nil {
		t.Fatal(err)
	}
	if after := h.nodes[2].answer(); after.Incarnation == before || after.Sequence <= seen["k3"] {
		t.Errorf("repaired: %+v, want a new incarnation above %d", after, seen["k3"])
	}
	if own, peer := h.row(2, target.Card).Tally, h.row(0, target.Card).Tally; own.Failures != peer.Failures || own.Spent < peer.Spent {
		t.Errorf("repaired: %+v, want no less than %+v", own, peer)
	}
	out := attemptPIN(t, q, target, bad)
	want(t, out, liuma.Wrong)
	if out.Evaluated != 3 || out.TriesLeft != 1 {
		t.Errorf("%+v, want all three and one try left", out)
	}
	if got := h.alarmed(RolledBack); len(got) != 0 {
		t.Errorf("named again: %v", got)
	}
}

// TestRollbackAtOneOfOne: the only keeper stops until its operator readmits it.
func TestRollbackAtOneOfOne(t *testing.T) {
	h := newHouse(t, split.Shape{T: 1, N: 1})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	restore := h.snapshot(0)
	q = h.quorumWith(QuorumConfig{Seen: q.Seen()})
	want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	seen := q.Seen()
	restore()
	q = h.quorumWith(QuorumConfig{Seen: seen})
	want(t, attemptPIN(t, q, target, good), liuma.Unavailable)
	if got := h.alarmed(RolledBack); !slices.Equal(got, []ID{"k1"}) {
		t.Errorf("named %v, want k1", got)
	}
	if err := h.nodes[0].Repair(t.Context(), seen["k1"]); !errors.Is(err, ErrPeers) {
		t.Errorf("repair from nobody: %v, want ErrPeers", err)
	}
	if err := h.nodes[0].Readmit(t.Context(), seen["k1"]); err != nil {
		t.Fatal(err)
	}
	want(t, attemptPIN(t, q, target, good), liuma.Right)
}

// TestAnswerBelowSeenIsNotUsed: a rolled-back keeper that does not look at what
// the sender has seen is caught by the sender.
func TestAnswerBelowSeenIsNotUsed(t *testing.T) {
	h := newHouse(t, split.Shape{T: 2, N: 3})
	forgetful := func(k Keeper) Keeper {
		return &faulty{Keeper: k, attempt: func(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
			r.Seen = 0
			a, err := k.Attempt(ctx, r)
			a.Sequence = 1
			return a, err
		}}
	}
	target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
	q := h.quorumWith(QuorumConfig{Seen: map[ID]uint64{"k2": 2}}, at(forgetful, 2))
	out := attemptPIN(t, q, target, bad)
	if out.Verdict != liuma.Wrong || out.Evaluated != 2 {
		t.Errorf("%+v, want wrong by the other two", out)
	}
	if got := h.alarmed(RolledBack); !slices.Equal(got, []ID{"k2"}) {
		t.Errorf("named %v, want k2", got)
	}
}

// TestClockAlarm: a keeper whose clock is off refuses, and is named.
func TestClockAlarm(t *testing.T) {
	h := newHouse(t, split.Shape{T: 1, N: 1})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	q.now = func() time.Time { return h.clock.Now().Add(2 * time.Minute) }
	want(t, attemptPIN(t, q, target, good), liuma.Unavailable)
	if got := h.alarmed(ClockOff); !slices.Equal(got, []ID{"k1"}) {
		t.Errorf("named %v, want k1", got)
	}
}

// TestProposals: a version is proposed once (I-3), liars are refused, and
// fewer than q evaluations set no PIN.
func TestProposals(t *testing.T) {
	h := newHouse(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	card := liuma.NewCardID()
	set(t, q, card, 1, good)
	propose := func(q *Quorum, v liuma.Version) error {
		_, err := q.Propose(t.Context(), card, v, []byte(good))
		return err
	}
	if err := propose(q, 1); !errors.Is(err, ErrVersionUsed) {
		t.Errorf("version 1 again: %v, want ErrVersionUsed", err)
	}
	if err := propose(q, 1002); !errors.Is(err, ErrVersionUsed) {
		t.Errorf("version far above: %v, want ErrVersionUsed", err)
	}
	if err := propose(h.quorum(at(lie(nil), 2)), 2); !errors.Is(err, ErrDisagree) {
		t.Errorf("a liar: %v, want ErrDisagree", err)
	}
	if got := h.alarmed(Disagrees); !slices.Equal(got, []ID{"k2"}) {
		t.Errorf("named %v, want k2", got)
	}
	if err := propose(h.quorum(at(kill, 1, 3)), 3); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("two dead: %v, want ErrNoQuorum", err)
	}
	if err := propose(h.quorum(at(kill, 1)), 4); err != nil {
		t.Errorf("one dead: %v", err)
	}
	for i := range h.nodes {
		if got := h.row(i, card).Tally.Spent; got != 0 {
			t.Errorf("k%d counted %d guesses for proposals", i+1, got)
		}
	}
}

// TestNoTwoProposalsOfAVersionSucceed (I-3): of many that race, at most one
// has its verifier.
func TestNoTwoProposalsOfAVersionSucceed(t *testing.T) {
	for _, shape := range shapes() {
		h := newHouse(t, shape)
		q := h.quorum()
		card := liuma.NewCardID()
		for v := range liuma.Version(10) {
			var won atomic.Int32
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					_, err := q.Propose(t.Context(), card, v+1, fmt.Appendf(nil, "%06d", i))
					if err == nil {
						won.Add(1)
					} else if !errors.Is(err, ErrVersionUsed) {
						t.Errorf("%s: %v", shape, err)
					}
				})
			}
			wg.Wait()
			if n := won.Load(); n > 1 {
				t.Errorf("%s: version %d was proposed %d times", shape, v+1, n)
			}
		}
	}
}

// TestCommits: q acknowledgements are enough, fewer are not, and a version is
// committed with one verifier.
func TestCommits(t *testing.T) {
	h := newHouse(t, split.Shape{T: 2, N: 3})
	c := ledger.Commitment{Card: liuma.NewCardID(), Version: 1, KeySet: h.keySet, Verifier: liuma.Verifier{1}}
	commit := func(q *Quorum, c ledger.Commitment) (bool, error) { return q.Commit(t.Context(), c) }
	if _, err := commit(h.quorum(at(kill, 1, 2)), c); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("two dead: %v, want ErrNoQuorum", err)
	}
	if all, err := commit(h.quorum(at(kill, 3)), c); err != nil || all {
		t.Errorf("one dead: all %v, %v", all, err)
	}
	q := h.quorum()
	for range 2 {
		if all, err := commit(q, c); err != nil || !all {
			t.Errorf("repeated: all %v, %v", all, err)
		}
	}
	other := c
	other.Verifier = liuma.Verifier{2}
	if _, err := commit(q, other); !errors.Is(err, ErrStale) {
		t.Errorf("another verifier: %v, want ErrStale", err)
	}
	other.Version = 2
	if all, err := commit(q, other); err != nil || !all {
		t.Errorf("next version: all %v, %v", all, err)
	}
	if _, err := commit(q, c); !errors.Is(err, ErrStale) {
		t.Errorf("the version before: %v, want ErrStale", err)
	}
}

func TestQuorumRefusesMistakes(t *testing.T) {
	h := newHouse(t, split.Shape{T: 1, N: 1})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	change := func(f func(*Target, *Guess)) (Target, Guess) {
		tt, g := target, Guess{}
		f(&tt, &g)
		return tt, g
	}
	for name, f := range map[string]func(*Target, *Guess){
		"no card":     func(t *Target, _ *Guess) { t.Card = liuma.CardID{} },
		"no version":  func(t *Target, _ *Guess) { t.Version = 0 },
		"no key set":  func(t *Target, _ *Guess) { t.KeySet = 0 },
		"no verifier": func(t *Target, _ *Guess) { t.Verifier = liuma.Verifier{} },
		"no lane":     func(_ *Target, g *Guess) { g.Lane = 2 },
		"reserve":     func(_ *Target, g *Guess) { g.Reserve = -1 },
		"reopen":      func(_ *Target, g *Guess) { g.Reopen = true },
	} {
		tt, g := change(f)
		if _, err := q.Attempt(t.Context(), tt, g, []byte(good)); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v, want ErrRequest", name, err)
		}
	}
	if _, err := q.Attempt(t.Context(), target, Guess{}, nil); !errors.Is(err, ErrRequest) {
		t.Errorf("no secret: %v, want ErrRequest", err)
	}
	if _, err := q.Propose(t.Context(), target.Card, 0, []byte(good)); !errors.Is(err, ErrRequest) {
		t.Errorf("no version: %v, want ErrRequest", err)
	}
	if _, err := q.Commit(t.Context(), ledger.Commitment{Card: target.Card}); !errors.Is(err, ErrRequest) {
		t.Errorf("no verifier: %v, want ErrRequest", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if out, err := q.Attempt(ctx, target, Guess{}, []byte(good)); !errors.Is(err, context.Canceled) || out.Verdict != liuma.Unavailable {
		t.Errorf("cancelled: %+v, %v", out, err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Attempt(t.Context(), target, Guess{}, []byte(good)); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v, want ErrClosed", err)
	}
	if err := q.Ready(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v, want ErrClosed", err)
	}
	if got := h.row(0, target.Card).Tally.Spent; got != 0 {
		t.Errorf("%d guesses counted for mistakes", got)
	}
}

func TestNewQuorumRefuses(t *testing.T) {
	ok := func() QuorumConfig {
		return QuorumConfig{
			Keepers: []Keeper{dead{"k1"}, dead{"k2"}, dead{"k3"}}, Shape: split.Shape{T: 2, N: 3}, KeySet: 1,
			Now: time.Now, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler),
		}
	}
	for name, f := range map[string]func(*QuorumConfig){
		"shape":        func(c *QuorumConfig) { c.Shape = split.Shape{T: 1, N: 3} },
		"too few":      func(c *QuorumConfig) { c.Keepers = c.Keepers[1:] },
		"same id":      func(c *QuorumConfig) { c.Keepers[1] = dead{"k1"} },
		"no id":        func(c *QuorumConfig) { c.Keepers[1] = dead{""} },
		"nil keeper":   func(c *QuorumConfig) { c.Keepers[1] = nil },
		"no key set":   func(c *QuorumConfig) { c.KeySet = 0 },
		"no clock":     func(c *QuorumConfig) { c.Now = nil },
		"no random":    func(c *QuorumConfig) { c.Random = nil },
		"no logger":    func(c *QuorumConfig) { c.Logger = nil },
		"bad pendings": func(c *QuorumConfig) { c.MaxPending = -1 },
	} {
		c := ok()
		f(&c)
		if q, err := NewQuorum(c); err == nil {
			t.Errorf("%s: taken", name)
			q.Close()
		}
	}
	q, err := NewQuorum(ok())
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}
