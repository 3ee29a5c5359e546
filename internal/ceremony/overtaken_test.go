package ceremony_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestAResetFromTheLockedPageIsToldAsReset: after it neither the callback nor the
// business number says locked, and neither carries a verdict (I-14).
func TestAResetFromTheLockedPageIsToldAsReset(t *testing.T) {
	for _, action := range []liuma.Action{liuma.ActionVerify, liuma.ActionChange, liuma.ActionRebind} {
		t.Run(string(action), func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
			x.lock()
			q := x.push(action)
			p, h := x.OpenPage(x.ch, q)
			if action == liuma.ActionRebind {
				p, h = x.agreed(q)
			}
			x.want(p, ceremony.StepRefused, liuma.CodeLocked)
			if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.Code != liuma.CodeLocked || v.Until.IsZero() {
				t.Fatalf("before: %+v, %v", v, err)
			}
			p, err := x.Authority().Forgot(t.Context(), p.ID, h)
			if err != nil {
				t.Fatal(err)
			}
			p = x.Code(p, h, x.who.Phone)
			p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
			x.want(x.GivePIN(p, h, liuma.RoleNew, "730146"), ceremony.StepReset, liuma.CodePINReset)
			if back := x.WayBack(p, h); back.Get("error_description") != string(liuma.CodePINReset) || back.Get("code") != "" {
				t.Errorf("callback: %v", back)
			}
			v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo)
			if err != nil || v.State != authority.StateDecided || v.Code != liuma.CodePINReset || v.Verdict != "" || v.Receipt != "" || v.TriesLeft != nil || !v.Until.IsZero() {
				t.Errorf("by business number: %+v, %v", v, err)
			}
		})
	}
}
