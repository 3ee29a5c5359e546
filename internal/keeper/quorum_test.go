package keeper

import (
	"context"
	"fmt"
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
			h := newHarness(t, shape)
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
func (h *harness) settledAll(card liuma.CardID) {
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
	h := newHarness(t, split.Shape{T: 1, N: 1})
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
	h := newHarness(t, split.Shape{T: 2, N: 3})
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
			h := newHarness(t, split.Shape{T: 2, N: 3})
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
	three, five := newHarness(t, split.Shape{T: 2, N: 3}), newHarness(t, split.Shape{T: 3, N: 5})
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
			h := newHarness(t, shape)
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
	h := newHarness(t, split.Shape{T: 2, N: 3})
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

// request is an attempt for one keeper alone.
func (h *harness) request(target Target) AttemptRequest {
	return AttemptRequest{
		Header: Header{Now: h.clock.Now()}, Card: target.Card, Version: target.Version,
		KeySet: target.KeySet, Blinded: strangePoint(),
	}
}

// TestClosedLaneIsBlocked: time does not open the strangers' lane again, so the
// verdict promises no time; known links still get in.
func TestClosedLaneIsBlocked(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
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

// counting counts every evaluation that a keeper gives out.
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
			h := newHarness(t, shape)
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
	h := newHarness(t, split.Shape{T: 2, N: 3})
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
