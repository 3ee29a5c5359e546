package keeper

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// TestVerdictsRestOnAQuorum (I-9) draws the behaviour of every keeper and
// checks the verdict against the rules: right and wrong rest on t evaluations,
// t honest keepers are enough, t-1 liars never make a wrong PIN right.
func TestVerdictsRestOnAQuorum(t *testing.T) {
	kits := map[split.Shape][]*fakeKeeper{}
	targets := map[split.Shape]Target{}
	for _, shape := range shapes() {
		kits[shape] = newFakes(t, shape)
		targets[shape] = fakeTarget(t, kits[shape], "314159")
	}
	rapid.Check(t, func(rt *rapid.T) {
		shape := rapid.SampledFrom(shapes()).Draw(rt, "shape")
		right := rapid.Bool().Draw(rt, "right")
		fakes := kits[shape]
		count := map[string]int{}
		for _, f := range fakes {
			does := rapid.SampledFrom([]string{"honest", "honest", "honest", "liar", "down", "locked", "blocked", "lane", "stale"}).Draw(rt, string(f.id))
			count[does]++
			sc := script{lying: does == "liar"}
			switch does {
			case "down":
				sc.before = down
			case "locked":
				sc.refuse = &ledger.Refusal{Reason: ledger.Locked, Until: time.Unix(1e9, 0)}
			case "blocked":
				sc.refuse = &ledger.Refusal{Reason: ledger.Blocked}
			case "lane":
				sc.refuse = &ledger.Refusal{Reason: ledger.LaneClosed}
			case "stale":
				sc.refuse = &ledger.Refusal{Reason: ledger.Stale, At: 2}
			}
			f.does(sc)
		}
		pin := "314159"
		if !right {
			pin = "271828"
		}
		q, alarms := fakeQuorum(t, fakes)
		q.worksOn(targets[shape])
		out, err := q.Attempt(context.Background(), targets[shape], Guess{}, []byte(pin))
		if err != nil {
			rt.Fatal(err)
		}
		if err := q.Close(); err != nil {
			rt.Fatal(err)
		}
		evaluated := count["honest"] + count["liar"]
		forever := count["blocked"] + count["lane"]
		expect := liuma.Unavailable
		switch {
		case right && count["honest"] >= shape.T:
			expect = liuma.Right
		// With t = 1 a lone keeper's lie cannot be noticed: there is no other
		// answer.
		case count["honest"] >= shape.T || shape.N == 1 && evaluated == 1:
			expect = liuma.Wrong
		case shape.N-forever < shape.T:
			expect = liuma.Blocked
		case shape.N-forever-count["locked"] < shape.T:
			expect = liuma.Locked
		}
		if out.Verdict != expect {
			rt.Fatalf("%s, right=%v, %v: %+v, want %s", shape, right, count, out, expect)
		}
		// Right is given at once, perhaps before some keeper has answered.
		if expect == liuma.Right && (out.Evaluated < shape.T || out.Evaluated > evaluated) {
			rt.Fatalf("%v: %+v", count, out)
		} else if expect != liuma.Right && (out.Evaluated != evaluated || out.Stale != (count["stale"] > 0)) {
			rt.Fatalf("%v: %+v", count, out)
		}
		if out.Verdict == liuma.Locked && !out.Until.Equal(time.Unix(1e9, 0)) {
			rt.Fatalf("locked until %s", out.Until)
		}
		disagree := 0
		for _, a := range alarms() {
			if a.Fault == Disagrees {
				disagree++
			}
		}
		switch liars := count["liar"]; {
		case expect == liuma.Right && disagree > liars:
			rt.Fatalf("%v: %d alarms for %d liars", count, disagree, liars)
		case expect != liuma.Right && shape.N > 1 && liars > 0 && evaluated > 1 && disagree == 0:
			rt.Fatalf("%v: no alarm", count)
		case liars == 0 && disagree > 0:
			rt.Fatalf("%v: %d alarms about honest keepers", count, disagree)
		}
	})
}

