package ceremony_test

import (
	"testing"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestWhatHoldersDoNamesTheirChannel: an entry of a holder on a page says through which
// channel, so that it is tallied there.
func TestWhatHoldersDoNamesTheirChannel(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	n := 0
	for _, e := range events(t, x.Env) {
		if e.Event != audit.CodeSent {
			continue
		}
		if n++; e.Through() != x.ch.Channel() {
			t.Errorf("%s of %s with %q is through %q", e.Event, e.Actor, e.Note, e.Through())
		}
	}
	if n == 0 {
		t.Error("no one-time code was sent")
	}
}
