package ceremony_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestForgotIsNoWayPastTen: a ceremony that ended with a locked PIN is taken up
// again for a reset, but not as the eleventh.
func TestForgotIsNoWayPastTen(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	p, h := x.agreed(x.push(liuma.ActionReset)) // of the ten, so that it counts by the card
	locked, hand := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	for range 6 {
		locked = x.GivePIN(locked, hand, liuma.RoleCurrent, wrongPIN)
	}
	x.want(locked, ceremony.StepRefused, liuma.CodeLocked)
	for range 9 {
		x.agreed(x.push(liuma.ActionReset))
	}
	got, err := x.Authority().Forgot(t.Context(), locked.ID, hand)
	if err != nil || got.Step != ceremony.StepRefused || got.ResetRefused != liuma.CodeTooManyOpen || got.ResetRefusedUntil.IsZero() {
		t.Fatalf("an eleventh: %+v, %v", got, err)
	}
	if _, err := x.Authority().Leave(t.Context(), p.ID, h); err != nil {
		t.Fatal(err)
	}
	if got, err = x.Authority().Forgot(t.Context(), locked.ID, hand); err != nil || got.Step != ceremony.StepCode {
		t.Errorf("with room again: %+v, %v", got, err)
	}
}