// TestUntilIsWhenAQuorumIsPossible: of three keepers one is locked for an hour
// and another for two, so two answer again after the first hour.
func TestUntilIsWhenAQuorumIsPossible(t *testing.T) {
	base := time.Unix(1e9, 0)
	for _, tt := range []struct {
		shape split.Shape
		hours []int // locked for so many; 0: evaluates; -1: blocked
		want  int
	}{
		{split.Shape{T: 1, N: 1}, []int{5}, 5},
		{split.Shape{T: 2, N: 3}, []int{1, 2, 0}, 1},
		{split.Shape{T: 2, N: 3}, []int{3, 1, 2}, 2},
		{split.Shape{T: 2, N: 3}, []int{-1, 4, 0}, 4},
		{split.Shape{T: 3, N: 5}, []int{5, 4, 3, 0, 0}, 3},
		{split.Shape{T: 3, N: 5}, []int{5, 4, 3, -1, 0}, 4},
		{split.Shape{T: 3, N: 5}, []int{5, 1, 2, 3, 4}, 3},
	} {
		a := &attempt{q: &Quorum{shape: tt.shape}, answers: make([]answered, tt.shape.N)}
		for i, h := range tt.hours {
			switch {
			case h > 0:
				a.answers[i].state = refused
				a.answers[i].Refusal = &ledger.Refusal{Reason: ledger.Locked, Until: base.Add(time.Duration(h) * time.Hour)}
			case h < 0:
				a.answers[i].state = refused
				a.answers[i].Refusal = &ledger.Refusal{Reason: ledger.Blocked}
			default:
				a.answers[i].state = evaluated
			}
		}
		v, until := a.barred()
		if v != liuma.Locked || !until.Equal(base.Add(time.Duration(tt.want)*time.Hour)) {
			t.Errorf("%s %v: %s until %s, want locked for %d h", tt.shape, tt.hours, v, until.Sub(base), tt.want)
		}
	}
}

// TestTriesLeftIsWhatAQuorumHas: it is the t-th largest number that the keepers
// have left.
func TestTriesLeftIsWhatAQuorumHas(t *testing.T) {
	a := &attempt{q: &Quorum{shape: split.Shape{T: 2, N: 3}}, answers: make([]answered, 3)}
	for i, left := range []int{5, 0, 3} {
		a.answers[i] = answered{state: evaluated, AttemptAnswer: AttemptAnswer{Left: left}}
	}
	a.agreed = true
	if out, ok := a.decide(true); !ok || out.TriesLeft != 3 || out.Evaluated != 3 {
		t.Errorf("%+v, want 3 tries left", out)
	}
	a.answers[2] = answered{}
	if out, _ := a.decide(true); out.TriesLeft != 0 {
		t.Errorf("%+v, want no tries left: one keeper has none and one is silent", out)
	}
}

// TestSlowKeeper: right does not wait for a slow keeper, which gets its
// settlement when it has answered; wrong waits 500 ms for it and no longer.
func TestSlowKeeper(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 2, N: 3})
	target := fakeTarget(t, fakes, "314159")
	for _, f := range fakes {
		f.forget()
	}
	synctest.Test(t, func(t *testing.T) {
		fakes[1].does(script{before: after(2 * time.Second)})
		q, alarms := fakeQuorum(t, fakes)
		defer q.Close()

		start := time.Now()
		want(t, attemptPIN(t, q, target, "314159"), liuma.Right)
		if d := time.Since(start); d != 0 {
			t.Errorf("right after %s, want at once", d)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for _, f := range fakes {
			if n := len(f.spends(target.Verifier)); n != 1 || f.noted().attempts != 1 {
				t.Errorf("%s: %d spends settled, %d attempts, want one of each", f.id, n, f.noted().attempts)
			}
		}

		start = time.Now()
		out := attemptPIN(t, q, target, "271828")
		want(t, out, liuma.Wrong)
		if d := time.Since(start); d != 500*time.Millisecond || out.Evaluated != 2 {
			t.Errorf("wrong after %s on %d evaluations, want 500ms on 2", d, out.Evaluated)
		}
		time.Sleep(10 * time.Second)
		if a := alarms(); len(a) != 0 {
			t.Errorf("alarms about slow keepers: %v", a)
		}
	})
}

// TestDeadKeeperHoldsNothingUp: with one refused connection the verdicts come
// at once; with two there is no verdict.
func TestDeadKeeperHoldsNothingUp(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 2, N: 3})
	target := fakeTarget(t, fakes, "314159")
	synctest.Test(t, func(t *testing.T) {
		fakes[0].does(script{before: down})
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		start := time.Now()
		want(t, attemptPIN(t, q, target, "314159"), liuma.Right)
		want(t, attemptPIN(t, q, target, "271828"), liuma.Wrong)
		fakes[2].does(script{before: down})
		out := attemptPIN(t, q, target, "314159")
		want(t, out, liuma.Unavailable)
		if d := time.Since(start); d != 0 || out.Evaluated != 1 {
			t.Errorf("%s and %+v, want no time and one evaluation", d, out)
		}
		if err := q.Ready(t.Context()); err == nil {
			t.Error("ready with one keeper of three")
		}
	})
}

