package ceremony_test

import (
	"fmt"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestAnApplicationSurvivesADeathAtEveryStep kills the process before and after every durable
// step of a push with evidence, and of redeeming the code that makes the link. The push,
// sent again, goes on with its evidence or tells that it is used; under another number
// nothing passes with it once it was burnt (I-15). The code gives its link once, and the
// card is linked once.
func TestAnApplicationSurvivesADeathAtEveryStep(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		for _, after := range []bool{false, true} {
			if !testkit.EveryStory() && after != (kind == "postgres") {
				continue // each way once, as testkit.Deaths says
			}
			t.Run(fmt.Sprintf("%s/after=%v", kind, after), func(t *testing.T) {
				t.Setenv("LIUMA_TEST_STORE", kind)
				faults := &testkit.Faults{}
				e := testkit.New(t, testkit.Options{Phones: true, Faults: faults, People: 24})
				ch := e.Channel("zj-hrss")
				pushes, tokens := true, true
				for i := 0; pushes || tokens; i++ {
					who := e.People[i]
					q := e.PushFor(ch, liuma.ActionEnroll, testkit.Subject(who), &who)
					other := q
					other.BusinessNo = e.BusinessNo()
					if pushes {
						faults.DieAt(i, after)
						_, err := e.Authority().Push(t.Context(), ch, q)
						died := faults.Revive()
						restart(e)
						pushes = died
						_, again := e.Authority().Push(t.Context(), ch, q)
						if used := liuma.CodeOf(again) == liuma.CodeEvidenceUsed; again != nil && !used || err == nil && !used {
							t.Fatalf("push %d (%v), again: %v", i, err, again)
						}
						if _, err := e.Authority().Push(t.Context(), ch, other); liuma.CodeOf(err) != liuma.CodeEvidenceUsed {
							t.Fatalf("push %d: its evidence passes under another number: %v", i, err)
						}
						q.Challenge = e.Challenge(ch).Value
						q.Evidence = e.Evidence(who, q.Challenge)
					}
					p, h := e.OpenPage(ch, q)
					p, err := e.Authority().Agree(t.Context(), p.ID, h)
					if err != nil {
						t.Fatal(err)
					}
					p = e.GivePIN(e.Code(p, h, who.Phone), h, liuma.RoleNew, goodPIN)
					code := e.WayBack(p, h).Get("code")
					if tokens {
						faults.DieAt(i, after)
					}
					g, err := e.Authority().RedeemCode(t.Context(), ch, code, testkit.RedirectURI, testkit.Verifier)
					if died := faults.Revive(); tokens && died {
						restart(e)
					} else {
						tokens = false
					}
					again, errAgain := e.Authority().RedeemCode(t.Context(), ch, code, testkit.RedirectURI, testkit.Verifier)
					if err == nil && errAgain == nil {
						t.Fatalf("token %d: redeemed twice", i)
					}
					if errAgain != nil && liuma.CodeOf(errAgain) != liuma.CodeCodeInvalid {
						t.Fatalf("token %d, again: %v", i, errAgain)
					}
					card := max(g.Card, again.Card)
					if card == "" { // the answer was lost; the channel asks
						v, err := e.Authority().Verification(t.Context(), ch, q.BusinessNo)
						if err != nil {
							t.Fatal(err)
						}
						card = v.Card
					}
					if v := e.Verify(ch, card, goodPIN); v.Verdict != liuma.Right {
						t.Fatalf("token %d: %+v", i, v)
					}
				}
			})
		}
	}
}
