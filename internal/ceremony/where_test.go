package ceremony_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestThePageKnowsHomeOnlyWithTheHolder: the card's region is on a page that may name its
// holder, through a link or after a right PIN; a stranger who typed somebody's number
// hears nothing of where that card is registered (0013).
func TestThePageKnowsHomeOnlyWithTheHolder(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	ch := x.channelIn("app", "", "")
	card := x.linkAgain(ch, goodPIN, true)
	push := func(a liuma.Action, s envelope.Subject) (ceremony.Page, ceremony.Hand) {
		q := x.PushFor(ch, a, s, nil)
		q.Region = "3401"
		return x.OpenPage(ch, q)
	}
	if p, _ := push(liuma.ActionVerify, envelope.Subject{Card: string(card)}); p.Home != x.who.Region || p.NameMasked == "" {
		t.Errorf("through a link: %q", p.Home)
	}
	p, h := push(liuma.ActionLink, identity(x.who))
	if p.Home != "" || p.Region != "3401" {
		t.Errorf("without a link: %q", p.Home)
	}
	p, err := x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil || p.Home != "" {
		t.Fatalf("%q, %v", p.Home, err)
	}
	if p = x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN); p.Home != "" {
		t.Errorf("after a wrong PIN: %q", p.Home)
	}
	if p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN); p.Step != ceremony.StepDone || p.Home != x.who.Region {
		t.Errorf("after a right one: %s, %q", p.Step, p.Home)
	}
}