// TestHungKeepers: keepers that never answer give no verdict, after Call.
func TestHungKeepers(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 2, N: 3})
	target := fakeTarget(t, fakes, "314159")
	synctest.Test(t, func(t *testing.T) {
		fakes[0].does(script{before: after(time.Hour)})
		fakes[1].does(script{before: after(time.Hour)})
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		q.worksOn(target)
		start := time.Now()
		want(t, attemptPIN(t, q, target, "314159"), liuma.Unavailable)
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("after %s, want 5s", d)
		}

		// A caller that disconnects gets no verdict, and the guess goes on.
		fakes[1].does(script{before: after(time.Second)})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		out, err := q.Attempt(ctx, target, Guess{}, []byte("314159"))
		if err == nil || out.Verdict != liuma.Unavailable {
			t.Errorf("cancelled: %+v, %v", out, err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(fakes[1].spends(target.Verifier)); n != 1 {
			t.Errorf("%d spends settled of a guess whose caller went away, want 1", n)
		}
	})
}

// TestHangingKeeperIsNotAskedForEver: beyond a bound of unanswered calls it is
// not called any more, and the others go on.
func TestHangingKeeperIsNotAskedForEver(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 2, N: 3})
	target := fakeTarget(t, fakes, "314159")
	synctest.Test(t, func(t *testing.T) {
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		q.members[2].calls.Store(maxCalls)
		want(t, attemptPIN(t, q, target, "314159"), liuma.Right)
		synctest.Wait()
		if n := fakes[2].noted().attempts; n != 0 || q.members[2].calls.Load() != maxCalls {
			t.Errorf("asked %d times", n)
		}
		q.members[2].calls.Store(0)
		want(t, attemptPIN(t, q, target, "271828"), liuma.Wrong)
		if n := fakes[2].noted().attempts; n != 1 {
			t.Errorf("asked %d times once it answers, want 1", n)
		}
	})
}

// TestLiarBesideASlowKeeper: two answers that differ are no verdict; when the
// third comes, there is one.
func TestLiarBesideASlowKeeper(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 2, N: 3})
	target := fakeTarget(t, fakes, "314159")
	synctest.Test(t, func(t *testing.T) {
		fakes[0].does(script{lying: true})
		fakes[1].does(script{before: after(2 * time.Second)})
		q, alarms := fakeQuorum(t, fakes)
		defer q.Close()
		start := time.Now()
		want(t, attemptPIN(t, q, target, "314159"), liuma.Right)
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("after %s, want 2s", d)
		}
		if a := alarms(); len(a) != 1 || a[0].Keeper != "k1" || a[0].Fault != Disagrees {
			t.Errorf("alarms %v, want k1 disagrees", a)
		}
	})
}

