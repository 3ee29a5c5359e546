package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liuma-pin/liuma/internal/ledger"
)

const day = 24 * time.Hour

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// guess is one spend of the naive model.
type guess struct {
	at      time.Time
	lane    ledger.Lane
	cleared bool
}

// history is the naive model of a tally: all guesses ever, number i+1 at i.
// Every rule is written here anew, in the words of docs/ARCHITECTURE.md ("Locks
// and lanes"), and compared with Tally.
type history []guess

func (h history) uncleared(lanes ...ledger.Lane) (out []int) {
	for i, g := range h {
		for _, lane := range lanes {
			if !g.cleared && g.lane == lane {
				out = append(out, i)
			}
		}
	}
	return out
}

func (h history) clock(now time.Time) time.Time {
	for _, g := range h {
		if !g.cleared && g.at.After(now) {
			now = g.at
		}
	}
	return now
}

// locked: the last n uncleared spends of the lanes lie within the window.
func (h history) locked(now time.Time, n int, l ledger.Limits, lanes ...ledger.Lane) (until time.Time) {
	u := h.uncleared(lanes...)
	if len(u) < n {
		return time.Time{}
	}
	first, last := h[u[len(u)-n]].at, h[u[len(u)-1]].at
	if last.Sub(first) < l.Window && now.Before(last.Add(l.LockFor)) {
		return last.Add(l.LockFor)
	}
	return time.Time{}
}

func (h history) refusal(now time.Time, lane ledger.Lane, reserve int, l ledger.Limits) *ledger.Refusal {
	now = h.clock(now)
	strangers, known := len(h.uncleared(ledger.Stranger)), len(h.uncleared(ledger.Known))
	switch {
	case known >= l.Failures, reserve == 0 && strangers+known >= l.Failures:
		return &ledger.Refusal{Reason: ledger.Blocked}
	case reserve > 0 && lane == ledger.Stranger && strangers >= l.Failures:
		return &ledger.Refusal{Reason: ledger.LaneClosed}
	}
	until := h.locked(now, l.Attempts, l, ledger.Stranger, ledger.Known)
	if lane == ledger.Stranger && reserve > 0 {
		if u := h.locked(now, max(1, l.Attempts-reserve), l, ledger.Stranger); u.After(until) {
			until = u
		}
	}
	if until.IsZero() {
		return nil
	}
	return &ledger.Refusal{Reason: ledger.Locked, Until: until}
}

// left counts how many guesses in a row are taken until the first refusal.
func (h history) left(now time.Time, lane ledger.Lane, reserve int, l ledger.Limits) (n int) {
	h = append(history{}, h...)
	for h.refusal(now, lane, reserve, l) == nil {
		h = append(h, guess{at: h.clock(now), lane: lane})
		n++
	}
	return n
}

// clear settles number s.
func (h history) clear(s uint64, both bool) {
	later := 0
	for i := len(h) - 1; i >= 0; i-- {
		if uint64(i)+1 > s && !h[i].cleared {
			later++
		}
	}
	if s == 0 || s > uint64(len(h)) || h[s-1].cleared || later > 5 {
		return
	}
	both = both || h[s-1].lane == ledger.Stranger
	for i := range h[:s] {
		if both || h[i].lane == ledger.Known {
			h[i].cleared = true
		}
	}
}

