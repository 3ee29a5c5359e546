package testkit_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// mostTrips are the round trips of a verification with a right PIN between an authority that
// is alone and PostgreSQL: two that read who asks and the card, with one that ends the
// snapshot; one that claims the business number; two each that count the guess and store the
// verdict. docs/PERFORMANCE.md says so. A hold of a card, where there are several
// authorities, is one more and is given back with the verdict
// (internal/store/postgres.TestHoldEndsWithTheLastWrite).
const mostTrips = 8

// TestRoundTripsOfAVerification counts them by what the act itself sends, once connections
// have their statements prepared: what an authority does beside, at intervals, is not in it.
func TestRoundTripsOfAVerification(t *testing.T) {
	t.Setenv("LIUMA_TEST_STORE", "postgres")
	e := testkit.New(t, testkit.Options{Phones: true})
	c := e.Channel("app")
	card := e.EnrollPhone(c, e.People[0], "739182")
	for run := range 3 { // the first reads what is read once: rations, and what is prepared
		var mu sync.Mutex
		var sent []string
		trips := 0
		ctx := postgres.Traced(t.Context(), func(s postgres.Statement) {
			mu.Lock()
			defer mu.Unlock()
			mark := "  "
			if s.Begins {
				trips++
				mark = "- "
			}
			sent = append(sent, mark+s.Text)
		})
		v, err := e.Authority().Verify(ctx, c, e.VerifyRequest(c, card, "739182"))
		if err != nil || v.Verdict != liuma.Right {
			t.Fatalf("%+v, %v", v, err)
		}
		mu.Lock()
		if run > 0 && trips > mostTrips {
			t.Errorf("%d round trips, want %d at most:\n%s", trips, mostTrips, strings.Join(sent, "\n"))
		}
		mu.Unlock()
	}
}