// TestSettlementsAreRepeated until acknowledged, more and more slowly, and
// travel with the card's next attempt.
func TestSettlementsAreRepeated(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 2, N: 3})
	target := fakeTarget(t, fakes, "314159")
	synctest.Test(t, func(t *testing.T) {
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		start := time.Now()
		for _, f := range fakes {
			f.does(script{deaf: func() bool { return time.Since(start) < time.Hour }})
		}
		want(t, attemptPIN(t, q, target, "314159"), liuma.Right)
		synctest.Wait()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for _, f := range fakes {
			// Once at once, after 1, 3, 7, 15, 31 s, then every minute.
			if n := f.noted().refusals; n < 12 || n > 18 {
				t.Errorf("%s: sent %d times in ten minutes", f.id, n)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		for i, f := range fakes {
			if n := len(f.spends(target.Verifier)); n != 1 {
				t.Errorf("%s: %d proofs came, want 1", f.id, n)
			}
			if n := q.members[i].cardsWaiting(); n != 0 {
				t.Errorf("%s: %d cards still wait", f.id, n)
			}
			f.does(script{deaf: func() bool { return true }})
			f.forget()
		}
		want(t, attemptPIN(t, q, target, "314159"), liuma.Right)
		synctest.Wait()
		want(t, attemptPIN(t, q, target, "271828"), liuma.Wrong)
		for i, f := range fakes {
			if n := f.noted().carried; n != 1 || q.members[i].cardsWaiting() != 0 {
				t.Errorf("%s: %d proofs came with the next attempt, want 1", f.id, n)
			}
		}
	})
}

// proofOf is a settlement of one spend, without a signature.
func proofOf(card liuma.CardID, v liuma.Version, s uint64) ledger.Settlement {
	return ledger.Settlement{Card: card, Version: v, KeySet: 1, Spends: []ledger.SettledSpend{{Keeper: "k1", S: s}}}
}

func TestPendingSettlementsAreBounded(t *testing.T) {
	m := &member{pending: map[liuma.CardID][]ledger.Settlement{}}
	card := liuma.CardID{1}
	for s := range uint64(10) {
		if !m.keep(proofOf(card, 1, s), 2) {
			t.Fatal("no room for a card that waits already")
		}
	}
	if got := m.waiting(card); len(got) != perCard || got[perCard-1].Spends[0].S != 9 {
		t.Errorf("%v, want the last %d", got, perCard)
	}
	m.keep(proofOf(card, 2, 11), 2)
	if got := m.waiting(card); len(got) != 1 {
		t.Errorf("%v, want only that of the new version", got)
	}
	if !m.keep(proofOf(liuma.CardID{2}, 1, 1), 2) || m.keep(proofOf(liuma.CardID{3}, 1, 1), 2) {
		t.Error("not two cards")
	}
	m.acknowledged([]ledger.Settlement{proofOf(card, 2, 12), proofOf(card, 1, 11)})
	if len(m.waiting(card)) != 1 {
		t.Error("another settlement's acknowledgement took this one")
	}
	m.acknowledged(m.batch(MaxSettlements))
	if len(m.pending) != 0 {
		t.Error("acknowledged settlements still wait")
	}
}

// TestProposeWaitsASecondForAll: a slow keeper is waited for, because only
// shares that two hold can be checked, but not longer.
func TestProposeWaitsASecondForAll(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 2, N: 3})
	synctest.Test(t, func(t *testing.T) {
		q, alarms := fakeQuorum(t, fakes)
		defer q.Close()
		fakes[0].does(script{before: after(time.Hour)})
		start := time.Now()
		a, err := q.Propose(t.Context(), before(liuma.CardID{1}, 1), 1, 1, []byte("314159"))
		if err != nil || time.Since(start) != time.Second {
			t.Fatalf("%v after %s, want nil after 1s", err, time.Since(start))
		}
		fakes[0].does(script{before: after(900 * time.Millisecond)})
		fakes[1].does(script{before: down})
		start = time.Now()
		b, err := q.Propose(t.Context(), before(liuma.CardID{1}, 1), 1, 1, []byte("314159"))
		if err != nil || time.Since(start) != 900*time.Millisecond || a != b {
			t.Fatalf("%v after %s, want nil after 900ms, and the same verifier", err, time.Since(start))
		}
		if len(alarms()) != 0 {
			t.Errorf("alarms: %v", alarms())
		}
	})
}

// TestCommitWaitsShortlyForStragglers, and then says that not all have it.
func TestCommitWaitsShortlyForStragglers(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 3, N: 5})
	c := ledger.Commitment{Card: liuma.CardID{1}, Version: 1, KeySet: 1, Verifier: liuma.Verifier{1}, Tag: ledger.Tag{1}}
	synctest.Test(t, func(t *testing.T) {
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		for _, tt := range []struct {
			delay, want time.Duration
			all         bool
		}{{0, 0, true}, {50 * time.Millisecond, 50 * time.Millisecond, true}, {time.Second, 100 * time.Millisecond, false}} {
			fakes[4].does(script{before: after(tt.delay)})
			start := time.Now()
			all, err := q.Commit(t.Context(), c, Head{})
			if err != nil || all != tt.all || time.Since(start) != tt.want {
				t.Errorf("straggler of %s: all %v, %v after %s", tt.delay, all, err, time.Since(start))
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// TestOneBadProofDoesNotHoldUpTheOthers: of a refused batch, a proof that is
// refused alone is dropped and the rest arrives.
func TestOneBadProofDoesNotHoldUpTheOthers(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 1, N: 1})
	synctest.Test(t, func(t *testing.T) {
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		m := q.members[0]
		picky := &faulty{Keeper: fakes[0], settle: func(ctx context.Context, h Header, list []ledger.Settlement) (Answer, error) {
			for _, s := range list {
				if s.Spends[0].S == 2 {
					return Answer{}, ledger.ErrSettlement
				}
			}
			return fakes[0].Settle(ctx, h, list)
		}}
		m.Keeper = picky
		for s := range uint64(4) {
			m.keep(proofOf(liuma.CardID{byte(s + 1)}, 1, s+1), 10)
		}
		m.wake <- struct{}{}
		synctest.Wait()
		var got []uint64
		for _, s := range fakes[0].noted().settled {
			got = append(got, s.Spends[0].S)
		}
		slices.Sort(got)
		if !slices.Equal(got, []uint64{1, 3, 4}) || m.cardsWaiting() != 0 {
			t.Errorf("%v came and %d wait, want 1, 3 and 4, and none", got, m.cardsWaiting())
		}
	})
}
