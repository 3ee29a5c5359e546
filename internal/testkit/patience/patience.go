// Package patience has a test wait for what another goroutine, process or machine does.
//
// It guarantees that a test ends once the event is there, and fails only after a limit
// that no event of a machine in use comes near: a test that says "within a second" says
// something about its machine. It trusts the caller that nothing but the event makes the
// condition true. In a bubble of testing/synctest the time is that of the bubble.
//
// Start here: Until.
package patience

import (
	"testing"
	"time"
)

// Limit is how long a test waits for an event, also as the time limit of a client or a
// connection that is expected to answer.
const Limit = 3 * time.Minute

// The pause between two looks doubles: what comes soon is seen soon, and what takes long is
// not asked for all the time.
const (
	shortest = time.Millisecond
	longest  = 50 * time.Millisecond
)

// Until looks until f is true, and ends the test if it never is. What completes the
// sentence "never: ".
func Until(t testing.TB, what string, f func() bool) {
	t.Helper()
	pause := shortest
	for end := time.Now().Add(Limit); !f(); pause = min(2*pause, longest) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(pause)
	}
}

// Get waits for the next value of c, and ends the test if none comes. What completes the
// sentence "never: ".
func Get[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	limit := time.NewTimer(Limit)
	defer limit.Stop()
	select {
	case v := <-c:
		return v
	case <-limit.C:
	}
	select {
	case v := <-c: // it came while the machine held this up
		return v
	default:
		t.Fatalf("never: %s", what)
		panic("not reached")
	}
}
