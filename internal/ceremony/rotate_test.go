package ceremony_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// newOld is a card in a region that forces another PIN after 90 days, and whose PIN
// is so old.
func newOld(t *testing.T) *phoned {
	t.Helper()
	p := policy.National()
	p.RemindAfter, p.ForceAfter = 60*day, 90*day
	x := newPhoned(t, testkit.Options{Policy: &p})
	x.Clock.Advance(86 * day)
	return x
}

// renew gives old and new PIN on the pad of a change.
func (x *phoned) renew(p ceremony.Page, h ceremony.Hand, old, chosen string) ceremony.Page {
	x.T.Helper()
	p, err := x.Authority().GivePIN(x.T.Context(), p.ID, h, ceremony.Given{Try: p.Try,
		Old: x.SealPage(p, liuma.RoleOld, old), New: x.SealPage(p, liuma.RoleNew, chosen)})
	if err != nil {
		x.T.Fatal(err)
	}
	return p
}

// TestAnOldPINIsRemindedAndGoesOn: before it is forced, the page says that the PIN is
// old, and the business is done.
func TestAnOldPINIsRemindedAndGoesOn(t *testing.T) {
	x := newOld(t)
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	if x.want(p, ceremony.StepDone, ""); !p.RemindChange {
		t.Error("the holder is not told")
	}
	x.Return(x.ch, p, h)
}

// TestAForcedChangeKeepsTheBusiness: the right PIN leads to a change on the same page,
// and the new one ends what the holder came for: the channel redeems its request.
func TestAForcedChangeKeepsTheBusiness(t *testing.T) {
	x := newOld(t)
	x.Clock.Advance(2 * day)
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	x.want(x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN), ceremony.StepPIN, liuma.CodeWrong)
	p, err := x.Authority().Look(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepPIN, liuma.CodePINTooOld)
	if p.Action != liuma.ActionChange || p.Began != liuma.ActionVerify {
		t.Fatalf("the pad is of %s, begun as %s", p.Action, p.Began)
	}
	if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.State != authority.StatePending {
		t.Errorf("before the change: %+v, %v", v, err)
	}
	restart(x.Env)
	p = x.renew(p, h, wrongPIN, otherPIN)
	x.want(p, ceremony.StepPIN, liuma.CodeWrong)
	p = x.renew(p, h, goodPIN, "112233")
	x.want(p, ceremony.StepPIN, liuma.CodeWeakPIN)
	p = x.renew(p, h, goodPIN, otherPIN)
	x.want(p, ceremony.StepDone, "")
	if p.Action != liuma.ActionVerify || p.RemindChange {
		t.Errorf("the last page is of %s, and reminds: %v", p.Action, p.RemindChange)
	}
	g := x.Return(x.ch, p, h)
	if g.Action != liuma.ActionVerify || g.BusinessNo != q.BusinessNo || g.ACR != "urn:liuma:acr:pin" {
		t.Errorf("the token says %+v", g)
	}
	if v := x.Verify(x.ch, x.card, otherPIN); v.Verdict != liuma.Right {
		t.Errorf("the new PIN: %+v", v)
	}
	if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Wrong {
		t.Errorf("the old PIN: %+v", v)
	}
}

// TestAForcedChangeIsForced: leaving it gives no verdict, and so does another browser.
func TestAForcedChangeIsForced(t *testing.T) {
	x := newOld(t)
	x.Clock.Advance(2 * day)
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepPIN, liuma.CodePINTooOld)
	p2, h2 := x.OpenPage(x.ch, q)
	if p2.Action != liuma.ActionChange || p2.Step != ceremony.StepPIN {
		t.Errorf("another browser is at %s of %s", p2.Step, p2.Action)
	}
	left, err := x.Authority().Leave(t.Context(), p2.ID, h2)
	if err != nil {
		t.Fatal(err)
	}
	x.want(left, ceremony.StepLeft, liuma.CodeLeft)
	if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.Verdict != "" || v.Code != liuma.CodeLeft {
		t.Errorf("by business number: %+v, %v", v, err)
	}
}

// TestANativeVerificationOfATooOldPIN: refused before the guess; nothing is counted,
// and the same business number works after a change.
func TestANativeVerificationOfATooOldPIN(t *testing.T) {
	x := newOld(t)
	x.Clock.Advance(2 * day)
	q := x.VerifyRequest(x.ch, x.card, goodPIN)
	before := counted(t, x.Env, cardRow(t, x.Env, x.ch, x.card).ID)
	if _, err := x.Authority().Verify(t.Context(), x.ch, q); liuma.CodeOf(err) != liuma.CodePINTooOld {
		t.Fatalf("verify: %v", err)
	}
	if after := counted(t, x.Env, cardRow(t, x.Env, x.ch, x.card).ID); after[0] != before[0] {
		t.Errorf("the keepers counted %v, before %v", after, before)
	}
	if v := x.Change(x.ch, x.card, goodPIN, otherPIN); v.Verdict != liuma.Right {
		t.Fatalf("change: %+v", v)
	}
	again := x.VerifyRequest(x.ch, x.card, otherPIN)
	if v, err := x.Authority().Verify(t.Context(), x.ch, again); err != nil || v.Verdict != liuma.Right {
		t.Errorf("after the change: %+v, %v", v, err)
	}
}

// forceIn is a policy in which one region forces another PIN after 90 days.
type forceIn liuma.Region

func (l forceIn) For(r liuma.Region, _ liuma.ChannelID) policy.Policy {
	p := policy.National()
	p.AllowStandInEvidence = true
	if r == liuma.Region(l) {
		p.RemindAfter, p.ForceAfter = 60*day, 90*day
	}
	return p
}

// TestAForcedChangeFollowsTheCardsRegion: a channel does not get around it by naming
// another region, or none; and one of a region that forces holders is not taken by its
// word that it does not. The reminder goes by the same rules.
func TestAForcedChangeFollowsTheCardsRegion(t *testing.T) {
	for _, tt := range []struct {
		cards, pushed liuma.Region
		forced        bool
	}{
		{"330500", "440100", true}, {"330500", "", true}, {"440100", "330500", true}, {"440100", "440200", false},
	} {
		x := newPhoned(t, testkit.Options{Rules: forceIn("330500")})
		x.moveCard(tt.cards)
		x.Clock.Advance(61 * day)
		q := x.push(liuma.ActionVerify)
		q.Region = tt.pushed
		p, h := x.OpenPage(x.ch, q)
		if p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN); p.RemindChange != tt.forced {
			t.Errorf("a card of %s, pushed in %q: reminded: %v", tt.cards, tt.pushed, p.RemindChange)
		}
		x.Clock.Advance(30 * day)
		q = x.push(liuma.ActionVerify)
		q.Region = tt.pushed
		p, h = x.OpenPage(x.ch, q)
		p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
		if forced := p.Step == ceremony.StepPIN && p.Code == liuma.CodePINTooOld; forced != tt.forced {
			t.Errorf("a card of %s, pushed in %q: %s %s", tt.cards, tt.pushed, p.Step, p.Code)
		}
		n := x.VerifyRequest(x.ch, x.card, goodPIN)
		n.Region = tt.pushed
		if v, err := x.Authority().Verify(t.Context(), x.ch, n); (liuma.CodeOf(err) == liuma.CodePINTooOld) != tt.forced {
			t.Errorf("a card of %s, native in %q: %+v, %v", tt.cards, tt.pushed, v, err)
		}
	}
}
