package ceremony_test

import (
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// siege is a hostile neighbour of a card: what it prepares, and how it guesses.
type siege struct {
	name string
	// prepare returns the link through which the owner verifies, and a guess at a
	// wrong PIN.
	prepare func(x *phoned) (owner store.Handle, guess func())
	owner   int    // verifications of the owner that must go through, of 120
	guesses uint64 // guesses of the attacker that may be evaluated
}

// sieges are the rows of the table in docs/SECURITY.md.
func sieges() []siege {
	try := func(x *phoned, c authority.Caller, h store.Handle) func() {
		return func() {
			if v := x.Verify(c, h, wrongPIN); v.Verdict == liuma.Right {
				x.T.Error("a wrong PIN is right")
			}
		}
	}
	return []siege{
		{"strangers with name and ID number", func(x *phoned) (store.Handle, func()) {
			far := []authority.Caller{x.Channel("far-a"), x.Channel("far-b")}
			n := 0
			return x.card, func() {
				n++
				x.tryLink(far[n%2], wrongPIN, false, "")
			}
		}, 120, 30},
		// The thief saw an older PIN and linked the card in the owner's channel.
		{"another account in the same channel", func(x *phoned) (store.Handle, func()) {
			h := x.linkAgain(x.ch, goodPIN, false)
			x.Change(x.ch, x.card, goodPIN, otherPIN)
			x.Change(x.ch, x.card, otherPIN, goodPIN)
			return x.card, try(x, x.ch, h)
		}, 120, 30},
		// The owner's own, known link in another channel, whose server turned bad.
		{"a bad channel", func(x *phoned) (store.Handle, func()) {
			bad := x.Channel("bad")
			return x.card, try(x, bad, x.linkAgain(bad, goodPIN, true))
		}, 116, 40},
	}
}

// settled is the tally of a card once every keeper has the same: right is answered
// before the last of them has counted.
func settled(t *testing.T, env *testkit.Env, card liuma.CardID) uint64 {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		all := counted(t, env, card)
		if slices.Min(all) == slices.Max(all) {
			return all[0]
		}
		if time.Now().After(end) {
			t.Fatalf("the keepers count %v", all)
		}
	}
}

// TestSixtyHostileDays: an attacker tries six wrong PINs a day, for sixty days,
// and the owner verifies twice a day through a known link. Strangers get thirty
// guesses in all and keep the owner out never; a bad channel gets ten more, and
// keeps the owner out until its link is a stranger's.
func TestSixtyHostileDays(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		for i, tt := range sieges() {
			if shape != "1/1" && i > 0 && !testkit.EveryStory() {
				continue // the tally is each keeper's own: one siege shows that three count alike
			}
			t.Run(shape+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				x := newPhoned(t, testkit.Options{Shape: shape})
				owner, guess := tt.prepare(x)
				id := x.link(owner).Card
				base, passed := settled(t, x.Env, id), 0
				for n := range 120 {
					for range 6 * (1 - n%2) { // all at once, just before the owner comes
						guess()
					}
					if v := x.Verify(x.ch, owner, goodPIN); v.Verdict == liuma.Right {
						passed++
					}
					x.Clock.Advance(12 * time.Hour)
				}
				want := tt.guesses + uint64(passed)
				got := counted(t, x.Env, id)[0] - base
				for end := time.Now().Add(time.Minute); got != want && time.Now().Before(end); got = counted(t, x.Env, id)[0] - base {
					time.Sleep(5 * time.Millisecond) // right is answered before the last keeper has
				}
				t.Logf("%d of 120 verifications of the owner went through; %d guesses of the attacker", passed, got-uint64(passed))
				if passed < tt.owner || got > want {
					t.Errorf("owner %d, attacker %d; want at least %d, at most %d", passed, got-uint64(passed), tt.owner, tt.guesses)
				}
			})
		}
	}
}