// TestTallyAgainstAllGuesses compares the tally, which keeps twelve spends,
// with the model that keeps every one, over random stories.
func TestTallyAgainstAllGuesses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := ledger.Limits{
			Attempts: rapid.IntRange(1, 6).Draw(t, "attempts"),
			Window:   time.Duration(rapid.IntRange(1, 30).Draw(t, "window")) * time.Hour,
			LockFor:  time.Duration(rapid.IntRange(1, 30).Draw(t, "lock")) * time.Hour,
			Failures: rapid.IntRange(1, 30).Draw(t, "failures"),
		}
		now := start
		var tally ledger.Tally
		var model history
		lane := rapid.SampledFrom([]ledger.Lane{ledger.Stranger, ledger.Known})
		reserve := rapid.SampledFrom([]int{0, 2, 7})
		t.Repeat(map[string]func(*rapid.T){
			"guess": func(t *rapid.T) {
				lane, reserve := lane.Draw(t, "lane"), reserve.Draw(t, "reserve")
				for range rapid.IntRange(1, 7).Draw(t, "times") {
					left, refusal := tally.Check(now, lane, reserve, limits)
					if want := model.refusal(now, lane, reserve, limits); !cmp.Equal(refusal, want) {
						t.Fatalf("refusal %v, want %v", refusal, want)
					}
					if want := model.left(now, lane, reserve, limits); left != want {
						t.Fatalf("left %d, want %d", left, want)
					}
					if refusal != nil {
						return
					}
					model = append(model, guess{at: model.clock(now), lane: lane})
					if s := tally.Spend(now, lane); s != uint64(len(model)) {
						t.Fatalf("spend number %d, want %d", s, len(model))
					}
				}
			},
			"settle": func(t *rapid.T) {
				back := rapid.IntRange(0, 8).Draw(t, "back")
				s := uint64(max(0, len(model)-back))
				both := rapid.Bool().Draw(t, "both")
				// A ledger's clock never goes back. If a tally is given one
				// that does, the newest spend's time is used until that spend
				// is cleared.
				now := model.clock(now)
				before := tally
				tally.Clear(s, both)
				model.clear(s, both)
				onlyRises(t, before, tally)
				for _, r := range []int{0, 2} {
					for _, lane := range []ledger.Lane{ledger.Stranger, ledger.Known} {
						had, _ := before.Check(now, lane, r, limits)
						if has, _ := tally.Check(now, lane, r, limits); has < had {
							t.Fatalf("a proof took guesses away: %d, had %d", has, had)
						}
					}
				}
			},
			"commit": func(t *rapid.T) {
				if rapid.IntRange(0, 4).Draw(t, "rare") > 0 {
					return
				}
				before := tally
				tally.Reset()
				for i := range model {
					model[i].cleared = true
				}
				onlyRises(t, before, tally)
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(40*time.Hour)).Draw(t, "wait")))
				now = now.Truncate(time.Millisecond)
			},
			"clock back": func(t *rapid.T) {
				now = now.Add(-time.Duration(rapid.IntRange(1, 50).Draw(t, "hours")) * time.Hour)
			},
			"": func(t *rapid.T) {
				data, err := tally.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				var read ledger.Tally
				if err := read.UnmarshalBinary(data); err != nil || read != tally {
					t.Fatalf("read back %+v (%v), want %+v", read, err, tally)
				}
				for lane, n := range tally.Failures {
					if want := len(model.uncleared(ledger.Lane(lane))); int(n) != want {
						t.Fatalf("lane %d has %d failures, want %d", lane, n, want)
					}
				}
			},
		})
	})
}

type failer interface{ Fatalf(string, ...any) }

// onlyRises checks I-2.
func onlyRises(t failer, before, after ledger.Tally) {
	if after.Spent < before.Spent || after.Cleared[0] < before.Cleared[0] || after.Cleared[1] < before.Cleared[1] {
		t.Fatalf("spent or cleared fell: %+v, was %+v", after, before)
	}
}

// TestCountsOnlyRise: every operation on a tally leaves spent and cleared as
// they were or higher, and cleared rises only to a spend that was settled, or
// to all at a commit (I-2).
func TestCountsOnlyRise(t *testing.T) {
	var tally ledger.Tally
	for i := range 200 {
		before := tally
		now := start.Add(time.Duration(i) * 7 * time.Hour)
		s := tally.Spend(now, ledger.Lane(i%2))
		if s != before.Spent+1 || tally.Cleared != before.Cleared {
			t.Fatalf("spend %d cleared something: %+v", s, tally)
		}
		before = tally
		switch {
		case i%5 == 0:
			tally.Clear(s-2, i%3 == 0)
			for lane, c := range tally.Cleared {
				if c != before.Cleared[lane] && c != s-2 {
					t.Fatalf("cleared to %d by a proof of %d", c, s-2)
				}
			}
		case i%37 == 0:
			tally.Reset()
			if tally.Cleared != [2]uint64{s, s} || tally.Kept != 0 {
				t.Fatalf("a commit left %+v", tally)
			}
		case i%11 == 0:
			tally.Refund(s)
		}
		onlyRises(t, before, tally)
	}
}

