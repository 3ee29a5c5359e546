package authority_test

import (
	"context"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/keeper"
)

// TestWhatEndedStaysEnded: a ceremony that its holder called off, or that was
// too late, while the keepers worked is over, whatever they come to; the
// channel has been told so.
func TestWhatEndedStaysEnded(t *testing.T) {
	for name, pin := range map[string]string{"right": goodPIN, "wrong": otherPIN} {
		t.Run(name, func(t *testing.T) {
			env, h := hooked(t, "1/1")
			ch := env.Channel("zj-hrss")
			card := env.Enroll(ch, env.People[0], goodPIN)
			q := env.PushFor(ch, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil)
			p, hand := env.OpenPage(ch, q)
			h.set(once(func() {
				if left, err := env.Authority().Leave(context.Background(), p.ID, hand); err != nil || left.Step != authority.StepLeft {
					t.Errorf("leaving: %s, %v", left.Step, err)
				}
			}), nil)
			after := env.GivePIN(p, hand, liuma.RoleCurrent, pin)
			if after.Step != authority.StepLeft || after.Code != liuma.CodeLeft {
				t.Errorf("the page is at %s (%s)", after.Step, after.Code)
			}
			if back := env.WayBack(p, hand); back.Get("code") != "" || back.Get("error_description") != string(liuma.CodeLeft) {
				t.Errorf("the way back is %v", back)
			}
			if v, err := env.Authority().Verification(t.Context(), ch, q.BusinessNo); err != nil || v.Code != liuma.CodeLeft {
				t.Errorf("the channel is told %q, %v", v.Code, err)
			}
		})
	}
}

// TestNobodyLeavesASettingUnderWay: a PIN that is being carried through is set
// whatever the holder presses, so leaving must not say that nothing changed.
func TestNobodyLeavesASettingUnderWay(t *testing.T) {
	env, h := hooked(t, "1/1")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	q := env.PushFor(ch, liuma.ActionChange, envelope.Subject{Card: string(card)}, nil)
	p, hand := env.OpenPage(ch, q)
	h.set(nil, func() func(id keeper.ID) error {
		return once(func() {
			_, err := env.Authority().Leave(context.Background(), p.ID, hand)
			if liuma.CodeOf(err) != liuma.CodeChangeUnderWay {
				t.Errorf("leaving: %v", err)
			}
		})
	}())
	after, err := env.Authority().GivePIN(t.Context(), p.ID, hand, authority.Given{Try: p.Try,
		Old: env.SealPage(p, liuma.RoleOld, goodPIN), New: env.SealPage(p, liuma.RoleNew, otherPIN)})
	if err != nil || after.Step != authority.StepDone {
		t.Fatalf("the page is at %s (%s), %v", after.Step, after.Code, err)
	}
	if v := env.Verify(ch, card, otherPIN); v.Verdict != liuma.Right {
		t.Errorf("the new PIN: %+v", v)
	}
}
