package ceremony_test

import (
	"errors"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestOldPadIsNoTry: what is entered on a pad that is older than the ceremony is
// not tried, and is told apart from the same form sent twice: only the former
// did not count.
func TestOldPadIsNoTry(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	id := cardRow(t, x.Env, x.ch, x.card).ID
	first, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	gave := ceremony.Given{Try: first.Try, Current: x.SealPage(first, liuma.RoleCurrent, wrongPIN)}
	second, err := x.Authority().GivePIN(t.Context(), first.ID, h, gave)
	if err != nil {
		t.Fatal(err)
	}
	before := counted(t, x.Env, id)[0]
	old := func(p ceremony.Page) ceremony.Given {
		return ceremony.Given{Try: p.Try, Current: x.SealPage(p, liuma.RoleCurrent, goodPIN)}
	}
	refused := func(what string, g ceremony.Given, isOld bool) {
		t.Helper()
		_, err := x.Authority().GivePIN(t.Context(), first.ID, h, g)
		if liuma.CodeOf(err) != liuma.CodeCeremonyMoved || errors.Is(err, ceremony.ErrOldPad) != isOld {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("the same form twice", gave, false)
	refused("another entry on the old pad", old(first), true)
	next := x.GivePIN(second, h, liuma.RoleCurrent, wrongPIN)
	refused("the same form, much later", gave, false)
	refused("another entry on a pad that is two tries old", old(first), true)
	if after := counted(t, x.Env, id)[0]; after != before+1 || *next.TriesLeft != 4 {
		t.Errorf("%d guesses counted for one try, %d left", after-before, *next.TriesLeft)
	}
	x.want(x.GivePIN(next, h, liuma.RoleCurrent, goodPIN), ceremony.StepDone, "")
}

// TestSecondPressIsKnown: a form is known again also while its attempt has no
// row yet, as when it is under way, or was not made because its envelope does
// not open.
func TestSecondPressIsKnown(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	other, _ := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	g := ceremony.Given{Try: p.Try, Current: x.SealPage(other, liuma.RoleCurrent, goodPIN)} // bound to another page
	next, err := x.Authority().GivePIN(t.Context(), p.ID, h, g)
	if err != nil || next.Code != liuma.CodeEnvelopeInvalid {
		t.Fatalf("%+v, %v", next, err)
	}
	_, err = x.Authority().GivePIN(t.Context(), p.ID, h, g)
	if liuma.CodeOf(err) != liuma.CodeCeremonyMoved || errors.Is(err, ceremony.ErrOldPad) {
		t.Errorf("the same form twice: %v", err)
	}
}