// TestKnownGuessesDoNotPushOutStrangers shows why a tally keeps six of each
// lane: with six in all, settled guesses of a known link would shorten the
// strangers' lock.
func TestKnownGuessesDoNotPushOutStrangers(t *testing.T) {
	l := ledger.NationalLimits()
	var tally ledger.Tally
	for _, h := range []int{0, 1, 2, 23} {
		tally.Spend(start.Add(time.Duration(h)*time.Hour), ledger.Stranger)
	}
	now := start.Add(24 * time.Hour)
	var s uint64
	for range 6 {
		s = tally.Spend(now, ledger.Known)
	}
	tally.Clear(s, false)
	_, refusal := tally.Check(now, ledger.Stranger, 2, l)
	want := &ledger.Refusal{Reason: ledger.Locked, Until: start.Add(47 * time.Hour)}
	if !cmp.Equal(refusal, want) {
		t.Errorf("stranger: %+v, want %+v", refusal, want)
	}
	if left, refusal := tally.Check(now, ledger.Known, 2, l); refusal != nil || left == 0 {
		t.Errorf("known link refused: %+v", refusal)
	}
}

// TestLateProofsAreLost: with six uncleared guesses after it, a proof can no
// longer tell how many of them are failures, and is ignored.
func TestLateProofsAreLost(t *testing.T) {
	for later := range 9 {
		var tally ledger.Tally
		s := tally.Spend(start, ledger.Stranger)
		for i := range later {
			tally.Spend(start.Add(time.Duration(i)*day), ledger.Known)
		}
		before := tally
		if took := tally.Clear(s, false); took != (later < 6) || !took && tally != before {
			t.Errorf("%d later guesses: taken %v, %+v", later, took, tally)
		}
		if tally.Failures[ledger.Known] != uint32(later) {
			t.Errorf("%d later guesses, %d failures", later, tally.Failures[ledger.Known])
		}
	}
}

// TestRefundTakesBackOne: the authority's own record forgets a guess that no
// keeper evaluated, and never uses its number again.
func TestRefundTakesBackOne(t *testing.T) {
	l := ledger.NationalLimits()
	var tally ledger.Tally
	for range 5 {
		tally.Spend(start, ledger.Stranger)
	}
	for range 20 {
		left, refusal := tally.Check(start, ledger.Stranger, 0, l)
		if left != 1 || refusal != nil {
			t.Fatalf("left %d, %v; want 1", left, refusal)
		}
		s := tally.Spend(start, ledger.Stranger)
		if _, refusal := tally.Check(start, ledger.Stranger, 0, l); refusal == nil {
			t.Fatal("sixth guess does not lock")
		}
		tally.Refund(s)
		tally.Refund(s) // the second time finds nothing
	}
	if tally.Spent != 25 || tally.Failures != [2]uint32{5, 0} || tally.Validate() != nil {
		t.Errorf("%+v: %v", tally, tally.Validate())
	}
}

// TestInvalidLimitsRefuse: invalid limits must not count as no limits.
func TestInvalidLimitsRefuse(t *testing.T) {
	for _, l := range []ledger.Limits{{}, {Attempts: 7, Window: 1, LockFor: 1, Failures: 1}, {Attempts: 6, Window: time.Hour, LockFor: time.Hour}} {
		if _, refusal := (ledger.Tally{}).Check(start, ledger.Known, 0, l); refusal == nil {
			t.Errorf("%+v allowed a guess", l)
		}
	}
}

func TestTightenNeverLoosens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, least, attempts int) ledger.Limits {
			return ledger.Limits{
				Attempts: rapid.IntRange(least, attempts).Draw(t, name),
				Window:   time.Duration(rapid.IntRange(least, 99).Draw(t, name)),
				LockFor:  time.Duration(rapid.IntRange(least, 99).Draw(t, name)),
				Failures: rapid.IntRange(least, 99).Draw(t, name),
			}
		}
		own := draw("own", 1, 6)
		got := own.Tighten(draw("request", -1, 9))
		if got.Validate() != nil || got.Attempts > own.Attempts || got.Failures > own.Failures || got.Window < own.Window || got.LockFor < own.LockFor {
			t.Fatalf("%+v became %+v", own, got)
		}
	})
}
