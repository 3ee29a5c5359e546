package ceremony_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestChangeSurvivesADeathAtEveryStep kills the process before and after every
// durable step of a change. Afterwards exactly one of the two PINs is right,
// and an acknowledged change is never lost (I-7).
func TestChangeSurvivesADeathAtEveryStep(t *testing.T) {
	for _, death := range testkit.Deaths("1/1", "2/3") {
		shape, after := death.Shape, death.After
		t.Run(fmt.Sprintf("%s/after=%v", shape, after), func(t *testing.T) {
			faults := &testkit.Faults{}
			env := testkit.New(t, testkit.Options{Shape: shape, Faults: faults})
			ch := env.Channel("zj-hrss")
			card := env.Enroll(ch, env.People[0], goodPIN)
			pins := []string{goodPIN, otherPIN}
			steps := 0
			for ; ; steps++ {
				q := env.ChangeRequest(ch, card, pins[0], pins[1])
				faults.DieAt(steps, after)
				v, err := env.Authority().Change(context.Background(), ch, q)
				died := faults.Revive()
				restart(env)
				acknowledged := err == nil && v.Verdict == liuma.Right
				now := whichPIN(t, env, ch.Client.ID, card, pins)
				if acknowledged && now != 1 {
					t.Fatalf("step %d: an acknowledged change was lost", steps)
				}
				if now == 1 {
					pins[0], pins[1] = pins[1], pins[0]
				}
				if !died {
					break
				}
			}
			if steps < 6 {
				t.Errorf("a change took only %d durable steps", steps)
			}
		})
	}
}

// restart is a new process on the same data, past the lease of the old one.
func restart(env *testkit.Env) {
	env.Close()
	env.Open()
}

// whichPIN returns which of two PINs is right, and fails unless exactly one is.
func whichPIN(t *testing.T, env *testkit.Env, channel string, card store.Handle, pins []string) int {
	t.Helper()
	c, err := env.Authority().Client(t.Context(), channel)
	if err != nil {
		t.Fatal(err)
	}
	right := -1
	for i, p := range pins {
		v := env.Verify(testCaller(c), card, p)
		switch v.Verdict {
		case liuma.Right:
			if right >= 0 {
				t.Fatal("both PINs are right")
			}
			right = i
		case liuma.Wrong:
		default:
			t.Fatalf("PIN %d: %+v", i, v)
		}
	}
	if right < 0 {
		t.Fatal("neither PIN is right")
	}
	// Clears the wrong guess of this look.
	env.Verify(testCaller(c), card, pins[right])
	return right
}

// TestEnrolSurvivesADeathAtEveryStep does this for the first PIN: the holder
// ends up with the card, or can enrol again.
func TestEnrolSurvivesADeathAtEveryStep(t *testing.T) {
	for _, death := range testkit.Deaths("2/3") {
		after := death.After
		faults := &testkit.Faults{}
		env := testkit.New(t, testkit.Options{Shape: "2/3", Faults: faults, People: 40})
		ch := env.Channel("zj-hrss")
		for steps := 0; ; steps++ {
			who := env.People[steps]
			q := env.EnrollRequest(ch, who, goodPIN)
			faults.DieAt(steps, after)
			v, err := env.Authority().Enroll(context.Background(), ch, q)
			died := faults.Revive()
			restart(env)
			card := v.Card
			if err != nil || v.Verdict != liuma.Right {
				v, err := env.Authority().Enroll(t.Context(), ch, env.EnrollRequest(ch, who, otherPIN))
				switch {
				case liuma.CodeOf(err) == liuma.CodeAlreadyEnrolled:
					link, err := env.Authority().Link(t.Context(), ch, env.LinkRequest(ch, who, goodPIN))
					if err != nil || link.Verdict != liuma.Right {
						t.Fatalf("step %d: enrolled, but %+v, %v", steps, link, err)
					}
					card = link.Card
				case err != nil:
					t.Fatalf("step %d: cannot enrol again: %v", steps, err)
				default:
					card = v.Card
				}
			}
			whichPIN(t, env, ch.Client.ID, card, []string{goodPIN, otherPIN})
			if !died {
				break
			}
		}
	}
}

// TestVerifyIsUndecidedAfterADeath: a business number that was taken and not
// decided stays so, and its guess stays counted (I-1, I-9, I-11).
func TestVerifyIsUndecidedAfterADeath(t *testing.T) {
	for _, death := range testkit.Deaths("1/1") {
		after := death.After
		faults := &testkit.Faults{}
		env := testkit.New(t, testkit.Options{Faults: faults})
		ch := env.Channel("zj-hrss")
		for steps := 0; ; steps++ {
			card := env.Enroll(ch, env.People[steps], goodPIN)
			q := env.VerifyRequest(ch, card, wrongPIN)
			faults.DieAt(steps, after)
			v, err := env.Authority().Verify(context.Background(), ch, q)
			died := faults.Revive()
			restart(env)
			said, askErr := env.Authority().Verification(t.Context(), ch, q.BusinessNo)
			if err == nil && v.Verdict == liuma.Wrong && (askErr != nil || said.Verdict != liuma.Wrong) {
				t.Fatalf("step %d: a verdict was given that is not on disk: %+v, %v", steps, said, askErr)
			}
			// Asking again under the same number never makes a second attempt.
			if askErr == nil && !died {
				break
			}
			if askErr == nil && said.Verdict == "" {
				again, err := env.Authority().Verify(t.Context(), ch, q)
				if err != nil || again.Verdict != "" {
					t.Fatalf("step %d: an undecided number was decided later: %+v, %v", steps, again, err)
				}
			}
		}
	}
}

// TestConcurrentChangesOfOneCard: many changes at once, from the same old PIN
// to different new ones. One succeeds; only its PIN is right.
func TestConcurrentChangesOfOneCard(t *testing.T) {
	env := testkit.New(t, testkit.Options{Shape: "2/3"})
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	pins := []string{"835271", "904738", "627159", "382916"}
	won := make([]bool, len(pins))
	var wg sync.WaitGroup
	for i, p := range pins {
		q := env.ChangeRequest(ch, card, goodPIN, p)
		wg.Go(func() {
			v, err := env.Authority().Change(context.Background(), ch, q)
			won[i] = err == nil && v.Verdict == liuma.Right
		})
	}
	wg.Wait()
	right := -1
	for i := range pins {
		if won[i] && right >= 0 {
			t.Fatal("two changes from one PIN were acknowledged")
		}
		if won[i] {
			right = i
		}
	}
	if right < 0 {
		t.Fatal("no change was acknowledged")
	}
	if v := env.Verify(ch, card, pins[right]); v.Verdict != liuma.Right {
		t.Errorf("the winner's PIN: %+v", v)
	}
}
